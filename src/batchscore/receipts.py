"""What a finished task leaves for a later run of the same job: the records of its parts, checked when read."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from batchscore.errors import ObjectMissingError, ScoringError
from batchscore.manifest import PartFile, WrittenFile
from batchscore.plan import Split
from batchscore.storage import Storage, is_present

_THREADS = 16


def write_receipt(storage: Storage, uri: str, parameters: Mapping[str, str], parts: Sequence[PartFile]) -> None:
    """Write the records of a task's parts and what they were made with; raises CommitError."""
    receipt = {"parameters": dict(parameters), "parts": [part.to_dict() for part in parts]}
    storage.put(uri, io.BytesIO(json.dumps(receipt).encode()))


def finished_parts(
    storage: Storage, uri: str, parameters: Mapping[str, str], splits: Sequence[Split]
) -> list[PartFile] | None:
    """Return the records that an earlier run of the same job left of a task.

    None if there are none, they are of other parameters or splits, or an object they tell of is not there unchanged.
    """
    try:
        receipt = json.loads(storage.read(uri))
        parts = [PartFile.from_dict(raw) for raw in receipt["parts"]]
    except (ObjectMissingError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if receipt.get("parameters") != dict(parameters) or [part.split_index for part in parts] != [
        split.index for split in splits
    ]:
        return None
    written = [file for part in parts for file in (part.file, part.rejected) if file is not None]
    if not all(_is_unchanged(storage, file) for file in written):
        return None
    return [replace(part, reused=True) for part in parts]


def check_present(storage: Storage, files: Sequence[WrittenFile]) -> None:
    """Raise ScoringError if a file of a job that went on is no longer there: what is old may be cleaned away."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="present") as pool:
        absent = [
            file.uri
            for file, there in zip(files, pool.map(lambda file: is_present(storage, file.uri), files), strict=True)
            if not there
        ]
    if absent:
        raise ScoringError(f"part {absent[0]}: expected {len(absent)} parts to be there still, got none; run it again")


def _is_unchanged(storage: Storage, written: WrittenFile) -> bool:
    try:
        stored = storage.stat(written.uri)
        if stored.size_in_bytes != written.file_size_in_bytes:
            return False
        if stored.etag == written.etag:
            return True
        return hashlib.sha256(storage.read(written.uri)).hexdigest() == written.sha256
    except ObjectMissingError:
        return False
