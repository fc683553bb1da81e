"""The outputs of a pyfunc model that are meant, and what they make of it: its type, classes or values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from batchscore.config.job_config import ModelType
from batchscore.errors import ModelError
from batchscore.model.answers import SUM_TOLERANCE, Expected, FloatArray, WrongOutputError
from batchscore.model.flavors.estimator import class_names
from batchscore.model.version import Output


class Meaning(NamedTuple):
    """What the outputs of a model are: ``value_names`` are those of a regression's several numbers."""

    model_type: ModelType
    classes: tuple[str, ...]
    value_names: tuple[str, ...]
    expected: Expected


def meaning(outputs: Sequence[Output], column: str | None, told: ModelType | None) -> Meaning:
    """Return what the outputs of a signature mean, as the keys prediction_column and model_type say.

    Raises ModelError where they say too little, or something else.
    """
    names = tuple(output.name for output in outputs if output.name is not None)
    names = names if len(names) == len(outputs) else ()
    meant = _meant(outputs, names, column)
    width = _width(meant)
    model_type = told or ("regression" if width is None and column else _type_of_width(width))
    labels = names if len(meant) > 1 and names else tuple(map(str, range(width or 0)))
    expected = Expected(column, names, 1 if width is None and model_type == "regression" else width)
    if model_type == "binary":
        if width is not None and width > 2:
            raise ModelError(
                f"expected P(label 1), or P(label 0) and P(label 1), as model_type: binary says, got {width} outputs; "
                "prediction_column takes one"
            )
        return Meaning("binary", ("0", "1"), (), expected)
    if model_type == "regression":
        return Meaning("regression", (), labels if width and width > 1 else (), expected)
    if width is None or width < 2:
        raise ModelError("expected a signature with an output column for each class, got none")
    return Meaning("multiclass", class_names(labels), (), expected)


def _meant(outputs: Sequence[Output], names: Sequence[str], column: str | None) -> Sequence[Output]:
    """Return the outputs that predictions are made of: all, or the one that prediction_column names."""
    numeric = ", ".join(str(output.name) for output in outputs if output.is_numeric) or "none"
    if column is not None:
        if names and column not in names:
            raise ModelError(f"expected an output column {column}, got {', '.join(names)}")
        meant = [output for output in outputs if output.name == column]
        if any(not output.is_numeric for output in meant):
            raise ModelError(f"expected numbers in the output column {column}, got no numbers; those have: {numeric}")
        return meant
    texts = [str(output.name or "without a name") for output in outputs if not output.is_numeric]
    if texts:
        raise ModelError(
            f"expected numbers in each output, got none in {', '.join(texts)}; prediction_column takes one "
            f"of: {numeric}"
        )
    if len(outputs) > 1 and any(output.width != 1 for output in outputs):
        raise ModelError(
            f"expected one output, or several of one number each, got {numeric}; prediction_column takes one"
        )
    return outputs


def _width(meant: Sequence[Output]) -> int | None:
    """Return how many numbers a record has; None where that is not told."""
    widths = [output.width for output in meant]
    return None if None in widths or not widths else sum(width or 0 for width in widths)


def _type_of_width(width: int | None) -> ModelType:
    if width is None:
        raise ModelError("expected a signature with outputs or a model_type in the configuration, got neither")
    return "regression" if width == 1 else "multiclass"


def check_two(values: FloatArray) -> None:
    """Refuse more outputs of a binary model than P(label 0) and P(label 1); raises WrongOutputError."""
    if values.ndim == 2 and values.shape[1] != 2:
        raise WrongOutputError(
            f"expected P(label 1), or P(label 0) and P(label 1), as model_type: binary says, got {values.shape[1]} "
            "numbers for each record; prediction_column takes one"
        )


def check_probabilities(values: FloatArray) -> None:
    """Refuse numbers that are no probabilities of classes, where nobody said that they are; raises WrongOutputError."""
    finite = values[np.isfinite(values).all(axis=1)]
    outside = ((finite < -SUM_TOLERANCE) | (finite > 1 + SUM_TOLERANCE)).any(axis=1)
    if (outside | (np.abs(finite.sum(axis=1) - 1) > SUM_TOLERANCE)).any():
        raise WrongOutputError(
            f"expected the probabilities of {values.shape[1]} classes, got other numbers in the first batch; "
            "model_type: regression takes each output as a value, prediction_column takes one of them, and model_type: "
            "multiclass takes them for probabilities all the same, each record without proper ones invalid"
        )
