"""The records of a part's input, its result and its rejected file, held against each other line by line (pure).

Memory: a block of the input and a chunk of the result, whatever their length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.input.csv_lines import BoolArray, IntArray, line_starts
from batchscore.input.parsed_block import ParsedBlock
from batchscore.output.rejected_files import RejectedRow, whole_lines
from batchscore.output.result_text import LONE_EMPTY_CELL, EchoFormat, csv_lines, echoed_cells, row_ids

_COMPARED_BYTES = 1 << 20  # how much of the echoed text is compared at a time: eight bytes of index for each
_COMMA = ord(",")
_QUOTE = ord('"')
_NUMBER_BYTES = np.zeros(256, bool)
_NUMBER_BYTES[list(b"0123456789+-.eE")] = True


@dataclass(frozen=True)
class PairFormat(EchoFormat):
    """What is known of a part: the header of its result, and how its first cells, the echoed ones, are written.

    ``number`` is that of the split, by which rejected rows count; None where the part is of several splits.
    ``quotes_lone_cell`` says how an empty score was kept that is all of its line.
    """

    header: tuple[str, ...]
    number: int | None
    quotes_lone_cell: bool = True

    @property
    def prediction_count(self) -> int:
        """How many columns of the result are predictions."""
        return len(self.header) - len(self.echoed)


@dataclass
class Tally:
    """What was compared: how often each proof was tried, how often it failed, and how it failed first.

    ``reasons`` counts the rejected rows by reason.
    """

    tried: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    record_count: int = 0
    invalid_record_count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, proof: str, tried: int, failed: int = 0, what: str = "") -> None:
        """Add comparisons; ``what`` tells of the first that failed."""
        self.tried[proof] += tried
        if failed:
            self.failed[proof] += failed
            self.first.setdefault(proof, what)

    def add_mask(self, proof: str, failed: BoolArray, what: str) -> None:
        """Add a comparison for each record from ``record_count`` on."""
        wrong = np.flatnonzero(failed)
        place = f"record {self.record_count + int(wrong[0]) + 1}: {what}" if len(wrong) else ""
        self.add(proof, len(failed), len(wrong), place)


@dataclass(frozen=True)
class _Expected:
    """Consecutive records of the input: how their lines begin, and which of them have no prediction."""

    prefixes: pa.StringArray
    invalid: BoolArray

    def __len__(self) -> int:
        return len(self.invalid)

    def cut(self, start: int, length: int) -> _Expected:
        return _Expected(self.prefixes.slice(start, length), self.invalid[start : start + length])


def pair(
    blocks: Iterator[ParsedBlock], rejected: Iterator[RejectedRow], result: Iterator[bytes], form: PairFormat
) -> Tally:
    """Hold a result against the records it is of.

    ``blocks`` are the input's records, their tags in any case, ``rejected`` the rows of those without a prediction, in
    order, ``result`` the text of the part. Raises RejectedFileError.
    """
    tally = Tally()
    lines = _without_header(whole_lines(result), form, tally)
    chunk, starts, place = b"", np.zeros(1, np.int64), 0
    expected = _expected(blocks, rejected, form, tally)
    for records in expected:
        done = 0
        while done < len(records):
            if place == len(starts) - 1:
                chunk = next(lines, b"")
                if not chunk:
                    left = len(records) - done + sum(map(len, expected))
                    tally.add("records", left, left, f"expected a line for each record, got {left} too few")
                    tally.record_count += left
                    return tally
                starts, place = line_starts(chunk), 0
            count = min(len(records) - done, len(starts) - 1 - place)
            _compare(records.cut(done, count), chunk, starts[place : place + count + 1], form, tally)
            done, place = done + count, place + count
    extra = len(starts) - 1 - place + sum(rest.count(b"\n") for rest in lines)
    tally.add("records", extra, extra, f"expected a line for each record, got {extra} too many")
    return tally


def _without_header(lines: Iterator[bytes], form: PairFormat, tally: Tally) -> Iterator[bytes]:
    """Take the header off a result, and see to it that its last line is whole."""
    header = csv_lines([[name] for name in form.header])
    first = next(lines, b"")
    found = first.startswith(header)
    tally.add("records", 0, int(not found), "expected the header that the manifest names, got another first line")
    rest = first[len(header) :] if found else first[first.find(b"\n") + 1 :]
    for chunk in chain([rest] if rest else [], lines):
        if not chunk.endswith(b"\n"):
            tally.add("records", 0, 1, "expected a line end after the last record, got none")
            yield chunk + b"\n"
        else:
            yield chunk


def _expected(
    blocks: Iterator[ParsedBlock], rejected: Iterator[RejectedRow], form: PairFormat, tally: Tally
) -> Iterator[_Expected]:
    """Yield what the input and its rejected file say of each block's lines."""
    ahead = next(rejected, None)
    records = 0
    for block in blocks:
        last = block.offset + int(block.line_starts[-2])
        rows = []
        while ahead is not None and ahead.offset <= last:
            rows.append(ahead)
            ahead = next(rejected, None)
        invalid = _invalid_mask(block, rows, records, form, tally)
        records += block.record_count
        yield _Expected(_prefixes(block, invalid, form), invalid)
    left = int(ahead is not None) + sum(1 for _ in rejected)
    tally.add("invalid records", left, left, "expected rejected rows of the part's records, got others")


