"""What a loaded model tells of its columns: the texts it knows, how missing ones are known, which numbers are floats.

Of scikit-learn's estimators only steps that read the columns as they come are asked: the first of a pipeline, of each
branch of a ColumnTransformer, and of the estimators inside of a search, a calibration or an ensemble. Boosters tell by
their categories.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import pandas as pd

from batchscore.config.missing_values import ModelFacts, Vocabulary
from batchscore.input.columns import Column
from batchscore.input.typed_values import INTEGER_TYPES
from batchscore.model.categories import TrainedCategories
from batchscore.model.encoders import chosen_names
from batchscore.model.readers import inner_estimators


class _Step(NamedTuple):
    """A step that reads columns, with their names; ``imputed`` is what imputers before it take for missing."""

    reads: Any
    names: Sequence[str]
    imputed: tuple[Any, ...] = ()

    def categories(self) -> Iterator[tuple[str, Sequence[Any]]]:
        yield from zip(self.names, _categories(self.reads, len(self.names)), strict=False)


def estimator_facts(estimator: Any, input_names: Sequence[str] = ()) -> ModelFacts:
    """Return the facts of a fitted estimator with scikit-learn's interface.

    ``input_names`` are the signature's, for one that was trained on columns without names.
    """
    known: dict[str, set[str]] = defaultdict(set)
    none_columns: set[str] = set()
    floats, others = set[str](), set[str]()
    steps = list(_first_steps(estimator, _names(estimator) or input_names))
    for step in (step for step in steps if not step.imputed):
        for name, categories in step.categories():
            known[name].update(value for value in categories if isinstance(value, str))
            if any(value is None for value in categories):
                none_columns.add(name)
        if getattr(step.reads, "missing_values", 0) is None:
            none_columns.update(step.names)
        (floats if _makes_floats(step.reads) else others).update(step.names)
    texts = {name: frozenset(values) for name, values in known.items()}
    return ModelFacts(
        texts, frozenset(none_columns), numbers=frozenset(floats - others), vocabularies=_vocabularies(steps)
    )


def _vocabularies(steps: Iterable[_Step]) -> dict[str, Vocabulary]:
    """Return what encoders know by column, those behind imputers included: what these replace is known too."""
    known: dict[str, set[Any]] = defaultdict(set)
    for step in steps:
        for name, categories in step.categories():
            known[name].update((*categories, *step.imputed))
    texts = {name: frozenset(value for value in values if isinstance(value, str)) for name, values in known.items()}
    missing = {name: any(pd.isna(value) for value in values) for name, values in known.items()}
    return {name: Vocabulary(values, missing[name]) for name, values in texts.items() if values}


def booster_facts(categories: TrainedCategories, inputs: Sequence[Column]) -> ModelFacts:
    """Return the facts of a booster: the texts among its categories, by column, and its columns of whole numbers."""
    if not inputs:
        return ModelFacts(known=None)
    values = _values_of(categories, inputs)
    numbers = frozenset(column.name for column in inputs if column.type in INTEGER_TYPES)
    return ModelFacts(_texts(values), numbers=numbers - frozenset(values), vocabularies=_of_booster(values, inputs))


def with_categories(facts: ModelFacts, categories: TrainedCategories, inputs: Sequence[Column]) -> ModelFacts:
    """Return facts with the texts among the categories that boosters within the model were trained on."""
    values = _values_of(categories, inputs) if categories.values and inputs else {}
    vocabularies = dict(facts.vocabularies)
    for name, found in _of_booster(values, inputs).items():
        texts = vocabularies[name].texts if name in vocabularies else frozenset()
        vocabularies[name] = replace(found, texts=found.texts | texts)
    return replace(facts, known={**(facts.known or {}), **_texts(values)}, vocabularies=vocabularies)


def _values_of(categories: TrainedCategories, inputs: Sequence[Column]) -> dict[str, Sequence[Any]]:
    names = [column.name for column in inputs]
    return categories.by_name(names, [column.name for column in inputs if column.type == "string"])


def _texts(values: Mapping[str, Sequence[Any]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(v for v in some if isinstance(v, str)) for name, some in values.items()}


def _of_booster(values: Mapping[str, Sequence[Any]], inputs: Sequence[Column]) -> dict[str, Vocabulary]:
    """Return categories as texts: one stands for the number of which it is the text; any booster knows missing ones."""
    texts = (column.name for column in inputs if column.type == "string" and len(values.get(column.name, ())))
    return {name: Vocabulary(frozenset(map(str, values[name])), holds_missing=True) for name in texts}


def _names(estimator: Any) -> list[str]:
    return [str(name) for name in getattr(estimator, "feature_names_in_", [])]


def _first_steps(estimator: Any, names: Sequence[str], imputed: tuple[Any, ...] = ()) -> Iterator[_Step]:
    """Yield the steps that read columns as they come, or as imputers leave them, with the names of those columns."""
    if hasattr(estimator, "steps"):
        steps = [step for _, step in estimator.steps if step is not None and step != "passthrough"]
        names = names or _names(steps[0] if steps else None)
        yield from _first_steps(steps[0] if steps else None, names, imputed)
        for before, step in pairwise(steps):
            if type(before).__name__ != "SimpleImputer" or before.add_indicator:
                break
            imputed = (*imputed, before.missing_values)
            yield from _first_steps(step, names, imputed)
    elif hasattr(estimator, "transformers_"):
        held = names or _names(estimator)
        for _, transformer, columns in estimator.transformers_ if held else []:  # places tell nothing without names
            if not (isinstance(transformer, str) and transformer == "drop"):
                yield from _first_steps(transformer, chosen_names(columns, held), imputed)
    elif hasattr(estimator, "transformer_list"):
        for _, transformer in estimator.transformer_list:
            yield from _first_steps(transformer, names, imputed)
    else:
        yield _Step(estimator, names, imputed)
        for inner in inner_estimators(estimator):
            yield from _first_steps(inner, names or _names(inner), imputed)


def _makes_floats(step: Any) -> bool:
    """Tell of a step that it computes with float64, in whatever type numbers come: of few, all others may tell."""
    if type(step).__module__.partition(".")[0] != "sklearn":
        return False
    if type(step).__name__ == "SimpleImputer":
        return step.strategy in {"mean", "median"}
    return type(step).__name__ in {"StandardScaler", "LogisticRegression", "LinearRegression"}


def _categories(step: Any, count: int) -> Sequence[Sequence[Any]]:
    """Return the values that an encoder knows, by column; none for what is no encoder of single columns."""
    held = getattr(step, "categories_", None)
    if not isinstance(held, list) or len(held) != count:
        return []
    return [list(values) for values in held]
