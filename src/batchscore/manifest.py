"""The parts of a job and its manifests (pure)."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, groupby, repeat
from typing import Any, TypeVar

from batchscore.errors import InputError, ScoringError, TooManyInvalidRecordsError
from batchscore.plan import InputFile, JobSpec, Plan
from batchscore.stored_json import read_json, typed

Kind = TypeVar("Kind")
FORMAT_VERSION = 1
# Of the configuration, what readers of the results need.
_TOLD_KEYS = ("mode", "layout", "invalid_records", "precision", "escape_formulas")
_NONE: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """An object that a job wrote; ``etag`` is the store's, ``sha256`` ours."""

    uri: str
    file_size_in_bytes: int
    sha256: str
    etag: str


@dataclass(frozen=True, slots=True)
class PartFile:
    """The record of a finished split: what its task wrote, counted and spent.

    ``extra_columns`` are the columns of the input that the job does not read, told by the input's first split.

    ``seconds`` are wall-clock by stage; ``compute_milliseconds`` is CPU time.
    """

    split_index: int
    file: WrittenFile
    record_count: int
    invalid_record_count: int
    invalid_values: Mapping[str, int]
    invalid_reasons: Mapping[str, int]
    rejected: WrittenFile | None
    extra_columns: Sequence[str] = ()
    compute_milliseconds: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    reused: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> PartFile:
        """Read a record back; raises ValueError if it is none."""
        part = typed(cls, raw)
        # There may be a hundred thousand: they share the names of stages, and one empty dictionary.
        return replace(
            part,
            seconds={sys.intern(stage): value for stage, value in part.seconds.items()},
            invalid_values=part.invalid_values or _NONE,
            invalid_reasons=part.invalid_reasons or _NONE,
        )


@dataclass(frozen=True)
class _Format:
    format_version: int


@dataclass(frozen=True)
class _Committed:
    """What a driver reads back of an extended manifest."""

    parameters: dict[str, str]
    record_count: int
    invalid_record_count: int
    invalid_reasons: dict[str, int]
    invalid_values: dict[str, int]
    compute_milliseconds: int


@dataclass(frozen=True)
class Counts:
    """The totals of a job."""

    record_count: int
    invalid_record_count: int
    invalid_reasons: Mapping[str, int]
    invalid_values: Mapping[str, int]


def check_parts(plan: Plan, parts: Sequence[PartFile]) -> list[PartFile]:
    """Return the parts in order if every split was answered exactly once; raises ScoringError."""
    answers = Counter(part.split_index for part in parts)
    wrong = [split.index for split in plan.splits if answers[split.index] != 1]
    if wrong or len(parts) != len(plan.splits):
        raise ScoringError(
            f"job {plan.spec.id}: expected one part for each of {len(plan.splits)} splits, got {len(parts)} parts; "
            f"splits not answered once: {wrong[:10]}"
        )
    return sorted(parts, key=lambda part: part.split_index)


def count(parts: Sequence[PartFile]) -> Counts:
    """Add up the counts of parts."""
    reasons, values = Counter[str](), Counter[str]()
    for part in parts:
        reasons.update(part.invalid_reasons)
        values.update(part.invalid_values)
    return Counts(
        record_count=sum(part.record_count for part in parts),
        invalid_record_count=sum(part.invalid_record_count for part in parts),
        invalid_reasons=dict(sorted(reasons.items())),
        invalid_values=dict(sorted(values.items())),
    )


def check_limits(spec: JobSpec, counts: Counts) -> None:
    """Hold a job to its limits of invalid records; raises TooManyInvalidRecordsError."""
    config = spec.config
    reasons = ", ".join(f"{reason} {number}" for reason, number in counts.invalid_reasons.items())
    if counts.invalid_record_count > config.max_invalid_records:
        raise TooManyInvalidRecordsError(
            f"job {spec.id}: expected at most {config.max_invalid_records} invalid records, got "
            f"{counts.invalid_record_count} ({reasons}); see the rejected files, or raise max_invalid_records"
        )
    allowed = config.max_invalid_fraction
    if allowed is not None and counts.invalid_record_count > allowed * counts.record_count:
        raise TooManyInvalidRecordsError(
            f"job {spec.id}: expected at most a fraction {allowed} of invalid records, got "
            f"{counts.invalid_record_count} of {counts.record_count} ({reasons})"
        )


def classic_manifest(plan: Plan) -> bytes:
    """Return Amazon's manifest: the URI of each input and of its result."""
    outputs = plan.spec.outputs
    entries = {item.source.uri: outputs.result(item.name) for item in plan.inputs}
    return json.dumps(entries, separators=(",", ":")).encode()


