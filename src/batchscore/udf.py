"""A registered model as a pandas UDF, for people with DataFrames of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import DoubleType, StructField, StructType

from batchscore.config import make_config
from batchscore.errors import ModelError, describe_without_content
from batchscore.flavors import predictor_settings
from batchscore.model import ModelVersion
from batchscore.model_files import pack_model
from batchscore.planning import load_model
from batchscore.predictor import Predictor, WrongOutputError
from batchscore.schema import Column
from batchscore.tasks import loaded_predictor

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.udf import UserDefinedFunction


def predict_udf(spark: SparkSession, model_uri: str, **settings: Any) -> UserDefinedFunction:
    """Return a model of the registry as a function of one struct of typed columns, named as the model's inputs.

    It gives P(label 1) or the value as a double, or for multiclass a struct of one double for each class. A record
    with a missing value in an input that the signature requires gets null. ``settings`` are keys of the configuration
    that concern the model, such as ``tracking_uri``, ``model_type`` or ``positive_label``. Raises ConfigError or
    ModelError.

    >>> score = predict_udf(spark, "models:/bank-marketing@champion")
    >>> people.select("customerId", score(struct("age", "job", "balance")).alias("score"))
    >>> spark.udf.register("score", score)
    >>> spark.sql("SELECT customerId, score(struct(*)) AS score FROM people")
    """
    config = make_config({"model": model_uri, "input": "none", "output": "none", **settings})
    with tempfile.TemporaryDirectory(prefix="batchscore-") as folder:
        model = load_model(config, Path(folder) / "model")
        archive = pack_model(model.folder)
    version, predictor = model.version, model.predictor
    if not isinstance(version.signature, tuple):
        raise ModelError(f"model {version.pinned_uri}: expected a signature with named inputs, got none")
    columns = version.signature
    broadcast = spark.sparkContext.broadcast(archive)
    loading = predictor_settings(config, predictor.model_type)

    def predict(frames: Iterator[pd.DataFrame]) -> Iterator[Any]:
        loaded = loaded_predictor(broadcast.value, version, loading)
        for frame in frames:
            yield _predict_safely(frame, columns, version, loaded)

    if predictor.model_type == "multiclass":
        kind: Any = StructType([StructField(name, DoubleType()) for name in predictor.classes])
        predict.__annotations__ = {"frames": Iterator[pd.DataFrame], "return": Iterator[pd.DataFrame]}
    else:
        kind = DoubleType()
        predict.__annotations__ = {"frames": Iterator[pd.DataFrame], "return": Iterator[pd.Series]}
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
    required = [column.name for column in columns if column.required]
    complete = frame[required].notna().all(axis=1).to_numpy()
    inputs = pd.DataFrame({column.name: _typed(frame[column.name][complete], column) for column in columns})
    width = len(predictor.classes) if predictor.model_type == "multiclass" else 1
    predictions = np.full((len(frame), width), np.nan)
    if complete.any():
        predictions[complete] = predictor.predict(inputs.reset_index(drop=True)).reshape(-1, width)
    # pyspark turns NaN into null.
    if predictor.model_type == "multiclass":
        return pd.DataFrame(predictions, columns=list(predictor.classes))
    return pd.Series(predictions[:, 0])


_NUMPY_TYPES: dict[str, Any] = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
}


def _typed(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    """Cast to the signature's type, by the same rules as the batch job: optional integers are float64."""
    if column.type == "string":
        missing = values.isna() | (values == "") if column.empty_is_missing else values.isna()
        return values.where(~missing, np.nan).astype(object)
    if not column.required and column.type in {"long", "integer", "boolean"}:
        return values.astype("float64")
    return values.astype(_NUMPY_TYPES[column.type])
