"""Whether an extended manifest agrees with itself and with what stands beside it (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from batchscore.commit.job_record import BatchPrediction
from batchscore.commit.manifest_reader import CommittedInput, CommittedJob
from batchscore.output.paths import Outputs
from batchscore.plan import digest_of
from batchscore.storage.stored_json import read_json, typed


@dataclass(frozen=True)
class _Profiled:
    id: str
    record_count: int
    invalid_record_count: int
    invalid_reasons: dict[str, int]


@dataclass(frozen=True)
class Discrepancy:
    """What is wrong: which proof fails, where, and how."""

    proof: str
    where: str
    what: str


def manifest_discrepancies(job: CommittedJob, outputs: Outputs) -> Iterator[Discrepancy]:
    """Yield where an extended manifest contradicts itself, or names what the job's id could not have written."""

    def discrepancy(where: str, what: str) -> Discrepancy:
        return Discrepancy("manifest", where, what)

    here = outputs.extended_manifest
    if job.id != outputs.id:
        yield discrepancy(here, f"expected id {outputs.id}, got {job.id}")
    listed = [[item.uri, item.file_size_in_bytes, item.etag] for item in job.inputs]
    if digest_of(listed) != job.parameters.get("inputs"):
        yield discrepancy(here, "expected the inputs that the id is bound to, got others")
    if job.columns != job.told_columns:
        yield discrepancy(here, "columns: expected those that the other keys tell, got others")
    parts = [part for item in job.inputs for part in item.parts]
    for name, total, added in (
        ("record_count", job.record_count, sum(part.record_count for part in parts)),
        ("invalid_record_count", job.invalid_record_count, sum(part.invalid_record_count for part in parts)),
        ("invalid_reasons", sum(job.invalid_reasons.values()), job.invalid_record_count),
    ):
        if total != added:
            yield discrepancy(here, f"{name}: expected {added} in all, got {total}")
    files = Counter(file.uri for item in job.inputs for file in item.files)
    for uri, count in files.items():
        if count > 1:
            yield discrepancy(uri, f"expected to be named once, got {count} times")
    for item in job.inputs:
        yield from _input_discrepancies(item, outputs)


def _input_discrepancies(item: CommittedInput, outputs: Outputs) -> Iterator[Discrepancy]:
    uri = item.uri
    ends = [0, *(part.byte_range[1] for part in item.parts)]
    starts = [*(part.byte_range[0] for part in item.parts), item.file_size_in_bytes]
    if ends != starts:
        what = "expected parts that cover the input from start to end, got a gap or an overlap"
        yield Discrepancy("manifest", uri, what)
    stem = f"{outputs.folder}/result/{outputs.id}-"
    named = item.result.removeprefix(stem).removesuffix("/" if outputs.layout == "parts" else ".gz")
    if not item.result.startswith(stem) or item.result != outputs.result(named):
        yield Discrepancy("manifest", uri, f"expected a result of id {outputs.id}, got {item.result}")
        return
    # In the Amazon layout there is one part, the result itself, whatever the number of splits was.
    expected = [outputs.part(named, number, 1) for number in range(len(item.parts))]
    if [part.uri for part in item.parts] != expected:
        yield Discrepancy("manifest", uri, "expected parts numbered in the order of the records, got others")
    if outputs.layout == "parts":
        rejecting = [number for number, part in enumerate(item.parts) if part.invalid_record_count]
        if [file.uri for file in item.rejected] != [outputs.rejected(named, number) for number in rejecting]:
            what = "expected a rejected file for each part with invalid records, got others"
            yield Discrepancy("manifest", uri, what)


def reason_discrepancies(job: CommittedJob, found: Counter[str], uri: str) -> Iterator[Discrepancy]:
    """Yield whether the counts by reason are those of all rejected rows."""
    counted = Counter(job.invalid_reasons)
    # No reason is named: in a file that was shifted or altered it could be a record's text.
    if counted != found:
        differing = (counted - found).total()
        yield Discrepancy(
            "invalid records", uri, f"invalid_reasons: expected those of the rows, got {differing} others"
        )


def classic_discrepancies(job: CommittedJob, content: bytes | None, uri: str) -> Iterator[Discrepancy]:
    """Yield where Amazon's manifest disagrees with the extended one; None means that it is not there."""
    if content is None:
        yield Discrepancy(
            "classic manifest", uri, "expected a manifest, got none; run the same id again to complete it"
        )
        return
    try:
        entries = read_json(content)
    except ValueError:
        entries = None
    if entries != {item.uri: item.result for item in job.inputs}:
        what = "expected the inputs and results of the extended manifest, got others"
        yield Discrepancy("classic manifest", uri, what)


def record_discrepancies(job: CommittedJob, record: BatchPrediction | None, uri: str) -> Iterator[Discrepancy]:
    """Yield where the record of the batch prediction disagrees with the extended manifest; None: it is not there."""
    if record is None:
        yield Discrepancy("record", uri, "expected a record, got none; run the same id again to complete it")
        return
    if record.Status != "COMPLETED":
        what = f"expected COMPLETED, got {record.Status}; run the same id again to complete it"
        yield Discrepancy("record", uri, what)
        return
    expected = (job.record_count, job.invalid_record_count, dict(job.parameters))
    if (record.TotalRecordCount, record.InvalidRecordCount, dict(record.parameters)) != expected:
        yield Discrepancy("record", uri, "expected the counts and parameters of the extended manifest, got others")


def profile_discrepancies(job: CommittedJob, content: bytes | None, uri: str) -> Iterator[Discrepancy]:
    """Yield whether a profile is of other counts than the extended manifest; None: it is not there, as it may be."""
    if content is None:
        return
    try:
        found = typed(_Profiled, read_json(content))
    except ValueError:
        yield Discrepancy("profile", uri, "expected a profile, got something else; remove it: no result depends on it")
        return
    if found != _Profiled(job.id, job.record_count, job.invalid_record_count, job.invalid_reasons):
        yield Discrepancy("profile", uri, "expected the id and counts of the extended manifest, got others")
