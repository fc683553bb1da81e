"""What is counted of a split, and the sum of many splits (pure)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batchscore.config.missing_values import Vocabulary
from batchscore.input.csv_lines import IntArray
from batchscore.input.parsed_block import ParsedBlock
from batchscore.profile.buckets import COARSE_BITS, FloatArray, Grid, Histogram, Tally
from batchscore.profile.column_values import (
    TextValues,
    TimeRange,
    count_columns,
    counted_column,
)
from batchscore.profile.distribution import Distribution, DistributionTotals
from batchscore.profile.format import ProfileFormat
from batchscore.profile.labels import EMPTY, UNKNOWN, class_labels, number_labels
from batchscore.profile.losses import ClassLoss, NumberLoss
from batchscore.storage.stored_json import read_json, typed


@dataclass(frozen=True, slots=True)
class SplitProfile:
    """The counts of a split, or of several.

    ``answers`` go by the columns of the results; those of a binary model with labels have three rows: of records
    without a known label, of label 0, and of label 1, and tell best answers and confusion too. Of several classes
    ``best_answers`` are by class, and ``confusion`` by label times number of classes plus best answer. ``values`` go by
    the inputs of the model, in the kind ``full``.
    """

    answers: list[Distribution]
    best_answers: Histogram
    missing: dict[str, int]
    empty_labels: int = 0
    unknown_labels: int = 0
    confusion: Histogram | None = None
    class_loss: ClassLoss | None = None
    residuals: Distribution | None = None
    number_loss: NumberLoss | None = None
    values: list[Distribution | TextValues | TimeRange] = field(default_factory=list)

    def to_json(self) -> str:
        """Return the counts as a receipt holds them."""
        return json.dumps(_plain(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> SplitProfile:
        """Read counts back; raises ValueError if they are none."""
        return typed(cls, read_json(text.encode()))


def _plain(value: Any) -> Any:
    """Return a dataclass as dictionaries; what dataclasses.asdict does besides is to copy each number."""
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, list) and value and is_dataclass(value[0]):
        return [_plain(item) for item in value]
    return value


class ProfileTotals:
    """Counts while they are added up: of the blocks of a split, and of splits in their order."""

    def __init__(self, form: ProfileFormat) -> None:
        self.form = form
        self.is_classifier = form.model_type != "regression"
        rows = 3 if form.model_type == "binary" and form.label else 1
        self.answers = [DistributionTotals(form.grid, rows) for _ in form.answer_names]
        self.best_answers = Tally()
        self.missing = Counter[str]()
        self.empty_labels = self.unknown_labels = 0
        self.confusion = Tally()
        self.residuals = DistributionTotals(Grid(COARSE_BITS))
        self.class_loss, self.number_loss = ClassLoss(), NumberLoss()
        inputs = form.columns.inputs if form.kind == "full" else ()
        self.values = [counted_column(column.type, _vocabulary(form, column.name)) for column in inputs]

    def count(self, block: ParsedBlock, lines: IntArray, predictions: FloatArray) -> None:
        """Count the records of a block, and their predictions; ``lines`` are where in the block they belong."""
        self.missing.update(_missing_values(block, self.form))
        count_columns(self.values, block.values)
        place = self.form.label_place
        texts = None if place is None else block.echoed[place]
        if texts is not None and len(lines) < block.record_count:
            texts = texts.take(pa.array(lines))
        if self.is_classifier:
            self._count_classes(texts, predictions)
        else:
            self._count_numbers(texts, predictions)

    def _count_classes(self, texts: pa.StringArray | None, predictions: FloatArray) -> None:
        labels = None if texts is None else class_labels(texts, self.form)
        if predictions.ndim == 1:
            self.answers[0].count(predictions, None if labels is None else np.maximum(labels, EMPTY) + 1)
        else:
            best = predictions.argmax(axis=1)
            self.best_answers.count(best)
            for column, answers in zip(predictions.T, self.answers, strict=True):
                answers.count(np.ascontiguousarray(column))
        if labels is None:
            return
        known = self._known(labels)
        labels, predictions = labels[known], predictions[known]
        if predictions.ndim == 1:
            self.class_loss.count(np.abs((1 - labels) - predictions))
        else:
            self.confusion.count(labels * len(self.form.classes) + best[known])
            self.class_loss.count(predictions[np.arange(len(labels)), labels])

    def _known(self, labels: IntArray) -> npt.NDArray[np.bool_] | slice:
        """Count the labels that are none; return which of the others there are."""
        empty, unknown = (int(np.count_nonzero(labels == kind)) for kind in (EMPTY, UNKNOWN))
        self.empty_labels += empty
        self.unknown_labels += unknown
        return labels >= 0 if empty or unknown else slice(None)

    def _count_numbers(self, texts: pa.StringArray | None, predictions: FloatArray) -> None:
        columns = [predictions] if predictions.ndim == 1 else map(np.ascontiguousarray, predictions.T)
        for column, answers in zip(columns, self.answers, strict=True):
            answers.count(column)
        if texts is not None:
            numbers, kinds = number_labels(texts, self.form)
            known = self._known(kinds)
            if self.form.has_quality:
                numbers = numbers[known]
                with np.errstate(over="ignore"):
                    errors = predictions[known] - numbers
                self.number_loss.count(numbers, errors)
                self.residuals.count(errors[np.isfinite(errors)])

    def best_counts(self) -> IntArray:
        """Return how many records have each best answer; at the threshold a key of a binary score is odd."""
        if self.form.model_type == "binary":
            sides: IntArray = self._sides().sum(axis=0)
            return sides
        return _filled(self.best_answers, len(self.form.best_names))

    def confusion_counts(self) -> IntArray:
        """Return how many records have each label and best answer."""
        if self.form.model_type == "binary":
            return self._sides()[1:]
        size = len(self.form.classes)
        return _filled(self.confusion, size * size).reshape(size, size)

    def _sides(self) -> IntArray:
        """Return the counts of a binary score's rows below the threshold and from it on."""
        tally = self.answers[0].tally
        is_above = tally.keys % 2 == 1
        return np.stack([tally.counts[:, ~is_above].sum(axis=1), tally.counts[:, is_above].sum(axis=1)], axis=1)

    def add(self, other: SplitProfile) -> None:
        """Add the counts of a later split; raises ValueError if they are those of another job."""
        for mine, given in zip(self.answers, other.answers, strict=True):
            mine.add(given)
        self.best_answers.add_histogram(other.best_answers)
        self.missing.update(other.missing)
        self.empty_labels += other.empty_labels
        self.unknown_labels += other.unknown_labels
        if other.confusion and other.class_loss:
            self.confusion.add_histogram(other.confusion)
            self.class_loss.add(other.class_loss)
        if other.residuals and other.number_loss:
            self.residuals.add(other.residuals)
            self.number_loss.add(other.number_loss)
        for column, values in zip(self.values, other.values, strict=True):
            column.add_values(values)

    def sum(self) -> SplitProfile:
        """Return what was added up."""
        has_labels = self.form.label is not None
        classes, numbers = has_labels and self.is_classifier, has_labels and self.form.model_type == "regression"
        return SplitProfile(
            [item.sum() for item in self.answers],
            self.best_answers.histogram(),
            dict(sorted(self.missing.items())),
            self.empty_labels,
            self.unknown_labels,
            confusion=self.confusion.histogram() if classes else None,
            class_loss=self.class_loss if classes else None,
            residuals=self.residuals.sum() if numbers else None,
            number_loss=self.number_loss if numbers else None,
            values=[item.sum() for item in self.values],
        )


def _missing_values(block: ParsedBlock, form: ProfileFormat) -> dict[str, int]:
    if isinstance(block.values, pa.Table):
        return block.missing_values
    with np.errstate(over="ignore", invalid="ignore"):  # a sum beyond the largest number is looked into as NaN is
        is_whole = np.isfinite(np.add.reduce(block.values, axis=None))
    numbers = [] if is_whole else np.isnan(block.values).sum(axis=0).tolist()
    names = (column.name for column in form.columns.inputs)
    return {name: number for name, number in zip(names, numbers, strict=False) if number}


def _filled(tally: Tally, count: int) -> IntArray:
    """Return the counts of the keys from 0 on; raises ValueError where there are others."""
    if len(tally.keys) and not 0 <= tally.keys[0] <= tally.keys[-1] < count:
        raise ValueError(f"expected keys below {count}")
    counts = np.zeros(count, np.int64)
    counts[tally.keys] = tally.counts[0]
    return counts


def _vocabulary(form: ProfileFormat, name: str) -> Vocabulary | None:
    return form.vocabularies.get(name) if form.lists_texts else None
