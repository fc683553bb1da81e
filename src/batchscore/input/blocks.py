r"""A byte range of an input -> blocks of whole records (pure, on iterators of bytes).

Records end at ``\n``; a record belongs to the range in which its first byte lies. Memory: two chunks and one
block, whatever the length of a record, the range or the input.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batchscore.config.values import AMAZON_RECORD_BYTES
from batchscore.errors import InputError

Item = TypeVar("Item")

CHUNK_BYTES = 8 * 1024 * 1024
TAIL_BYTES = 64 * 1024
MAX_RECORD_BYTES = AMAZON_RECORD_BYTES

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
_MAGIC_NUMBERS = {
    re.compile(rb"\x1f\x8b"): "gzip",
    re.compile(rb"BZh[1-9]1AY&SY"): "bzip2",
    re.compile(rb"\x28\xb5\x2f\xfd"): "zstd",
}
# A carriage return without its newline can end an input too: the parser takes that line for an empty one.
_EMPTY_LAST_LINE = re.compile(rb"(?:\A|(?<=\n))(?:\r?\n|\r)\Z")
_EMPTY_LINE_BYTES = len("\r\n")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Block:
    r"""Consecutive records: ``data`` begins at byte ``offset`` of the (decompressed) input.

    Every record ends in ``\n`` except perhaps the last one of an input. A record over the limit may be cut
    two bytes past it; then it is the last of its block. ``ends_input`` tells of an empty last line that nothing
    follows it in the input. ``before`` and ``after`` are the bytes around it, where a quoted value may have begun
    before the block or go on after it. ``starts`` are those of the records within ``data``, and its end, where a record
    can have several lines.
    """

    offset: int
    data: bytes
    ends_input: bool = False
    before: bytes = b""
    after: bytes = b""
    starts: npt.NDArray[np.int64] | None = field(default=None, compare=False)


def compression_of(uri: str) -> str | None:
    """Return the compression that an input's name tells, as pyarrow calls it."""
    return next((name for ending, name in COMPRESSIONS.items() if uri.lower().endswith(ending)), None)


def read_ranges(read: Callable[[int, int], bytes], start: int, stop: int, size: int) -> Generator[bytes]:
    """Yield the bytes of [start, stop) and a tail, read ahead by one chunk, then more only when asked for.

    The tail nearly always holds the end of the record that straddles ``stop``.
    """
    planned = min(stop + TAIL_BYTES, size)
    pieces = _pieces(read, start, planned, CHUNK_BYTES)
    yield from read_ahead(pieces) if planned - start > CHUNK_BYTES else pieces  # of one there is nothing ahead
    yield from _pieces(read, planned, size, TAIL_BYTES)


def _pieces(read: Callable[[int, int], bytes], start: int, stop: int, length: int) -> Iterator[bytes]:
    for offset in range(start, stop, length):
        yield read(offset, min(offset + length, stop))


def read_ahead(chunks: Iterator[bytes]) -> Generator[bytes]:
    """Yield the same chunks, each one fetched by a thread while the one before is being used."""
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:
        following = pool.submit(next, chunks, None)
        try:
            while (chunk := following.result()) is not None:
                following = pool.submit(next, chunks, None)
                yield chunk
        finally:
            # Its error's traceback holds this frame: in a circle that only the collector frees, which may do so while
            # another thread starts, where waiting for a thread's end never ends.
            del following


def read_first(items: Iterator[Item], pool: Executor) -> Iterator[Item]:
    """Yield the same items, the first of which is being fetched already."""
    first = pool.submit(next, items, None)

    def fetched() -> Iterator[Item]:
        item = first.result()
        if item is not None:
            yield item
            yield from items

    return fetched()


def decompressed(chunks: Generator[bytes], compression: str, uri: str) -> Generator[bytes]:
    """Yield the decompressed bytes of a whole compressed input, read ahead by one chunk, and close ``chunks``.

    Raises InputError if the input is not of that compression, damaged or cut short.
    """
    return read_ahead(inflated(chunks, compression, uri))


def inflated(chunks: Generator[bytes], compression: str, uri: str) -> Generator[bytes]:
    """Yield the same as ``decompressed``, each chunk when it is asked for."""
    stream = pa.CompressedInputStream(pa.PythonFile(_ChunkFile(chunks), mode="r"), compression)
    try:
        while piece := stream.read(CHUNK_BYTES):
            yield piece
    except (pa.ArrowException, OSError) as error:
        # pyarrow reports damage as a plain OSError; a reader's own error passes it unchanged.
        raise _damaged(uri, compression) from error
    finally:
        chunks.close()