def extended_manifest(
    plan: Plan,
    parts: Sequence[PartFile],
    joined: Mapping[int, WrittenFile],
    software: Mapping[str, str],
    commit_id: str,
) -> bytes:
    """Return the extended manifest.

    ``joined`` are the results of the inputs, by index, whose parts were joined into one object. ``commit_id`` tells
    this driver's commit from another's.
    """
    spec = plan.spec
    counts = count(parts)
    manifest = {
        "format_version": FORMAT_VERSION,
        "id": spec.id,
        "commit_id": commit_id,
        "model": _model_entry(spec),
        "threshold": spec.threshold if spec.model_type == "binary" else None,
        "schema_sha256": spec.parameters["schema"],
        "parameters": spec.parameters,
        "input_format": _input_format_entry(spec),
        **{key: getattr(spec.config, key) for key in _TOLD_KEYS},
        "columns": list(spec.result_format.header),
        "software": dict(software),
        "record_count": counts.record_count,
        "invalid_record_count": counts.invalid_record_count,
        "invalid_reasons": counts.invalid_reasons,
        "invalid_values": counts.invalid_values,
        "compute_milliseconds": sum(part.compute_milliseconds for part in parts),
        "inputs": [],
        "skipped": [{"uri": uri, "reason": reason} for uri, reason in plan.skipped],
    }
    # A line for each input: with hundreds of thousands, json's indented form of all takes ten times as long.
    head, tail = json.dumps(manifest, indent=1).split('"inputs": []')
    by_input = groupby(parts, lambda part: plan.splits[part.split_index].input_index)
    content = io.BytesIO()
    content.write(f'{head}"inputs": ['.encode())
    for separator, (index, of_input) in zip(chain(["\n  "], repeat(",\n  ")), by_input, strict=False):
        entry = _input_entry(plan, plan.inputs[index], list(of_input), joined.get(index))
        content.write(f"{separator}{json.dumps(entry)}".encode())
    content.write(f"\n ]{tail}".encode())
    return content.getvalue()


def named_files(plan: Plan, parts: Sequence[PartFile], joined: Mapping[int, WrittenFile]) -> list[WrittenFile]:
    """Return every file that the extended manifest of these parts names."""
    alone = [part.file for part in parts if plan.splits[part.split_index].input_index not in joined]
    return [*alone, *joined.values(), *(part.rejected for part in parts if part.rejected)]


def _model_entry(spec: JobSpec) -> dict[str, Any]:
    model = spec.model
    return {
        "name": model.name,
        "version": model.version,
        "alias": model.alias,
        "asked_uri": model.asked_uri,
        "pinned_uri": model.pinned_uri,
        "model_id": model.model_id,
        "sha256": model.digest,
        "type": spec.model_type,
        "classes": list(spec.classes),
        "positive_label": spec.positive_label,
    }


def _input_format_entry(spec: JobSpec) -> dict[str, Any]:
    """Return how the records were read, so that they can be read again and held against the results."""
    columns = spec.columns
    names = None if columns.has_header else list(columns.names or (column.name for column in columns.inputs))
    return {
        "encoding": spec.config.encoding,
        "delimiter": spec.config.delimiter,
        "has_header": columns.has_header,
        "names": names,
        "row_id": columns.row_id,
        "target": columns.target,
        "numeric": sorted(columns.numeric_names & {columns.row_id, columns.target}),
    }


def _input_entry(plan: Plan, item: InputFile, parts: Sequence[PartFile], joined: WrittenFile | None) -> dict[str, Any]:
    return {
        "uri": item.source.uri,
        "file_size_in_bytes": item.source.size_in_bytes,
        "etag": item.source.etag,
        "result": plan.spec.outputs.result(item.name),
        "extra_columns": list(parts[0].extra_columns),
        "parts": _part_entries(plan, parts, joined),
        "rejected": [asdict(part.rejected) for part in parts if part.rejected],
    }


def committed_counts(content: bytes, uri: str) -> tuple[Counts, int]:
    """Return the totals and the CPU milliseconds that an extended manifest tells; raises InputError."""
    told = stored_manifest(_Committed, content, uri)
    counts = Counts(told.record_count, told.invalid_record_count, told.invalid_reasons, told.invalid_values)
    return counts, told.compute_milliseconds


def committed_parameters(content: bytes, uri: str) -> dict[str, str]:
    """Return the parameters that an extended manifest was made with; raises InputError."""
    return stored_manifest(_Committed, content, uri).parameters


def stored_manifest(kind: type[Kind], content: bytes, uri: str) -> Kind:
    """Return what ``kind``, a dataclass, holds of an extended manifest; raises InputError."""
    try:
        raw = read_json(content)
        found = typed(_Format, raw).format_version
        if found == FORMAT_VERSION:
            return typed(kind, raw)
    except ValueError as error:
        raise InputError(f"manifest {uri}: expected an extended manifest, got something else") from error
    raise InputError(f"manifest {uri}: expected format {FORMAT_VERSION}, got {found}")


def _part_entries(plan: Plan, parts: Sequence[PartFile], joined: WrittenFile | None) -> list[dict[str, Any]]:
    if joined is not None:
        counts = count(parts)
        first, last = plan.splits[parts[0].split_index], plan.splits[parts[-1].split_index]
        return [_part_entry(joined, first.start, last.stop, counts.record_count, counts.invalid_record_count)]
    splits = [plan.splits[part.split_index] for part in parts]
    return [
        _part_entry(part.file, split.start, split.stop, part.record_count, part.invalid_record_count)
        for part, split in zip(parts, splits, strict=True)
    ]


def _part_entry(file: WrittenFile, start: int, stop: int, records: int, invalid: int) -> dict[str, Any]:
    return {
        "uri": file.uri,
        "byte_range": [start, stop],
        "record_count": records,
        "invalid_record_count": invalid,
        "file_size_in_bytes": file.file_size_in_bytes,
        "sha256": file.sha256,
        "etag": file.etag,
    }
