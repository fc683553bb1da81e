"""An extended manifest read back, and whether it agrees with itself and with what stands beside it (pure)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from batchscore.errors import InputError
from batchscore.lines import TextFormat
from batchscore.manifest import FORMAT_VERSION, WrittenFile
from batchscore.outputs import Layout, Outputs
from batchscore.plan import digest_of
from batchscore.record import BatchPrediction
from batchscore.schema import Columns
from batchscore.storage import StoredObject


@dataclass(frozen=True)
class CommittedPart:
    """A part: the records whose first byte lies in [start, stop) of its input."""

    file: WrittenFile
    start: int
    stop: int
    record_count: int
    invalid_record_count: int


@dataclass(frozen=True)
class CommittedInput:
    """An input as it was scored, and what came of it."""

    source: StoredObject
    result: str
    parts: tuple[CommittedPart, ...]
    rejected: tuple[WrittenFile, ...]


@dataclass(frozen=True)
class CommittedJob:
    """What an extended manifest tells of a job.

    ``header`` are the columns of its results. ``columns`` are what can be read again from its inputs: rowId and
    target, no inputs of the model. ``keep_tag`` tells that a record without a prediction has its tag and label.
    """

    id: str
    parameters: Mapping[str, str]
    layout: Layout
    keep_tag: bool
    escape_formulas: bool
    header: tuple[str, ...]
    columns: Columns
    text: TextFormat
    record_count: int
    invalid_record_count: int
    invalid_reasons: Mapping[str, int]
    inputs: tuple[CommittedInput, ...]


@dataclass(frozen=True)
class Finding:
    """What is wrong: which proof fails, where, and how."""

    proof: str
    where: str
    what: str


def read_manifest(content: bytes, uri: str) -> CommittedJob:
    """Return what an extended manifest tells; raises InputError."""
    try:
        raw = json.loads(content)
        if raw["format_version"] != FORMAT_VERSION:
            raise InputError(f"manifest {uri}: expected format {FORMAT_VERSION}, got {raw['format_version']}")
        if "input_format" not in raw:
            raise InputError(f"manifest {uri}: expected input_format, got the manifest of an earlier batchscore")
        form = raw["input_format"]
        names = None if form["names"] is None else tuple(form["names"])
        return CommittedJob(
            id=raw["id"],
            parameters=raw["parameters"],
            layout=raw["layout"],
            keep_tag=raw["invalid_records"] == "keep_tag",
            header=tuple(raw["columns"]),
            escape_formulas=raw["escape_formulas"],
            columns=Columns(
                (), form["row_id"], form["target"], names, form["has_header"], numeric_names=frozenset(form["numeric"])
            ),
            text=TextFormat(form["delimiter"], form["encoding"]),
            record_count=raw["record_count"],
            invalid_record_count=raw["invalid_record_count"],
            invalid_reasons=raw["invalid_reasons"],
            inputs=tuple(_read_input(item) for item in raw["inputs"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"manifest {uri}: expected an extended manifest, got something else") from error


def read_sources(content: bytes, uri: str) -> list[StoredObject]:
    """Return the inputs that an extended manifest holds, in its order; raises InputError."""
    try:
        return [_read_source(item) for item in json.loads(content)["inputs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"manifest {uri}: expected an extended manifest, got something else") from error


def read_file_uris(content: bytes, uri: str) -> set[str]:
    """Return the URIs of everything that an extended manifest names; raises InputError."""
    try:
        items = [_read_input(item) for item in json.loads(content)["inputs"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"manifest {uri}: expected an extended manifest, got something else") from error
    return {file.uri for item in items for file in _files(item)} | {item.result for item in items}


def _read_source(raw: dict[str, Any]) -> StoredObject:
    return StoredObject(raw["uri"], raw["file_size_in_bytes"], raw["etag"])


def _read_input(raw: dict[str, Any]) -> CommittedInput:
    return CommittedInput(
        source=_read_source(raw),
        result=raw["result"],
        parts=tuple(_read_part(part) for part in raw["parts"]),
        rejected=tuple(WrittenFile(**file) for file in raw["rejected"]),
    )


def _read_part(raw: dict[str, Any]) -> CommittedPart:
    start, stop = raw["byte_range"]
    return CommittedPart(
        file=WrittenFile(raw["uri"], raw["file_size_in_bytes"], raw["sha256"], raw["etag"]),
        start=start,
        stop=stop,
        record_count=raw["record_count"],
        invalid_record_count=raw["invalid_record_count"],
    )


def manifest_findings(job: CommittedJob, outputs: Outputs) -> Iterator[Finding]:
    """Yield where an extended manifest contradicts itself, or names what the job's id could not have written."""

    def finding(where: str, what: str) -> Finding:
        return Finding("manifest", where, what)

    here = outputs.extended_manifest
    if job.id != outputs.id:
        yield finding(here, f"expected id {outputs.id}, got {job.id}")
    listed = [[item.source.uri, item.source.size_in_bytes, item.source.etag] for item in job.inputs]
    if digest_of(listed) != job.parameters.get("inputs"):
        yield finding(here, "expected the inputs that the id is bound to, got others")
    parts = [part for item in job.inputs for part in item.parts]
    for name, total, added in (
        ("record_count", job.record_count, sum(part.record_count for part in parts)),
        ("invalid_record_count", job.invalid_record_count, sum(part.invalid_record_count for part in parts)),
        ("invalid_reasons", sum(job.invalid_reasons.values()), job.invalid_record_count),
    ):
        if total != added:
            yield finding(here, f"{name}: expected {added} in all, got {total}")
    files = Counter(file.uri for item in job.inputs for file in _files(item))
    for uri, count in files.items():
        if count > 1:
            yield finding(uri, f"expected to be named once, got {count} times")
    for item in job.inputs:
        yield from _input_findings(item, outputs)


