"""The proof of a finished job: its inputs, its manifests and its results read again and held against each other."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from threading import BoundedSemaphore
from typing import TypeVar

from batchscore.commands.check_report import CheckReport
from batchscore.commands.comparison import Comparison
from batchscore.commands.part_check import PartToRead, check_part, look_at_file, parts_to_read
from batchscore.commit.discrepancies import (
    Discrepancy,
    classic_discrepancies,
    manifest_discrepancies,
    profile_discrepancies,
    reason_discrepancies,
    record_discrepancies,
)
from batchscore.commit.job_record import BatchPrediction
from batchscore.commit.jobs import check_output_is_there, unfinished_job
from batchscore.commit.manifest_reader import CommittedJob, read_manifest
from batchscore.config.job_config import OutputConfig, S3Settings
from batchscore.errors import ObjectMissingError
from batchscore.output.paths import Outputs
from batchscore.report.page import commit_of
from batchscore.storage.base import StoredObject, read_if_present
from batchscore.storage.factory import storage_for

log = logging.getLogger(__name__)

_THREADS = 16
_LARGE_AT_ONCE = 4
_SMALL_PART_BYTES = 1024 * 1024
Item = TypeVar("Item")
Answer = TypeVar("Answer")


def check_job(batch_id: str, config: OutputConfig, sample: float | None = None) -> CheckReport:
    """Read the inputs and results of a finished job again and hold them against each other.

    ``sample`` reads only so many parts, or such a fraction of them if it is below 1, chosen at random; that all are
    there with their sizes is seen in any case. Raises InputError if there is no such job or something cannot be read.
    """
    check_output_is_there(config)
    storage, s3 = storage_for(config.output, config.s3), config.s3
    outputs = Outputs(config.output, batch_id, "parts")
    content = read_if_present(storage, outputs.extended_manifest)
    if content is None:
        raise unfinished_job(config, batch_id)
    job = read_manifest(content, outputs.extended_manifest)
    outputs = replace(outputs, layout=job.layout)
    parts = [part for item in job.inputs for part in parts_to_read(job, item)]
    report = CheckReport(batch_id, outputs.extended_manifest, len(job.inputs), len(parts), job.record_count)
    report.add("manifest", 1, list(manifest_discrepancies(job, outputs)))
    classic = read_if_present(storage, outputs.manifest)
    report.add("classic manifest", 1, list(classic_discrepancies(job, classic, outputs.manifest)))
    record = read_if_present(storage, outputs.record)
    prediction = None if record is None else BatchPrediction.from_json(record, outputs.record)
    report.add("record", 1, list(record_discrepancies(job, prediction, outputs.record)))
    profile = read_if_present(storage, outputs.profile)
    report.add("profile", 0 if profile is None else 1, list(profile_discrepancies(job, profile, outputs.profile)))
    report.add("page", 1, list(_page_discrepancies(job, read_if_present(storage, outputs.report), outputs.report)))
    absent = _check_inputs(job, s3, report)
    chosen = [part for part in _sampled(parts, sample) if part.item.uri not in absent]
    _check_files(job, chosen, s3, report)
    log.info("job %s: %d of %d parts are read again", batch_id, len(chosen), len(parts))
    for part, (compared, findings) in zip(chosen, _read_parts(chosen, s3), strict=True):
        report.add_part(part.part.uri, compared, findings)
    if report.parts_read == report.part_count and not report.findings:
        report.add("invalid records", 0, list(reason_discrepancies(job, report.reasons, report.manifest)))
    return report


def _page_discrepancies(job: CommittedJob, content: bytes | None, uri: str) -> Iterator[Discrepancy]:
    if content is not None and commit_of(content) != job.commit_id:
        what = f"expected the page of this commit, got another; batchscore report {job.id} makes it anew"
        yield Discrepancy("page", uri, what)


def _check_inputs(job: CommittedJob, s3: S3Settings, report: CheckReport) -> set[str]:
    """See that every input is there as it was scored; return the URIs of those that are not."""
    sources = [item.source for item in job.inputs]
    found = _in_threads(lambda source: _input_discrepancy(source, s3), sources, _THREADS)
    findings = [finding for finding in found if finding]
    report.add("inputs", len(sources), findings)
    return {finding.where for finding in findings}


def _input_discrepancy(source: StoredObject, s3: S3Settings) -> Discrepancy | None:
    try:
        stored = storage_for(source.uri, s3).stat(source.uri)
    except ObjectMissingError:
        return Discrepancy("inputs", source.uri, "expected the input that was scored, got none")
    if (stored.etag, stored.size_in_bytes) != (source.etag, source.size_in_bytes):
        return Discrepancy("inputs", source.uri, f"expected etag {source.etag} as scored, got {stored.etag}")
    return None


def _check_files(job: CommittedJob, chosen: Sequence[PartToRead], s3: S3Settings, report: CheckReport) -> None:
    """See that the files which are not read with the chosen parts are there with their sizes."""
    read = {file for part in chosen for file in part.files}
    files = [file for item in job.inputs for file in item.files]
    found = _in_threads(lambda file: look_at_file(file, s3), [file for file in files if file not in read], _THREADS)
    report.add("files", len(files), [finding for finding in found if isinstance(finding, Discrepancy)])


def _read_parts(parts: Sequence[PartToRead], s3: S3Settings) -> Iterator[tuple[Comparison | None, list[Discrepancy]]]:
    """Read parts side by side: many small ones, few large ones, of each of which several blocks are held."""
    few = BoundedSemaphore(_LARGE_AT_ONCE)

    def read(part: PartToRead) -> tuple[Comparison | None, list[Discrepancy]]:
        with few if part.size_in_bytes > _SMALL_PART_BYTES else nullcontext():
            return check_part(part, s3)

    return _in_threads(read, parts, _THREADS)


def _sampled(parts: Sequence[PartToRead], sample: float | None) -> Sequence[PartToRead]:
    if sample is None:
        return parts
    count = min(len(parts), int(sample) if sample >= 1 else math.ceil(len(parts) * sample))
    return [parts[index] for index in sorted(random.sample(range(len(parts)), count))]


def _in_threads(work: Callable[[Item], Answer], items: Sequence[Item], threads: int) -> Iterator[Answer]:
    """Yield the answers in order; after an error no more work begins."""
    with ThreadPoolExecutor(threads, thread_name_prefix="check") as pool:
        try:
            yield from pool.map(work, items)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
