"""Batches of results -> CSV and JSON lines (pure, vectorised); numbers read back as the same float64."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from batchscore.output.echoed_text import quoted
from batchscore.output.result_text import LONE_EMPTY_CELL, csv_lines

TextKind = Literal["csv", "json"]
_SPECIAL = r'["\\\x00-\x1f]'  # what JSON escapes in a text


def text_chunks(kind: TextKind, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Yield CSV with a header, or a JSON object a line."""
    if kind == "csv":
        yield csv_lines([[name] for name in schema.names])
    for batch in batches:
        if len(batch):
            yield _lines(csv_texts(batch) if kind == "csv" else _json_texts(batch))


def csv_texts(batch: pa.RecordBatch) -> pa.StringArray:
    """Return a line for each record; an empty one of a single column is in quotes, since readers drop blank lines."""
    cells = [quoted(column.cast(pa.string()).fill_null("")) for column in batch.columns]
    if len(cells) == 1:
        return pc.if_else(pc.equal(cells[0], ""), LONE_EMPTY_CELL, cells[0])
    return pc.binary_join_element_wise(*cells, ",")


def _json_texts(batch: pa.RecordBatch) -> pa.StringArray:
    pieces = []
    for place, (name, column) in enumerate(zip(batch.schema.names, batch.columns, strict=True)):
        pieces += [f"{', ' if place else '{'}{json.dumps(name, ensure_ascii=False)}: ", _json_values(column)]
    return pc.binary_join_element_wise(*pieces, "}", "")


def _json_values(column: pa.Array) -> pa.StringArray:
    texts = column.cast(pa.string())
    if not pa.types.is_string(column.type):
        return texts.fill_null("null")
    values = pc.binary_join_element_wise('"', texts, '"', "")
    special = pc.match_substring_regex(texts, _SPECIAL).fill_null(False)
    escaped = [json.dumps(text, ensure_ascii=False) for text in texts.filter(special).to_pylist()]
    return pc.replace_with_mask(values, special, pa.array(escaped, pa.string())).fill_null("null")


def _lines(texts: pa.StringArray | pa.ChunkedArray) -> bytes:
    """Return the texts as lines: a list of one item, which holds all of them, joined by line ends."""
    one = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    together = pa.ListArray.from_arrays(pa.array([0, len(one)], pa.int32()), one)
    return bytes(pc.binary_join(together, "\n")[0].as_buffer()) + b"\n"
