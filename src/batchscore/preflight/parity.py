"""Parity: the model's own example, read as the job reads its inputs (A), as pandas does (B), and as it is (C).

A and B differ where the job would give the model something else than its training script does: then no record is
scored. B and C differ where CSV cannot carry what the model was given in training: that is said. See ADR 28.
"""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from batchscore.errors import BatchScoreError, BatchTimeoutError, ModelError, describe_without_content
from batchscore.input.columns import Column
from batchscore.input.factory import job_reader
from batchscore.input.files import InputFile
from batchscore.model.categories import ModelInput
from batchscore.model.frames import ModelRecords, rows_alike
from batchscore.model.input_example import NoExampleError, read_example
from batchscore.model.missing_patterns import predict_table
from batchscore.model.predictor import FloatArray, Predictor, no_predictions, predict_records
from batchscore.plan import JobSpec
from batchscore.preflight.example_file import (
    ExampleFile,
    Rows,
    UnfitExampleError,
    named_as_inputs,
    read_with_pandas,
    typed,
    write_example,
)
from batchscore.preflight.model_trial import limit_on_driver
from batchscore.preflight.parity_report import Parity
from batchscore.process import temporary_folder
from batchscore.storage.local import LocalStorage

_TOLERANCE, _TOLERANCE_OF_FLOAT32 = 1e-9, 1e-5
_NOISE = 1e-12


@dataclass(frozen=True)
class _Reading:
    """Rows of an example as one way reads them, in groups of the same types, and what the model answers."""

    groups: list[tuple[Rows, ModelInput]]
    answers: FloatArray


class _NotComparedError(Exception):
    """There is nothing to compare; the text says why."""


def check_parity(parity: Parity, model_uri: str) -> None:
    """Refuse a job that would give its model something else than pandas does; raises ModelError."""
    if parity.job_differs is not None:
        raise ModelError(
            f"model {model_uri}: expected its own input_example, written as the job's inputs are, to be read by the "
            f"job as pandas reads it, got a difference in {parity.job_differs}; no record was scored. parity: false "
            "scores all the same"
        )


def compare(predictor: Predictor, spec: JobSpec, model_folder: Path, *, with_example: bool) -> Parity:
    """Compare the readings of the model's example; ``with_example`` asks for C too.

    What the model prints and warns of could be records: it is dropped.
    """
    if not spec.config.parity:
        return Parity("parity is off")
    if spec.columns.by_position:  # what is passed through are the inputs, which have no names in the example
        roles = tuple(column for column in spec.columns.echoed if column.role)
        spec = replace(spec, columns=replace(spec.columns, echoed=roles))
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            example = read_example(model_folder)
            with temporary_folder() as folder, limit_on_driver(spec):
                return _compared(predictor, spec, example, folder, with_example)
        except SystemExit:
            return Parity("the model ends its process")
        except BatchTimeoutError:
            return Parity("the model takes longer than batch_timeout_seconds for it")
        except (NoExampleError, UnfitExampleError, _NotComparedError) as error:
            return Parity(str(error))


def _compared(predictor: Predictor, spec: JobSpec, example: pd.DataFrame, folder: Path, with_example: bool) -> Parity:
    predictor = replace(predictor, refusals={})  # what a few rows tell is nothing to the job
    example = named_as_inputs(example, spec.columns)
    file = write_example(example, spec.columns, spec.config)
    rows, job, left_out = _as_the_job(predictor, spec, file, folder)
    if not len(rows):
        reasons = ", ".join(f"{number} {reason}" for reason, number in left_out.items())
        raise _NotComparedError(f"no row of its example is valid as a record of the job: {reasons}")
    frame, pandas = _as_pandas(predictor, spec, file, rows)
    failed = _failed(job) & ~_failed(pandas)  # of few rows a refusal may be asked of one that fails by itself
    if failed.any():
        pandas.answers[failed], left_out["model_error"] = np.nan, int(failed.sum())
    job_differs = _difference(job, pandas, spec.columns.inputs)
    csv_differs = _example_differs(predictor, spec, example, frame, rows, pandas) if with_example else None
    return Parity(None, len(example), left_out, job_differs, csv_differs)


