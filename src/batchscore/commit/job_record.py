"""The record of a batch prediction and its states, as Amazon ML's GetBatchPrediction has them (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from batchscore.commit.statuses import Status
from batchscore.config.job_config import ProfileKind
from batchscore.errors import IdempotentParameterMismatchError, InputError
from batchscore.storage.stored_json import read_json, typed

if TYPE_CHECKING:
    from batchscore.output.parts import Counts
    from batchscore.plan import JobSpec

MAX_MESSAGE_CHARACTERS = 10_240
_OURS = {"parameters": "Parameters", "profile": "Profile"}
_OF_A_RUN = ("Message", "StartedAt", "FinishedAt", "ComputeTime", "TotalRecordCount", "InvalidRecordCount", "LogUri")


@dataclass(frozen=True, kw_only=True)
class BatchPrediction:
    """Amazon's fields; times are epoch seconds, ``ComputeTime`` CPU milliseconds over all tasks.

    ``parameters`` and ``profile`` are ours: what the id is bound to (see plan.parameters_of), and what is counted of
    the records, ``off`` where the record is of a version that did not count.
    """

    BatchPredictionId: str
    Name: str | None = None
    MLModelId: str
    BatchPredictionDataSourceId: str
    InputDataLocationS3: str
    OutputUri: str
    Status: Status
    CreatedAt: int
    LastUpdatedAt: int
    Message: str | None = None
    StartedAt: int | None = None
    FinishedAt: int | None = None
    ComputeTime: int | None = None
    TotalRecordCount: int | None = None
    InvalidRecordCount: int | None = None
    LogUri: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    profile: ProfileKind = "off"

    def to_dict(self) -> dict[str, Any]:
        """Return Amazon's fields that have a value, in a fixed order."""
        return {name: value for name, value in vars(self).items() if name not in _OURS and value is not None}

    def to_json(self) -> bytes:
        """Return the record as it is stored."""
        ours = {_OURS[name]: getattr(self, name) for name in _OURS}
        return json.dumps(self.to_dict() | ours, indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes, uri: str) -> BatchPrediction:
        """Read a stored record; raises InputError."""
        try:
            raw = read_json(content)
            return typed(cls, {**raw, "parameters": raw["Parameters"], "profile": raw.get("Profile", "off")})
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"record {uri}: expected the record of a batch prediction, got something else") from error


def pending(spec: JobSpec, now: int) -> BatchPrediction:
    """Return the record of a job that is about to start."""
    from batchscore.plan import digest_of  # who reads records needs no plan, nor what it imports

    config, parameters = spec.config, spec.parameters
    return BatchPrediction(
        BatchPredictionId=spec.id,
        Name=config.name,
        MLModelId=spec.model.pinned_uri,
        BatchPredictionDataSourceId="ds-" + digest_of([parameters["inputs"], parameters["schema"]])[:32],
        InputDataLocationS3=",".join(config.input),
        OutputUri=config.output,
        Status="PENDING",
        CreatedAt=now,
        LastUpdatedAt=now,
        parameters=parameters,
        profile=config.profile,
    )


def in_progress(record: BatchPrediction, now: int) -> BatchPrediction:
    """Return the record of a job that has started, again or for the first time."""
    return _changed(record, "INPROGRESS", now, StartedAt=now)


def completed(record: BatchPrediction, counts: Counts, log_uri: str, now: int) -> BatchPrediction:
    """Return the record of a job whose manifest stands."""
    return _changed(
        record,
        "COMPLETED",
        now,
        Message=f"{counts.record_count} records, {counts.invalid_record_count} of them invalid",
        StartedAt=record.StartedAt,
        FinishedAt=now,
        ComputeTime=counts.compute_milliseconds,
        TotalRecordCount=counts.record_count,
        InvalidRecordCount=counts.invalid_record_count,
        LogUri=log_uri,
    )


def failed(record: BatchPrediction, message: str, log_uri: str, now: int) -> BatchPrediction:
    """Return the record of a job that ended without a manifest."""
    return _changed(
        record,
        "FAILED",
        now,
        Message=message[:MAX_MESSAGE_CHARACTERS],
        StartedAt=record.StartedAt,
        FinishedAt=now,
        LogUri=log_uri,
    )


def _changed(record: BatchPrediction, status: Status, now: int, **of_run: Any) -> BatchPrediction:
    """Return a record in another state: what is not told of this run has no value, whatever an earlier one left."""
    values: dict[str, Any] = dict.fromkeys(_OF_A_RUN) | of_run
    return replace(record, Status=status, LastUpdatedAt=now, **values)


def check_same_parameters(
    batch_id: str, existing: Mapping[str, str], parameters: Mapping[str, str], other_inputs: Sequence[str] = ()
) -> None:
    """Refuse an id that is bound to another job; raises IdempotentParameterMismatchError.

    ``other_inputs`` are inputs of one of the two alone; the first of them are named if the inputs differ.
    """
    differing = [key for key, value in parameters.items() if existing.get(key) != value]
    if differing:
        others = f" (inputs: {', '.join(other_inputs[:5])})" if "inputs" in differing and other_inputs else ""
        raise IdempotentParameterMismatchError(
            f"IdempotentParameterMismatch: id {batch_id}: expected the parameters it was created "
            f"with, got another {', '.join(differing)}{others}; choose another id"
        )
