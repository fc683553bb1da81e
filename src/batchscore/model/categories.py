"""Columns of pandas categories, for the models that were trained on them (pure, on loaded boosters)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

ModelInput = pd.DataFrame | npt.NDArray[Any]


@dataclass(frozen=True)
class TrainedCategories:
    """The categories that a booster was trained on; ``places`` are their columns, None: the text columns in order."""

    values: Sequence[Sequence[Any]] = ()
    places: Sequence[int] | None = ()

    def by_name(self, names: Sequence[str], text_names: Sequence[str]) -> dict[str, Sequence[Any]]:
        """Return the categories by column."""
        chosen = text_names if self.places is None else [names[place] for place in self.places]
        return dict(zip(chosen, self.values, strict=True))

    def give(self, frame: ModelInput) -> ModelInput:
        """Return the records with columns of categories; the booster maps them to the trained ones itself."""
        if not self.values or not isinstance(frame, pd.DataFrame):
            return frame
        texts = list(frame.select_dtypes(object).columns) if self.places is None else ()
        known = self.by_name(list(frame.columns), texts)
        return frame.assign(**{str(name): _as_category(frame[name], values) for name, values in known.items()})


def merged(found: Sequence[TrainedCategories]) -> TrainedCategories:
    """Return the categories of several boosters that read the same records; of a column the first one's.

    Each maps the values to its own codes: which of their categories a column has is nothing to it.
    """
    placed = [categories for categories in found if categories.places is not None]
    if not placed:
        return found[0] if found else TrainedCategories()
    values: dict[int, Sequence[Any]] = {}
    for categories in placed:
        for place, known in zip(categories.places or (), categories.values, strict=True):
            values.setdefault(place, known)
    return TrainedCategories(list(values.values()), list(values))


def _as_category(values: pd.Series[Any], trained: Sequence[Any]) -> pd.Series[Any]:
    """Give the categories of training; a text stands for the number of which it is the text."""
    if values.isna().all():  # no categories of their own, which XGBoost would refuse
        return pd.Series(pd.Categorical.from_codes([-1] * len(values), pd.Index(trained)), values.index)
    if values.dtype == object and not all(isinstance(category, str) for category in trained):
        values = values.map({str(category): category for category in trained})
    if values.dtype.kind == "f" and all(type(category) is int for category in trained):
        codes, found = pd.factorize(values)  # whole numbers that came as floats, which XGBoost would refuse
        if (np.floor(found) == found).all():
            return pd.Series(pd.Categorical.from_codes(cast("Any", codes), found.astype(np.int64)), values.index)
    return values.astype("category")
