"""A model of the registry, pinned (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from batchscore.errors import ModelError
from batchscore.input.columns import Column, InputsInOrder

THRESHOLD_TAG = "score_threshold"


class Output(NamedTuple):
    """An output of a signature: its name if it has one, and how many numbers it has for a record, if that is told."""

    name: str | None
    is_numeric: bool
    width: int | None


@dataclass(frozen=True)
class ModelVersion:
    """A model of the registry, pinned.

    ``name`` and ``version`` are None for a model asked for by its id alone. ``digest`` is the SHA-256 over names and
    contents of its files. ``signature`` is the named inputs, or where they have no names those in order, or their
    number, or None.
    ``tensor_dtype`` is set for models that take an array in place of named columns. ``inputs_in_order`` is False where
    names have no order that a trainer knows, as the fields of a type hint. ``outputs`` are those of the signature.
    ``xgboost_missing`` is the number that meant missing when an XGBoost model was trained: its file does not hold it.
    """

    asked_uri: str
    name: str | None
    version: str | None
    model_id: str | None
    digest: str
    tags: Mapping[str, str]
    flavors: Mapping[str, Mapping[str, Any]] = field(repr=False)
    signature: tuple[Column, ...] | int | None
    tensor_dtype: str | None = None
    inputs_in_order: bool = True
    outputs: tuple[Output, ...] = ()
    xgboost_missing: float | None = None

    @property
    def pinned_uri(self) -> str:
        """The URI that always means this version: Amazon ML's MLModelId."""
        return f"models:/{self.name}/{self.version}" if self.name else f"models:/{self.model_id}"

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The named inputs of the signature; none where it has no names, or is not there."""
        has_names = isinstance(self.signature, tuple) and not isinstance(self.signature, InputsInOrder)
        return self.signature if has_names and isinstance(self.signature, tuple) else ()

    @property
    def alias(self) -> str | None:
        """The alias that was asked for, if one was."""
        return self.asked_uri.partition("@")[2] or None

    @property
    def score_threshold(self) -> float | None:
        """The threshold that belongs to the model version (its tag ``score_threshold``); raises ModelError."""
        text = self.tags.get(THRESHOLD_TAG)
        if text is None:
            return None
        try:
            threshold = float(text)
        except ValueError:
            threshold = -1.0
        if not 0 <= threshold <= 1:
            raise ModelError(f"tag {THRESHOLD_TAG} of {self.pinned_uri}: expected a number from 0 to 1, got {text}")
        return threshold


def threshold_in_force(config_threshold: float | None, model: ModelVersion) -> float:
    """Return the threshold in force: the configuration's, else the model version's, else 0.5."""
    if config_threshold is not None:
        return config_threshold
    belonging = model.score_threshold
    return 0.5 if belonging is None else belonging
