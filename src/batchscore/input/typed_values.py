"""Values -> those of a column's type, and which of them do not fit (pure): one set of rules for files and DataFrames.

What a file holds arrives as text, words or numbers as pyarrow parsed them (``read_values``); what a DataFrame holds
arrives in a type of its own (``fitted_values``). A value that does not fit is null, and said to be bad.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.config.missing_values import MissingRule
from batchscore.input.columns import Column
from batchscore.input.csv_lines import PLAIN, BoolArray, TextFormat
from batchscore.input.datetimes import DATETIME, fitted_datetimes, read_datetimes
from batchscore.input.number_spellings import in_plain_spelling
from batchscore.input.spelt_numbers import NUMBER, Typed, floats_of, integers_of, kept, whole_numbers

BINARY_WORDS = dict.fromkeys(("0", "n", "no", "f", "false"), False) | dict.fromkeys(
    ("1", "y", "yes", "t", "true"), True
)
INTEGER_TYPES = {"long", "integer"}
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)

_IS_NUMBER = re.compile(NUMBER, re.ASCII).match
_NAME_OF_TYPE = re.compile("[a-z]+")
_SPACES = " \t"
_ARROW_TYPES = {"boolean": pa.bool_(), "datetime": DATETIME}


class WrongTypeError(Exception):
    """A DataFrame's column is of a type whose values cannot be meant for the input."""


def typed_columns(
    values: Iterable[pa.Array], columns: Sequence[Column], convert: Callable[[pa.Array, Column], Typed]
) -> tuple[list[pa.Array], dict[int, tuple[str, str]], Counter[str], Counter[str]]:
    """Return the model's columns, (attribute, reason) of the first fault by row, and invalid and missing values.

    These are counted by column; an invalid value is no missing one, whatever becomes of it.
    """
    typed: list[pa.Array] = []
    faults: dict[int, tuple[str, str]] = {}
    invalid_values, missing_values = Counter[str](), Counter[str]()
    for given, column in zip(values, columns, strict=True):
        converted, bad = convert(given, column)
        typed.append(converted)
        if bad is not None and bad.any():
            invalid_values[column.name] += int(bad.sum())
        if absent := converted.null_count - invalid_values[column.name]:
            missing_values[column.name] = absent
        for row, reason in _faults(converted, bad, column.missing):
            faults.setdefault(row, (column.name, reason))
    return typed, faults, invalid_values, missing_values


def _faults(values: pa.Array, bad: BoolArray | None, rule: MissingRule) -> Iterator[tuple[int, str]]:
    """Yield the rows without a value that their records need, and why."""
    if bad is not None and not rule.invalid_is_missing:
        yield from ((row, "invalid_value") for row in np.flatnonzero(bad).tolist())
    if rule.is_refused and values.null_count:
        absent = values.is_null().to_numpy(zero_copy_only=False)
        absent = absent if bad is None else absent & ~bad
        yield from ((row, "missing_value") for row in np.flatnonzero(absent).tolist())


def read_values(values: pa.Array, column: Column, text: TextFormat = PLAIN) -> Typed:
    """Return what a file's values are in the column's type; those of a column that the file lacks are null."""
    if pa.types.is_null(values.type):
        return pa.nulls(len(values), _arrow_type(column)), None
    if column.type == "string":
        return _without_words(values, column.missing), None
    if column.type == "datetime":
        return read_datetimes(_without_words(values, column.missing), text.datetime_format)
    if pa.types.is_dictionary(values.type):
        return _from_words(values, column, text)
    if pa.types.is_string(values.type):
        return _from_text(values, column, text)
    return _from_numbers(_without_numbers(values, column.missing), column)


