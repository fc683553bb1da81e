"""Models whose messages show the records that they are given, and the secrets of their process.

They are pickled by value, so that workers need none of the tests' modules.
"""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

RAISES = 4711551947115519.0
EXHAUSTS = 4712551947125519.0
HANGS = 4713551947135519.0
WORDS = "what the model has to say"


class LeakyClassifier(LogisticRegression):  # type: ignore[misc] # its library has no types
    """Predicts as its base class does, if nothing of the job lies open in its worker's folders."""

    def predict_proba(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
        """Raise, with all that it knows, on marked records."""
        told = f"{WORDS}: {X.to_dict()} {dict(os.environ)}"
        warnings.warn(told, stacklevel=1)
        if lies_open():
            raise PermissionError(told)
        if (X["amount"] == RAISES).any():
            raise ValueError(told)
        if (X["amount"] == EXHAUSTS).any():
            raise MemoryError(told)
        while (X["amount"] == HANGS).any():
            time.sleep(0.1)
        return super().predict_proba(X)


class UnloadableClassifier(LeakyClassifier):
    """Raises, with all that it knows, when it is loaded: anywhere or, if asked to, by workers alone."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        told = f"{WORDS}: {state} {dict(os.environ)}"
        warnings.warn(told, stacklevel=1)
        if "SPARK_LOCAL_DIRS" in os.environ or not state["by_workers_alone"]:
            raise RuntimeError(told)
        super().__setstate__(state)


def lies_open() -> bool:
    """Tell whether a secret is in a file of the worker's folders, or its model can be read by others."""
    secret = os.environ.get("MLFLOW_TRACKING_PASSWORD", "").encode()
    if "SPARK_LOCAL_DIRS" not in os.environ or not secret:
        return False
    for folder in map(Path, os.environ["SPARK_LOCAL_DIRS"].split(",")):
        models = list(folder.glob("batchscore-model-*"))
        if not models or any(model.stat().st_mode & 0o077 for model in models):
            return True
        if any(secret in path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()):
            return True
    return False


def fitted(model: LeakyClassifier) -> LeakyClassifier:
    """Return a model, fitted to very little."""
    import pandas as pd

    people = pd.DataFrame({"age": [20.0, 60.0], "amount": [1.0, 9.0]})
    model.fit(people, np.array([0, 1]))
    return model


def unloadable(*, by_workers_alone: bool) -> LeakyClassifier:
    """Return a fitted model that cannot be loaded."""
    model = fitted(UnloadableClassifier())
    model.by_workers_alone = by_workers_alone
    return model
