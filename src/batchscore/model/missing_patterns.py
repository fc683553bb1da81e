"""Predictions for records of which some lack values: those that lack the same are predicted together.

A model that refuses missing values raises for all of them at once. Halving such records until each stands alone would
take thousands of calls, and prove nothing of the next: so it is asked once, of complete records, whether it refuses the
columns that they lack.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from batchscore.errors import ModelError
from batchscore.input.csv_lines import BoolArray, IntArray
from batchscore.model.categories import ModelInput
from batchscore.model.frames import ModelRecords, rows_alike
from batchscore.model.predictor import (
    Failure,
    FloatArray,
    Predictor,
    WrongOutputError,
    bad_predictions,
    no_predictions,
    predict_records,
    too_many_failures,
)
from batchscore.model.rowwise import TransformedRows

_RECORDS_ASKED = 20


def predict_table(
    predictor: Predictor,
    records: ModelRecords,
    groups: Iterable[tuple[IntArray, ModelInput | TransformedRows]],
    max_failures: int,
) -> tuple[FloatArray, list[Failure]]:
    """Return predictions for all records, NaN for failed ones, and the failures in order; see ``predict_records``.

    ``groups`` are those of the records, or what the model's ``transform`` has made of them. Raises
    TooManyInvalidRecordsError after ``max_failures``, ModelError if the model answers with something else.
    """
    predicted = _Predicted(predictor, records, max_failures)
    for rows, group in groups:
        predicted.add(rows, group)
    return predicted.predictions, sorted(predicted.failures, key=lambda failure: failure.row)


def predict_complete(predictor: Predictor, records: ModelRecords) -> FloatArray:
    """Return predictions for all records, NaN for those that lack a value and that the model refuses.

    What the model raises for complete records is raised.
    """
    predicted = _Predicted(predictor, records, len(records))
    for rows, group in records.groups():
        answer = _attempt(predictor, group)
        if not isinstance(answer, Exception):
            predicted.predictions[rows] = answer
            continue
        for alike in rows_alike(predicted.absent[rows]):
            some = rows[alike]
            if predicted.absent[some[0]].any():
                predicted.add_alike(some)
            else:
                predicted.predictions[some] = predictor.predict(records.take(some))
    return predicted.predictions


class _Predicted:
    """Predictions while they are being made."""

    def __init__(self, predictor: Predictor, records: ModelRecords, max_failures: int) -> None:
        self.predictor = predictor
        self.records = records
        self.max_failures = max_failures
        self.predictions = no_predictions(predictor, len(records))
        self.failures: list[Failure] = []
        self._absent: BoolArray | None = None

    @property
    def absent(self) -> BoolArray:
        """Which values are missing; looked at once the model has raised."""
        if self._absent is None:
            self._absent = self.records.absent()
        return self._absent

    def add(self, rows: IntArray, group: ModelInput | TransformedRows) -> None:
        """Predict records of the same types together, or if the model raises, by what they lack."""
        if not self._are_refused(rows):
            answer = _attempt(self.predictor, group)
            if not isinstance(answer, Exception):
                self.predictions[rows] = answer
                self._add_failures(rows, [Failure(*bad) for bad in bad_predictions(self.predictor.model_type, answer)])
                return
        for alike in rows_alike(self.absent[rows]):
            self.add_alike(rows[alike])

    def _are_refused(self, rows: IntArray) -> bool:
        """Tell whether the model is known to refuse what some of these lack; what others lacked changes nothing."""
        if not any(self.predictor.refusals.values()):
            return False
        patterns = (self.absent[rows[alike[0]]].tobytes() for alike in rows_alike(self.absent[rows]))
        return any(self.predictor.refusals.get(pattern) for pattern in patterns)

    def add_alike(self, rows: IntArray) -> None:
        """Predict records that lack the same columns."""
        absent = self.absent[rows[0]]
        if absent.any():
            error = self._refusal(absent)
            if error:
                self.failures += [Failure(row, "model_error") for row in rows.tolist()]
                if len(self.failures) > self.max_failures:
                    raise too_many_failures(len(self.failures), self.max_failures, error) from error
                return
        left = max(self.max_failures - len(self.failures), 0)
        self.predictions[rows], failures = predict_records(self.predictor, self.records.take(rows), left)
        self._add_failures(rows, failures)

    def _add_failures(self, rows: IntArray, failures: list[Failure]) -> None:
        self.failures += [Failure(int(rows[failure.row]), failure.reason) for failure in failures]

    def _refusal(self, absent: BoolArray) -> Exception | None:
        """Return what the model raises for any record that lacks these columns; None if it does not for all."""
        key = absent.tobytes()
        if key not in self.predictor.refusals:
            # Records that lack nothing and have a finite prediction already; of these some, spread evenly.
            complete = np.flatnonzero(np.isfinite(self.predictions.reshape(len(self.records), -1)).all(axis=1))
            complete = complete[~self.absent[complete].any(axis=1)]
            asked = complete[np.linspace(0, len(complete) - 1, min(len(complete), _RECORDS_ASKED)).astype(int)]
            if len(asked) == 0:  # nothing to ask with: each record for itself
                return None
            self.predictor.refusals[key] = _all_refused(self.predictor, self.records, asked, absent)
        return self.predictor.refusals[key]


def _all_refused(predictor: Predictor, records: ModelRecords, rows: IntArray, absent: BoolArray) -> Exception | None:
    """Return what the model raised last if it refuses complete records as if they lacked columns, else None."""
    raised = None
    for some in (rows, *rows[:, np.newaxis]):  # all together, then each alone: an array of one row
        answer = _attempt(predictor, records.without(some, absent))
        if not isinstance(answer, Exception):
            return None
        raised = answer
    return raised


def _attempt(predictor: Predictor, group: ModelInput | TransformedRows) -> FloatArray | Exception:
    try:
        return predictor.predict(group)
    except WrongOutputError as error:
        raise ModelError(f"model: {error}") from error
    except MemoryError:
        raise
    except Exception as error:
        return error
