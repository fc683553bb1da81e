"""A block of records -> typed columns and the invalid records with their reasons (pure).

Nearly all records are clean, and pyarrow parses those together. Lines on which pyarrow's reading and the
contract's could differ (a lone carriage return, quotes out of place, a wrong encoding) are found first with numpy,
read one by one with the reference parser ``split_record``, and put back as clean text or left out as invalid. So
what becomes of a record never depends on its neighbours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.input.binding import Binding, Neighbours
from batchscore.input.blocks import Block, empty_last_line
from batchscore.input.columns import Columns
from batchscore.input.csv_columns import read_csv_lines
from batchscore.input.csv_lines import CleanLines, IntArray, TextFormat, clean_lines, line_starts
from batchscore.input.echoed_texts import as_strings, copied_texts, copyable, echoed_texts
from batchscore.input.numeric_lines import FloatArray, NumberLines, read_number_lines
from batchscore.input.open_quotes import Surroundings, pieces_around, quoted_lines
from batchscore.input.trimmed_lines import spaced_cells, without_spaces
from batchscore.input.typed_values import read_values, typed_columns

Stage = Literal["parse", "schema", "model"]

RECORDS_TOGETHER = 256 * 1024
"""What is made of a record, an invalid one above all, can take hundreds of bytes, however short its line is."""

RAW_BYTES_KEPT = 1024
_KEPT = RAW_BYTES_KEPT + len("\r\n")

Fault = tuple[int, Stage, str, str | None]
"""A record's line, and the stage, the reason and the attribute for which it gets no prediction."""


class InvalidRecord(NamedTuple):
    """A record that gets no prediction; ``line`` counts from 0 within its block. There may be millions."""

    line: int
    offset: int
    stage: Stage
    reason: str
    attribute: str | None
    raw: bytes

    def __repr__(self) -> str:
        """Show nothing of the content."""
        return f"InvalidRecord(line={self.line}, offset={self.offset}, reason={self.reason!r})"


@dataclass(frozen=True)
class ParsedBlock:
    """The records of a block.

    ``lines`` are the places within the block, counted from 0, of the valid records, in order; ``inputs`` holds their
    model columns, as a matrix if all are plain numbers. ``values`` are those of all records that could be parsed: where
    one column makes a record invalid, the others have theirs; an invalid value is null. ``echoed`` has an array for
    each echoed column, in their order, each with a text for every record of the block: empty where it could not be
    parsed. ``invalid_values`` counts invalid values by column, those included that reach the model as missing;
    ``missing_values`` the others that are missing, of a table of inputs: in a matrix they are NaN.
    """

    offset: int
    line_starts: IntArray
    lines: IntArray
    inputs: pa.Table | FloatArray
    values: pa.Table | FloatArray
    echoed: Sequence[pa.StringArray]
    invalid: list[InvalidRecord]
    invalid_values: Counter[str]
    data: bytes = field(repr=False)
    missing_values: Counter[str] = field(default_factory=Counter)

    @property
    def record_count(self) -> int:
        """The number of records, valid and invalid."""
        return len(self.line_starts) - 1

    @property
    def has_faults(self) -> bool:
        """Whether a record or a value of it is invalid."""
        return bool(self.invalid or self.invalid_values or len(self.lines) < self.record_count)

    def records(self, start: int, stop: int, offset: int) -> ParsedBlock:
        """Return some records of a block without faults, as those of a block whose first line begins at ``offset``."""
        first, after = int(self.line_starts[start]), int(self.line_starts[stop])
        inputs, values = self.inputs[start:stop], self.values[start:stop]
        missing = Counter[str]()
        if isinstance(values, pa.Table):
            nulls = ((name, values.column(name).null_count) for name in values.column_names)
            missing.update({name: count for name, count in nulls if count})
        return ParsedBlock(
            offset,
            self.line_starts[start : stop + 1] - first,
            np.arange(stop - start),
            inputs,
            values,
            [texts[start:stop] for texts in self.echoed],
            [],
            Counter(),
            self.data[first:after],
            missing,
        )

    def locate(self, rows: Sequence[int]) -> list[int]:
        """Return where records stand in their input: the bytes at which their lines begin."""
        return _places(self.offset, self.line_starts, rows)

    def raw(self, rows: Sequence[int]) -> list[bytes]:
        """Return records as their input has them, each cut after RAW_BYTES_KEPT bytes."""
        return _raw_lines(self.data, self.line_starts, rows)

    def reject(self, faults: Sequence[Fault]) -> list[InvalidRecord]:
        """Return the invalid records for the rows that the faults name."""
        rows = [fault[0] for fault in faults]
        return _rejected(faults, self.locate(rows), self.raw(rows))


def parse_blocks(
    block: Block, binding: Binding, columns: Columns, text: TextFormat, records_together: int = RECORDS_TOGETHER
) -> Iterator[ParsedBlock]:
    """Read the records of a block into the types of ``columns``, so many of them at a time at the most."""
    data = block.data if block.data.endswith(b"\n") else block.data + b"\n"
    starts = line_starts(data) if block.starts is None else np.append(block.starts[:-1], len(data))
    if _ends_in_no_record(block, binding, text):
        starts = starts[:-1]
    for first in range(0, len(starts) - 1, records_together):
        some = starts[first : first + records_together + 1]  # one more than records: the last one's end
        begin, end = int(some[0]), int(some[-1])
        around = pieces_around(block, data, begin, end, text)
        lines = _Lines(block.offset + begin, data[begin:end], some - begin)
        yield _parsed(lines, around, binding, columns, text)


