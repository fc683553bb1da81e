"""Parts as the manifest tells of them -> their records: another size, digest or count ends the reading.

The last records of a part are given when all of it is known to be what the job wrote.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice

import pyarrow as pa

from batchscore.commit.committed_results import CommittedResults, ResultColumn, ResultPart
from batchscore.commit.reading_back import read_by_ranges
from batchscore.config.job_config import S3Settings
from batchscore.errors import InputError
from batchscore.input import blocks
from batchscore.output.rejected_files import whole_lines
from batchscore.output.result_text import csv_lines
from batchscore.results.parsing import WrongLinesError, parse_lines
from batchscore.storage.factory import storage_for

_SMALL_PART_BYTES = 1024 * 1024
_AHEAD = 16  # small parts that are fetched while others are read: at most 16 MiB


@dataclass(frozen=True)
class LocatedPart:
    """A part, the input that it is of, and the number of its first record there, from 1."""

    part: ResultPart
    input: str
    first_row: int


@dataclass(frozen=True)
class Rows:
    """Consecutive records: some of the columns of them, by name, and where they stand in the input."""

    count: int
    columns: dict[str, pa.Array]
    input: str
    first_row: int


def located_parts(results: CommittedResults) -> Iterator[LocatedPart]:
    """Yield the parts of a job in the order of its records."""
    for item in results.inputs:
        row = 1
        for part in item.parts:
            yield LocatedPart(part, item.uri, row)
            row += part.record_count


def read_parts(
    parts: Sequence[LocatedPart], columns: Sequence[ResultColumn], wanted: Sequence[str], s3: S3Settings
) -> Generator[Rows]:
    """Yield the records of parts, in order; small parts are fetched side by side, large ones as they are read."""
    with ThreadPoolExecutor(_AHEAD, thread_name_prefix="results") as pool:
        following = iter(parts)
        fetched = deque(_submitted(part, s3, pool) for part in islice(following, _AHEAD))
        try:
            while fetched:
                located, content = fetched.popleft()
                fetched.extend(_submitted(part, s3, pool) for part in islice(following, 1))
                with closing(_text(located.part, s3, content)) as text:
                    yield from _rows(located, text, columns, wanted)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _submitted(
    located: LocatedPart, s3: S3Settings, pool: ThreadPoolExecutor
) -> tuple[LocatedPart, Future[bytes] | None]:
    part = located.part
    if part.file_size_in_bytes > _SMALL_PART_BYTES:
        return located, None
    return located, pool.submit(lambda: b"".join(_checked_chunks(part, s3)))


def _text(part: ResultPart, s3: S3Settings, content: Future[bytes] | None) -> Generator[bytes]:
    """Return the decompressed bytes of a part."""
    if content is None:
        return blocks.decompressed(_checked_chunks(part, s3), "gzip", part.uri)
    return blocks.inflated((chunk for chunk in [content.result()]), "gzip", part.uri)


def _checked_chunks(part: ResultPart, s3: S3Settings) -> Generator[bytes]:
    """Yield the bytes of a part as it was when it was looked at; raises InputError at their end if they are others."""
    storage = storage_for(part.uri, s3)
    stored = storage.stat(part.uri)
    if stored.size_in_bytes != part.file_size_in_bytes:
        raise InputError(f"part {part.uri}: expected {part.file_size_in_bytes} bytes, got {stored.size_in_bytes}")
    digest = hashlib.sha256()
    for chunk in read_by_ranges(storage, stored):
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != part.sha256:
        raise InputError(f"part {part.uri}: expected sha256 {part.sha256}, got {digest.hexdigest()}")


def _rows(
    located: LocatedPart, text: Iterator[bytes], columns: Sequence[ResultColumn], wanted: Sequence[str]
) -> Iterator[Rows]:
    """Yield the records of a part, the last ones when its end has shown that they are all, and unchanged."""
    part = located.part
    held = Rows(0, {}, located.input, located.first_row)
    lines = whole_lines(text)
    try:
        for data in _without_header(lines, columns):
            count, arrays = parse_lines(data, columns, wanted)
            if held.count:
                yield held
            held = replace(
                held, count=count, columns=dict(zip(wanted, arrays, strict=True)), first_row=held.first_row + held.count
            )
    except WrongLinesError as error:
        raise InputError(
            f"part {part.uri}: expected lines of {len(columns)} columns as the manifest names them, got others"
        ) from error
    got = held.first_row + held.count - located.first_row
    if got != part.record_count:
        raise InputError(f"part {part.uri}: expected {part.record_count} records, got {got}")
    if held.count:
        yield held


def _without_header(lines: Iterator[bytes], columns: Sequence[ResultColumn]) -> Iterator[bytes]:
    header = csv_lines([[column.name] for column in columns])
    first = next(lines, b"")
    if not first.startswith(header):
        raise WrongLinesError
    if first[len(header) :]:
        yield first[len(header) :]
    yield from lines
