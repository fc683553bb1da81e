"""Whether pickles, which run code when they are read, may be loaded: MLflow's word, which holds for our loader too."""

from __future__ import annotations

import os

from batchscore.errors import ConfigError, ModelError
from batchscore.model.version import ModelVersion

VARIABLE = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"
NOT_ALLOWED = (
    f"expected files that may be read, got pickles where {VARIABLE} forbids them; set it to true for a model that "
    "you trust, or register it in a form without pickles: from code, or as ONNX"
)
_FORMATS = {"pickle", "cloudpickle"}


def check_pickles(model: ModelVersion, flavor: str) -> None:
    """Refuse a model that its flavor keeps as a pickle where those are forbidden; raises ModelError or ConfigError."""
    if model.flavors.get(flavor, {}).get("serialization_format") in _FORMATS and not _are_allowed():
        raise ModelError(NOT_ALLOWED)


def _are_allowed() -> bool:
    told = os.environ.get(VARIABLE)
    if told is None:  # MLflow's default is to allow them; its import takes a second
        return True
    from mlflow import environment_variables

    known = getattr(environment_variables, VARIABLE, None)  # older versions of MLflow load whatever there is
    try:
        return told.lower() not in {"false", "0"} if known is None else bool(known.get())
    except ValueError:
        raise ConfigError(f"variable {VARIABLE}: expected true or false, got {told}") from None
