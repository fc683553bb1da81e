"""One thread for a loaded model, however deep in it the estimators are: Spark gives a task one core."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from functools import cache
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np
import pandas as pd

from batchscore.model import flavors
from batchscore.model.flavors import Flavor

# scikit-learn's words; KMeans keeps how many threads it was trained with. Whoever else has n_jobs means the same.
_WORDS = frozenset({"n_jobs", "_n_threads"})
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
    flavor = _flavor(_libraries(type(part)))  # type: ignore[arg-type] # mypy takes a class for unhashable
    if flavor is None:
        _set_words(attributes, _WORDS)
        return
    for place in (attributes, *(attributes.get(name) for name in flavor.thread_places or ())):
        if isinstance(place, dict):
            _set_words(place, _WORDS_OF_LIBRARIES)
    flavor.limit_threads(part)


def _flavor(libraries: Sequence[str]) -> Flavor | None:
    """Return the flavor that has words of its own for threads, of the libraries that a class comes from."""
    known = {flavor.module: flavor for flavor in flavors.FLAVORS if flavor.thread_places is not None}
    return next((known[library] for library in libraries if library in known), None)


@cache
def _libraries(kind: type) -> tuple[str, ...]:
    """Return the libraries that a class, and those that it inherits from, come from."""
    return tuple(str(base.__module__).partition(".")[0] for base in kind.__mro__)


def _set_words(place: dict[str, Any], words: frozenset[str]) -> None:
    place.update(dict.fromkeys(words & place.keys(), 1))
