"""What the first MiB of all inputs shows of each of the model's columns, in counts (pure): no value is in it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from itertools import compress, islice
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from batchscore.config.missing_values import Vocabulary
from batchscore.input.diagnosis.odd_texts import odd_texts
from batchscore.input.diagnosis.text_remedies import helping_remedies, joined
from batchscore.input.numeric_lines import FloatArray
from batchscore.input.unseen_texts import text_numbers, unseen_texts
from batchscore.plan import JobSpec

_SEVERAL = ""
_TEXTS_TRIED = 1000
"""Distinct texts of a block and column on which remedies are tried: each takes some 20 microseconds."""


@dataclass(frozen=True)
class ColumnLook:
    """What records show of one column.

    ``unseen`` of the ``value_count`` values are not known to the model, which shows what it knows; ``remedies`` counts
    those of them that were tried by what helps them, see text_remedies. ``sole`` stands for the one text of the column,
    None where it has none, and "" where it has several, or is no text. ``odd`` are texts that look misread, where the
    model shows nothing.
    """

    value_count: int = 0
    missing_count: int = 0
    unseen: int = 0
    remedies: Mapping[str, int] = field(default_factory=dict)
    sole: str | None = None
    odd: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: ColumnLook) -> ColumnLook:
        """Add what other records show."""
        soles = {look.sole for look in (self, other)} - {None}
        return ColumnLook(
            self.value_count + other.value_count,
            self.missing_count + other.missing_count,
            self.unseen + other.unseen,
            dict(Counter(self.remedies) + Counter(other.remedies)),
            next(iter(soles), None) if len(soles) < 2 else _SEVERAL,
            dict(Counter(self.odd) + Counter(other.odd)),
        )


ColumnLooks: TypeAlias = dict[str, ColumnLook]


class ColumnTotals:
    """The sum of what blocks show, added by several threads."""

    def __init__(self) -> None:
        self.looks: ColumnLooks = {}
        self._lock = threading.Lock()

    def add(self, looks: ColumnLooks) -> None:
        """Add what some more records show."""
        with self._lock:
            for name, look in looks.items():
                self.looks[name] = self.looks.get(name, ColumnLook()) + look


def sum_of(some: Iterable[ColumnLooks]) -> ColumnLooks:
    """Return what all of these show together."""
    totals = ColumnTotals()
    for looks in some:
        totals.add(looks)
    return totals.looks


def looks_as_json(looks: ColumnLooks) -> str:
    """Return what a task answers."""
    return json.dumps({name: astuple(look) for name, look in looks.items()}, separators=(",", ":"))


def looks_from_json(text: str) -> ColumnLooks:
    """Return what a task answered."""
    return {name: ColumnLook(*values) for name, values in json.loads(text).items()}


def look_at_columns(inputs: pa.Table | FloatArray, found: Sequence[bool], spec: JobSpec) -> ColumnLooks:
    """Count the values of records in those of the model's columns that ``found`` tells their input to have."""
    names = [column.name for column in spec.columns.inputs]
    if isinstance(inputs, np.ndarray):
        missing = np.isnan(inputs).sum(axis=0).tolist()
        looks = (ColumnLook(len(inputs) - number, number, sole=_SEVERAL) for number in missing)
        return dict(compress(zip(names, looks, strict=True), found))
    encoding = spec.config.encoding
    columns = compress(zip(names, inputs.columns, strict=True), found)
    return {name: _look_at(column, spec.vocabularies.get(name), encoding) for name, column in columns}


def _look_at(column: pa.ChunkedArray, vocabulary: Vocabulary | None, encoding: str) -> ColumnLook:
    values, missing = len(column) - column.null_count, column.null_count
    if vocabulary is None:
        odd = odd_texts(column) if pa.types.is_dictionary(column.type) else {}
        return ColumnLook(values, missing, sole=_SEVERAL if values else None, odd=odd)
    unseen = unseen_texts(column, vocabulary)
    remedies = Counter[str]()
    for text, number in islice(unseen.items(), _TEXTS_TRIED):
        remedies[joined(helping_remedies(text, vocabulary, encoding))] += number
    return ColumnLook(values, missing, unseen.total(), remedies, _sole(column))


def _sole(column: pa.ChunkedArray) -> str | None:
    """Return what stands for the one text that records hold: a digest, since an answer of a task holds no value."""
    held = set[str]()
    for chunk in column.chunks:
        texts = chunk.dictionary.to_pylist()
        held.update(compress(texts, text_numbers(chunk, range(len(texts)))))
    if len(held) != 1:
        return _SEVERAL if held else None
    return hashlib.sha256(held.pop().encode("utf-8", "surrogatepass")).hexdigest()[:16]