def _ends_in_no_record(block: Block, binding: Binding, text: TextFormat) -> bool:
    """Tell whether an empty line after the input's last record is none; where lines have one column it is a value."""
    several = binding.column_count > 1 and not text.empty_last_line_is_record
    return several and block.ends_input and bool(empty_last_line(block.data))


class _Lines(NamedTuple):
    """Lines of an input: ``starts`` are where they begin in ``data``, which begins at byte ``offset`` of the input."""

    offset: int
    data: bytes
    starts: IntArray


def _parsed(lines: _Lines, around: Surroundings, binding: Binding, columns: Columns, text: TextFormat) -> ParsedBlock:
    quoted = quoted_lines(lines.data, lines.starts, around, binding.column_count, text)
    clean = clean_lines(lines.data, lines.starts, text, quoted, binding.text_positions)
    copied = copyable(clean.data, binding, text)
    read = binding.without(copied)
    if clean.data is lines.data:  # lines that needed no mending stand where they stood; to JSON spaces are nothing
        plain = read_number_lines(lines.data, lines.starts, read, columns, text)
        if plain is not None:
            return _plain_block(lines, clean, plain, read, copied, text)
    return _typed_block(lines, clean, read, copied, columns, text)


def _typed_block(
    all_lines: _Lines,
    clean: CleanLines,
    binding: Binding,
    copied: Sequence[Neighbours],
    columns: Columns,
    text: TextFormat,
) -> ParsedBlock:
    offset, data, starts = all_lines
    content = without_spaces(clean.data, text) if text.trim else clean.data
    # Two ways to count: ``lines`` are places among all lines of the block, rows are places among those that could be
    # parsed. Arrays, faults by row and ``valid`` go by rows.
    arrays, lines, miscounted = read_csv_lines(content, clean.lines, binding, columns, text)
    # Of a column that the file lacks all values are missing.
    given = (pa.nulls(len(lines)) if place is None else arrays[place] for place in binding.positions)
    typed, faults, invalid, missing = typed_columns(given, columns.inputs, partial(read_values, text=text))
    found: list[Fault] = [(line, "parse", reason, None) for line, reason in sorted(clean.faults | miscounted)]
    rows = sorted(faults)
    found += [(line, "schema", *faults[row][::-1]) for line, row in zip(lines[rows].tolist(), rows, strict=True)]
    if content is not clean.data or clean.spaced:
        cells = spaced_cells(clean, text, binding.column_count, binding.text_positions)
        arrays |= {place: cells[place].put_into(arrays[place], lines) for place in cells}
    arrays = _on_one_line(arrays, binding, clean.data, text)
    known = starts if clean.data is data else None
    texts = copied_texts(clean, known, lines, copied, binding.column_count, text)
    inputs = pa.table(typed, names=[column.name for column in columns.inputs])
    valid = np.ones(len(lines), bool)
    valid[list(faults)] = False
    return ParsedBlock(
        offset=offset,
        line_starts=starts,
        lines=lines[valid],
        inputs=inputs.filter(pa.array(valid)) if faults else inputs,
        values=inputs,
        echoed=echoed_texts(arrays, texts, binding, lines, len(starts) - 1),
        invalid=_invalid_records(data, offset, starts, found),
        invalid_values=invalid,
        data=data,
        missing_values=missing,
    )


def _plain_block(
    lines: _Lines,
    clean: CleanLines,
    plain: NumberLines,
    binding: Binding,
    copied: Sequence[Neighbours],
    text: TextFormat,
) -> ParsedBlock:
    """Return the block whose records are all valid."""
    texts = copied_texts(clean, lines.starts, clean.lines, copied, binding.column_count, text)
    return ParsedBlock(
        offset=lines.offset,
        line_starts=lines.starts,
        lines=clean.lines,
        inputs=plain.numbers,
        values=plain.numbers,
        echoed=echoed_texts(plain.texts, texts, binding, clean.lines, len(clean.lines)),
        invalid=[],
        invalid_values=Counter(),
        data=lines.data,
    )


def _on_one_line(arrays: dict[int, pa.Array], binding: Binding, data: bytes, text: TextFormat) -> dict[int, pa.Array]:
    """Return arrays whose echoed texts have a space for each line end: a result has a line for each record."""
    if not text.multiline or b'"' not in data:
        return arrays
    decoded = {place: as_strings(arrays[place]) for place in binding.text_positions}
    return arrays | {place: pc.replace_substring_regex(texts, r"\r?\n", " ") for place, texts in decoded.items()}


def _invalid_records(data: bytes, offset: int, starts: IntArray, faults: Sequence[Fault]) -> list[InvalidRecord]:
    rows = [fault[0] for fault in faults]
    return _rejected(faults, _places(offset, starts, rows), _raw_lines(data, starts, rows))


def _rejected(faults: Sequence[Fault], places: Sequence[int], raws: Sequence[bytes]) -> list[InvalidRecord]:
    return [
        InvalidRecord(row, place, stage, reason, attribute, raw)
        for (row, stage, reason, attribute), place, raw in zip(faults, places, raws, strict=True)
    ]


def _places(offset: int, starts: IntArray, rows: Sequence[int]) -> list[int]:
    places: list[int] = (starts[np.array(rows, np.int64)] + offset).tolist()
    return places


def _raw_lines(data: bytes, starts: IntArray, rows: Sequence[int]) -> list[bytes]:
    # Of each record no more bytes are copied than are kept; numpy looks up where they lie, for millions at once.
    lines = np.array(rows, np.int64)
    first, after = starts[lines], starts[lines + 1]
    bounds = zip(first.tolist(), np.minimum(after, first + _KEPT).tolist(), strict=True)
    return [_kept(data[start:end]) for start, end in bounds]


def _kept(raw: bytes) -> bytes:
    return raw.rstrip(b"\r\n")[:RAW_BYTES_KEPT]
