"""The job's sample: a few complete records of its inputs, on which the model is tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from batchscore.input.diagnosis.findings import Finding
from batchscore.input.files import InputFile
from batchscore.input.numeric_lines import FloatArray
from batchscore.model.categories import ModelInput
from batchscore.model.frames import ModelRecords, to_model_input
from batchscore.model.predictor import Predictor
from batchscore.plan import JobSpec, SampledInput
from batchscore.preflight.beginnings import Head, Scope, read_head
from batchscore.preflight.first_look import scope_of

SAMPLE_RECORDS = 20
_THREADS = 8

Inputs: TypeAlias = "pa.Table | FloatArray"


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


def complete_records(source: InputFile, scope: Scope, numbers: Sequence[int], kept: Head | None) -> list[Inputs]:
    """Return the records of these numbers among the complete ones of an input's beginning; raises InputError.

    It is read again unless it was kept.
    """
    head = kept or read_head(source, scope)
    wanted, before, found = np.array(numbers), 0, []
    if head is None:
        return []
    for parsed in head.parsed():
        rows = head.complete_rows(parsed, scope.spec)
        here = wanted[(wanted >= before) & (wanted < before + len(rows))] - before
        if len(here):
            inputs = parsed.inputs
            found.append(inputs[rows[here]] if isinstance(inputs, np.ndarray) else inputs.take(rows[here]))
        before += len(rows)
    return found


def read_sample(
    spec: JobSpec, sample: Sequence[SampledInput], predictor: Predictor, kept: Mapping[str, Head]
) -> ModelInput | None:
    """Return the records of a sample as the model takes them, None if there are none; raises InputError."""
    scope = scope_of(spec)

    def read(part: SampledInput) -> list[Inputs]:
        return complete_records(part.source, scope, part.numbers, kept.get(part.source.source.uri))

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="sample") as pool:
        found = [piece for pieces in pool.map(read, sample) for piece in pieces]
    if not found:
        return None
    return to_model_input(
        _joined(_alike(found, spec), spec), spec.columns.inputs, spec.model.tensor_dtype, predictor.categorical
    )


def _alike(pieces: Sequence[Inputs], spec: JobSpec) -> list[Inputs]:
    """Return the pieces of files that lack the same columns, as few as any: only so do they have the same types."""
    lacks = [ModelRecords(piece, spec.columns.inputs).absent()[0].tolist() for piece in pieces]
    fewest = min(lacks, key=sum)
    return [piece for piece, lack in zip(pieces, lacks, strict=True) if lack == fewest]


def _joined(pieces: Sequence[Inputs], spec: JobSpec) -> Inputs:
    matrices = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    if len(matrices) == len(pieces):
        return np.concatenate(matrices)
    names = [column.name for column in spec.columns.inputs]
    tables = [
        pa.table(list(piece.T.copy()), names=names) if isinstance(piece, np.ndarray) else piece for piece in pieces
    ]
    return pa.concat_tables(tables).combine_chunks()
