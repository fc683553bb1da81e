"""Texts of labels -> the classes or numbers that they are (pure): nothing is guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.input.number_spellings import in_plain_spelling
from batchscore.input.spelt_numbers import EXACT_INTEGERS, NUMBER, floats_of
from batchscore.input.typed_values import BINARY_WORDS, read_values
from batchscore.profile.buckets import FloatArray, IntArray
from batchscore.profile.format import ProfileFormat

EMPTY, UNKNOWN = -1, -2
_SPACES = " \t"
_BOOLEANS = {"false": 0.0, "true": 1.0}
_IS_NUMBER = re.compile(NUMBER, re.ASCII).match


@dataclass(frozen=True)
class _Spellings:
    """What labels of a classifier look like beside its classes' own texts; values are places among the classes."""

    numbers: dict[float, int]
    words: dict[str, int]


def class_labels(texts: pa.StringArray, form: ProfileFormat) -> IntArray:
    """Return for each text the place of the class that it is, EMPTY or UNKNOWN; distinct texts are looked at once."""
    encoded = texts.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    places = _places(encoded.dictionary, form)
    found: IntArray = places[encoded.indices.to_numpy(zero_copy_only=False)]
    return found


def _places(texts: pa.StringArray, form: ProfileFormat) -> IntArray:
    spellings = _spellings(form.meanings)
    named = pc.index_in(texts, pa.array(form.meanings, pa.string()))
    found = named
    trimmed = pc.ascii_trim(texts, characters=_SPACES)
    if spellings.numbers:
        numbers = pc.add(floats_of(in_plain_spelling(trimmed, form.text)), 0.0)  # to arrow -0 is not 0
        found = pc.coalesce(found, _looked_up(numbers, spellings.numbers, pa.float64()))
    if spellings.words:
        found = pc.coalesce(found, _looked_up(pc.utf8_lower(trimmed), spellings.words, pa.string()))
    absent = pc.and_(_is_missing(trimmed, form), pc.is_null(named))
    return np.array(pc.if_else(absent, EMPTY, found.fill_null(UNKNOWN)), np.int64)


def _looked_up(values: pa.Array, places: dict[float, int] | dict[str, int], kind: pa.DataType) -> pa.Int32Array:
    found = pc.index_in(values, pa.array(list(places), kind))
    return pa.array(list(places.values()), pa.int32()).take(found)


def _is_missing(trimmed: pa.StringArray, form: ProfileFormat) -> pa.BooleanArray:
    rule = form.label.missing if form.label else None
    words = {""} | (rule.words if rule else frozenset())
    absent = pc.is_in(trimmed, pa.array(sorted(words), pa.string()))
    if rule and rule.numbers:
        numbers = floats_of(in_plain_spelling(trimmed, form.text))
        absent = pc.or_(absent, pc.is_in(numbers, pa.array(sorted(rule.numbers), pa.float64())))
    return absent


@lru_cache(maxsize=16)
def _spellings(classes: tuple[str, ...]) -> _Spellings:
    values = [float(name) if _IS_NUMBER(name) else None for name in classes]
    if sorted(name.lower() for name in classes) == sorted(_BOOLEANS):
        values = [_BOOLEANS[name.lower()] for name in classes]
    # Two classes of one number, and numbers that may stand for their neighbour, are told by their texts alone.
    exact = [value for value in values if value is not None and abs(value) < EXACT_INTEGERS]
    numbers = {value: values.index(value) for value in exact if exact.count(value) == 1}
    is_binary = len(classes) == 2 and set(numbers) == {0.0, 1.0}
    words = {word: numbers[float(meant)] for word, meant in BINARY_WORDS.items()} if is_binary else {}
    return _Spellings(numbers, words)


def number_labels(texts: pa.StringArray, form: ProfileFormat) -> tuple[FloatArray, IntArray]:
    """Return the numbers that labels are, NaN for others, and for each 0, EMPTY or UNKNOWN."""
    assert form.label is not None
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    numbers, bad = read_values(texts, form.label, form.text)
    found = numbers.to_numpy(zero_copy_only=False)
    kinds = np.where(np.isnan(found), EMPTY, 0)
    if bad is not None:
        kinds[bad] = UNKNOWN
    return found, kinds
