"""Texts that are echoed: how cells of CSV hold them, and what a spreadsheet could run of them (pure, vectorised)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.input.csv_lines import PLAIN, IntArray, TextFormat
from batchscore.input.echo_columns import EchoColumn, place_of
from batchscore.input.echoed_texts import EchoedTexts, JoinedTexts
from batchscore.input.number_spellings import in_plain_spelling
from batchscore.input.spelt_numbers import NUMBER

_FORMULA = r"^[=+\-@\t\r]"  # how a cell begins that a spreadsheet could run


@dataclass(frozen=True, kw_only=True)
class EchoFormat:
    """How the echoed columns are written: they are the first of each line, in their order.

    ``keep_tag`` writes those of an invalid record with empty predictions, where otherwise its line is blank; a lone
    empty cell is quoted, so that no reader takes its line for none.
    ``escape_formulas`` writes an apostrophe before the texts that a spreadsheet could run; the numbers of a numeric
    column stay as they are, as ``spelling`` has them where they are passed through, and plain ones in a tag or label.
    """

    echoed: tuple[EchoColumn, ...]
    keep_tag: bool
    escape_formulas: bool = False
    spelling: TextFormat = PLAIN


def quoted(texts: pa.StringArray) -> pa.StringArray:
    """Quote the texts that need it (RFC 4180)."""
    # One search over the text of all cells, which mostly finds nothing, before one cell by cell.
    content = content_of(texts)
    if not any(mark in content for mark in (b",", b'"', b"\n", b"\r")):
        return texts
    special = pc.match_substring_regex(texts, '[",\r\n]')
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), texts)


def escaped(texts: pa.StringArray, numeric: bool, spelling: TextFormat = PLAIN) -> pa.StringArray:
    """Put an apostrophe before the texts that begin as a formula does; ``numeric`` leaves numbers as they are."""
    risky = pc.match_substring_regex(texts, _FORMULA)
    if not pc.any(risky, min_count=0).as_py():
        return texts
    if numeric:
        numbers = in_plain_spelling(pc.ascii_trim(texts, characters=" \t"), spelling)
        risky = pc.and_not(risky, pc.match_substring_regex(numbers, NUMBER).fill_null(False))
    return pc.if_else(risky, pc.binary_join_element_wise("'", texts, ""), texts)


def row_ids(form: EchoFormat, echoed: Sequence[pa.StringArray], lines: IntArray) -> list[str]:
    """Return the row ids of some records as they are written, but for quotes; empty texts where there are none."""
    place = place_of("row_id", form.echoed)
    if place is None:
        return [""] * len(lines)
    texts: list[str] = _unquoted(form, form.echoed[place], echoed[place].take(pa.array(lines, pa.int64()))).to_pylist()
    return texts


def echoed_cells(form: EchoFormat, echoed: Sequence[pa.StringArray]) -> list[pa.StringArray]:
    """Return the echoed columns as they are written; neighbours that are joined by commas may be one of them."""
    if isinstance(echoed, EchoedTexts) and not form.escape_formulas:
        return [piece.texts if isinstance(piece, JoinedTexts) else quoted(piece) for piece in echoed.pieces]
    return [quoted(_unquoted(form, column, texts)) for column, texts in zip(form.echoed, echoed, strict=True)]


def _unquoted(form: EchoFormat, column: EchoColumn, texts: pa.StringArray) -> pa.StringArray:
    if not form.escape_formulas:
        return texts
    return escaped(texts, column.is_numeric, PLAIN if column.role else form.spelling)


def label_texts(classes: Sequence[str], *, escape_formulas: bool) -> pa.StringArray:
    """Return the classes of a model as results name the predicted one; a class that spells a number is one."""
    texts = pa.array([_on_one_line(name) for name in classes], pa.string())
    return escaped(texts, numeric=True) if escape_formulas else texts


def label_cells(classes: Sequence[str], *, escape_formulas: bool) -> pa.StringArray:
    """Return the classes of a model as cells that name the predicted one."""
    return quoted(label_texts(classes, escape_formulas=escape_formulas))


def header_text(name: str, *, escape_formulas: bool) -> str:
    """Return the name of a column of the inputs as results have it."""
    texts = pa.array([_on_one_line(name)])
    return str((escaped(texts, numeric=False) if escape_formulas else texts)[0].as_py())


def _on_one_line(text: str) -> str:
    """Return a text with a space for each line end: a result has a line for each record, and one for its header."""
    return re.sub(r"\r?\n", " ", text)


def content_of(texts: pa.StringArray | pa.ChunkedArray) -> bytes:
    """Return the texts one after another."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    # The buffers of an array of strings: which are null, where in the bytes each begins (int32), the bytes. A slice has
    # the buffers of the whole, and begins at its offset.
    _, offsets, data = texts.buffers()
    if data is None or len(texts) == 0:
        return b""
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return bytes(memoryview(data)[int(ends[0]) : int(ends[-1])])
