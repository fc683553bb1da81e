"""The oracle: what a model's own library answers to ``pandas.read_csv`` of a file, and a job's answer to the same."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.models import ModelSignature

from batchscore.config.job_config import JobConfig
from batchscore.input.files import with_headers
from batchscore.plan import Plan
from batchscore.preflight.planner import LoadedModel, make_plan
from tests.scored import score_split

FloatArray = npt.NDArray[np.float64]
Types = Mapping[str, str]
_NUMPY: dict[str, Any] = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
    "datetime": "datetime64[ns]",
}

_MISSING: dict[str, Any] = {"boolean": object, "float": "float32", "datetime": "datetime64[ns]"}


def read_as_pandas(text: str, types: Types, **options: Any) -> pd.DataFrame:
    """Return a file as pandas reads it: text columns as text, numbers to the last bit."""
    options |= {"float_precision": "round_trip", "skip_blank_lines": False}
    options["dtype"] = {name: str for name, kind in types.items() if kind == "string"}
    frame: pd.DataFrame = pd.read_csv(io.StringIO(text), **options)
    return frame


def types_of(signature: ModelSignature) -> dict[str, str]:
    """Return the types of a signature's inputs by name."""
    return {str(item.name): item.type.name for item in signature.inputs.inputs}


def predict_by_pattern(
    frame: pd.DataFrame, types: Types, predict: Callable[[pd.DataFrame], Any], missing_text: Any = np.nan
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the library's predictions, records that lack the same columns together, and for which it raises.

    Columns are of the signature's types; a missing whole number is float64 NaN, a missing boolean an object. Where the
    library raises, each of those records is predicted alone. Predictions are of shape (records, classes), or
    (records, 1).
    """
    inputs = frame[list(types)]
    answers: list[Any] = [None] * len(frame)
    patterns = inputs.isna().to_numpy()
    for pattern in np.unique(patterns, axis=0):
        rows = np.flatnonzero((patterns == pattern).all(axis=1))
        group = _typed(inputs.iloc[rows], types, dict(zip(types, pattern.tolist(), strict=True)), missing_text)
        for row, answer in zip(rows.tolist(), _answers(group, predict), strict=True):
            answers[row] = answer
    raised = np.array([answer is None for answer in answers], bool)
    width = max((len(answer) for answer in answers if answer is not None), default=1)
    return np.array([[np.nan] * width if answer is None else answer for answer in answers]), raised


def _answers(group: pd.DataFrame, predict: Callable[[pd.DataFrame], Any]) -> list[Any]:
    try:
        return list(np.asarray(predict(group), np.float64).reshape(len(group), -1))
    except Exception:
        if len(group) == 1:
            return [None]
        return [answer for row in range(len(group)) for answer in _answers(group.iloc[row : row + 1], predict)]


def _typed(group: pd.DataFrame, types: Types, missing: Mapping[str, bool], missing_text: Any) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for name, kind in types.items():
        if kind == "string":
            columns[name] = group[name].astype(object).where(group[name].notna(), missing_text)
        elif missing[name]:
            columns[name] = group[name].astype(_MISSING.get(kind, "float64"))
        else:
            columns[name] = group[name].astype(_NUMPY[kind])
    return pd.DataFrame(columns).reset_index(drop=True)


@dataclass(frozen=True)
class Scored:
    """What a job made of a file, record by record: tags, predictions, and why there is none, empty where there is."""

    tags: list[str]
    predictions: FloatArray
    reasons: list[str]


def score_file(config: JobConfig, model: LoadedModel) -> Scored:
    """Score the one file of a configuration as a job does, without Spark."""
    plan = make_plan(config, model)
    [source] = plan.inputs
    path = Path(source.source.uri.removeprefix("file://"))
    with path.open(newline="", encoding="utf-8") as file:
        header = tuple(next(csv.reader(file, delimiter=config.delimiter)))
    inputs = with_headers(plan.inputs, {source.source.uri: header})
    scored = Scored([], np.empty((0, len(_numbers(plan)))), [])
    for split in plan.splits:
        part = score_split(split, inputs[0], plan.spec, model.predictor)
        reasons = {}
        if part.rejected is not None:
            reasons = {int(row["line"]): row["reason"] for row in _rows(part.rejected.uri)}
        scored = _with_rows(scored, plan, _rows(part.file.uri), reasons)
    return scored


def _numbers(plan: Plan) -> list[str]:
    return [name for name in plan.spec.result_format.prediction_names if name != "bestAnswer"]


def _with_rows(scored: Scored, plan: Plan, rows: list[dict[str, str]], reasons: Mapping[int, str]) -> Scored:
    names = _numbers(plan)
    numbers = np.array([[float(row[name] or "nan") for name in names] for row in rows]).reshape(len(rows), len(names))
    return Scored(
        scored.tags + [row.get("tag", "") for row in rows],
        np.concatenate([scored.predictions, numbers]),
        scored.reasons + [reasons.get(place + 1, "") for place in range(len(rows))],
    )


def _rows(uri: str) -> list[dict[str, str]]:
    text = gzip.decompress(Path(uri.removeprefix("file://")).read_bytes()).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))
