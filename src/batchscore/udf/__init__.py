"""A registered model as a pandas UDF, for people with DataFrames of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.udf import UserDefinedFunction

    from batchscore.config.job_config import JobConfig
    from batchscore.input.columns import ColumnType


def predict_udf(
    spark: SparkSession,
    model_uri: str | JobConfig,
    *,
    columns: Sequence[str] | Mapping[str, ColumnType] | None = None,
    **settings: Any,
) -> UserDefinedFunction:
    """Return a model of the registry as a function of its inputs, as columns or as one struct.

    ``model_uri`` may be the configuration of a job: its keys that concern the model then hold here too.

    It gives P(label 1) or the value as a double, or for multiclass a struct of one double for each class. A record
    gets null if the model refuses it for a value that it lacks, or if a value does not fit its input's type, as
    3,000,000,000 does not fit an ``integer``; see docs/models.md. ``columns`` are the inputs of a model without a
    signature: their names, or their types by name. ``settings`` are keys of the configuration that concern the model,
    such as ``tracking_uri``, ``model_type``, ``model_params`` or ``missing_text``. Raises ConfigError or ModelError; a
    query over a column of a type that cannot fit its input fails with a ModelError in the first batch.

    >>> score = predict_udf(spark, "models:/bank-marketing@champion")
    >>> people.select("customerId", score("age", "job", "balance").alias("score"))
    >>> people.select("customerId", score(struct("*")).alias("score"))
    >>> spark.udf.register("score", score)
    >>> spark.sql("SELECT customerId, score(struct(*)) AS score FROM people")
    """
    from batchscore.udf.function import model_function  # here: to import the name costs neither Spark nor pandas

    return model_function(spark, model_uri, columns, settings)