def _as_the_job(
    predictor: Predictor, spec: JobSpec, file: ExampleFile, folder: Path
) -> tuple[Rows, _Reading, dict[str, int]]:
    """Read the example through the whole path of the job: the rows that are valid, those, and the others by reason."""
    path = folder / "input_example.csv"
    path.write_bytes(file.text.encode(spec.config.encoding, "replace"))
    rows_by_line = file.rows_by_line(multiline=spec.config.multiline)
    reader = job_reader(spec.config, spec.columns)
    source = InputFile(LocalStorage().stat(f"file://{path}"), path.name, 1)
    try:
        found = [part for block in reader.read_beginning(source, None) for part in block.parse() if part.record_count]
    except BatchScoreError as error:
        raise _NotComparedError(f"its example cannot be written as an input of the job: {error}") from error
    if len(found) != 1:
        raise _NotComparedError("its example is larger than what is read at once")
    [parsed] = found
    records = ModelRecords(parsed.inputs, spec.columns.inputs, spec.model.tensor_dtype, predictor.categorical)
    groups = list(records.groups())
    answers, _ = predict_table(predictor, records, [(some, group.copy()) for some, group in groups], len(records))
    rows = np.array([rows_by_line[int(line)] for line in parsed.lines], np.int64)
    reasons = {rows_by_line[record.line]: record.reason for record in parsed.invalid if record.line in rows_by_line}
    return rows, _Reading(groups, answers), dict(Counter(reasons.values()))


def _as_pandas(predictor: Predictor, spec: JobSpec, file: ExampleFile, rows: Rows) -> tuple[pd.DataFrame, _Reading]:
    """Read the same rows by the rule of the oracle: pandas, and the records that lack the same columns together."""
    columns = spec.columns.inputs
    try:
        frame = read_with_pandas(file, rows, columns, spec.config)
        groups = [
            (some, _as_input(typed(frame.iloc[some], columns), spec)) for some in rows_alike(frame.isna().to_numpy())
        ]
    except (ValueError, TypeError, OverflowError) as error:
        raise _NotComparedError(
            f"pandas cannot read its example from CSV: {describe_without_content(error)}"
        ) from error
    answers = _answers(predictor, groups, len(rows))
    again = _answers(predictor, groups[:1], len(rows))  # a model may take its time: the first group tells
    if not _all_close(answers[groups[0][0]], again[groups[0][0]]).all():
        raise _NotComparedError("the model does not answer the same twice")
    return frame, _Reading(groups, answers)


def _as_input(frame: pd.DataFrame, spec: JobSpec) -> ModelInput:
    dtype = spec.model.tensor_dtype
    return frame if dtype is None else frame.to_numpy().astype(dtype)


def _answers(predictor: Predictor, groups: Sequence[tuple[Rows, ModelInput]], count: int) -> FloatArray:
    answers = no_predictions(predictor, count)
    for rows, group in groups:
        answers[rows], _ = predict_records(predictor, group.copy(), len(rows))
    return answers


def _failed(reading: _Reading) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isnan(reading.answers.reshape(len(reading.answers), -1)).any(axis=1), bool)


def _all_close(some: FloatArray, others: FloatArray, tolerance: float | None = None) -> npt.NDArray[np.bool_]:
    """Return which answers are the same, by row; those that are float32 are held to what that can tell.

    The tolerance is of the largest answer: one that is nearly 0 is a difference of large numbers, with their noise.
    """
    one, two = some.reshape(len(some), -1), others.reshape(len(others), -1)
    present = one[np.isfinite(one)]
    is_float32 = np.array_equal(present, present.astype(np.float32).astype(np.float64))
    relative = tolerance or (_TOLERANCE_OF_FLOAT32 if is_float32 else _TOLERANCE)
    largest = np.abs(one).max(axis=0, initial=0, where=np.isfinite(one))
    return np.asarray(np.isclose(one, two, 0, relative * largest + _NOISE, equal_nan=True).all(axis=1), bool)


