"""A model's files -> a predictor: probabilities or values for a frame of records, whatever library made the model.

Probabilities, not labels: a library's own interface is used where it has one (``flavors``), since MLflow's pyfunc
returns labels. What the model answers is held to what a prediction is; where it raises, the records to blame are found.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from batchscore.config.job_config import ModelType
from batchscore.config.missing_values import NO_FACTS, ModelFacts
from batchscore.errors import BatchScoreError, ModelError, TooManyInvalidRecordsError, describe_without_content
from batchscore.model.answers import SUM_TOLERANCE, FloatArray, WrongOutputError
from batchscore.model.categories import ModelInput
from batchscore.model.flavors import Flavor, PredictorSettings, RawModel, flavor_of
from batchscore.model.flavors.installed import check_version
from batchscore.model.load_errors import describe_load_error
from batchscore.model.pickles import check_pickles
from batchscore.model.rowwise import Transform
from batchscore.model.threads import set_one_thread
from batchscore.model.version import ModelVersion

__all__ = ["FloatArray", "Predictor", "WrongOutputError", "load_predictor", "predict_records"]

Predict = Callable[[Any], FloatArray]  # of a ModelInput, or of what the model's transform has made of one

_RANGE_TOLERANCE = 1e-9
_DOUBTFUL = 3  # records on which a model raises, each alone, before it is in doubt whether it works at all


def _no_doubt() -> None:
    """Take it for granted that the model works here."""


@dataclass(frozen=True)
class Predictor:
    """A loaded model.

    ``predict`` takes n records and returns float64 of shape (n,): P(label 1) or the value; or (n, numbers), a number
    for each of ``number_names``. ``classes`` are the labels in the model's order, none for regression;
    ``positive_label`` is the one that ``1`` stands for. ``categorical`` names the text columns that may come as pandas
    categoricals. ``in_doubt`` is called where the model has raised on a batch and on its first records alone; it raises
    ModelError if the model works on nothing at all here. ``refusals`` keeps what the model raises for any record that
    lacks certain columns, once that was asked (missing_patterns). ``value_names`` are those of a regression of several
    values; ``meaning`` says what a value is that is no estimate of a target. ``predict`` takes what ``transform`` makes
    of records as it takes the records (rowwise).
    """

    model_type: ModelType
    classes: tuple[str, ...]
    positive_label: str | None
    predict: Predict = field(repr=False)
    categorical: frozenset[str] = frozenset()
    facts: ModelFacts = NO_FACTS
    in_doubt: Callable[[], None] = field(default=_no_doubt, repr=False, compare=False)
    refusals: dict[bytes, Exception | None] = field(default_factory=dict, repr=False, compare=False)
    value_names: tuple[str, ...] = ()
    meaning: str | None = None
    transform: Transform | None = field(default=None, repr=False, compare=False)

    @property
    def number_names(self) -> tuple[str, ...]:
        """The names of the numbers of a prediction that is several: classes or values; none where it is one number."""
        return self.classes if self.model_type == "multiclass" else self.value_names


def load_predictor(folder: Path, model: ModelVersion, settings: PredictorSettings) -> Predictor:
    """Load a model's files, single-threaded, for probabilities or values; raises ModelError."""
    check_version(model, settings.allow_version_mismatch)
    flavor = flavor_of(model.flavors)
    try:
        check_pickles(model, flavor.name)
        _check_params(flavor, settings)
        with warnings.catch_warnings():
            # Hints for whoever trained the model; what matters here is checked above.
            warnings.simplefilter("ignore")
            raw = flavor.load(folder, model, settings)
            set_one_thread(raw.loaded)
    except ModelError as error:
        raise ModelError(f"model {model.pinned_uri}: {error}") from error.__cause__
    except BatchScoreError:
        raise
    except Exception as error:
        raise ModelError(f"model {model.pinned_uri}: {describe_load_error(error, flavor.name)}") from error
    return _settled(raw, model, settings)


def _check_params(flavor: Flavor, settings: PredictorSettings) -> None:
    if settings.model_params and not flavor.takes_params:
        raise ModelError(f"expected a pyfunc model for model_params, got one that is used through {flavor.name}")


def _settled(raw: RawModel, model: ModelVersion, settings: PredictorSettings) -> Predictor:
    """Hold what the model is against what the configuration says."""
    if settings.model_type not in (None, raw.model_type):
        raise ModelError(
            f"model {model.pinned_uri}: expected {settings.model_type} as model_type says, got {raw.model_type}"
        )
    if raw.model_type != "binary":
        if settings.positive_label is not None:
            raise ModelError(
                f"model {model.pinned_uri}: expected a binary model for positive_label, got {raw.model_type}"
            )
        predict = _checked(raw.predict, len(raw.classes) or len(raw.value_names) or 1)
        names = raw.value_names
        if settings.prediction_column in names:
            predict, names = _one_value(predict, names.index(settings.prediction_column)), ()
        known = (raw.model_type, raw.classes, None, predict, raw.categorical, raw.facts)
        return Predictor(*known, value_names=names, meaning=raw.meaning, transform=raw.transform)
    positive = _class_meant(settings.positive_label or raw.classes[1], raw.classes)
    if positive not in raw.classes:
        raise ModelError(
            f"model {model.pinned_uri}: expected a positive_label of {' or '.join(raw.classes)}, got {positive}"
        )
    place = raw.classes.index(positive)

    def positive_probability(frame: Any) -> Any:
        values = np.asarray(raw.predict(frame))
        if values.ndim == 2:
            return values[:, place]
        return values if place == 1 else 1.0 - values

    checked = _checked(positive_probability, 1)
    return Predictor("binary", raw.classes, positive, checked, raw.categorical, raw.facts, transform=raw.transform)


