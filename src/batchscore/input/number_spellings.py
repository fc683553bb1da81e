"""Numbers as files spell them -> the plain spelling, ``1234.5`` (pure)."""

from __future__ import annotations

import re
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from batchscore.input.csv_lines import TextFormat

_EXPONENT = "([eE][+-]?[0-9]+)?"


def in_plain_spelling(texts: pa.StringArray, text: TextFormat) -> pa.StringArray:
    """Return numbers with a decimal point and without separators of thousands; null for what is not spelt as told."""
    if text.decimal == "." and text.thousands is None:
        return texts
    fits = pc.match_substring_regex(texts, _number(text.decimal, text.thousands or ""))
    texts = pc.if_else(fits, texts, None)
    if text.thousands is not None:
        texts = pc.replace_substring(texts, text.thousands, "")
    return texts if text.decimal == "." else pc.replace_substring(texts, text.decimal, ".")


@lru_cache
def _number(decimal: str, thousands: str) -> str:
    """Return what numbers look like: after each digit of the whole part one separator may stand, wherever it is.

    So pandas' ``round_trip`` reads them: ``_str_copy_decimal_str_c`` in pandas/_libs/src/parser/tokenizer.c. Of a
    column that holds whole numbers alone it reads ``1,,2`` too: here that is no number, whatever its neighbours are.
    """
    point, separator = re.escape(decimal), f"(?:{re.escape(thousands)})?" if thousands else ""
    return rf"^[+-]?((?:[0-9]{separator})+(?:{point}[0-9]*)?|{point}[0-9]+){_EXPONENT}$"
