"""The parts of an input -> one object, by copying bytes: gzip members in a row are one gzip file."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from batchscore.commit.reading_back import read_by_ranges
from batchscore.config.job_config import S3Settings
from batchscore.errors import ScoringError
from batchscore.input.blocks import CHUNK_BYTES, read_ahead
from batchscore.output.parts import PartFile, WrittenFile
from batchscore.plan import Plan
from batchscore.storage.base import Storage
from batchscore.storage.factory import storage_for


@dataclass(frozen=True)
class Concatenation:
    """The parts of one input, in order, and the object they become."""

    input_index: int
    uri: str
    output: str
    parts: tuple[WrittenFile, ...]


def plan_concatenations(plan: Plan, parts: Sequence[PartFile]) -> list[Concatenation]:
    """Return what is to be concatenated: in the Amazon layout, the parts of every input of several splits."""
    if plan.spec.config.layout == "parts":
        return []
    by_input: dict[int, list[WrittenFile]] = {}
    for part in parts:
        by_input.setdefault(plan.splits[part.split_index].input_index, []).append(part.file)
    return [
        Concatenation(index, plan.spec.outputs.result(plan.inputs[index].name), plan.spec.config.output, tuple(files))
        for index, files in by_input.items()
        if len(files) > 1
    ]


def concatenate_parts(task: Concatenation, s3: S3Settings) -> WrittenFile:
    """Copy the parts into one object; memory: two chunks.

    Raises ScoringError if a part is not as it was written.
    """
    storage = storage_for(task.output, s3)
    stream = _PartStream(read_ahead(_checked_chunks(storage, task.parts)))
    etag = storage.put(task.uri, cast("IO[bytes]", io.BufferedReader(stream, CHUNK_BYTES)))
    return WrittenFile(task.uri, stream.size_in_bytes, stream.digest.hexdigest(), etag)


def _checked_chunks(storage: Storage, parts: Sequence[WrittenFile]) -> Iterator[bytes]:
    for part in parts:
        stored = storage.stat(part.uri)
        digest = hashlib.sha256()
        for chunk in read_by_ranges(storage, stored):
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != part.sha256:
            raise ScoringError(f"part {part.uri}: expected sha256 {part.sha256}, got {digest.hexdigest()}")


class _PartStream(io.RawIOBase):
    """Chunks as a file that can only be read on; it knows the size and digest of what was read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self.digest = hashlib.sha256()
        self.size_in_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        view = memoryview(buffer)
        taken = self._rest[: len(view)]
        view[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        self.digest.update(taken)
        self.size_in_bytes += len(taken)
        return len(taken)
