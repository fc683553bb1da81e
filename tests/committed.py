"""A finished job without Spark: scored as a task scores it, committed as a driver does, for tests of what follows."""

import json
import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from batchscore.commit import job_record
from batchscore.commit.concatenation import concatenate_parts, plan_concatenations
from batchscore.commit.manifest import classic_manifest, extended_manifest
from batchscore.config.job_config import JobConfig, OutputConfig
from batchscore.input.columns import Column, Columns
from batchscore.input.echo_columns import EchoColumn, echo_columns
from batchscore.input.factory import job_reader
from batchscore.input.files import make_splits, with_headers
from batchscore.input.roles import NO_ROLES, Roles
from batchscore.model.categories import ModelInput
from batchscore.model.predictor import FloatArray, Predictor
from batchscore.model.version import ModelVersion
from batchscore.output.parts import PartFile, count
from batchscore.plan import JobSpec, Plan, make_inputs, naming_root, parameters_of
from batchscore.preflight.passthrough import with_passed_columns
from batchscore.storage.base import StoredObject
from batchscore.storage.factory import storage_for
from tests.scored import score_split

INPUTS = (Column("a", "double", required=True), Column("b", "string"))
FAILS = 13.0  # the model raises where a is this


def predict(frame: ModelInput) -> FloatArray:
    """Return a number for each record."""
    assert isinstance(frame, pd.DataFrame)
    if (frame["a"] == FAILS).any():
        raise ValueError("cannot take it")
    return np.array([math.tanh(a / 10) + len(b) for a, b in frame.itertuples(index=False)])


PREDICTOR = Predictor("regression", (), None, predict)


class FinishedJob:
    """A regression over CSV files of a folder ``in``, with columns ``id``, ``a``, ``b`` and ``y``.

    Local, unless the settings name an input and an output on S3. ``predictor`` is another model of the same inputs.
    """

    def __init__(self, folder: Path, files: dict[str, bytes], batch_id: str = "bp-1", **settings: Any) -> None:
        self.folder = folder
        settings = {"model": "models:/m/1", "input": f"{folder}/in/", "output": f"{folder}/out"} | settings
        self.tagged: bool = settings.pop("tagged", True)
        self.numeric: frozenset[str] = settings.pop("numeric", frozenset())
        told = echo_columns(Roles("id", "y") if self.tagged else NO_ROLES, self.numeric)
        self.echoed: tuple[EchoColumn, ...] = settings.pop("echoed", told)
        self.predictor: Predictor = settings.pop("predictor", PREDICTOR)
        self.config = JobConfig.model_validate(settings)
        [prefix] = self.config.input
        storage = storage_for(prefix, self.config.s3)
        for name, content in files.items():
            storage.put(f"{prefix}{name}", BytesIO(content))
        listed = storage.list(prefix)
        self.plan = self._plan(batch_id, [item for item in listed if item.uri.removeprefix(prefix) in files])
        self.parts: list[PartFile] = []

    def _plan(self, batch_id: str, sources: Sequence[StoredObject]) -> Plan:
        config, version = self.config, ModelVersion("models:/m/1", "m", "1", None, "0", {}, {}, INPUTS)
        kind, classes = self.predictor.model_type, self.predictor.classes
        names = ("id", "a", "b", "y")
        has_header = config.has_header is not False
        columns = Columns(INPUTS, self.echoed, None if has_header else names, has_header)
        parameters = parameters_of(config, version, 0.5, sources, "")
        spec = JobSpec(batch_id, config, version, kind, classes, None, 0.5, columns, parameters)
        reader = job_reader(config, columns)
        inputs = make_inputs(sources, naming_root(config.input), config.split_bytes, reader)
        headers = {item.source.uri: reader.columns(item) for item in inputs if item.split_count > 1}
        inputs = with_headers(inputs, {uri: header for uri, header in headers.items() if header is not None})
        return with_passed_columns(Plan(spec, inputs, make_splits(inputs, config.split_bytes), ()))

    def score(self) -> None:
        """Write the parts, and join those of an input where the layout asks for it."""
        plan = self.plan
        self.parts = [
            score_split(split, plan.inputs[split.input_index], plan.spec, self.predictor) for split in plan.splits
        ]

    def commit(self) -> Self:
        """Score and commit; the record is COMPLETED."""
        self.score()
        outputs, storage = self.plan.spec.outputs, storage_for(self.config.output, self.config.s3)
        concatenated = {
            task.input_index: concatenate_parts(task, self.config.s3)
            for task in plan_concatenations(self.plan, self.parts)
        }
        content = extended_manifest(self.plan, self.parts, count(self.parts), concatenated, {}, "1")
        storage.put_new(outputs.extended_manifest, BytesIO(b"".join(content)))
        storage.put(outputs.manifest, BytesIO(b"".join(classic_manifest(self.plan))))
        done = job_record.completed(job_record.pending(self.plan.spec, 1), count(self.parts), outputs.log, 2)
        storage.put(outputs.record, BytesIO(done.to_json()))
        return self

    @property
    def output(self) -> OutputConfig:
        """Where the results are."""
        return OutputConfig(output=self.config.output, s3=self.config.s3)

    def path(self, name: str) -> Path:
        """Return a file below ``batch-prediction``."""
        return self.folder / "out" / "batch-prediction" / name

    @property
    def manifest(self) -> dict[str, Any]:
        """The extended manifest."""
        manifest: dict[str, Any] = json.loads(self.path(f"{self.plan.spec.id}.manifest.json").read_bytes())
        return manifest

    def edit_manifest(self, **changed: Any) -> None:
        """Change top-level keys of the extended manifest."""
        path = self.path(f"{self.plan.spec.id}.manifest.json")
        path.write_text(json.dumps(json.loads(path.read_bytes()) | changed))