def _files(item: CommittedInput) -> list[WrittenFile]:
    return [*(part.file for part in item.parts), *item.rejected]


def _input_findings(item: CommittedInput, outputs: Outputs) -> Iterator[Finding]:
    uri = item.source.uri
    ends = [0, *(part.stop for part in item.parts)]
    starts = [*(part.start for part in item.parts), item.source.size_in_bytes]
    if ends != starts:
        yield Finding("manifest", uri, "expected parts that cover the input from start to end, got a gap or an overlap")
    stem = f"{outputs.folder}/result/{outputs.id}-"
    named = item.result.removeprefix(stem).removesuffix("/" if outputs.layout == "parts" else ".gz")
    if not item.result.startswith(stem) or item.result != outputs.result(named):
        yield Finding("manifest", uri, f"expected a result of id {outputs.id}, got {item.result}")
        return
    # In the Amazon layout there is one part, the result itself, whatever the number of splits was.
    expected = [outputs.part(named, number, 1) for number in range(len(item.parts))]
    if [part.file.uri for part in item.parts] != expected:
        yield Finding("manifest", uri, "expected parts numbered in the order of the records, got others")
    if outputs.layout == "parts":
        rejecting = [number for number, part in enumerate(item.parts) if part.invalid_record_count]
        if [file.uri for file in item.rejected] != [outputs.rejected(named, number) for number in rejecting]:
            yield Finding("manifest", uri, "expected a rejected file for each part with invalid records, got others")


def classic_findings(job: CommittedJob, content: bytes | None, uri: str) -> Iterator[Finding]:
    """Yield where Amazon's manifest disagrees with the extended one; None means that it is not there."""
    if content is None:
        yield Finding("classic manifest", uri, "expected a manifest, got none; run the same id again to complete it")
        return
    try:
        entries = json.loads(content)
    except ValueError:
        entries = None
    if entries != {item.source.uri: item.result for item in job.inputs}:
        yield Finding("classic manifest", uri, "expected the inputs and results of the extended manifest, got others")


def record_findings(job: CommittedJob, record: BatchPrediction | None, uri: str) -> Iterator[Finding]:
    """Yield where the record of the batch prediction disagrees with the extended manifest; None: it is not there."""
    if record is None:
        yield Finding("record", uri, "expected a record, got none; run the same id again to complete it")
        return
    if record.Status != "COMPLETED":
        yield Finding("record", uri, f"expected COMPLETED, got {record.Status}; run the same id again to complete it")
        return
    expected = (job.record_count, job.invalid_record_count, dict(job.parameters))
    if (record.TotalRecordCount, record.InvalidRecordCount, dict(record.parameters)) != expected:
        yield Finding("record", uri, "expected the counts and parameters of the extended manifest, got others")
