"""What a finished task leaves for a later run of the same job: the records of its parts, checked when read."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import Any

from batchscore.commit.reading_back import read_by_ranges, sha256_of
from batchscore.errors import BatchScoreError, InputError, ObjectChangedError, ObjectMissingError, ScoringError
from batchscore.input.files import InputFile, Split
from batchscore.output.parts import PartFile, WrittenFile
from batchscore.plan import JobSpec
from batchscore.profile.split_profile import ProfileTotals, SplitProfile
from batchscore.storage.base import Storage, is_present
from batchscore.storage.stored_json import read_json

log = logging.getLogger(__name__)

_THREADS = 16
_ASKED_TOGETHER = 1000
_READ_TOGETHER = 64


def write_receipt(storage: Storage, uri: str, parameters: Mapping[str, str], parts: Sequence[PartFile]) -> None:
    """Write the records of a task's parts and what they were made with; raises CommitError."""
    receipt = {"parameters": dict(parameters), "parts": [part.to_dict() for part in parts]}
    storage.put(uri, io.BytesIO(json.dumps(receipt).encode()))


def finished_parts(
    storage: Storage, uri: str, spec: JobSpec, work: Sequence[tuple[Split, InputFile]]
) -> list[PartFile | None]:
    """Return for each split of a task the record that an earlier run of the same job left of its part.

    None for a part that is of another split or place than the plan's, whose records were counted in another way, or
    whose object is not there unchanged; for all parts if there are no records, or they are of other parameters or of
    another number of splits.
    """
    none: list[PartFile | None] = [None] * len(work)
    try:
        bound, parts = _read_receipt(storage.read(uri))
    except (ObjectMissingError, ValueError):
        return none
    if bound != spec.parameters or len(parts) != len(work):
        return none
    of_plan = [
        part if _is_of(part, split, source, spec) else None for part, (split, source) in zip(parts, work, strict=True)
    ]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="finished") as pool:
        there = pool.map(lambda part: part is not None and _is_there(storage, part), of_plan)
        return [
            replace(part, reused=True) if part and found else None for part, found in zip(of_plan, there, strict=True)
        ]


def stored_parts(storage: Storage, spec: JobSpec, tasks: Iterable[Sequence[Split]]) -> Iterator[PartFile]:
    """Yield the parts of all tasks, in the order of the splits, as the receipts tell of them; some are held at a time.

    Raises InputError, also where a receipt is of other parameters or splits.
    """
    numbered = enumerate(tasks)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="receipts") as pool:
        while some := list(islice(numbered, _READ_TOGETHER)):
            uris = [spec.outputs.receipt(number) for number, _ in some]
            for uri, content, (_, splits) in zip(uris, pool.map(storage.read, uris), some, strict=True):
                yield from _told_parts(uri, content, spec, splits)


def _told_parts(uri: str, content: bytes, spec: JobSpec, splits: Sequence[Split]) -> list[PartFile]:
    try:
        bound, parts = _read_receipt(content)
    except ValueError as error:
        raise InputError(f"receipt {uri}: expected the parts of a task, got something else") from error
    if bound != spec.parameters or [part.split_index for part in parts] != [split.index for split in splits]:
        raise InputError(f"receipt {uri}: expected the parts of this job's task, got others")
    return parts


def _read_receipt(content: bytes) -> tuple[Any, list[PartFile]]:
    """Return what the parts of a receipt were made with, and the parts; raises ValueError if it is none."""
    receipt = read_json(content)
    try:
        return receipt["parameters"], [PartFile.from_dict(raw) for raw in receipt["parts"]]
    except (TypeError, KeyError) as error:
        raise ValueError("expected the parts of a task") from error


def check_present(storage: Storage, files: Iterable[WrittenFile]) -> None:
    """Raise ScoringError if a file of a job that went on is no longer there: what is old may be cleaned away."""
    uris = (file.uri for file in files)
    absent: list[str] = []
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="present") as pool:
        while some := list(islice(uris, _ASKED_TOGETHER)):
            there = pool.map(lambda uri: is_present(storage, uri), some)
            absent += [uri for uri, found in zip(some, there, strict=True) if not found]
    if absent:
        raise ScoringError(f"part {absent[0]}: expected {len(absent)} parts to be there still, got none; run it again")


def _is_of(part: PartFile, split: Split, source: InputFile, spec: JobSpec) -> bool:
    """Tell whether a part is the plan's: what a receipt says else is neither read nor put into a manifest."""
    return (
        part.split_index == split.index
        and part.file.uri == spec.outputs.part(source.name, split.number, source.split_count)
        and (part.rejected is None or part.rejected.uri == spec.outputs.rejected(source.name, split.number))
        and _is_counted(part, spec)
    )


def _is_counted(part: PartFile, spec: JobSpec) -> bool:
    """Tell whether a part's records were counted as the job is to; where they were not, it is scored again."""
    form = spec.profile_format
    if form is None or part.profile is None:
        return form is None
    try:
        ProfileTotals(form).add(SplitProfile.from_json(part.profile))
    except ValueError:
        return False
    return True


def _is_there(storage: Storage, part: PartFile) -> bool:
    return all(_is_unchanged(storage, file) for file in (part.file, part.rejected) if file is not None)


def _is_unchanged(storage: Storage, written: WrittenFile) -> bool:
    try:
        stored = storage.stat(written.uri)
        if stored.size_in_bytes != written.file_size_in_bytes:
            return False
        if stored.etag == written.etag:
            return True
        return sha256_of(read_by_ranges(storage, stored)) == written.sha256
    except (ObjectMissingError, ObjectChangedError):
        return False


def remove_work(storage: Storage, uri: str) -> None:
    """Remove receipts and concatenated parts: the commit is known to stand, so nothing needs them."""
    try:
        storage.delete(*(item.uri for item in storage.list(uri)))
    except BatchScoreError as error:
        log.warning("left behind %s, which nothing needs: %s", uri, error)
