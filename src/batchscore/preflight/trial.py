"""What is seen before anything is written: inputs that do not fit the job, and a model that raises on all it is given.

A fault of a file goes before one of the model: what the model would be given is not what the file means.
"""

from __future__ import annotations

import io
import logging
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace

import numpy as np
import pyarrow as pa

from batchscore.commit.checks import INPUTS_TOLD
from batchscore.config.exclusion import exclude_advice
from batchscore.errors import (
    BatchScoreError,
    BatchTimeoutError,
    InputError,
    ModelError,
    TransientReadError,
    describe_without_content,
)
from batchscore.input.factory import job_reader
from batchscore.input.files import InputFile, with_headers
from batchscore.input.findings import Finding, find_misfits
from batchscore.model.categories import ModelInput
from batchscore.model.frames import to_model_input
from batchscore.model.predictor import Predictor, raised_on_all
from batchscore.plan import JobSpec, Plan, SampledInput
from batchscore.preflight.discovery import raise_together
from batchscore.preflight.first_look import Head, Inputs, Looked, complete_records, look_at
from batchscore.scoring.time_limit import time_limit

log = logging.getLogger(__name__)

SAMPLE_RECORDS = 20
KEPT_BYTES = 32 * 1024 * 1024
"""What the driver keeps of its look at inputs, so that the sample needs no second one."""
_FEW_INPUTS = 256  # that the driver looks at by itself
_THREADS = 8

LookAt = Callable[[Sequence[InputFile]], Looked]
"""Looks at inputs through Spark's tasks."""


def preflight(plan: Plan, predictor: Predictor, look_by_tasks: LookAt, is_known: Callable[[], bool]) -> Plan:
    """Return the plan with the headers that tasks need and the job's sample; raises InputError or ModelError.

    Many inputs are looked at by tasks, but for those of several splits. ``is_known`` tells whether
    the id has a record; it is asked only where an input is at fault.
    """
    reader = job_reader(plan.spec.config, plan.spec.columns)
    several = [item for item in plan.inputs if item.split_count > 1]
    if len(plan.inputs) <= _FEW_INPUTS:
        looked = look_at(plan.inputs, plan.spec, reader, KEPT_BYTES)
    else:
        single = [item for item in plan.inputs if item.split_count == 1]
        looked = _merged(plan.inputs, look_at(several, plan.spec, reader), look_by_tasks(single))
    check_findings(plan, looked, is_known)
    sample = choose_sample(plan.inputs, looked.findings)
    try_model(predictor, plan.spec, sample, looked.heads)
    needed = {item.source.uri for item in several}
    headers = {uri: header for uri, header in looked.headers.items() if uri in needed}
    return replace(plan, inputs=with_headers(plan.inputs, headers), sample=sample)


def _merged(inputs: Sequence[InputFile], several: Looked, single: Looked) -> Looked:
    """Put together what was seen of inputs of several splits and of one."""
    places: dict[bool, list[int]] = {True: [], False: []}
    for place, item in enumerate(inputs):
        places[item.split_count > 1].append(place)
    merged = Looked([None] * len(inputs), several.headers)
    for looked, where in ((several, places[True]), (single, places[False])):
        for place, finding in zip(where, looked.findings, strict=True):
            merged.findings[place] = finding
        merged.faults.update({where[number]: fault for number, fault in looked.faults.items()})
    return merged


def check_findings(plan: Plan, looked: Looked, is_known: Callable[[], bool]) -> None:
    """Raise InputError that tells all inputs that cannot be read or do not fit the job, and how to leave them out."""
    raise_together([fault for _, fault in input_faults(plan, looked, is_known)])


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


def choose_sample(inputs: Sequence[InputFile], findings: Sequence[Finding | None]) -> tuple[SampledInput, ...]:
    """Choose complete records, evenly over the inputs by their URIs and within each, whatever the inputs' order."""
    holding = sorted(
        ((item, found.complete_count) for item, found in zip(inputs, findings, strict=True) if found),
        key=lambda pair: pair[0].source.uri,
    )
    holding = [pair for pair in holding if pair[1]]
    chosen = [holding[place] for place in evenly(len(holding), SAMPLE_RECORDS)]
    shares = _shares([complete for _, complete in chosen], SAMPLE_RECORDS)
    return tuple(
        SampledInput(item, tuple(evenly(complete, share)))
        for (item, complete), share in zip(chosen, shares, strict=True)
    )


def evenly(count: int, wanted: int) -> list[int]:
    """Return so many of the numbers below ``count``, evenly apart; all, if there are no more."""
    taken = min(count, wanted)
    return [number * count // taken for number in range(taken)]


def _shares(rooms: Sequence[int], wanted: int) -> list[int]:
    """Give one to each in turn, as long as there is room."""
    shares = [0] * len(rooms)
    left = min(wanted, sum(rooms))
    while left:
        for place, room in enumerate(rooms):
            if left and shares[place] < room:
                shares[place] += 1
                left -= 1
    return shares


def read_sample(
    spec: JobSpec, sample: Sequence[SampledInput], predictor: Predictor, kept: Mapping[str, Head]
) -> ModelInput | None:
    """Return the records of a sample as the model takes them, None if there are none; raises InputError."""
    reader = job_reader(spec.config, spec.columns)

    def read(part: SampledInput) -> list[Inputs]:
        return complete_records(part.source, spec, reader, part.numbers, kept.get(part.source.source.uri))

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="sample") as pool:
        found = [piece for pieces in pool.map(read, sample) for piece in pieces]
    if not found:
        return None
    return to_model_input(_joined(found, spec), spec.columns.inputs, spec.model.tensor_dtype, predictor.categorical)


def _joined(pieces: Sequence[Inputs], spec: JobSpec) -> Inputs:
    matrices = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    if len(matrices) == len(pieces):
        return np.concatenate(matrices)
    names = [column.name for column in spec.columns.inputs]
    tables = [
        pa.table(list(piece.T.copy()), names=names) if isinstance(piece, np.ndarray) else piece for piece in pieces
    ]
    return pa.concat_tables(tables).combine_chunks()


def try_model(predictor: Predictor, spec: JobSpec, sample: Sequence[SampledInput], kept: Mapping[str, Head]) -> None:
    """Try the model on the driver as check_model does, for no longer than a batch may take.

    A model that takes longer has not raised: that is left to the tasks, which Spark tries again.
    """
    # Only a process's main thread can be interrupted: a program that runs the job in another one has no limit here.
    is_main = threading.current_thread() is threading.main_thread()
    try:
        with time_limit(spec.config.batch_timeout_seconds if is_main else None):
            check_model(predictor, spec, sample, kept)
    except BatchTimeoutError as error:
        log.warning("tried the model on %d inputs: %s", len(sample), error)


def check_model(predictor: Predictor, spec: JobSpec, sample: Sequence[SampledInput], kept: Mapping[str, Head]) -> None:
    """Raise ModelError if the model raises on each record of the job's sample, with the cause.

    What it prints and warns of could be records: it is dropped.
    """
    records = read_sample(spec, sample, predictor, kept)
    if records is None:
        return
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        cause = raised_on_all(predictor, records)
    if cause is not None:
        raise ModelError(
            f"model {spec.model.pinned_uri}: expected predictions, got an error for each of {len(records)} complete "
            f"records of the inputs, which each have a value in every column: {describe_without_content(cause)}; "
            "see whether the model's libraries are those of training, and whether it takes what its signature says"
        ) from cause
