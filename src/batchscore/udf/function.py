"""The function that people call: the model is loaded once on the driver, and reaches the workers with the UDF."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import DoubleType, StructField, StructType

from batchscore.config.job_config import JobConfig, make_config
from batchscore.config.missing_values import MissingSettings
from batchscore.environment import process_kept
from batchscore.errors import ConfigError, ModelError
from batchscore.input.columns import Column, Columns, ColumnType, resolve_columns
from batchscore.model.flavors import PredictorSettings, predictor_settings
from batchscore.model.predictor import Predictor
from batchscore.model.version import ModelVersion
from batchscore.preflight.planner import load_model
from batchscore.spark.loaded_models import loaded_predictor
from batchscore.spark.session import check_session, is_connect
from batchscore.spark.shipped_model import ship_model
from batchscore.spark.worker_python import check_workers
from batchscore.udf.calls import as_score
from batchscore.udf.scoring import Inputs, predict_safely

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.udf import UserDefinedFunction


@process_kept()
def model_function(
    spark: SparkSession,
    model_uri: str | JobConfig,
    columns: Sequence[str] | Mapping[str, ColumnType] | None,
    settings: Mapping[str, Any],
) -> UserDefinedFunction:
    """Return what ``predict_udf`` returns."""
    config = _checked_config(spark, model_uri, settings)
    with tempfile.TemporaryDirectory(prefix="batchscore-") as folder:
        loaded = load_model(config, Path(folder) / "model")
        inputs = _inputs(loaded.version, columns, replace(config.missing, of_file=False))
        inputs = inputs.with_rules(loaded.predictor.facts)
        read_archive = ship_model(spark, loaded.archive)
    loading = predictor_settings(config, loaded.predictor.model_type)
    predict = _predicting(read_archive, loaded.version, loading, inputs)
    return as_score(_as_pandas_udf(predict, loaded.predictor), inputs.columns)


def _checked_config(spark: SparkSession, model_uri: str | JobConfig, settings: Mapping[str, Any]) -> JobConfig:
    if not is_connect(spark):
        check_session(spark)
    if "null_values" in settings:
        raise ConfigError("key null_values: expected for files alone: in a DataFrame null is missing")
    config = make_config(_keys(model_uri, settings))
    check_workers(spark)
    return config


def _keys(model_uri: str | JobConfig, settings: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(model_uri, JobConfig):
        told = model_uri.model_dump(by_alias=True, exclude_unset=True, exclude={"null_values"})
        return {**told, **settings}
    return {**settings, "model": model_uri, "input": "none", "output": "none"}


def _predicting(
    read_archive: Callable[[], bytes], version: ModelVersion, loading: PredictorSettings, inputs: Inputs
) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """Return what a worker does with the batches of a partition."""

    def predict(batches: Iterator[Any]) -> Iterator[Any]:
        predictor = loaded_predictor(read_archive, version, loading)
        for batch in batches:
            yield predict_safely(batch, inputs, version, predictor)

    return predict


def _inputs(
    version: ModelVersion, told: Sequence[str] | Mapping[str, ColumnType] | None, missing: MissingSettings
) -> Inputs:
    uri, signature = version.pinned_uri, version.signature
    if signature is not None:
        if told is not None:
            raise ConfigError(f"argument columns: expected none, since {uri} has a signature, got some")
        return Inputs(resolve_columns(uri, signature, None, None), missing, True, version.tensor_dtype)
    if told is None:
        raise ModelError(
            f"model {uri}: expected a signature or the argument columns, got neither; name its inputs in their order, "
            'columns=["age", "job"], or with their types, columns={"age": "double", "job": "string"}'
        )
    return Inputs(Columns(_told_columns(told), (), None, False), missing, False, None, not isinstance(told, Mapping))


def _told_columns(told: Sequence[str] | Mapping[str, ColumnType]) -> tuple[Column, ...]:
    if isinstance(told, str) or not told or not all(isinstance(name, str) and name for name in told):
        raise ConfigError("argument columns: expected a list of names, or types by name, got something else")
    if len(set(told)) < len(told):
        raise ConfigError("argument columns: expected different names, got one twice")
    kinds = told if isinstance(told, Mapping) else dict.fromkeys(told, "double")
    wrong = {name: kind for name, kind in kinds.items() if kind not in get_args(ColumnType)}
    if wrong:
        name, kind = next(iter(wrong.items()))
        raise ConfigError(f"argument columns: {name}: expected one of {', '.join(get_args(ColumnType))}, got {kind}")
    return tuple(Column(name, kind) for name, kind in kinds.items())  # type: ignore[arg-type] # looked at above


def _as_pandas_udf(predict: Callable[[Iterator[Any]], Iterator[Any]], predictor: Predictor) -> UserDefinedFunction:
    """Return an iterator pandas UDF, which means the same on PySpark 3.5 to 4.3, typed by annotations."""
    fields = [StructField(name, DoubleType()) for name in predictor.number_names]
    kind: Any = StructType(fields) if fields else DoubleType()
    answer: Any = pd.DataFrame if fields else pd.Series
    predict.__annotations__ = {"batches": Iterator[pd.DataFrame], "return": Iterator[answer]}
    udf: UserDefinedFunction = pandas_udf(predict, kind)  # type: ignore[call-overload] # typed by annotations
    return udf
