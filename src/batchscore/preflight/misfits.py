"""Inputs that cannot be read or do not fit the job: all are told together, and how to leave them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from batchscore.commit.checks import INPUTS_TOLD
from batchscore.config.exclusion import exclude_advice
from batchscore.errors import BatchScoreError, InputError, TransientReadError
from batchscore.input.diagnosis.findings import Misfits, find_misfits
from batchscore.plan import Plan
from batchscore.preflight.beginnings import Looked, explain_input
from batchscore.preflight.first_look import scope_of

_FAULTS_TOLD = 100


def input_faults(plan: Plan, looked: Looked, is_known: Callable[[], bool]) -> list[tuple[int | None, BatchScoreError]]:
    """Return the faults of inputs by their places, and last what is wrong with records, of no place.

    The last one tells the key that scores the other inputs.
    """
    misfits = find_misfits(looked.findings)
    uris = [item.source.uri for item in plan.inputs]
    faults: list[tuple[int | None, BatchScoreError]] = [*sorted(looked.faults.items(), key=lambda item: item[0])]
    if misfits.places:
        faults.append((None, InputError(_told(misfits, plan))))
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


def _told(misfits: Misfits, plan: Plan) -> str:
    count, scope = len(misfits.places), scope_of(plan.spec)
    inputs = [plan.inputs[place] for place in misfits.places[:INPUTS_TOLD]]
    shown = [f"input {item.source.uri}: {explain_input(item, scope)}" for item in inputs]
    if count == 1 and not misfits.together:
        return shown[0]
    first = f", the first {INPUTS_TOLD} of them" if count > INPUTS_TOLD else ""
    common = f" ({misfits.together})" if misfits.together else ""
    return "\n  ".join([f"{count} inputs that do not fit the job{common}{first}:", *shown])


def raise_together(faults: Sequence[BatchScoreError]) -> None:
    """Raise one InputError that tells all faults, if there are any."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        told = "" if len(faults) <= _FAULTS_TOLD else f", the first {_FAULTS_TOLD} of them"
        lines = [f"{len(faults)} faults in the inputs{told}:", *map(str, faults[:_FAULTS_TOLD])]
        raise InputError("\n  ".join(lines)) from faults[0]
