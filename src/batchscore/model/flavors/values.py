"""The values of a model that gives several for each record: targets or quantiles."""

from __future__ import annotations

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
    names = _names(count or model.output_width or 1, model.output_names)
    if column is not None and column not in names:
        raise ModelError(f"expected a prediction_column of {', '.join(names)}, got {column}")
    return replace(raw, value_names=names) if len(names) > 1 else raw


def _names(count: int, outputs: tuple[str, ...]) -> tuple[str, ...]:
    if len(outputs) == count == len(set(outputs)) and all(name.strip() for name in outputs):
        return outputs
    return tuple(str(number) for number in range(count))
