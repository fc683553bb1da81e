"""Columns of pandas categories, for the models that were trained on them (pure, on loaded boosters)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt
import pandas as pd

from batchscore.errors import ModelError

ModelInput = pd.DataFrame | npt.NDArray[Any]


def unchanged(frame: ModelInput) -> ModelInput:
    """Return the records as they are: the model knows no categories."""
    return frame


def lightgbm_categories(booster: Any) -> Callable[[ModelInput], ModelInput]:
    """Return what gives a LightGBM model its categories; it maps them to the trained ones itself."""
    trained = getattr(booster, "pandas_categorical", None)
    if not trained:
        return unchanged
    # A feature's bins: "[low:high]" of numbers, "a:b:c" of categories, "none" where it never varied.
    bins = header_words(booster, "feature_infos")
    places = [place for place, info in enumerate(bins) if info != "none" and not info.startswith("[")]

    def with_categories(frame: ModelInput) -> ModelInput:
        if not isinstance(frame, pd.DataFrame):
            return frame
        told = len(places) == len(trained)
        names = frame.columns[places] if told else frame.select_dtypes(object).columns
        return _as_categories(frame, dict(zip(names, trained, strict=True)))

    return with_categories


def header_words(booster: Any, key: str) -> list[str]:
    """Return the words after ``key=`` in the text of a LightGBM model, before its trees."""
    header = booster.model_to_string(num_iteration=1).partition("\nTree=")[0]
    words: list[str] = header.partition(f"\n{key}=")[2].partition("\n")[0].split()
    return words


def xgboost_categories(booster: Any) -> Callable[[ModelInput], ModelInput]:
    """Return what gives an XGBoost model its categories; it maps them to the trained ones itself.

    Raises ModelError for a model that does not hold the trained ones (before XGBoost 3.1): the codes of a batch's own
    categories would be others than in training.
    """
    kinds = booster.feature_types or []
    places = [place for place, kind in enumerate(kinds) if kind == "c"]
    if not places:
        return unchanged
    trained = _held_categories(booster)
    if any(trained.get(place) is None for place in places):
        raise ModelError(
            "expected the categories of training in the model, as XGBoost 3.1 and later hold them, got none"
        )

    def with_categories(frame: ModelInput) -> ModelInput:
        if not isinstance(frame, pd.DataFrame):
            return frame
        return _as_categories(frame, {frame.columns[place]: trained[place] for place in places})

    return with_categories


def _held_categories(booster: Any) -> dict[int, list[Any]]:
    if not hasattr(booster, "get_categories"):
        return {}
    held = booster.get_categories(export_to_arrow=True).to_arrow()
    return {place: values.to_pylist() for place, (_, values) in enumerate(held) if values is not None}


def _as_categories(frame: pd.DataFrame, trained: Mapping[Any, list[Any]]) -> pd.DataFrame:
    return frame.assign(**{str(name): _as_category(frame[name], known) for name, known in trained.items()})


def _as_category(values: pd.Series[Any], trained: list[Any]) -> pd.Series[Any]:
    """Give the categories of training; a text stands for the number of which it is the text."""
    if values.dtype == object and not all(isinstance(category, str) for category in trained):
        values = values.map({str(category): category for category in trained})
    return values.astype("category")
