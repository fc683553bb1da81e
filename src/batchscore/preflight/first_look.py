"""The first look at inputs, before anything is written (ADR 17): here alone is decided who looks, and at how much.

Whatever a job reads later, what it is judged by is the first MiB of each input, so that it depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from batchscore.input.factory import job_reader
from batchscore.input.files import InputFile
from batchscore.input.reader import Reader
from batchscore.plan import JobSpec, Plan
from batchscore.preflight.beginnings import Looked, Scope, look_at
from batchscore.preflight.column_looks import sum_of

FIRST_BYTES = 1024 * 1024
"""How much of each input is read."""
KEPT_BYTES = 32 * 1024 * 1024
"""What the driver keeps of it where it looks at all by itself, so that the sample needs no second reading."""
FEW_INPUTS = 256
"""So many the driver looks at by itself."""
FEW_LOCAL_INPUTS = 4096
"""So many where they are files of one machine, and what is read of them is no more than KEPT_BYTES: it takes about a
second, in which Spark starts."""
INPUTS_A_TASK = 256
"""So many a task looks at: a few seconds of it."""

LookByTasks = Callable[[Sequence[InputFile]], Looked]
"""Looks at inputs of one split through Spark's tasks, each of which calls look_in_task."""


def first_look(plan: Plan, look_by_tasks: LookByTasks | None = None) -> Looked:
    """Look at every input of a plan.

    Few inputs the driver looks at by itself, as it does at small files of its own machine, and all of them where there
    are no tasks, as in ``verify``. Of others it looks at those of several splits, whose headers the tasks of their
    later splits need, and tasks at the rest.
    """
    scope = scope_of(plan.spec)
    if look_by_tasks is None or _are_few(plan.inputs, scope.reader):
        return look_at(plan.inputs, scope, KEPT_BYTES)
    several = [item for item in plan.inputs if item.split_count > 1]
    single = [item for item in plan.inputs if item.split_count == 1]
    return _merged(plan.inputs, look_at(several, scope, keep_bytes=0), look_by_tasks(single))


def _are_few(inputs: Sequence[InputFile], reader: Reader) -> bool:
    if len(inputs) <= FEW_INPUTS:
        return True
    if len(inputs) > FEW_LOCAL_INPUTS or not all(item.source.uri.startswith("file:") for item in inputs):
        return False
    sizes = (reader.content_bytes(item.source) for item in inputs)
    return sum(FIRST_BYTES if size is None else min(size, FIRST_BYTES) for size in sizes) <= KEPT_BYTES


def look_in_task(inputs: Sequence[InputFile], spec: JobSpec) -> Looked:
    """Look at the inputs of a task, which answers counts and keeps no record."""
    return look_at(inputs, scope_of(spec), keep_bytes=0)


def scope_of(spec: JobSpec) -> Scope:
    """Return what is looked at of the inputs of a job."""
    return Scope(spec, job_reader(spec.config, spec.columns), FIRST_BYTES)


def _merged(inputs: Sequence[InputFile], several: Looked, single: Looked) -> Looked:
    """Put together what was seen of inputs of several splits and of one."""
    places: dict[bool, list[int]] = {True: [], False: []}
    for place, item in enumerate(inputs):
        places[item.split_count > 1].append(place)
    merged = Looked([None] * len(inputs), several.headers, columns=sum_of([several.columns, single.columns]))
    for looked, where in ((several, places[True]), (single, places[False])):
        for place, finding in zip(where, looked.findings, strict=True):
            merged.findings[place] = finding
        merged.faults.update({where[number]: fault for number, fault in looked.faults.items()})
    return merged
