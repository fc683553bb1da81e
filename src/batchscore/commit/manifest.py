"""The manifests of a job: written from its plan and parts, and what its driver reads back of them (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, groupby
from typing import Any, TypeVar

from batchscore.commit.provenance import input_format_entry, missing_entry, model_entry, unseen_entry
from batchscore.input.files import InputFile, Split
from batchscore.output.parts import Counts, PartFile, WrittenFile, count
from batchscore.plan import JobSpec, Plan
from batchscore.storage.stored_json import read_versioned

Kind = TypeVar("Kind")
FORMAT_VERSION = 1
# Of the configuration, what readers of the results need.
_TOLD_KEYS = ("mode", "layout", "invalid_records", "precision", "escape_formulas")
_TOLD_WHERE_SET = {"multiclass_output", "status_column"}
_TOLD_COUNTS = ("record_count", "invalid_record_count", "invalid_reasons", "invalid_values", "compute_milliseconds")


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
class _Skipped:
    skipped: list[Any]
    skipped_count: dict[str, int] | None = None  # where there is none, all files are in the list


def classic_manifest(plan: Plan) -> Iterator[bytes]:
    """Yield Amazon's manifest, bit by bit: the URI of each input and of its result."""
    outputs = plan.spec.outputs
    yield b"{"
    for index, item in enumerate(plan.inputs):
        entry = f"{json.dumps(item.source.uri)}:{json.dumps(outputs.result(item.name))}"
        yield f"{',' if index else ''}{entry}".encode()
    yield b"}"


def extended_manifest(
    plan: Plan,
    parts: Iterable[PartFile],
    counts: Counts,
    concatenated: Mapping[int, WrittenFile],
    software: Mapping[str, str],
    commit_id: str,
) -> Iterator[bytes]:
    """Yield the extended manifest, bit by bit: whole, it would take more memory than all that it is made of.

    ``parts`` are in the order of the splits, and ``counts`` theirs. ``concatenated`` are the results of the inputs, by
    index, whose parts were concatenated into one object. ``commit_id`` tells this driver's commit from another's.
    """
    spec = plan.spec
    manifest = {
        "format_version": FORMAT_VERSION,
        "id": spec.id,
        "commit_id": commit_id,
        "model": model_entry(spec),
        "threshold": spec.threshold if spec.model_type == "binary" else None,
        "schema_sha256": spec.parameters["schema"],
        "parameters": spec.parameters,
        "input_format": input_format_entry(spec),
        "missing": missing_entry(spec),
        **_keys_entry(spec),
        "columns": list(spec.result_format.header),
        "software": dict(software),
        **_counts_entry(spec, counts),
        "inputs": [],
        "skipped_count": plan.skipped_count,
        "skipped": [{"uri": uri, "reason": reason} for uri, reason in plan.skipped],
    }
    # A line for each input: with hundreds of thousands, json's indented form of all takes ten times as long.
    head, tail = json.dumps(manifest, indent=1).split('"inputs": []')
    yield f'{head}"inputs": ['.encode()
    for index, answered in groupby(zip(plan.splits, parts, strict=True), key=lambda pair: pair[0].input_index):
        yield b",\n  " if index else b"\n  "
        yield from _input_entry(plan, plan.inputs[index], answered, concatenated.get(index))
    yield f"\n ]{tail}".encode()


def _keys_entry(spec: JobSpec) -> dict[str, Any]:
    told = {key: getattr(spec.config, key) for key in _TOLD_KEYS}
    told["invalid_records"] = spec.config.invalid_records_in_force
    return told | spec.config.model_dump(include=_TOLD_WHERE_SET, exclude_defaults=True)


def _counts_entry(spec: JobSpec, counts: Counts) -> dict[str, Any]:
    told = {key: getattr(counts, key) for key in _TOLD_COUNTS}
    return told | {"unseen_values": unseen_entry(spec, counts.texts)}


def named_files(
    plan: Plan, parts: Sequence[PartFile], concatenated: Mapping[int, WrittenFile]
) -> Iterator[WrittenFile]:
    """Yield every file that the extended manifest of these parts names."""
    yield from concatenated.values()
    for split, part in zip(plan.splits, parts, strict=True):
        if split.input_index not in concatenated:
            yield part.file
        if part.rejected:
            yield part.rejected


def _input_entry(
    plan: Plan, item: InputFile, answered: Iterator[tuple[Split, PartFile]], concatenated: WrittenFile | None
) -> Iterator[bytes]:
    """Yield the entry of an input as json.dumps writes it, part by part: one input may have all parts there are."""
    first = next(answered)
    fields = {
        "uri": item.source.uri,
        "file_size_in_bytes": item.source.size_in_bytes,
        "etag": item.source.etag,
        "result": plan.spec.outputs.result(item.name),
        "extra_columns": list(first[1].extra_columns),
        **_header_entry(first[1]),
    }
    yield f'{json.dumps(fields)[:-1]}, "parts": ['.encode()
    rejected: list[str] = []

    def noting_rejected() -> Iterator[tuple[Split, PartFile]]:
        for split, part in chain([first], answered):
            if part.rejected:
                rejected.append(json.dumps(asdict(part.rejected)))
            yield split, part

    for number, entry in enumerate(_part_entries(item, noting_rejected(), concatenated)):
        yield f"{', ' if number else ''}{json.dumps(entry)}".encode()
    yield f'], "rejected": [{", ".join(rejected)}]}}'.encode()


def _header_entry(first: PartFile) -> dict[str, Any]:
    """Return what is not as usual with an input's columns."""
    told = {"missing_columns": list(first.missing_columns), "repeated_columns": dict(first.repeated_columns)}
    return {key: value for key, value in told.items() if value}


def committed_counts(content: bytes, uri: str) -> Counts:
    """Return the totals that an extended manifest tells, which has no count of parts or reuse; raises InputError."""
    told = stored_manifest(_Committed, content, uri)
    return Counts(
        told.record_count,
        told.invalid_record_count,
        told.invalid_reasons,
        told.invalid_values,
        compute_milliseconds=told.compute_milliseconds,
    )


def committed_skipped_count(content: bytes, uri: str) -> int:
    """Return how many files an extended manifest tells as skipped; raises InputError."""
    told = stored_manifest(_Skipped, content, uri)
    return len(told.skipped) if told.skipped_count is None else sum(told.skipped_count.values())


def committed_parameters(content: bytes, uri: str) -> dict[str, str]:
    """Return the parameters that an extended manifest was made with; raises InputError."""
    return stored_manifest(_Committed, content, uri).parameters


def stored_manifest(kind: type[Kind], content: bytes, uri: str) -> Kind:
    """Return what ``kind``, a dataclass, holds of an extended manifest; raises InputError."""
    return read_versioned(kind, content, FORMAT_VERSION, f"manifest {uri}", "an extended manifest")


def _part_entries(
    item: InputFile, answered: Iterator[tuple[Split, PartFile]], concatenated: WrittenFile | None
) -> Iterator[dict[str, Any]]:
    if concatenated is not None:
        counts = count(part for _, part in answered)
        yield _part_entry(concatenated, 0, item.source.size_in_bytes, counts.record_count, counts.invalid_record_count)
        return
    for split, part in answered:
        yield _part_entry(part.file, split.start, split.stop, part.record_count, part.invalid_record_count)


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
