"""CSV with the contract's rules, from a store: byte ranges, compression, and what stands before the records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from batchscore.config.job_config import S3Settings
from batchscore.errors import InputError
from batchscore.input import blocks
from batchscore.input.binding import Binding, bind
from batchscore.input.blocks import Block, compression_of
from batchscore.input.columns import Columns
from batchscore.input.csv_head import DELIMITER_LINE_BYTES, FileStart, file_start, header_names
from batchscore.input.csv_lines import IntArray, TextFormat
from batchscore.input.diagnosis.explanation import explain, explain_header, first_lines, first_records
from batchscore.input.diagnosis.findings import FaultKind
from batchscore.input.diagnosis.other_dialects import keys_that_read
from batchscore.input.diagnosis.other_spellings import Beginning
from batchscore.input.files import InputFile
from batchscore.input.open_quotes import surrounded
from batchscore.input.parsed_block import RECORDS_TOGETHER, ParsedBlock, parse_blocks
from batchscore.input.quoted_records import read_records
from batchscore.input.suspicious_lines import UTF8_MARK
from batchscore.storage.base import StoredObject
from batchscore.storage.factory import storage_for


@dataclass(frozen=True)
class CsvHead:
    """What the lines of an input are read by; ``line`` is its header, where it was read."""

    wanted: Columns
    text: TextFormat
    names: tuple[str, ...] | None
    binding: Binding
    line: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class CsvBlock:
    """Lines of an input, the header taken off."""

    head: CsvHead
    lines: Block = field(repr=False)
    is_first: bool = False

    @property
    def names(self) -> tuple[str, ...] | None:
        """The header's names."""
        return self.head.names

    @property
    def binding(self) -> Binding:
        """Where the job's columns stand among them."""
        return self.head.binding

    @property
    def offset(self) -> int:
        """The byte of the decompressed input at which its first line begins."""
        return self.lines.offset

    @property
    def size_in_bytes(self) -> int:
        """The bytes of its lines."""
        return len(self.lines.data)

    @property
    def record_count(self) -> int:
        """The number of its lines."""
        data = self.lines.data
        if self.lines.starts is not None:
            return len(self.lines.starts) - 1
        return data.count(b"\n") + (not data.endswith(b"\n")) if data else 0

    def parse(self, records_together: int = RECORDS_TOGETHER) -> Iterator[ParsedBlock]:
        """Yield its records in the types of the job's columns, so many at a time at the most."""
        if not self.lines.data:
            return iter(())
        head = self.head
        return parse_blocks(self.lines, head.binding, head.wanted, head.text, records_together)

    def joined(self, others: Sequence[CsvBlock]) -> CsvBlock:
        """Return its lines and those of blocks of other inputs as one; all have the same binding."""
        texts = (block.lines.data for block in (self, *others))
        data = b"".join(text.removesuffix(b"\n") + b"\n" for text in texts if text)
        starts = _joined_starts([block.lines for block in (self, *others)])
        return CsvBlock(self.head, Block(0, data, starts=starts))

    def explain(self, kind: FaultKind, number: int, record_count: int) -> str:
        """Say why so many of the records read have a fault, as far as these lines show; no value is quoted."""
        head, data = self.head, self.lines.data
        first = _first_line(data if head.names is None else head.line, head.text)
        lines = first_lines(data, head.text, self.lines.starts)
        start = Beginning(head.names, first, lines, head.binding, head.wanted, head.text)
        return explain(start, kind, number, record_count)


