"""Texts -> the numbers that they spell, and numbers -> those that a column of whole numbers takes (pure)."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.input.columns import ColumnType
from batchscore.input.csv_lines import BoolArray

NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
EXACT_INTEGERS = float(2**53)
"""Below this a float64 is the whole number that was meant; this one may stand for its neighbour."""

_WHOLE_NUMBER = r"^[+-]?[0-9]+$"
_FRACTION_OF_ZEROS = r"^([+-]?[0-9]+)\.0*$"
_INT64_DIGITS = 19
_INT64, _INT32 = np.iinfo(np.int64), np.iinfo(np.int32)

Typed = tuple[pa.Array, BoolArray | None]
"""Values in a column's type, null where missing or bad, and which are bad: None for none."""


def kept(values: pa.Array, fits: pa.BooleanArray) -> Typed:
    """Keep the values that fit; the others are null and bad."""
    if pc.all(fits, min_count=0).as_py():
        return values, None
    return pc.if_else(fits, values, None), pc.invert(fits).fill_null(False).to_numpy(zero_copy_only=False)


def whole_numbers(values: pa.Array, kind: ColumnType) -> Typed:
    """Make fractions and numbers beyond the integer type null; of floats those too that may stand for another."""
    limits = _INT32 if kind == "integer" else _INT64
    if pa.types.is_integer(values.type):
        if kind == "long":
            return values, None
        fits = pc.and_(pc.greater_equal(values, int(limits.min)), pc.less_equal(values, int(limits.max)))
        return kept(values, fits)
    low, high = max(float(limits.min), 1 - EXACT_INTEGERS), min(float(limits.max), EXACT_INTEGERS - 1)
    fits = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
    numbers, bad = kept(values, pc.and_(fits, pc.equal(pc.floor(values), values)))
    return numbers.cast(pa.int64()), bad


def integers_of(texts: pa.StringArray) -> pa.Int64Array:
    """Return the whole numbers that texts spell, exactly; null for what is none or beyond 64 bits."""
    texts = pc.replace_substring_regex(texts, _FRACTION_OF_ZEROS, r"\1")
    whole = pc.match_substring_regex(texts, _WHOLE_NUMBER)
    numbers = _cast_or_null(pc.if_else(whole, _without_plus(texts), None), pa.int64())
    rest = pc.if_else(whole, None, texts)
    floats = floats_of(rest)  # with a fraction or an exponent
    near, _ = whole_numbers(floats, "long")
    numbers = pc.coalesce(numbers, near)
    far = pc.greater_equal(pc.abs(floats), EXACT_INTEGERS)
    if not pc.any(far, min_count=0).as_py():
        return numbers
    return pc.coalesce(numbers, pa.array(map(_exact_integer, pc.if_else(far, rest, None).to_pylist()), pa.int64()))


def _exact_integer(text: str | None) -> int | None:
    """Return the whole number of 64 bits that a number with a fraction or an exponent is; None if it is none."""
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of dozens of digits
        return None
    if not int(_INT64.min) <= number <= int(_INT64.max) or number != number.to_integral_value():
        return None
    return int(number)


def floats_of(texts: pa.StringArray) -> pa.DoubleArray:
    """Return the finite numbers that texts spell; null for what is none."""
    try:
        numbers = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        numeric = pc.match_substring_regex(texts, NUMBER)
        numbers = pc.if_else(numeric, _without_plus(texts), None).cast(pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, None)


def _without_plus(texts: pa.StringArray) -> pa.StringArray:
    if not pc.any(pc.starts_with(texts, "+"), min_count=0).as_py():
        return texts
    return pc.replace_substring_regex(texts, r"^\+", "")  # which pyarrow's cast does not read


def _cast_or_null(texts: pa.StringArray, kind: pa.DataType) -> pa.Array:
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:  # some number is too large: rare, so one by one
        short = (
            text if text is not None and len(text.lstrip("-0")) <= _INT64_DIGITS else None for text in texts.to_pylist()
        )
        numbers = (None if text is None else int(text) for text in short)
        return pa.array([n if n is not None and _INT64.min <= n <= _INT64.max else None for n in numbers], kind)
