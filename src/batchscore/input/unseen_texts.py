"""Which texts of a column a model's encoders or booster do not know, in counts (pure): no text is in a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from batchscore.config.missing_values import Vocabulary
from batchscore.input.numeric_lines import FloatArray

_FEW = 4


@dataclass(frozen=True, slots=True)
class TextCounts:
    """How many records were read, and of these by column: ``missing`` have no value, ``unseen`` one not known.

    Only columns of which the model shows what it knows are counted, and only those that have any are named.
    """

    record_count: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)
    unseen: Mapping[str, int] = field(default_factory=dict)

    def value_count(self, column: str) -> int:
        """Return how many records have a value in a column."""
        return self.record_count - self.missing.get(column, 0)


NO_TEXTS = TextCounts()


class TextTotals:
    """The sum of many counts, while they go by."""

    def __init__(self) -> None:
        self._record_count = 0
        self._missing = Counter[str]()
        self._unseen = Counter[str]()

    def add(self, counts: TextCounts) -> None:
        """Add the counts of some more records."""
        self._record_count += counts.record_count
        self._missing.update(counts.missing)
        self._unseen.update(counts.unseen)

    def sum(self) -> TextCounts:
        """Return what was added up."""
        return TextCounts(self._record_count, dict(sorted(self._missing.items())), dict(sorted(self._unseen.items())))


def count_texts(inputs: pa.Table | FloatArray, vocabularies: Mapping[str, Vocabulary]) -> TextCounts:
    """Count the texts of records that a model does not know."""
    if not vocabularies or not isinstance(inputs, pa.Table):
        return NO_TEXTS
    missing, unseen = dict[str, int](), dict[str, int]()
    for name, vocabulary in vocabularies.items():
        column = inputs.column(name)
        if column.null_count:
            missing[name] = column.null_count
        if number := unseen_texts(column, vocabulary).total():
            unseen[name] = number
    return TextCounts(len(inputs), missing, unseen)


def unseen_texts(column: pa.ChunkedArray, vocabulary: Vocabulary) -> Counter[str]:
    """Count the records by those of their texts that are not known.

    A block holds each distinct text once, in its column's dictionary; where all of these are known no record is looked
    at. One that no record holds any more, since its records are invalid, is left out.
    """
    found = Counter[str]()
    for chunk in column.chunks:
        texts = chunk.dictionary.to_pylist()
        if vocabulary.texts.issuperset(texts):
            continue
        unknown = {
            place: text
            for place, text in enumerate(texts)
            if text not in vocabulary.texts and text not in vocabulary.words
        }
        for text, number in zip(unknown.values(), text_numbers(chunk, list(unknown)), strict=True):
            found[text] += number
    return +found


def text_numbers(chunk: pa.DictionaryArray, places: Sequence[int]) -> list[int]:
    """Return how many records hold the texts at some places of a dictionary."""
    if not places:
        return []
    codes = (chunk.indices.fill_null(-1) if chunk.null_count else chunk.indices).to_numpy()
    if len(places) <= _FEW:  # to compare 60,000 codes takes 10 microseconds, to count all of them 70
        return [int(np.count_nonzero(codes == place)) for place in places]
    numbers: list[int] = np.bincount(codes + 1, minlength=len(chunk.dictionary) + 1)[1:][places].tolist()
    return numbers
