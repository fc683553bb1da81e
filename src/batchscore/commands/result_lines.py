"""Lines of a result, held byte by byte against what is known of their records (pure, vectorised)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.commands.comparison import Comparison, outcome, outcome_by_record
from batchscore.input.cells import texts_between
from batchscore.input.csv_lines import BoolArray, IntArray
from batchscore.output.echoed_text import EchoFormat, label_cells
from batchscore.output.result_text import LONE_EMPTY_CELL

_COMPARED_BYTES = 1 << 20  # how much of the echoed text is compared at a time: eight bytes of index for each
_COMMA = ord(",")
_QUOTE = ord('"')
_NUMBER_BYTES = np.zeros(256, bool)
_NUMBER_BYTES[list(b"0123456789+-.eE")] = True


@dataclass(frozen=True)
class PairFormat(EchoFormat):
    """What is known of a part: the header of its result, and how its first cells, the echoed ones, are written.

    ``number`` is that of the split, by which rejected rows count; None where the part is of several splits.
    ``quotes_lone_cell`` says how an empty score was kept that is all of its line. ``labels`` are the classes of a model
    whose predicted label stands before its score, None where none does. ``tells_status``: the last cell is a status.
    """

    header: tuple[str, ...]
    number: int | None
    quotes_lone_cell: bool = True
    labels: tuple[str, ...] | None = None
    tells_status: bool = False

    @property
    def number_count(self) -> int:
        """How many columns of the result are numbers that are predicted."""
        return len(self.header) - len(self.echoed) - self.tells_status - (self.labels is not None)

    @property
    def tag_count(self) -> int:
        """How many columns stand before those that are passed through: tag and label."""
        return sum(1 for _ in takewhile(lambda column: column.role, self.echoed))


@dataclass(frozen=True)
class Expected:
    """Consecutive records of the input: how their lines begin, and which of them have no prediction.

    ``tags`` is as much of the beginnings as tag and label are, None where that is all of them; ``statuses`` are the
    last cells, where lines have such.
    """

    prefixes: pa.StringArray
    invalid: BoolArray
    tags: pa.StringArray | None = None
    statuses: pa.StringArray | None = None

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.invalid)

    def cut(self, start: int, stop: int) -> Expected:
        """Return some of them."""
        texts = (self.prefixes, self.tags, self.statuses)
        prefixes, tags, statuses = (None if some is None else some.slice(start, stop - start) for some in texts)
        return Expected(prefixes, self.invalid[start:stop], tags, statuses)


@dataclass(frozen=True)
class Lines:
    """Consecutive lines of a result: line i is ``data[starts[i]:starts[i + 1]]``, its line end included."""

    data: bytes
    starts: IntArray

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.starts) - 1

    def cut(self, start: int, stop: int) -> Lines:
        """Return some of them."""
        return Lines(self.data, self.starts[start : stop + 1])


@dataclass(frozen=True)
class _Cells:
    """The same lines, or the first cells of each: line i is ``data[firsts[i]:ends[i]]``, where ``commas`` stand too."""

    data: npt.NDArray[np.uint8]
    firsts: IntArray
    ends: IntArray
    commas: IntArray

    def last(self, count: int) -> IntArray:
        """Return where so many last cells of each line begin: after a comma, which quotes may hold too."""
        places = np.searchsorted(self.commas, self.ends) - count
        found = self.commas[np.maximum(places, 0)] if len(self.commas) else np.zeros(len(places), np.int64)
        there = (places >= 0) & (found >= self.firsts) & bool(len(self.commas))
        return np.where(there, found + 1, self.firsts)

    def without_last(self) -> tuple[_Cells, pa.StringArray]:
        """Return the lines without their last cells, and these."""
        begin = self.last(1)
        rest = replace(self, ends=np.maximum(begin - 1, self.firsts))
        return rest, texts_between(self.data, begin, self.ends)


def compare_lines(records: Expected, lines: Lines, form: PairFormat) -> Comparison:
    """Hold lines against the records they are of: the same number of both."""
    cells, compared = _cells_of(lines), outcome("records", len(records), 0, "")
    if records.statuses is not None:
        cells, found = cells.without_last()
        wrong = pc.not_equal(found, records.statuses).to_numpy(zero_copy_only=False)
        compared += outcome_by_record("status", wrong, "expected ok or the reason of the rejected row, got another")
    differs, lengths = _differing_prefixes(cells.data, cells.firsts, cells.ends, records.prefixes)
    of_tags = _of_tags(differs, cells, records, form)
    begin = np.where(differs & ~of_tags, cells.last(form.number_count), cells.firsts + lengths)
    predicted = _predicted(cells, begin, differs, form)
    torn = predicted.unscored != records.invalid
    compared += outcome_by_record("invalid records", torn, "expected a prediction or a rejected row, got both or none")
    for proof, failed, what in _findings(predicted, differs, of_tags, torn, form):
        compared += outcome_by_record(proof, failed, what)
    return replace(compared, record_count=len(records), invalid_record_count=int(records.invalid.sum()))


def _cells_of(lines: Lines) -> _Cells:
    """Return lines by places that count in bytes from the first one's start."""
    starts = lines.starts
    data = np.frombuffer(lines.data, np.uint8)[starts[0] : starts[-1]]
    return _Cells(data, starts[:-1] - starts[0], starts[1:] - 1 - starts[0], np.flatnonzero(data == _COMMA))