def fitted_values(values: pa.Array, column: Column) -> Typed:
    """Return what a DataFrame's values are in the column's type.

    Whole numbers become the text of a text column; decimals are read as their text would be in a file. Raises
    WrongTypeError for a type that cannot fit.
    """
    kind = values.type
    if pa.types.is_null(kind):
        return pa.nulls(len(values), _arrow_type(column)), None
    if column.type == "string":
        return _as_texts(values), None
    if column.type == "datetime":
        return fitted_datetimes(_naive_times(values))
    if pa.types.is_decimal(kind):
        return _from_decimals(values, column)
    if pa.types.is_boolean(kind):
        return values.cast(pa.uint8()).cast(_arrow_type(column)), None
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise WrongTypeError(_type_name(kind))
    numbers = values.cast(pa.int64() if pa.types.is_integer(kind) else pa.float64())
    if column.type == "boolean":
        return _booleans(numbers)
    if column.type == "double" and pa.types.is_floating(kind):
        return kept(numbers, pc.is_finite(numbers))
    return _from_numbers(numbers, column)


def _arrow_type(column: Column) -> pa.DataType:
    if column.type == "string":
        return pa.dictionary(pa.int32(), pa.string())
    if column.type in _ARROW_TYPES:
        return _ARROW_TYPES[column.type]
    return pa.int64() if column.type in INTEGER_TYPES else pa.float64()


def _naive_times(values: pa.Array) -> pa.Array:
    kind = values.type
    if pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.tz is None):
        return values
    raise WrongTypeError(f"{_type_name(kind)} with a zone" if pa.types.is_timestamp(kind) else _type_name(kind))


def _type_name(kind: pa.DataType) -> str:
    """Return the type as Spark calls it: ``date``, not ``date32[day]``."""
    return _NAME_OF_TYPE.match(str(kind))[0]  # type: ignore[index] # all begin with letters


def _as_texts(values: pa.Array) -> pa.DictionaryArray:
    kind = values.type
    if pa.types.is_integer(kind):
        values = values.cast(pa.string())
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise WrongTypeError(_type_name(kind))
    texts = values.cast(pa.string()).dictionary_encode()
    return texts.cast(pa.dictionary(pa.int32(), pa.string()))


def _without_words(values: pa.DictionaryArray, rule: MissingRule) -> pa.DictionaryArray:
    """Make the texts that mean missing null."""
    meant = pc.is_in(values.dictionary, pa.array(sorted(rule.words), pa.string()))
    if not pc.any(meant, min_count=0).as_py():
        return values
    places = values.indices.to_numpy()
    mask = meant.to_numpy(zero_copy_only=False)[places]
    return pa.DictionaryArray.from_arrays(pa.array(places, mask=mask), values.dictionary)


def _without_numbers(values: pa.Array, rule: MissingRule) -> pa.Array:
    """Make the numbers that mean missing null."""
    return pc.if_else(_means_missing(values, rule), None, values) if rule.numbers else values


def _means_missing(values: pa.Array, rule: MissingRule) -> pa.BooleanArray:
    return pc.is_in(values.cast(pa.float64(), safe=False), pa.array(sorted(rule.numbers), pa.float64()))


def _from_decimals(values: pa.Array, column: Column) -> Typed:
    texts = values.cast(pa.string())
    if column.type != "boolean":
        return _from_text(texts, column)
    numbers, _ = _from_text(texts, Column(column.name, "double"))
    return _booleans(numbers)


def _booleans(numbers: pa.Array) -> Typed:
    """Read 1 and 0; other numbers are no booleans."""
    fits = pc.or_(pc.equal(numbers, 0), pc.equal(numbers, 1))
    return kept(pc.equal(numbers, 1), fits)