def _difference(job: _Reading, pandas: _Reading, columns: Sequence[Column]) -> str | None:
    """Return the first column in which two readings of the same rows differ, or that answers do; None if none does."""
    count = len(job.answers)
    for place, column in enumerate(columns):
        ours, theirs = (_cells(reading, place, count) for reading in (job, pandas))
        other = sum(not _same_value(*pair) for pair in zip(ours, theirs, strict=True))
        if other:
            return f"column {column.name}: another value in {other} of {count} rows"
        types = {(_kind(one), _kind(two)) for one, two in zip(ours, theirs, strict=True)}
        wrong = sorted(f"{one} in place of {two}" for one, two in types if one != two)
        if wrong:
            return f"column {column.name}: {wrong[0]}"
    # All values are the same, and rows in other company may be added up in another order, in float32 within.
    other = int((~_all_close(job.answers, pandas.answers, _TOLERANCE_OF_FLOAT32)).sum())
    if not other:
        return None
    return (
        f"the answers to {other} of {count} rows, though all values are the same: the model seems to answer otherwise "
        "in other company"
    )


def _cells(reading: _Reading, place: int, count: int) -> list[Any]:
    """Return the values of a column as the model gets them, row by row, each with its type."""
    cells: list[Any] = [None] * count
    for rows, group in reading.groups:
        values = group.iloc[:, place].to_numpy() if isinstance(group, pd.DataFrame) else group[:, place]
        for row, value in zip(rows.tolist(), values, strict=True):
            cells[row] = value
    return cells


def _same_value(one: Any, other: Any) -> bool:
    if pd.isna(one) or pd.isna(other):
        return bool(pd.isna(one) and pd.isna(other))
    if one == other:  # nearly always, and to look closer takes 20 times as long
        return True
    return _is_number(one) and _is_number(other) and bool(np.isclose(float(one), float(other), _TOLERANCE, 0))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number, np.bool_))


def _kind(value: Any) -> str:
    """Return what a model can tell of a value's type: missing ones are NaN, None or NaT."""
    if value is None:
        return "None"
    return "bool" if isinstance(value, (bool, np.bool_)) else type(value).__name__


def _example_differs(
    predictor: Predictor, spec: JobSpec, example: pd.DataFrame, frame: pd.DataFrame, rows: Rows, pandas: _Reading
) -> str | None:
    """Return where the answers to the example itself differ from those to what CSV carries of it, and why."""
    columns = spec.columns.inputs
    given = example.reindex(columns=[column.name for column in columns]).iloc[rows].reset_index(drop=True)
    given = given.assign(**{column.name: _text_as_given(given[column.name], column) for column in columns})
    try:
        answers = predictor.predict(_as_input(given, spec))
    except Exception as error:
        return f"the model refuses its own example as MLflow keeps it: {describe_without_content(error)}"
    other = int((~_all_close(pandas.answers, answers)).sum())
    if not other:
        return None
    text = f"the answers to {other} of {len(rows)} rows"
    return text + "".join(f"; {why}" for why in _reasons(given, frame, columns)[:1])


def _text_as_given(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    """Return a text column with what the job gives for a missing text: MLflow keeps NaN as None."""
    return typed(values.to_frame(column.name), [column])[column.name] if column.type == "string" else values


def _reasons(given: pd.DataFrame, frame: pd.DataFrame, columns: Sequence[Column]) -> list[str]:
    """Return for each column what CSV does not carry of it."""
    found = []
    for column in columns:
        one, two = given[column.name], frame[column.name]
        read = typed(frame, [column])[column.name]
        if (one.notna() & two.isna()).any():
            found.append(f"column {column.name}: a value of the example means missing in the job's files (null_values)")
        elif (one.isna() & two.notna()).any():
            found.append(f"column {column.name}: a value that is missing in the example is none in CSV")
        elif not all(_same_value(*pair) for pair in zip(one, read, strict=True)):
            found.append(f"column {column.name}: CSV in this dialect and encoding has another value")
        elif str(one.dtype) != str(read.dtype):
            kinds = f"{one.dtype} in the example, {read.dtype} in the job"
            found.append(f"column {column.name}: {kinds}, as the signature says")
    return found