@dataclass(frozen=True)
class CsvReader:
    """Reads CSV; ``wanted`` is what the job reads of each record.

    ``has_delimiter_line``: Excel's first line of ``sep=;`` is no record; it was one to batchscore 0.1.
    """

    wanted: Columns
    text: TextFormat
    s3: S3Settings
    has_delimiter_line: bool = True

    def split_count(self, source: StoredObject, split_bytes: int) -> int:
        """Return how many splits of so many bytes an input gives; a compressed one gives one."""
        if compression_of(source.uri) or self.text.multiline:
            return 1
        return max(1, -(-source.size_in_bytes // split_bytes))

    def columns(self, source: InputFile) -> tuple[str, ...] | None:
        """Return the header's names, None where there is none: no records, or inputs whose header tells none."""
        start = self._whole_start(source.source) if self.wanted.reads_header else None
        return self._names(start.header, source.source.uri) if start else None

    def read(self, source: InputFile, start: int, stop: int) -> Iterator[CsvBlock]:
        """Yield the records whose first byte lies in [start, stop); a compressed input is read whole."""
        is_whole = self.text.multiline or compression_of(source.source.uri)
        return self._blocks(source, start, None if is_whole else stop)

    def read_beginning(self, source: InputFile, size_in_bytes: int | None) -> Iterator[CsvBlock]:
        """Yield the records whose first byte lies in the first bytes of the decompressed input, or all."""
        return self._blocks(source, 0, size_in_bytes)

    def content_bytes(self, source: StoredObject) -> int | None:
        """Return the size of an input, None of a compressed one."""
        return None if compression_of(source.uri) else source.size_in_bytes

    def _blocks(self, source: InputFile, start: int, stop: int | None) -> Iterator[CsvBlock]:
        """Find the columns by the header: that of the first block, or of a later split the one known."""
        uri, head, records_from = source.source.uri, None, 0
        if start:
            names = (source.header or self.columns(source)) if self.wanted.reads_header else None
            head = CsvHead(self.wanted, self.text, names, bind(self.wanted, names, uri))
            records_from = self._records_from(source.source, start)
        for block in self._lines(source.source, start, stop):
            if head is None:
                before = self._start_of(block, uri)
                if not before.is_whole:  # the header lies in another block, or in another split
                    before = self._whole_start(source.source) or before
                records_from = block.offset + before.size_in_bytes
                lines = _after(block, records_from)
                head = self._head(before.header, lines, uri)
                yield CsvBlock(head, lines, is_first=True)
            elif (lines := _after(block, records_from)).data:
                yield CsvBlock(head, lines)

    def _head(self, line: bytes, lines: Block, uri: str) -> CsvHead:
        """Find the columns by the header's line; the error tells what explains it."""
        try:
            names = self._names(line, uri)
            return CsvHead(self.wanted, self.text, names, bind(self.wanted, names, uri), line)
        except InputError as error:
            first = line if self.wanted.reads_header else lines.data
            records = first_records(lines.data, lines.starts)
            seen = explain_header(_first_line(first, self.text), self.wanted, self.text, records)
            raise InputError(f"{error}; {seen}" if seen else str(error)) from error

    def _lines(self, source: StoredObject, start: int, stop: int | None) -> Iterator[Block]:
        """Yield the lines that begin in [start, stop), header and byte-order mark included; None is the end.

        A compressed input is counted in decompressed bytes and read from its start.
        """
        storage, size, longest = storage_for(source.uri, self.s3), source.size_in_bytes, self.text.max_record_bytes

        def read(first: int, last: int) -> bytes:
            return storage.read_range(source, first, last)

        planned = size if stop is None else min(stop, size)
        compression = compression_of(source.uri)
        if self.text.multiline:
            content = blocks.read_ranges(read, 0, planned, size)
            if compression and size:
                content = blocks.decompressed(content, compression, source.uri)
            yield from read_records(content, stop, self.text)
            return
        # Around the range as much is read as a record may have: a quoted value may have begun before it or go on after.
        begin = max(start - longest + 1, 0)
        end = None if stop is None else stop + longest + len("\r\n")
        if compression:
            content = blocks.read_ranges(read, 0, planned, size)
            if size:
                content = blocks.decompressed(content, compression, source.uri)
            lines = blocks.ending_here(blocks.read_blocks(content, 0, 0, end, longest), end)
        else:
            origin = max(begin - 1, 0)
            content = blocks.read_ranges(read, origin, planned, size)
            lines = blocks.ending_at(blocks.read_blocks(content, origin, begin, end, longest), size)
        yield from surrounded(lines, start, stop, self.text)

    def _start_of(self, first: Block, uri: str) -> FileStart:
        """Return what stands before the records in an input's first lines; raises InputError."""
        blocks.check_content(uri, first.data, compression_of(uri))
        header, line = self.wanted.has_header, self.has_delimiter_line
        try:
            return file_start(first, self.text, uri, has_header=header, has_delimiter_line=line)
        except InputError as error:  # Excel's line tells another delimiter; what else differs is looked for behind it
            _, names, records = [*first_records(first.data).split(b"\n", 2), b"", b""][:3]
            seen = keys_that_read(names, records, self.wanted, self.text) if self.wanted.reads_header else ""
            raise InputError(f"{error}; {seen}" if seen else str(error)) from error

    def _whole_start(self, source: StoredObject) -> FileStart | None:
        """Read what stands before the records, None where an input is empty; raises InputError."""
        first, start = None, None
        for block in self._lines(source, 0, blocks.TAIL_BYTES):
            first = block if first is None else _followed_by(first, block)
            start = self._start_of(first, source.uri)
            if start.is_whole:
                break
        return start

    def _records_from(self, source: StoredObject, start: int) -> int:
        """Return where the records of a later split begin at the earliest, and what is looked at before it.

        After a header that begins within it, or that ends before it and is dropped unread: it may leave a value open.
        """
        reach = DELIMITER_LINE_BYTES + (0 if self.wanted.reads_header else self.text.max_record_bytes)
        if not self.wanted.has_header or not self.has_delimiter_line or start > reach:
            return 0
        before = self._whole_start(source)
        return before.size_in_bytes if before else 0

    def _names(self, header_line: bytes, uri: str) -> tuple[str, ...] | None:
        """Return the names of a header record, None for inputs whose header tells none; raises InputError."""
        return header_names(header_line, self.text, uri) if self.wanted.reads_header else None


def _after(block: Block, place: int) -> Block:
    """Return the lines of a block, and those before it, that begin at a byte of the input or after it."""
    cut = max(place - block.offset, 0)
    before = block.before[max(place - block.offset + len(block.before), 0) :]
    if not cut and len(before) == len(block.before):
        return block
    starts = None if block.starts is None else block.starts[block.starts >= cut] - cut
    return replace(block, offset=block.offset + cut, data=block.data[cut:], starts=starts, before=before)


def _followed_by(first: Block, second: Block) -> Block:
    """Return the lines of two blocks that stand one after the other."""
    starts = None
    if first.starts is not None and second.starts is not None:
        starts = np.append(first.starts[:-1], len(first.data) + second.starts)
    return Block(first.offset, first.data + second.data, starts=starts)


def _joined_starts(parts: Sequence[Block]) -> IntArray | None:
    """Return the starts of the records of blocks, put together with a line end after each; None: every line is one."""
    found, before = [np.zeros(1, np.int64)], 0
    for part in parts:
        if part.starts is None:
            return None
        if part.data:
            ends = np.append(part.starts[1:-1], len(part.data.removesuffix(b"\n")) + 1)
            found.append(before + ends)
            before += int(ends[-1])
    return np.concatenate(found)


def _first_line(data: bytes, text: TextFormat) -> str:
    """Return the first line; what is not of the encoding can be had back, to be tried with another one."""
    line = data.removeprefix(UTF8_MARK if text.encoding == "utf-8" else b"").partition(b"\n")[0].removesuffix(b"\r")
    return line.decode(text.encoding, errors="surrogateescape")
