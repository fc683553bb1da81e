"""What the checks before a job found: its plan, what samples show, and what is wrong (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from batchscore.commands.sample_predictions import NO_PREDICTIONS, SamplePredictions
from batchscore.config.missing_values import NO_FACTS, ModelFacts
from batchscore.errors import CommitError
from batchscore.input.unseen_texts import NO_TEXTS, TextCounts, TextTotals
from batchscore.plan import Plan
from batchscore.preflight.parity_report import Parity


@dataclass(frozen=True)
class Fault:
    """What is wrong. ``fatal`` ones would keep the job from starting or finishing; others are warnings.

    A warning counts records: ``count`` of the ``of`` records read have ``reason``, in ``column`` if it is of one.
    """

    where: str
    what: str
    fatal: bool
    exit_code: int = 0
    column: str | None = None
    count: int | None = None
    of: int | None = None
    reason: str | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class Sample:
    """What a sample of one input shows; counts are of the sample.

    ``missing_values`` are the records that are invalid for want of a value, by column; ``empty_values`` the empty cells
    that the model is given. ``mended_by_escape`` are the invalid records that the key ``escape`` would read, by reason.
    ``value_hints`` tell what reads invalid values, by column.

    ``texts`` counts those that the model does not know.

    ``extra_columns`` the job does not read, ``missing_columns`` the model takes and the input lacks, of
    ``repeated_columns`` the first is read; these have places from 1.

    ``estimated_records`` are those of the whole input; None where the sample cannot tell: of a compressed input that
    was not read whole.
    """

    uri: str
    size_in_bytes: int
    record_count: int
    estimated_records: int | None
    invalid_reasons: dict[str, int]
    invalid_values: dict[str, int]
    missing_values: dict[str, int]
    empty_values: dict[str, int]
    extra_columns: list[str]
    mended_by_escape: dict[str, int] = field(default_factory=dict)
    missing_columns: list[str] = field(default_factory=list)
    repeated_columns: dict[str, list[int]] = field(default_factory=dict)
    value_hints: dict[str, str] = field(default_factory=dict)
    texts: TextCounts = NO_TEXTS


def texts_of(samples: Iterable[Sample]) -> TextCounts:
    """Count the texts of all samples that the model does not know."""
    totals = TextTotals()
    for sample in samples:
        totals.add(sample.texts)
    return totals.sum()


@dataclass(frozen=True)
class Review:
    """The plan of a job, what samples show, and what is wrong. Without a plan, planning itself failed.

    ``model_facts`` are what the model tells of the values it knows; ``parity`` is None where nothing was compared since
    something else was at fault before. ``unseen_remedies`` say, by column, what makes most of the texts known that it
    does not know. ``predictions`` are a few, to see sense.
    """

    plan: Plan | None
    samples: list[Sample] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    model_facts: ModelFacts = NO_FACTS
    parity: Parity | None = None
    unseen_remedies: Mapping[str, str] = field(default_factory=dict)
    predictions: SamplePredictions = NO_PREDICTIONS

    @property
    def ready(self) -> bool:
        """Whether the job would start, and succeed on what was read."""
        return self.exit_code == 0

    @property
    def errors(self) -> list[Fault]:
        """The faults that would keep the job from starting or finishing."""
        return [fault for fault in self.faults if fault.fatal]

    @property
    def warnings(self) -> list[Fault]:
        """The faults with which the job would succeed."""
        return [fault for fault in self.faults if not fault.fatal]

    @property
    def exit_code(self) -> int:
        """0 only if the job would start, and succeed on what was read; else the code that the job would end with.

        A job reads before it writes: that the output cannot be written comes last.
        """
        codes = [fault.exit_code for fault in self.errors]
        return next(iter(sorted(codes, key=lambda code: code == CommitError.exit_code)), 0)