def _from_words(values: pa.DictionaryArray, column: Column, text: TextFormat) -> Typed:
    words = [word.strip(_SPACES) for word in values.dictionary.to_pylist()]
    spelt = zip(words, in_plain_spelling(pa.array(words, pa.string()), text).to_pylist(), strict=True)
    absent = np.array([_is_missing(word, number, column.missing) for word, number in spelt], bool)
    meant = [None if gone else BINARY_WORDS.get(word.lower()) for word, gone in zip(words, absent, strict=True)]
    wrong = ~absent & np.array([meaning is None for meaning in meant], bool)
    read = pa.array(meant, pa.bool_())
    read = read if column.type == "boolean" else read.cast(pa.uint8()).cast(_arrow_type(column))
    if not column.reads_words_alone and wrong.any():
        others = pa.array([word if bad else None for word, bad in zip(words, wrong, strict=True)], pa.string())
        numbers, bad = _from_text(others, column, text)
        read, wrong = pc.coalesce(numbers, read), np.zeros(len(words), bool) if bad is None else bad
    return read.take(values.indices), wrong[values.indices.to_numpy()] if wrong.any() else None


def _is_missing(word: str, number: str | None, rule: MissingRule) -> bool:
    if word in rule.words or not rule.numbers or number is None:
        return word in rule.words
    return _IS_NUMBER(number) is not None and float(number) in rule.numbers


def _from_numbers(values: pa.Array, column: Column) -> Typed:
    """Hold numbers, int64 or finite float64, to the column's type."""
    if column.type in INTEGER_TYPES:
        return whole_numbers(values, column.type)
    values = values.cast(pa.float64(), safe=False)
    if column.type == "double":
        return values, None
    return kept(values, pc.less_equal(pc.abs(values), LARGEST_FLOAT32))  # a larger one would turn infinite


def _from_text(values: pa.StringArray, column: Column, text: TextFormat = PLAIN) -> Typed:
    """Convert texts; what is no finite number is invalid, spaces around a number are not."""
    plain_numbers = _plain_numbers(values, column, text)
    if plain_numbers is not None:
        return _from_numbers(_without_numbers(plain_numbers, column.missing), column)
    trimmed = pc.ascii_trim(values, characters=_SPACES)
    means_missing = pc.is_in(trimmed, pa.array(sorted(column.missing.words), pa.string()))
    plain = in_plain_spelling(trimmed, text)
    if column.missing.numbers:
        means_missing = pc.or_(means_missing, _means_missing(floats_of(plain), column.missing))
    present = pc.and_not(pc.is_valid(trimmed), means_missing)
    plain = pc.if_else(present, plain, None)
    if column.type in INTEGER_TYPES:
        numbers, _ = whole_numbers(integers_of(plain), column.type)
    else:
        numbers, _ = _from_numbers(floats_of(plain), column)
    return numbers, pc.and_(present, pc.is_null(numbers)).to_numpy(zero_copy_only=False)


def _plain_numbers(texts: pa.StringArray, column: Column, text: TextFormat) -> pa.Array | None:
    """Return the numbers of texts which all are numbers or mean missing, None if there may be anything else.

    Such are nearly all columns, and read so as if no text had been asked for. pyarrow's cast takes no other number than
    its reader of CSV does, and that for the same double.
    """
    if text.decimal != "." and _any_holds(texts, "."):
        return None
    if column.type in INTEGER_TYPES and _any_holds(texts, "x"):  # pyarrow takes 0x10 for a whole number
        return None
    numbers = _cast_or_none(texts, column, text)
    if numbers is None:
        absent = pc.is_in(texts, pa.array(sorted(column.missing.words), pa.string()))
        present = pc.any(absent, min_count=0).as_py()
        numbers = _cast_or_none(pc.if_else(absent, None, texts), column, text) if present else None
    return numbers


def _cast_or_none(texts: pa.StringArray, column: Column, text: TextFormat) -> pa.Array | None:
    spelt = texts if text.decimal == "." else pc.replace_substring(texts, text.decimal, ".")
    try:
        numbers = spelt.cast(pa.int64() if column.type in INTEGER_TYPES else pa.float64())
    except pa.ArrowInvalid:
        return None
    is_finite = pa.types.is_integer(numbers.type) or pc.all(pc.is_finite(numbers), min_count=0).as_py()
    return numbers if is_finite else None


def _any_holds(texts: pa.StringArray, part: str) -> bool:
    return bool(pc.any(pc.match_substring(texts, part, ignore_case=True), min_count=0).as_py())
