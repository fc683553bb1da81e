"""What of a job decides how its records are profiled (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from batchscore.config.job_config import ModelType, ProfileKind
from batchscore.config.missing_values import Vocabulary
from batchscore.input.columns import Column, Columns
from batchscore.input.csv_lines import TextFormat
from batchscore.input.echo_columns import place_of
from batchscore.profile.buckets import COARSE_BITS, FINE_BITS, Grid


@dataclass(frozen=True)
class ProfileFormat:
    """What is counted, and how labels are read.

    ``classes`` are those of a classifier in the model's order; ``label`` is the target as a column of numbers, with the
    job's rule of what is missing. ``meaning`` says what a score is that is no prediction of a label.
    """

    kind: ProfileKind
    model_type: ModelType
    classes: tuple[str, ...]
    positive_label: str | None
    threshold: float
    value_names: tuple[str, ...]
    meaning: str | None
    columns: Columns
    label: Column | None
    text: TextFormat
    vocabularies: Mapping[str, Vocabulary] = field(repr=False)
    lists_texts: bool

    @property
    def answer_names(self) -> tuple[str, ...]:
        """The columns of numbers that the results have."""
        if self.model_type == "multiclass":
            return self.classes
        return tuple(f"score_{name}" for name in self.value_names) or ("score",)

    @property
    def best_names(self) -> tuple[str, ...]:
        """What a best answer can be, and the label of a classifier: in binary 1 stands for the positive label."""
        return {"binary": ("0", "1"), "multiclass": self.classes, "regression": ()}[self.model_type]

    @property
    def meanings(self) -> tuple[str, ...]:
        """The classes that the best names stand for."""
        if self.model_type != "binary":
            return self.classes
        negative = next(name for name in self.classes if name != self.positive_label)
        return (negative, str(self.positive_label))

    @property
    def grid(self) -> Grid:
        """The buckets of the answers."""
        if self.model_type == "binary":
            return Grid(FINE_BITS, self.threshold)
        return Grid(FINE_BITS if len(self.answer_names) == 1 else COARSE_BITS)

    @property
    def label_place(self) -> int | None:
        """Which echoed column the labels are."""
        return place_of("target", self.columns.echoed)

    @property
    def has_quality(self) -> bool:
        """Whether an answer can be held against a label."""
        return self.label is not None and not self.value_names and self.meaning is None
