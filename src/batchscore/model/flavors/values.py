"""The values of a model that gives several for each record: targets or quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from batchscore.errors import ModelError
from batchscore.model.flavors.protocol import PredictorSettings, RawModel
from batchscore.model.version import ModelVersion


def with_value_names(raw: RawModel, count: int | None, model: ModelVersion, settings: PredictorSettings) -> RawModel:
    """Return a model with the names of its values where it has several.

    ``count`` is how many it has, None where it cannot tell: then the signature's outputs are believed. The names are
    those of the outputs, else numbers. Raises ModelError where ``prediction_column`` is none of them.
    """
    column = settings.prediction_column
    if raw.model_type != "regression":
        if column is not None:
            raise ModelError(f"expected a model of several values for prediction_column, got {raw.model_type}")
        return raw
    widths = [output.width for output in model.outputs]
    told = sum(width or 0 for width in widths) if all(widths) else 0
    names = _names(count or told or 1, [output.name for output in model.outputs])
    if column is not None and column not in names:
        raise ModelError(f"expected a prediction_column of {', '.join(names)}, got {column}")
    return replace(raw, value_names=names) if len(names) > 1 else raw


def _names(count: int, outputs: Sequence[str | None]) -> tuple[str, ...]:
    named = tuple(name for name in outputs if name and name.strip())
    if len(named) == len(outputs) == count == len(set(named)):
        return named
    return tuple(str(number) for number in range(count))
