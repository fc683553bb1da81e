"""All inputs of a configuration, looked at, scored and judged as a job does it, without Spark."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from batchscore.commit.checks import limit_of
from batchscore.commit.verdicts import Tally, judge
from batchscore.config.job_config import JobConfig
from batchscore.errors import TooManyInvalidRecordsError
from batchscore.preflight.planner import LoadedModel, make_plan, preflight
from tests.agreement.oracle import FloatArray
from tests.scored import score_split


@dataclass
class Whole:
    """What a job made of its inputs, in their order: the tag and score of each record, NaN where there is none."""

    tags: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    @property
    def predictions(self) -> FloatArray:
        """All scores."""
        return np.array(self.scores)


def score_all(config: JobConfig, model: LoadedModel) -> Whole:
    """Score all inputs; raises what a job would end with before its commit."""
    plan = preflight(make_plan(config, model), model, None, lambda: False)
    whole, tallies = Whole(), dict.fromkeys((item.source.uri for item in plan.inputs), (0, 0))
    for split in plan.splits:
        source = plan.inputs[split.input_index]
        part = score_split(split, source, plan.spec, model.predictor)
        text = gzip.decompress(Path(part.file.uri.removeprefix("file://")).read_bytes()).decode()
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        whole.tags += [row.get("tag", "") for row in rows]
        whole.scores += [float(row["score"] or "nan") for row in rows]
        records, invalid = tallies[source.source.uri]
        bad = sum(1 for row in rows if not row["score"])
        tallies[source.source.uri] = (records + len(rows), invalid + bad)
    verdict = judge([Tally(uri, *counts) for uri, counts in tallies.items()], limit_of(config))
    if verdict is not None:
        raise TooManyInvalidRecordsError(verdict.what)
    return whole