def _invalid_mask(
    block: ParsedBlock, rows: Sequence[RejectedRow], before: int, form: PairFormat, tally: Tally
) -> BoolArray:
    """Return which records of a block have no prediction, when each row was held against its record."""
    invalid = np.zeros(block.record_count, bool)
    tally.reasons.update(row.reason for row in rows)
    offsets = np.array([row.offset for row in rows], np.int64) - block.offset
    places = np.searchsorted(block.line_starts[:-1], offsets)
    tags = row_ids(form, block.echoed, places)
    wrong = 0
    for row, offset, place, tag in zip(rows, offsets.tolist(), places.tolist(), tags, strict=True):
        there = int(block.line_starts[place]) == offset
        fits = there and not invalid[place]
        fits &= form.number is None or (row.part, row.line) == (str(form.number), str(before + place + 1))
        fits &= row.tag == tag
        wrong += not fits
        invalid[place] |= there
    tally.add("invalid records", 0, wrong, "expected rejected rows that fit their records, got others")
    told = {(row.offset, row.reason) for row in rows if row.stage == "parse"}
    found = {(record.offset, record.reason) for record in block.invalid}
    differing = len({offset for offset, _ in told ^ found})
    tally.add("invalid records", 0, differing, "expected the records that cannot be parsed to be rejected, got others")
    return invalid


def _prefixes(block: ParsedBlock, invalid: BoolArray, form: PairFormat) -> pa.StringArray:
    """Return how the line of each record begins: with what is echoed, unless it is to be blank."""
    echoed = echoed_cells(form, block.echoed)
    if not echoed:
        return pa.array([""] * block.record_count, pa.string())
    texts = pc.binary_join_element_wise(*echoed, "", ",")
    if not form.keep_tag and invalid.any():
        texts = pc.if_else(pa.array(invalid), "", texts)
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _compare(records: _Expected, chunk: bytes, starts: IntArray, form: PairFormat, tally: Tally) -> None:
    """Hold lines against the records they are of: the same number of both."""
    data = np.frombuffer(chunk, np.uint8)[starts[0] : starts[-1]]
    firsts, ends = starts[:-1] - starts[0], starts[1:] - 1 - starts[0]
    differs, lengths = _differing_prefixes(data, firsts, ends, records.prefixes)
    commas, cells, others = _tail_counts(data, firsts + lengths, ends)
    count = form.prediction_count
    if form.keep_tag and form.quotes_lone_cell and len(form.header) == 1:
        unscored = (_counts(data == _QUOTE, firsts, ends) == 2) & (ends - firsts == len(LONE_EMPTY_CELL))
    elif form.keep_tag:
        unscored = (commas == count - 1) & (cells == 0) & (others == 0)
    else:
        unscored = firsts == ends
    scored = (commas == count - 1) & (cells == count) & (others == 0)
    tally.add("records", len(records))
    torn = unscored != records.invalid
    tally.add_mask("invalid records", torn, "expected a prediction or a rejected row, got both or none")
    if form.echoed:
        tally.add_mask("tags", differs & ~torn, "expected the tag and label of the input, got others")
    wrong = ~(scored | unscored | differs | torn)
    tally.add_mask("predictions", wrong, f"expected {count} numbers, got others")
    tally.record_count += len(records)
    tally.invalid_record_count += int(records.invalid.sum())


def _differing_prefixes(
    data: npt.NDArray[np.uint8], firsts: IntArray, ends: IntArray, texts: pa.StringArray
) -> tuple[BoolArray, IntArray]:
    """Tell which lines do not begin with their texts, and the length in bytes of each text, 0 for those."""
    _, offsets, content = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    wanted = np.frombuffer(content, np.uint8) if content is not None else np.zeros(0, np.uint8)
    lengths = np.diff(bounds)
    differs = lengths > ends - firsts
    lengths[differs] = 0
    sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    row = 0
    while row < len(lengths):
        last = max(row + 1, int(np.searchsorted(sums, sums[row] + _COMPARED_BYTES, side="right")) - 1)
        rows = np.repeat(np.arange(row, last), lengths[row:last])
        within = np.arange(len(rows)) - (sums[rows] - sums[row])
        differs[rows[data[firsts[rows] + within] != wanted[bounds[rows] + within]]] = True
        row = last
    lengths[differs] = 0
    return differs, lengths


def _tail_counts(data: npt.NDArray[np.uint8], starts: IntArray, ends: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return for the bytes [start, end) of each line: its commas, its cells that are not empty, its other bytes."""
    comma = data == _COMMA
    number = _NUMBER_BYTES[data]
    first = np.zeros(len(data) + 1, bool)
    first[starts] = True
    first[1:] |= comma
    return (
        _counts(comma, starts, ends),
        _counts(number & first[:-1], starts, ends),
        _counts(~(number | comma), starts, ends),
    )


def _counts(mask: BoolArray, starts: IntArray, ends: IntArray) -> IntArray:
    sums = np.zeros(len(mask) + 1, np.int32)
    np.cumsum(mask, out=sums[1:])
    counts: IntArray = (sums[ends] - sums[starts]).astype(np.int64)
    return counts