def _of_tags(differs: BoolArray, cells: _Cells, records: Expected, form: PairFormat) -> BoolArray:
    """Tell of which lines that do not begin as they should the tag or the label is another."""
    if form.tag_count == len(form.echoed) or records.tags is None or not differs.any():
        return differs
    rows, found = np.flatnonzero(differs), np.zeros(len(differs), bool)
    tags = records.tags.take(pa.array(rows))
    found[rows], _ = _differing_prefixes(cells.data, cells.firsts[rows], cells.ends[rows], tags)
    return found


@dataclass(frozen=True)
class _Predicted:
    """Which lines have their predictions, which have none, and which name a label that is no class."""

    scored: BoolArray
    unscored: BoolArray
    mislabelled: BoolArray | None = None


def _predicted(cells: _Cells, begin: IntArray, differs: BoolArray, form: PairFormat) -> _Predicted:
    """Judge what stands after the echoed cells; before it a line may differ."""
    if form.labels is None:
        return _numbers(cells, begin, form)
    score = np.maximum(cells.last(1), begin)
    has_label = score > begin
    classes = label_cells(form.labels, escape_formulas=form.escape_formulas)
    texts = texts_between(cells.data, begin, np.where(has_label, score - 1, begin))
    is_class = pc.is_in(texts, value_set=classes).to_numpy(zero_copy_only=False)
    numbers = _numbers(cells, score, form)
    is_empty = has_label & (score - 1 == begin)
    # Where a label begins is not known of a line that differs before it: its score alone tells.
    unscored = numbers.unscored & (is_empty | differs) if form.keep_tag else numbers.unscored
    return _Predicted(numbers.scored & (has_label | differs), unscored, numbers.scored & ~is_class & ~differs)


def _numbers(cells: _Cells, begin: IntArray, form: PairFormat) -> _Predicted:
    """Tell of which lines numbers stand from a place on: so many, or none.

    A line with ``count`` of them has a comma less, as many cells that are not empty, and no byte that is of no number.
    """
    data, count, ends = cells.data, form.number_count, cells.ends
    commas, filled, others = _tail_counts(data, begin, ends)
    if form.keep_tag and form.quotes_lone_cell and len(form.header) == 1:
        unscored = (_counts(data == _QUOTE, cells.firsts, ends) == 2) & (ends - cells.firsts == len(LONE_EMPTY_CELL))
    elif form.keep_tag:
        unscored = (commas == count - 1) & (filled == 0) & (others == 0)
    else:
        unscored = cells.firsts == ends
    return _Predicted((commas == count - 1) & (filled == count) & (others == 0), unscored)


def _findings(
    predicted: _Predicted, differs: BoolArray, of_tags: BoolArray, torn: BoolArray, form: PairFormat
) -> Iterator[tuple[str, BoolArray, str]]:
    """Yield the proofs that a job's columns allow, the records for which each fails, and what was expected."""
    if form.tag_count:
        yield "tags", of_tags & ~torn, "expected the tag and label of the input, got others"
    if form.tag_count < len(form.echoed):
        yield "passed columns", differs & ~of_tags & ~torn, "expected what is passed through of the input, got others"
    if predicted.mislabelled is not None:
        yield "labels", predicted.mislabelled & ~torn, "expected a class of the model, got another label"
    wrong = ~(predicted.scored | predicted.unscored | differs | torn)
    yield "predictions", wrong, f"expected {form.number_count} numbers, got others"


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
