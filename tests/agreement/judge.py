"""Holds what a job makes of a file against the oracle, record by record and in order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import ModelSignature

from batchscore.config.job_config import JobConfig
from batchscore.preflight.planner import LoadedModel
from tests.agreement.files import Spelt
from tests.agreement.models import Trained, load
from tests.agreement.oracle import Scored, Types, predict_by_pattern, read_as_pandas, score_file, types_of


def score(text: str, model: LoadedModel, folder: Path, **keys: Any) -> Scored:
    """Score a file as a job with such keys does."""
    (folder / "people.csv").write_text(text)
    places = {"input": str(folder / "people.csv"), "output": str(folder / f"out-{keys.get('split_bytes', 0)}")}
    return score_file(JobConfig.model_validate({"model": "models:/m/1", "precision": "full"} | places | keys), model)


def check(scored: Scored, file: Spelt, model: Trained, types: Types, options: Mapping[str, Any]) -> int:
    """Hold what was scored against the oracle; return how many records it has predictions for."""
    frame = read_as_pandas(file.valid_text, types, **options)
    expected, raised = predict_by_pattern(frame, types, model.predict, model.missing_text)
    valid = np.array([not fault for fault in file.faults])
    reasons = np.array(file.faults, object)
    reasons[valid] = np.where(raised, "model_error", "")
    predictions = np.full((len(valid), expected.shape[1]), np.nan)
    predictions[valid] = expected

    assert scored.tags == file.tags
    assert scored.reasons == reasons.tolist()
    np.testing.assert_allclose(scored.predictions, predictions, rtol=model.tolerance)
    return int(np.isfinite(predictions).all(axis=1).sum())


def agree(
    text: str, model: Trained, signature: ModelSignature, folder: Path, options: Mapping[str, Any], **keys: Any
) -> int:
    """Score a file of good lines with ``id`` as their tag and hold it against the oracle; see ``check``."""
    header, *lines = text.splitlines()
    frame = read_as_pandas(text, {"id": "string"})
    file = Spelt(header, lines, frame["id"].tolist(), [""] * len(lines))
    scored = score(text, load(model, signature, folder / "model"), folder, row_id="id", **model.keys, **keys)
    return check(scored, file, model, types_of(signature), options)
