"""The oracle: what a model's own library answers to ``pandas.read_csv`` of a file, and a job's answer to the same."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.models import ModelSignature

from batchscore.config import JobConfig
from batchscore.plan import Plan
from batchscore.planning import load_model, make_plan
from batchscore.scoring import score_split

FloatArray = npt.NDArray[np.float64]
_NUMPY: dict[str, Any] = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
}

_MISSING: dict[str, Any] = {"boolean": object, "float": "float32"}


def read_as_pandas(text: str, types: Mapping[str, str], **options: Any) -> pd.DataFrame:
    """Return a file as pandas reads it: text columns as text, numbers to the last bit."""
    options |= {"float_precision": "round_trip", "skip_blank_lines": False}
    options["dtype"] = {name: str for name, kind in types.items() if kind == "string"}
    frame: pd.DataFrame = pd.read_csv(io.StringIO(text), **options)
    return frame


def types_of(signature: ModelSignature) -> dict[str, str]:
    """Return the types of a signature's inputs by name."""
    return {str(item.name): item.type.name for item in signature.inputs.inputs}


def predict_by_pattern(
    frame: pd.DataFrame, types: Mapping[str, str], predict: Callable[[pd.DataFrame], Any]
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the library's predictions, records that lack the same columns together, and where it raises.

    Columns are of the signature's types; a missing whole number is float64 NaN, a missing boolean an object.
    """
    inputs = frame[list(types)]
    answers = np.full(len(frame), np.nan)
    raised = np.zeros(len(frame), bool)
    patterns = inputs.isna().to_numpy()
    for pattern in np.unique(patterns, axis=0):
        rows = np.flatnonzero((patterns == pattern).all(axis=1))
        group = _typed(inputs.iloc[rows], types, dict(zip(types, pattern.tolist(), strict=True)))
        try:
            answers[rows] = predict(group)
        except Exception:
            raised[rows] = True
    return answers, raised


def _typed(group: pd.DataFrame, types: Mapping[str, str], missing: Mapping[str, bool]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for name, kind in types.items():
        if kind == "string":
            columns[name] = group[name].astype(object)
        elif missing[name]:
            columns[name] = group[name].astype(_MISSING.get(kind, "float64"))
        else:
            columns[name] = group[name].astype(_NUMPY[kind])
    return pd.DataFrame(columns).reset_index(drop=True)


def score_file(config: JobConfig, folder: Path) -> tuple[FloatArray, list[str]]:
    """Score the one file of a configuration as a job does, without Spark; return scores and the reasons for none."""
    plan = make_plan(config, model := load_model(config, folder / "model"))
    scores: list[float] = []
    reasons: list[str] = []
    for split in plan.splits:
        part = score_split(split, plan.inputs[split.input_index], plan.spec, model.predictor)
        scores += _scores(plan, Path(part.file.uri.removeprefix("file://")))
        reasons += [reason for reason, number in part.invalid_reasons.items() for _ in range(number)]
    return np.array(scores), reasons


def _scores(plan: Plan, path: Path) -> list[float]:
    _, *lines = gzip.decompress(path.read_bytes()).decode().split("\n")[:-1]
    place = plan.spec.result_format.header.index("score")
    return [float(cell) if (cell := (line.split(",") + [""] * place)[place].strip('"')) else np.nan for line in lines]
