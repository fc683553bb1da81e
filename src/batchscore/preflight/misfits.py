"""Inputs that cannot be read or do not fit the job: all are told together, and how to leave them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from batchscore.commit.checks import INPUTS_TOLD
from batchscore.config.exclusion import exclude_advice
from batchscore.errors import BatchScoreError, InputError, TransientReadError
from batchscore.input.diagnosis.findings import Finding, find_misfits
from batchscore.plan import Plan
from batchscore.preflight.beginnings import Looked

_FAULTS_TOLD = 100


def input_faults(plan: Plan, looked: Looked, is_known: Callable[[], bool]) -> list[tuple[int | None, BatchScoreError]]:
    """Return the faults of inputs by their places, and last what is wrong with records, of no place.

    The last one tells the key that scores the other inputs.
    """
    misfits = find_misfits(looked.findings)
    uris = [item.source.uri for item in plan.inputs]
    faults: list[tuple[int | None, BatchScoreError]] = [*sorted(looked.faults.items(), key=lambda item: item[0])]
    if misfits.places:
        faults.append((None, InputError(_told(misfits.together, misfits.places, uris, looked.findings))))
    if not faults:
        return []
    left_out = {uris[place] for place in (*looked.faults, *misfits.places)}
    place, last = faults[-1]
    advice = exclude_advice(plan.spec.config, left_out, uris, has_record=is_known())
    # What may pass, as a broken connection, needs no advice; the class tells that and the exit code.
    if advice and not any(isinstance(fault, TransientReadError) for _, fault in faults):
        told = type(last)(f"{last}\n  {advice}")
        told.__cause__ = last.__cause__
        faults[-1] = (place, told)
    return faults


def _told(together: str, places: Sequence[int], uris: Sequence[str], findings: Sequence[Finding | None]) -> str:
    shown = [
        f"input {uris[place]}: {finding.explanation}"
        for place in places[:INPUTS_TOLD]
        if (finding := findings[place]) is not None
    ]
    if len(places) == 1 and not together:
        return shown[0]
    first = f", the first {INPUTS_TOLD} of them" if len(places) > INPUTS_TOLD else ""
    common = f" ({together})" if together else ""
    return "\n  ".join([f"{len(places)} inputs that do not fit the job{common}{first}:", *shown])


def raise_together(faults: Sequence[BatchScoreError]) -> None:
    """Raise one InputError that tells all faults, if there are any."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        told = "" if len(faults) <= _FAULTS_TOLD else f", the first {_FAULTS_TOLD} of them"
        lines = [f"{len(faults)} faults in the inputs{told}:", *map(str, faults[:_FAULTS_TOLD])]
        raise InputError("\n  ".join(lines)) from faults[0]
