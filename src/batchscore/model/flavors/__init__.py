"""The libraries whose models can be scored: a module for each, behind one protocol, and the table of them all."""

from __future__ import annotations

from collections.abc import Container
from importlib import import_module

from batchscore.model.flavors.protocol import Flavor, PredictorSettings, RawModel, predictor_settings

__all__ = ["FLAVORS", "Flavor", "PredictorSettings", "RawModel", "flavor_of", "predictor_settings"]

# The modules here, each with its FLAVOR, in the order of preference: a model has several flavors. The last one takes
# whatever is left.
_MODULES = (
    "sklearn",
    "lightgbm",
    "xgboost",
    "catboost",
    "pyfunc",
)
FLAVORS: tuple[Flavor, ...] = tuple(import_module(f"{__name__}.{module}").FLAVOR for module in _MODULES)


def flavor_of(names: Container[str]) -> Flavor:
    """Return the flavor by which a model is used, of those that its MLmodel names."""
    return next((flavor for flavor in FLAVORS if flavor.name in names), FLAVORS[-1])
