"""The records of a part's input, its result and its rejected file, held against each other line by line (pure).

Memory: a block of the input and a chunk of the result, whatever their length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.commands.comparison import Comparison, outcome
from batchscore.commands.result_lines import Expected, Lines, PairFormat, compare_lines
from batchscore.input.csv_lines import BoolArray, line_starts
from batchscore.input.parsed_block import ParsedBlock
from batchscore.output.echoed_text import echoed_cells, row_ids
from batchscore.output.rejected_files import RejectedRow, whole_lines
from batchscore.output.result_text import SCORED, csv_lines

_NO_RECORDS = Expected(pa.array([], pa.string()), np.zeros(0, bool))


class _LineReader:
    """The lines of chunks that end in line ends, as many at a time as are asked for."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.lacks_line_end = False
        self._chunks = chunks
        self._left = Lines(b"", line_starts(b""))

    def take(self, count: int) -> Lines:
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

    def _read(self) -> Lines:
        chunk = next(self._chunks, b"")
        if chunk and not chunk.endswith(b"\n"):
            self.lacks_line_end = True
            chunk += b"\n"
        return Lines(chunk, line_starts(chunk))


def pair(
    blocks: Iterator[ParsedBlock], rejected: Iterator[RejectedRow], result: Iterator[bytes], form: PairFormat
) -> Comparison:
    """Hold a result against the records it is of.

    ``blocks`` are the input's records, ``rejected`` the rows of those without a prediction, in order, ``result`` the
    text of the part. Raises RejectedFileError.
    """
    return sum(_comparisons(_expected(blocks, rejected, form), whole_lines(result), form), Comparison())


def _comparisons(
    expected: Iterator[tuple[Expected, Comparison]], chunks: Iterator[bytes], form: PairFormat
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
            yield compare_lines(records.cut(done, done + len(lines)), lines, form)
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
) -> Iterator[tuple[Expected, Comparison]]:
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
        yield _lines_of(block, rows, invalid, form), comparison
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


def _lines_of(block: ParsedBlock, rows: Sequence[RejectedRow], invalid: BoolArray, form: PairFormat) -> Expected:
    """Return what is known of the lines of a block's records from its rejected rows."""
    prefixes, tags = _prefixes(echoed_cells(form, block.echoed), invalid, form), None
    if form.tag_count < len(form.echoed):
        of_tags = replace(form, echoed=form.echoed[: form.tag_count])
        tags = _prefixes(echoed_cells(of_tags, block.echoed[: form.tag_count]), invalid, form)
    return Expected(prefixes, invalid, tags, _statuses(block, rows) if form.tells_status else None)


def _prefixes(echoed: Sequence[pa.StringArray], invalid: BoolArray, form: PairFormat) -> pa.StringArray:
    """Return how the line of each record begins: with cells that are echoed, unless it is to be blank."""
    if not echoed:
        return pa.array([""] * len(invalid), pa.string())
    texts = pc.binary_join_element_wise(*echoed, "", ",")
    if not form.keep_tag and invalid.any():
        texts = pc.if_else(pa.array(invalid), "", texts)
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _statuses(block: ParsedBlock, rows: Sequence[RejectedRow]) -> pa.StringArray:
    """Return the status of each record: the reason of its rejected row, or that it is scored."""
    reasons = {row.offset: row.reason for row in rows}
    if not reasons:
        return pa.repeat(SCORED, block.record_count)
    offsets = (block.line_starts[:-1] + block.offset).tolist()
    return pa.array([reasons.get(offset, SCORED) for offset in offsets], pa.string())
