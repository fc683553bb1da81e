"""The records of a part's input, its result and its rejected file, held against each other line by line (pure).

Memory: a block of the input and a chunk of the result, whatever their length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.commands.comparison import Comparison, outcome, outcome_by_record
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


@dataclass(frozen=True)
class _Expected:
    """Consecutive records of the input: how their lines begin, and which of them have no prediction."""

    prefixes: pa.StringArray
    invalid: BoolArray

    def __len__(self) -> int:
        return len(self.invalid)

    def cut(self, start: int, stop: int) -> _Expected:
        return _Expected(self.prefixes.slice(start, stop - start), self.invalid[start:stop])


@dataclass(frozen=True)
class _Lines:
    """Consecutive lines of a result: line i is ``data[starts[i]:starts[i + 1]]``, its line end included."""

    data: bytes
    starts: IntArray

    def __len__(self) -> int:
        return len(self.starts) - 1

    def cut(self, start: int, stop: int) -> _Lines:
        return _Lines(self.data, self.starts[start : stop + 1])


_NO_RECORDS = _Expected(pa.array([], pa.string()), np.zeros(0, bool))


class _LineReader:
    """The lines of chunks that end in line ends, as many at a time as are asked for."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.lacks_line_end = False
        self._chunks = chunks
        self._left = _Lines(b"", line_starts(b""))

    def take(self, count: int) -> _Lines:
        """Return the next lines, at most ``count`` of them and at least one; none after the last."""
        if not len(self._left):
            self._left = self._read()
        taken = self._left.cut(0, min(count, len(self._left)))
        self._left = self._left.cut(len(taken), len(self._left))
        return taken

    def count_rest(self) -> int:
        """Return how many lines are left, and read them."""
        count = len(self._left)
        while len(lines := self._read()):
            count += len(lines)
        return count

    def _read(self) -> _Lines:
        chunk = next(self._chunks, b"")
        if chunk and not chunk.endswith(b"\n"):
            self.lacks_line_end = True
            chunk += b"\n"
        return _Lines(chunk, line_starts(chunk))


def pair(
    blocks: Iterator[ParsedBlock], rejected: Iterator[RejectedRow], result: Iterator[bytes], form: PairFormat
) -> Comparison:
    """Hold a result against the records it is of.

    ``blocks`` are the input's records, ``rejected`` the rows of those without a prediction, in order, ``result`` the
    text of the part. Raises RejectedFileError.
    """
    return sum(_comparisons(_expected(blocks, rejected, form), whole_lines(result), form), Comparison())


def _comparisons(
    expected: Iterator[tuple[_Expected, Comparison]], chunks: Iterator[bytes], form: PairFormat
) -> Iterator[Comparison]:
    """Yield what comes of the result's header, of each stretch of records and lines, and of what is left of either."""
    header = csv_lines([[name] for name in form.header])
    first = next(chunks, b"")
    found = first.startswith(header)
    yield outcome("records", 0, int(not found), "expected the header that the manifest names, got another first line")
    rest = first[len(header) :] if found else first[first.find(b"\n") + 1 :]
    reader = _LineReader(chain([rest] if rest else [], chunks))
    without_line = 0
    for records, rejection in expected:
        yield rejection
        done = 0
        while len(lines := reader.take(len(records) - done)):
            yield _compare(records.cut(done, done + len(lines)), lines, form)
            done += len(lines)
        without_line += len(records) - done
    surplus = reader.count_rest()
    yield outcome("records", 0, int(reader.lacks_line_end), "expected a line end after the last record, got none")
    what = "expected a line for each record, got {} too {}"
    yield replace(
        outcome("records", without_line, without_line, what.format(without_line, "few")), record_count=without_line
    )
    yield outcome("records", surplus, surplus, what.format(surplus, "many"))


def _expected(
    blocks: Iterator[ParsedBlock], rejected: Iterator[RejectedRow], form: PairFormat
) -> Iterator[tuple[_Expected, Comparison]]:
    """Yield what the input and its rejected file say of each block's lines, and how these two agree."""
    ahead = next(rejected, None)
    records = 0
    for block in blocks:
        last = block.offset + int(block.line_starts[-2])
        rows = []
        while ahead is not None and ahead.offset <= last:
            rows.append(ahead)
            ahead = next(rejected, None)
        invalid, comparison = _held_rows(block, rows, records, form)
        records += block.record_count
        yield _Expected(_prefixes(block, invalid, form), invalid), comparison
    left = int(ahead is not None) + sum(1 for _ in rejected)
    yield (
        _NO_RECORDS,
        outcome("invalid records", left, left, "expected rejected rows of the part's records, got others"),
    )


