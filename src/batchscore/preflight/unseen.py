"""Texts that the model does not know in nearly all records: a job that would score what its files do not mean (pure).

A false alarm that stops a right job is as bad as a miss: so few values give a warning alone, and a fraction of unknown
ones that is less than nearly all gives none, since new categories come up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from batchscore.errors import InputError
from batchscore.input.diagnosis.odd_texts import odd_text_warnings
from batchscore.input.diagnosis.sample_warnings import SampleWarning
from batchscore.input.diagnosis.text_remedies import Reading, Remedy, best_remedy
from batchscore.plan import JobSpec
from batchscore.preflight.column_looks import ColumnLook, ColumnLooks

JUDGED_WITH_REMEDY = 20
PERCENT_WITH_REMEDY = 95
JUDGED_WITHOUT_REMEDY = 100
PERCENT_WITHOUT_REMEDY = 99
PERCENT_MISREAD = 1
"""From so few on a warning tells of unknown texts of which a key of the configuration makes most known."""
_JUDGED_CONSTANT = 20


class _Judged(NamedTuple):
    """A column of the job, what was seen of it, and what makes most of its unknown texts known, if anything does."""

    name: str
    look: ColumnLook
    remedy: Remedy | None

    @property
    def counted(self) -> str:
        return f"{self.look.unseen} of {self.look.value_count} values read"

    @property
    def advice(self) -> str:
        helps = self.remedy
        return f"what helps: {helps.words} ({helps.helped} of them are known then); " if helps else ""

    @property
    def is_nearly_all(self) -> bool:
        """Whether nearly all values are unknown, by the limit that goes with a remedy or without."""
        return self._is_from(PERCENT_WITH_REMEDY if self.remedy else PERCENT_WITHOUT_REMEDY)

    @property
    def is_fault(self) -> bool:
        """Whether there are enough values besides to refuse the job."""
        enough = JUDGED_WITH_REMEDY if self.remedy else JUDGED_WITHOUT_REMEDY
        return self.look.value_count >= enough and self.is_nearly_all

    @property
    def is_misread(self) -> bool:
        """Whether there are spaces, null markers or the bytes of another encoding, of which training had none."""
        return self.remedy is not None and self.remedy.is_of_reading and self._is_from(PERCENT_MISREAD)

    def _is_from(self, percent: int) -> bool:
        return self.look.unseen > 0 and 100 * self.look.unseen >= percent * self.look.value_count


def unseen_faults(spec: JobSpec, looks: ColumnLooks) -> list[InputError]:
    """Return the columns for whose texts the job must not start, each with what helps."""
    limit = spec.config.max_unseen_fraction
    if limit is not None:
        return [
            _over(item, limit) for item in _unknown(spec, looks) if item.look.unseen / item.look.value_count > limit
        ]
    return [
        InputError(
            f"column {item.name}: expected values that the model knows, got others in {item.counted}; {item.advice}"
            "`max_unseen_fraction: 1` scores them as they are"
        )
        for item in _unknown(spec, looks)
        if item.is_fault
    ]


def _in_order(spec: JobSpec, looks: ColumnLooks) -> list[tuple[str, ColumnLook]]:
    return [(column.name, looks[column.name]) for column in spec.columns.inputs if column.name in looks]


def _unknown(spec: JobSpec, looks: ColumnLooks) -> list[_Judged]:
    """Return the columns that hold texts which the model does not know."""
    return [_Judged(name, look, _remedy(spec, name, look)) for name, look in _in_order(spec, looks) if look.unseen]


def _over(item: _Judged, limit: float) -> InputError:
    return InputError(
        f"column {item.name}: expected at most a fraction {limit:g} of values that the model does not know, got "
        f"{item.counted}; {item.advice}raise `max_unseen_fraction` to score them as they are"
    )


def _remedy(spec: JobSpec, name: str, look: ColumnLook) -> Remedy | None:
    """Return what makes most of the unknown texts known."""
    reading = Reading(spec.config.encoding, spec.config.trim, spec.config.null_values)
    remedy = best_remedy(look.remedies, spec.vocabularies[name], reading)
    return remedy if remedy and 2 * remedy.helped > sum(look.remedies.values()) else None


def remedies_of(spec: JobSpec, looks: ColumnLooks) -> dict[str, str]:
    """Return what makes most of the unknown texts known, by column, however few they are."""
    return {item.name: item.remedy.words for item in _unknown(spec, looks) if item.remedy}


def column_warnings(spec: JobSpec, looks: ColumnLooks) -> list[SampleWarning]:
    """Return what is odd with columns and keeps no job from starting."""
    odd = ((name, look) for name, look in _in_order(spec, looks) if look.odd)
    misread = [found for name, look in odd for found in odd_text_warnings(name, look.odd, look.value_count)]
    return [*_unseen_warnings(spec, looks), *misread, *_constant_warnings(spec, looks)]


def _unseen_warnings(spec: JobSpec, looks: ColumnLooks) -> Iterator[SampleWarning]:
    if spec.config.max_unseen_fraction is not None:
        return
    for item in _unknown(spec, looks):
        if item.is_fault or not (item.is_nearly_all or item.is_misread):
            continue
        words = "see whether the column holds what the model was trained on"
        if item.remedy:
            words = f"what helps: {item.remedy.words}"
        what = f"column {item.name}: the model does not know {item.counted}; {words}"
        yield SampleWarning(what, item.name, item.look.unseen, item.look.value_count, "unseen_value", words)


def _constant_warnings(spec: JobSpec, looks: ColumnLooks) -> Iterator[SampleWarning]:
    for name, look in _in_order(spec, looks):
        records = look.value_count + look.missing_count
        known = len(spec.vocabularies[name].texts) if name in spec.vocabularies else 0
        if look.value_count == 0 and records >= _JUDGED_CONSTANT:
            what = f"missing in all of {records} records read, where the model was trained with values"
            yield _constant(name, what, records, "all_missing")
        elif look.sole and look.value_count >= _JUDGED_CONSTANT and not look.unseen and known > 1:
            what = f"one value in all of {look.value_count} values read, where the model knows {known}"
            yield _constant(name, what, look.value_count, "one_value")


def _constant(name: str, what: str, count: int, reason: str) -> SampleWarning:
    remedy = "see whether the files hold what the model was trained on"
    return SampleWarning(f"column {name}: {what}; {remedy}", name, count, count, reason, remedy)
