"""All that the page of a job shows, gathered from what the job left (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from batchscore.commit.job_record import BatchPrediction
from batchscore.output.paths import EXTENDED_MANIFEST_END, PROFILE_END, RECORD_END, Outputs
from batchscore.report.stored import ManifestTold, ProfileTold
from batchscore.storage.stored_json import read_json, typed

LOG_LINES = 20
TIMES = "times "
"""What the line of the log begins with that tells where the time went; JSON follows."""
_TIMES_LINE = re.compile(rf"^\S+ \S+ INFO {TIMES}(\{{.*\}})$", re.MULTILINE)

_BETWEEN_INPUTS = re.compile(",(?=s3://|file:///)")


@dataclass(frozen=True)
class StageTime:
    """What a stage took in all tasks."""

    seconds: float
    records_per_second: int = 0


@dataclass(frozen=True)
class Times:
    """Wall-clock seconds by step of the job, and by stage in its tasks, together."""

    seconds: dict[str, float] = field(default_factory=dict)
    records_per_second: int = 0
    stages: dict[str, StageTime] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the page shows: the record, where the job's files lie, and of the rest what is there."""

    record: BatchPrediction
    outputs: Outputs
    manifest: ManifestTold | None = None
    profile: ProfileTold | None = None
    times: Times | None = None
    log_lines: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The id of the job."""
        return self.record.BatchPredictionId

    @property
    def record_file(self) -> str:
        """The name of the record, beside the page."""
        return self.id + RECORD_END

    @property
    def manifest_file(self) -> str:
        """The name of the extended manifest, beside the page."""
        return self.id + EXTENDED_MANIFEST_END

    @property
    def profile_file(self) -> str:
        """The name of the profile, beside the page."""
        return self.id + PROFILE_END

    @property
    def inputs_asked_for(self) -> list[str]:
        """The configured inputs: the record joins them by commas, which a name may hold too."""
        return _BETWEEN_INPUTS.split(self.record.InputDataLocationS3)

    @property
    def has_failed(self) -> bool:
        """Whether the job ended without a manifest."""
        return self.record.Status == "FAILED"

    @property
    def model_type(self) -> str:
        """Binary, multiclass or regression; empty where nothing tells."""
        told = self.manifest.model.type if self.manifest else ""
        return told or (self.profile.model_type if self.profile else "")

    @property
    def threshold(self) -> float | None:
        """The one in force."""
        if self.manifest and self.manifest.threshold is not None:
            return self.manifest.threshold
        return self.profile.threshold if self.profile else None

    @property
    def took_seconds(self) -> int | None:
        """How long the last run took."""
        start, end = self.record.StartedAt, self.record.FinishedAt
        return None if start is None or end is None else end - start


def report_of(
    record: BatchPrediction, outputs: Outputs, manifest: ManifestTold | None, profile: ProfileTold | None, log: str
) -> Report:
    """Return the report of a job from its record and what else it left."""
    return Report(
        record=record,
        outputs=outputs,
        manifest=manifest,
        profile=profile,
        times=_times(log),
        log_lines=tuple(log.splitlines()[-LOG_LINES:]),
    )


def _times(log: str) -> Times | None:
    found = _TIMES_LINE.findall(log)
    try:
        return typed(Times, read_json(found[-1].encode())) if found else None
    except ValueError:  # of another version: it is told without
        return None