def _held_rows(
    block: ParsedBlock, rows: Sequence[RejectedRow], before: int, form: PairFormat
) -> tuple[BoolArray, Comparison]:
    """Hold rejected rows against the records of a block, ``before`` of which the part has so many.

    Returns which of the records have no prediction.
    """
    invalid = np.zeros(block.record_count, bool)
    offsets = np.array([row.offset for row in rows], np.int64) - block.offset
    # Where each row's record would be among the block's; it is there if that record begins at the row's very offset.
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
    held = outcome("invalid records", 0, wrong, "expected rejected rows that fit their records, got others")
    return invalid, held + _parse_faults(block, rows) + Comparison(reasons=Counter(row.reason for row in rows))


def _parse_faults(block: ParsedBlock, rows: Sequence[RejectedRow]) -> Comparison:
    """Hold the rows of stage parse against what the parser says of the same records."""
    told = {(row.offset, row.reason) for row in rows if row.stage == "parse"}
    found = {(record.offset, record.reason) for record in block.invalid}
    differing = len({offset for offset, _ in told ^ found})
    return outcome(
        "invalid records", 0, differing, "expected the records that cannot be parsed to be rejected, got others"
    )


def _prefixes(block: ParsedBlock, invalid: BoolArray, form: PairFormat) -> pa.StringArray:
    """Return how the line of each record begins: with what is echoed, unless it is to be blank."""
    echoed = echoed_cells(form, block.echoed)
    if not echoed:
        return pa.array([""] * block.record_count, pa.string())
    texts = pc.binary_join_element_wise(*echoed, "", ",")
    if not form.keep_tag and invalid.any():
        texts = pc.if_else(pa.array(invalid), "", texts)
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _compare(records: _Expected, lines: _Lines, form: PairFormat) -> Comparison:
    """Hold lines against the records they are of: the same number of both."""
    # Places count in bytes from the first line's start: where each line begins, and where its line end stands.
    starts = lines.starts
    data = np.frombuffer(lines.data, np.uint8)[starts[0] : starts[-1]]
    firsts, ends = starts[:-1] - starts[0], starts[1:] - 1 - starts[0]
    differs, lengths = _differing_prefixes(data, firsts, ends, records.prefixes)
    # What stands after the echoed cells: a line with ``count`` predictions has a comma less, as many cells that are
    # not empty, and no byte that is not of a number.
    commas, cells, others = _tail_counts(data, firsts + lengths, ends)
    count = form.prediction_count
    if form.keep_tag and form.quotes_lone_cell and len(form.header) == 1:
        unscored = (_counts(data == _QUOTE, firsts, ends) == 2) & (ends - firsts == len(LONE_EMPTY_CELL))
    elif form.keep_tag:
        unscored = (commas == count - 1) & (cells == 0) & (others == 0)
    else:
        unscored = firsts == ends
    scored = (commas == count - 1) & (cells == count) & (others == 0)
    torn = unscored != records.invalid
    wrong = ~(scored | unscored | differs | torn)
    compared = outcome("records", len(records), 0, "")
    compared += outcome_by_record("invalid records", torn, "expected a prediction or a rejected row, got both or none")
    if form.echoed:
        what = "expected the tag and label of the input, got others"
        compared += outcome_by_record("tags", differs & ~torn, what)
    compared += outcome_by_record("predictions", wrong, f"expected {count} numbers, got others")
    return replace(compared, record_count=len(records), invalid_record_count=int(records.invalid.sum()))


def _differing_prefixes(
    data: npt.NDArray[np.uint8], firsts: IntArray, ends: IntArray, texts: pa.StringArray
) -> tuple[BoolArray, IntArray]:
    """Tell which lines do not begin with their texts, and the length in bytes of each text, 0 for those."""
    # Arrow's layout: text i is content[bounds[i]:bounds[i + 1]].
    _, offsets, content = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    wanted = np.frombuffer(content, np.uint8) if content is not None else np.zeros(0, np.uint8)
    lengths = np.diff(bounds)
    differs = lengths > ends - firsts
    lengths[differs] = 0
    # Bytes to compare before each line. Some lines at a time are laid out byte by byte: ``rows`` has the line of each
    # byte, ``within`` its place in that line's text.
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
    # A cell begins at a line's start and after a comma; it is not empty if a number's byte stands there.
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
    """Return how many bytes of [start, end) of each line are in the mask: the difference of two running sums."""
    sums = np.zeros(len(mask) + 1, np.int32)
    np.cumsum(mask, out=sums[1:])
    counts: IntArray = (sums[ends] - sums[starts]).astype(np.int64)
    return counts
