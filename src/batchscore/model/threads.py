"""One thread for a loaded model, however deep in it the estimators are: Spark gives a task one core."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np
import pandas as pd

# scikit-learn's words; KMeans keeps how many threads it was trained with. Whoever else has n_jobs means the same.
_WORDS = frozenset({"n_jobs", "_n_threads"})
# Where an estimator of these libraries has its parameters, and what the number of threads is called there.
_PARAMETERS = {"lightgbm": ("_other_params", "params"), "xgboost": ("kwargs",), "catboost": ("_init_params",)}
_WORDS_OF_LIBRARIES = _WORDS | {"nthread", "nthreads", "num_thread", "num_threads", "thread_count"}

# Where no estimator is looked for: values, data, and what a model shares with the program.
_VALUES = (str, bytes, int, float, complex, type(None), np.generic, pd.DataFrame, pd.Series, pd.Index)
_LEFT_ALONE = (*_VALUES, type, ModuleType, FunctionType, BuiltinFunctionType)


def set_one_thread(model: Any) -> None:
    """Let every estimator that a loaded model holds predict with one thread."""
    for part in _parts(model):
        attributes = getattr(part, "__dict__", None)
        if isinstance(attributes, dict):
            _limit(part, attributes)


def _parts(model: Any) -> Iterator[Any]:
    """Yield the objects that a model is made of, each once.

    They are found as the garbage collector finds them, which runs none of their code. That takes less time than it
    took to load them.
    """
    seen, waiting = {id(model)}, [model]
    while waiting:
        part = waiting.pop()
        yield part
        for item in _referents(part):
            if not issubclass(type(item), _LEFT_ALONE) and id(item) not in seen:
                seen.add(id(item))
                waiting.append(item)


def _referents(part: Any) -> list[Any]:
    if isinstance(part, np.ndarray):  # of which the collector knows nothing
        return list(part.flat) if part.dtype.hasobject and part.dtype.names is None else []
    return gc.get_referents(part)


def _limit(part: Any, attributes: dict[str, Any]) -> None:
    library = _library(type(part))  # type: ignore[arg-type] # mypy takes a class for unhashable
    if library is None:
        _set_words(attributes, _WORDS)
        return
    for place in (attributes, *(attributes.get(name) for name in _PARAMETERS[library])):
        if isinstance(place, dict):
            _set_words(place, _WORDS_OF_LIBRARIES)
    if library == "xgboost" and type(part).__name__ == "Booster":
        part.set_param({"nthread": 1})  # it was loaded with its own
    if library == "catboost":
        _limit_calls(part)


@cache
def _library(kind: type) -> str | None:
    """Return the library that a class, or one that it inherits from, comes from."""
    modules = (str(base.__module__).partition(".")[0] for base in kind.__mro__)
    return next((module for module in modules if module in _PARAMETERS), None)


def _set_words(place: dict[str, Any], words: frozenset[str]) -> None:
    place.update(dict.fromkeys(words & place.keys(), 1))


def _limit_calls(estimator: Any) -> None:
    """Let the methods of a CatBoost estimator use one thread: each takes all cores unless its caller says otherwise."""
    for name, function in inspect.getmembers(type(estimator), inspect.isfunction):
        signature = inspect.signature(function)
        if not name.startswith("_") and "thread_count" in signature.parameters:
            vars(estimator)[name] = _on_one_thread(function, signature, estimator)


def _on_one_thread(function: Callable[..., Any], signature: inspect.Signature, estimator: Any) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        bound = signature.bind(estimator, *arguments, **options)
        bound.arguments["thread_count"] = 1
        return function(*bound.args, **bound.kwargs)

    return call
