"""A registered model as a pandas UDF, for people with DataFrames of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import DoubleType, StructField, StructType

from batchscore.config.job_config import make_config
from batchscore.environment import process_kept
from batchscore.errors import ConfigError, ModelError, describe_without_content
from batchscore.input.columns import Column, Columns
from batchscore.input.csv_lines import BoolArray
from batchscore.input.spelt_numbers import Typed
from batchscore.input.typed_values import WrongTypeError, fitted_values
from batchscore.model.archive import pack_model
from batchscore.model.flavors import predictor_settings
from batchscore.model.frames import ModelRecords, with_missing_rules
from batchscore.model.missing_patterns import predict_complete
from batchscore.model.predictor import Predictor, WrongOutputError
from batchscore.model.version import ModelVersion
from batchscore.preflight.planner import load_model
from batchscore.spark.loaded_models import loaded_predictor
from batchscore.spark.session import check_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.udf import UserDefinedFunction


@process_kept()
def predict_udf(spark: SparkSession, model_uri: str, **settings: Any) -> UserDefinedFunction:
    """Return a model of the registry as a function of one struct of typed columns, named as the model's inputs.

    It gives P(label 1) or the value as a double, or for multiclass a struct of one double for each class. A record
    gets null if the model refuses it for a value that it lacks, or if a value does not fit its input's type, as
    3,000,000,000 does not fit an ``integer``; see docs/configuration.md. ``settings`` are keys of the configuration
    that concern the model, such as ``tracking_uri``, ``model_type`` or ``missing_text``. Raises ConfigError or
    ModelError; a query over a column of a type that cannot fit its input fails with a ModelError in the first batch.

    >>> score = predict_udf(spark, "models:/bank-marketing@champion")
    >>> people.select("customerId", score(struct("age", "job", "balance")).alias("score"))
    >>> spark.udf.register("score", score)
    >>> spark.sql("SELECT customerId, score(struct(*)) AS score FROM people")
    """
    check_session(spark)
    if "null_values" in settings:
        raise ConfigError("key null_values: expected for files alone: in a DataFrame null is missing")
    config = make_config({"model": model_uri, "input": "none", "output": "none", **settings})
    with tempfile.TemporaryDirectory(prefix="batchscore-") as folder:
        model = load_model(config, Path(folder) / "model")
        archive = pack_model(model.folder)
    version, predictor = model.version, model.predictor
    if not isinstance(version.signature, tuple):
        raise ModelError(f"model {version.pinned_uri}: expected a signature with named inputs, got none")
    missing = replace(config.missing, of_file=False)
    columns = with_missing_rules(Columns(version.signature, (), None, False), missing, predictor.facts).inputs
    broadcast = spark.sparkContext.broadcast(archive)
    loading = predictor_settings(config, predictor.model_type)

    def predict(frames: Iterator[pd.DataFrame]) -> Iterator[Any]:
        loaded = loaded_predictor(broadcast.value, version, loading)
        for frame in frames:
            yield _predict_safely(frame, columns, version, loaded)

    return _as_pandas_udf(predict, predictor)


def _as_pandas_udf(
    predict: Callable[[Iterator[pd.DataFrame]], Iterator[Any]], predictor: Predictor
) -> UserDefinedFunction:
    """Return an iterator pandas UDF of a struct, which means the same on PySpark 3.5 to 4.3, typed by annotations."""
    kind: Any = DoubleType()
    answer: Any = pd.Series
    if predictor.model_type == "multiclass":
        kind, answer = StructType([StructField(name, DoubleType()) for name in predictor.classes]), pd.DataFrame
    predict.__annotations__ = {"frames": Iterator[pd.DataFrame], "return": Iterator[answer]}
    udf: UserDefinedFunction = pandas_udf(predict, kind)  # type: ignore[call-overload] # typed by annotations
    return udf


def _predict_safely(
    frame: pd.DataFrame, columns: tuple[Column, ...], version: ModelVersion, predictor: Predictor
) -> pd.Series[float] | pd.DataFrame:
    """Let no foreign message, which could print records, reach Spark's logs."""
    try:
        return _predict_frame(frame, columns, version, predictor)
    except ModelError:
        raise
    except WrongOutputError as error:
        raise ModelError(f"model {version.pinned_uri}: {error}") from error
    except Exception as error:
        reason = describe_without_content(error)
    raise ModelError(f"model {version.pinned_uri}: expected predictions, got {reason}")


def _predict_frame(
    frame: pd.DataFrame, columns: tuple[Column, ...], version: ModelVersion, predictor: Predictor
) -> pd.Series[float] | pd.DataFrame:
    missing = [column.name for column in columns if column.name not in frame.columns]
    if missing:
        raise ModelError(f"model {version.pinned_uri}: expected a struct with {', '.join(missing)}, got none of it")
    table, valid = _typed_records(frame, columns, version)
    width = len(predictor.classes) if predictor.model_type == "multiclass" else 1
    predictions = np.full((len(frame), width), np.nan)
    if valid.any():
        records = ModelRecords(table.filter(pa.array(valid)), columns, None, predictor.categorical)
        predictions[valid] = predict_complete(predictor, records).reshape(-1, width)
    # pyspark turns NaN into null.
    if predictor.model_type == "multiclass":
        return pd.DataFrame(predictions, columns=list(predictor.classes))
    return pd.Series(predictions[:, 0])


def _typed_records(
    frame: pd.DataFrame, columns: tuple[Column, ...], version: ModelVersion
) -> tuple[pa.Table, BoolArray]:
    """Return the records in the signature's types, and which of them can be predicted."""
    valid = np.ones(len(frame), bool)
    typed: list[pa.Array] = []
    for column in columns:
        values, bad = _fitted(frame[column.name], column, version)
        typed.append(values)
        if bad is not None and not column.missing.invalid_is_missing:
            valid &= ~bad
        if column.missing.is_refused and values.null_count:
            valid &= values.is_valid().to_numpy(zero_copy_only=False)
    return pa.table(typed, names=[column.name for column in columns]), valid


def _fitted(values: pd.Series[Any], column: Column, version: ModelVersion) -> Typed:
    try:
        return fitted_values(pa.array(values, from_pandas=True), column)
    except (WrongTypeError, pa.ArrowException) as error:  # Arrow has no type for what is in it
        got = str(error) if isinstance(error, WrongTypeError) else "several types"
        raise ModelError(
            f"model {version.pinned_uri}: input {column.name}: expected values that can be {column.type}, got a column "
            f"of {got}; cast it in the query{_nulls_make_doubles(column, got)}"
        ) from None


def _nulls_make_doubles(column: Column, got: str) -> str:
    if (column.type, got) != ("string", "double"):
        return ""
    return " (a column of whole numbers arrives as double too where a batch of it holds a null)"