def _damaged(uri: str, compression: str) -> InputError:
    return InputError(f"input {uri}: expected a whole {compression} stream, got a damaged or truncated one")


class _ChunkFile:
    """The chunks as a file, for pyarrow: it asks for 64 KiB at a time, and gets a view of a chunk of megabytes."""

    closed = False

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def read(self, size: int) -> memoryview:
        while not self._rest and (chunk := next(self._chunks, None)) is not None:
            self._rest = memoryview(chunk)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def close(self) -> None:
        """Do nothing: whoever gave the chunks closes them."""


def check_content(uri: str, head: bytes, compression: str | None) -> None:
    """Refuse inputs whose first bytes show that they are no text of the kind their name tells.

    Raises InputError.
    """
    if head.startswith(_UTF16_MARKS):
        raise InputError(f"input {uri}: expected an encoding that extends ASCII, got UTF-16; convert it to UTF-8")
    found = next((name for magic, name in _MAGIC_NUMBERS.items() if magic.match(head)), None)
    if found:
        within = f" within {compression}" if compression else "; name it with its ending"
        raise InputError(f"input {uri}: expected plain text, got {found} data{within}")


def read_blocks(
    chunks: Iterator[bytes], origin: int, start: int, stop: int | None, longest: int = MAX_RECORD_BYTES
) -> Iterator[Block]:
    """Yield the records whose first byte lies in [start, stop) as blocks of whole records.

    ``chunks`` begin at byte ``origin``: at ``start - 1`` for a range inside an input (whether a record begins at
    ``start`` shows in the byte before), else at ``start``. ``stop`` None means the end of the input. ``longest`` is the
    limit of a record in bytes, without its line end.
    """
    pending, offset = b"", origin  # the beginning of a record, which holds no newline, and where it stands
    skipping = origin < start  # dropping the end of a record that another range, or a cut, has dealt with
    for read in chunks:
        chunk = read
        if skipping:
            end = chunk.find(b"\n")
            offset += len(chunk) if end < 0 else end + 1
            chunk = b"" if end < 0 else chunk[end + 1 :]
            skipping = end < 0
            if stop is not None and offset >= stop:
                return
            if skipping:
                continue
        end, last = _cut(chunk, offset + len(pending), stop)
        if end:
            length = len(pending) + end
            yield Block(offset, pending + memoryview(chunk)[:end])
            pending, offset = chunk[end:], offset + length
        else:
            pending += chunk
        if last:
            return
        if len(pending) > longest + 1:  # too long even if it ends in a carriage return
            yield Block(offset, pending[: longest + 2] + b"\n")
            offset += len(pending)
            pending, skipping = b"", True
            if stop is not None and offset >= stop:
                return
    if pending:
        yield Block(offset, pending)


def _cut(chunk: bytes, offset: int, stop: int | None) -> tuple[int, bool]:
    """Return how many bytes of ``chunk`` end records of the range, and whether they end its last."""
    if stop is not None and offset + len(chunk) >= stop:
        end = chunk.find(b"\n", max(stop - 1 - offset, 0))
        if end >= 0:
            return end + 1, True
    return chunk.rfind(b"\n") + 1, False


def empty_last_line(data: bytes) -> bytes:
    """Return the last line of some text, with its line end, if it holds nothing else; else nothing."""
    found = _EMPTY_LAST_LINE.search(data[-_EMPTY_LINE_BYTES - 1 :])
    return found[0] if found else b""


def ending_at(content: Iterator[Block], size: int) -> Iterator[Block]:
    """Yield the same blocks of an input of that size; the one with its last byte tells so."""
    for block in content:
        yield replace(block, ends_input=block.offset + len(block.data) == size)


def ending_here(content: Iterator[Block], stop: int | None) -> Iterator[Block]:
    """Yield the same records of an input of unknown size; an empty line that ends it is in a block that tells so.

    Whether an empty line is the last shows in what follows it: until then it is held back, and nothing else is. What
    follows a range that was read up to its ``stop`` is unknown, so such a line tells nothing.
    """
    held: Block | None = None
    for block in content:
        if held is not None:
            yield held
        whole = len(block.data) - len(empty_last_line(block.data))
        if whole:
            yield block if whole == len(block.data) else Block(block.offset, block.data[:whole])
        held = Block(block.offset + whole, block.data[whole:]) if whole < len(block.data) else None
    if held is not None:
        yield replace(held, ends_input=stop is None or held.offset + len(held.data) < stop)
