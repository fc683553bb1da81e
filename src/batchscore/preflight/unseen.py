"""Texts that the model does not know in nearly all records: a job that would score what its files do not mean (pure).

A false alarm that stops a right job is as bad as a miss: so few values give a warning alone, and a fraction of unknown
ones that is less than nearly all gives none, since new categories come up.
"""

from __future__ import annotations

from collections.abc import Iterator

from batchscore.errors import InputError
from batchscore.input.odd_texts import odd_text_warnings
from batchscore.input.sample_warnings import SampleWarning
from batchscore.input.text_remedies import Reading, Remedy, best_remedy
from batchscore.plan import JobSpec
from batchscore.preflight.column_looks import ColumnLook, ColumnLooks

JUDGED_WITH_REMEDY = 20
PERCENT_WITH_REMEDY = 95
JUDGED_WITHOUT_REMEDY = 100
PERCENT_WITHOUT_REMEDY = 99
PERCENT_MISREAD = 1
"""From so few on a warning tells of unknown texts of which a key of the configuration makes most known."""
_JUDGED_CONSTANT = 20


def unseen_faults(spec: JobSpec, looks: ColumnLooks) -> list[InputError]:
    """Return the columns for whose texts the job must not start, each with what helps."""
    limit = spec.config.max_unseen_fraction
    if limit is not None:
        return [
            _over(spec, name, look, limit)
            for name, look in _in_order(spec, looks)
            if look.unseen and look.unseen / look.value_count > limit
        ]
    return [
        InputError(
            f"column {name}: expected values that the model knows, got others in {_counted(look)}; "
            f"{_advice(_remedy(spec, name, look))}`max_unseen_fraction: 1` scores them as they are"
        )
        for name, look in _in_order(spec, looks)
        if _is_fault(spec, name, look)
    ]


def _in_order(spec: JobSpec, looks: ColumnLooks) -> list[tuple[str, ColumnLook]]:
    return [(column.name, looks[column.name]) for column in spec.columns.inputs if column.name in looks]


def _over(spec: JobSpec, name: str, look: ColumnLook, limit: float) -> InputError:
    return InputError(
        f"column {name}: expected at most a fraction {limit:g} of values that the model does not know, got "
        f"{_counted(look)}; {_advice(_remedy(spec, name, look))}raise `max_unseen_fraction` to score them as they are"
    )


def _advice(remedy: Remedy | None) -> str:
    return f"what helps: {remedy.words} ({remedy.helped} of them are known then); " if remedy else ""


def _counted(look: ColumnLook) -> str:
    return f"{look.unseen} of {look.value_count} values read"


def _remedy(spec: JobSpec, name: str, look: ColumnLook) -> Remedy | None:
    """Return what makes most of the unknown texts known."""
    if name not in spec.vocabularies:
        return None
    reading = Reading(spec.config.encoding, spec.config.trim, spec.config.null_values)
    remedy = best_remedy(look.remedies, spec.vocabularies[name], reading)
    return remedy if remedy and 2 * remedy.helped > sum(look.remedies.values()) else None


def _is_fault(spec: JobSpec, name: str, look: ColumnLook) -> bool:
    return _is_judged(spec, name, look) and _is_nearly_all(spec, name, look)


def _is_misread(spec: JobSpec, name: str, look: ColumnLook) -> bool:
    """Tell of spaces, null markers and the bytes of another encoding, of which training had none."""
    remedy = _remedy(spec, name, look)
    return remedy is not None and remedy.is_of_reading and 100 * look.unseen >= PERCENT_MISREAD * look.value_count


def _is_nearly_all(spec: JobSpec, name: str, look: ColumnLook) -> bool:
    percent = PERCENT_WITH_REMEDY if _remedy(spec, name, look) else PERCENT_WITHOUT_REMEDY
    return look.unseen > 0 and 100 * look.unseen >= percent * look.value_count


def _is_judged(spec: JobSpec, name: str, look: ColumnLook) -> bool:
    return look.value_count >= (JUDGED_WITH_REMEDY if _remedy(spec, name, look) else JUDGED_WITHOUT_REMEDY)


def remedies_of(spec: JobSpec, looks: ColumnLooks) -> dict[str, str]:
    """Return what makes most of the unknown texts known, by column, however few they are."""
    found = {name: _remedy(spec, name, look) for name, look in _in_order(spec, looks) if look.unseen}
    return {name: remedy.words for name, remedy in found.items() if remedy}


def column_warnings(spec: JobSpec, looks: ColumnLooks) -> list[SampleWarning]:
    """Return what is odd with columns and keeps no job from starting."""
    odd = ((name, look) for name, look in _in_order(spec, looks) if look.odd)
    misread = [found for name, look in odd for found in odd_text_warnings(name, look.odd, look.value_count)]
    return [*_unseen_warnings(spec, looks), *misread, *_constant_warnings(spec, looks)]


def _unseen_warnings(spec: JobSpec, looks: ColumnLooks) -> Iterator[SampleWarning]:
    if spec.config.max_unseen_fraction is not None:
        return
    for name, look in _in_order(spec, looks):
        if _is_fault(spec, name, look):
            continue
        if _is_nearly_all(spec, name, look) or _is_misread(spec, name, look):
            remedy = _remedy(spec, name, look)
            words = (
                f"what helps: {remedy.words}"
                if remedy
                else "see whether the column holds what the model was trained on"
            )
            what = f"column {name}: the model does not know {_counted(look)}; {words}"
            yield SampleWarning(what, name, look.unseen, look.value_count, "unseen_value", words)


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