def _one_value(predict: Predict, place: int) -> Predict:
    return lambda frame: np.ascontiguousarray(predict(frame)[:, place])


def _class_meant(label: str, classes: tuple[str, ...]) -> str:
    """Return the class of a label: ``true`` is True, as Python spells the classes of a model of booleans."""
    if {name.lower() for name in classes} != {"false", "true"}:
        return label
    return next((name for name in (label, *classes) if name in classes and name.lower() == label.lower()), label)


def _checked(predict: Callable[[Any], Any], width: int) -> Predict:
    def checked(frame: Any) -> FloatArray:
        values = np.asarray(predict(frame))
        if values.dtype.kind not in "fiub":
            raise WrongOutputError(f"expected numbers, got {values.dtype}")
        shape = (len(frame),) if width == 1 else (len(frame), width)
        if values.shape != shape:
            raise WrongOutputError(f"expected predictions of shape {shape}, got {values.shape}")
        return values.astype(np.float64, copy=False)

    return checked


class Failure(NamedTuple):
    """A record for which the model has no valid prediction; there may be millions."""

    row: int
    reason: str


def predict_records(predictor: Predictor, records: ModelInput, max_failures: int) -> tuple[FloatArray, list[Failure]]:
    """Predict; where the model raises, halve the records until the bad ones stand alone.

    Returns predictions for all records (NaN for failed ones) and the failures in order. Raises
    TooManyInvalidRecordsError after ``max_failures``, ModelError if the model answers with the wrong kind or shape, or
    raises on whatever it is given. That is not told by these records, which depend on where splits are cut: they only
    give the doubt.
    """
    predictions = no_predictions(predictor, len(records))
    kept = records.copy()  # a model may write into what it is given
    failures: list[Failure] = []
    works = False
    pending = [(0, len(records))] if len(records) else []
    while pending:
        start, stop = pending.pop()
        try:
            some = records if stop - start == len(records) else _rows(kept, start, stop)
            predictions[start:stop] = predictor.predict(some)
            works = True
        except WrongOutputError as error:
            raise ModelError(f"model: {error}") from error
        except MemoryError:
            raise
        except Exception as error:
            if stop - start > 1:
                middle = (start + stop) // 2
                pending += [(middle, stop), (start, middle)]
                continue
            failures.append(Failure(start, "model_error"))
            doubtful = min(_DOUBTFUL, len(records), max_failures + 1)
            if not works and len(failures) == doubtful:
                predictor.in_doubt()
            if len(failures) > max_failures:
                raise too_many_failures(len(failures), max_failures, error) from error
    raised = {failure.row for failure in failures}
    failures += [
        Failure(row, reason) for row, reason in bad_predictions(predictor.model_type, predictions) if row not in raised
    ]
    return predictions, sorted(failures, key=lambda failure: failure.row)


def no_predictions(predictor: Predictor, count: int) -> FloatArray:
    """Return NaN for so many records, in the shape of the model's predictions."""
    return np.full((count, len(predictor.number_names)) if predictor.number_names else count, np.nan)


def too_many_failures(count: int, allowed: int, error: Exception) -> TooManyInvalidRecordsError:
    """Return what is raised where a model raises on more records than are allowed."""
    return TooManyInvalidRecordsError(
        f"model: expected at most {allowed} more invalid records, got {count}; the last one failed with "
        f"{describe_without_content(error)}; mend it, or raise max_invalid_records"
    )


def raised_on_all(predictor: Predictor, records: ModelInput) -> BaseException | None:
    """Return what the model raised last if it raises on every one of some records, which are few, else None.

    Raises ModelError if it answers with the wrong kind or shape.
    """
    kept = records.copy()
    cause = _error_of(predictor, records)
    for row in range(len(records) if len(records) > 1 else 0):
        if cause is None:
            break
        cause = _error_of(predictor, _rows(kept, row, row + 1))
    return cause


def _error_of(predictor: Predictor, records: ModelInput) -> BaseException | None:
    try:
        predictor.predict(records)
    except WrongOutputError as error:
        raise ModelError(f"model: {error}") from error
    except MemoryError:  # which says nothing of the model: where batches are scored Spark tries again
        return None
    except (Exception, SystemExit) as error:  # whatever a model raises is its answer; it must not end the driver
        return error
    return None


def _rows(records: ModelInput, start: int, stop: int) -> ModelInput:
    """Return a copy of some records."""
    return (records.iloc[start:stop] if isinstance(records, pd.DataFrame) else records[start:stop]).copy()


def bad_predictions(model_type: ModelType, predictions: FloatArray) -> list[tuple[int, str]]:
    """Return the rows whose prediction is not finite, or no probability where one is due."""
    # A row is bad if one of its numbers is. NaN is no probability either: it compares as false, and is told once.
    finite = np.isfinite(predictions) if predictions.ndim == 1 else np.isfinite(predictions).all(axis=1)
    bad = [(int(row), "non_finite_score") for row in np.flatnonzero(~finite)]
    if model_type == "regression":
        return bad
    table = predictions if predictions.ndim == 2 else predictions[:, np.newaxis]
    with np.errstate(invalid="ignore"):
        proper = ((table >= -_RANGE_TOLERANCE) & (table <= 1 + _RANGE_TOLERANCE)).all(axis=1)
        if model_type == "multiclass":
            proper &= np.abs(table.sum(axis=1) - 1) <= SUM_TOLERANCE
    return bad + [(int(row), "not_a_probability") for row in np.flatnonzero(finite & ~proper)]
