"""What a loaded model tells of its columns: the texts it knows, how missing ones are known, which numbers are floats.

Of scikit-learn's estimators only steps that read the columns as they come are asked: the first of a pipeline, of each
branch of a ColumnTransformer, and of the estimators inside of a search, a calibration or an ensemble. Boosters tell by
their categories.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from batchscore.config.missing_values import ModelFacts
from batchscore.input.columns import Column
from batchscore.input.typed_values import INTEGER_TYPES
from batchscore.model.categories import TrainedCategories
from batchscore.model.encoders import chosen_names
from batchscore.model.readers import inner_estimators


def estimator_facts(estimator: Any, input_names: Sequence[str] = ()) -> ModelFacts:
    """Return the facts of a fitted estimator with scikit-learn's interface.

    ``input_names`` are the signature's, for one that was trained on columns without names.
    """
    known: dict[str, set[str]] = defaultdict(set)
    none_columns: set[str] = set()
    floats, others = set[str](), set[str]()
    for step, names in _first_steps(estimator, _names(estimator) or input_names):
        for name, categories in zip(names, _categories(step, len(names)), strict=False):
            known[name].update(value for value in categories if isinstance(value, str))
            if any(value is None for value in categories):
                none_columns.add(name)
        if getattr(step, "missing_values", 0) is None:
            none_columns.update(names)
        (floats if _makes_floats(step) else others).update(names)
    texts = {name: frozenset(values) for name, values in known.items()}
    encoded = _encoded_texts(estimator, input_names)
    return ModelFacts(texts, frozenset(none_columns), numbers=frozenset(floats - others), encoded=encoded)


def _encoded_texts(estimator: Any, input_names: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the texts of the columns that encoders alone read, if what they read comes as it is or from an imputer."""
    found: dict[str, list[frozenset[str]]] = defaultdict(list)
    for step, names in _first_steps(estimator, _names(estimator) or input_names, past_imputers=True):
        known = _categories(step, len(names)) or [[]] * len(names)
        for name, categories in zip(names, known, strict=False):
            found[name].append(frozenset(value for value in categories if isinstance(value, str)))
    return {name: frozenset().union(*texts) for name, texts in found.items() if all(texts)}


def booster_facts(categories: TrainedCategories, inputs: Sequence[Column]) -> ModelFacts:
    """Return the facts of a booster: the texts among its categories, by column, and its columns of whole numbers."""
    if not inputs:
        return ModelFacts(known=None)
    known = _texts_of(categories, inputs)
    numbers = frozenset(column.name for column in inputs if column.type in INTEGER_TYPES)
    return ModelFacts(known, numbers=numbers - frozenset(known), encoded=_held(known))


def with_categories(facts: ModelFacts, categories: TrainedCategories, inputs: Sequence[Column]) -> ModelFacts:
    """Return facts with the texts among the categories that boosters within the model were trained on."""
    known = _texts_of(categories, inputs) if categories.values and inputs else {}
    encoded = {**facts.encoded, **_held(known)}
    return replace(facts, known={**(facts.known or {}), **known}, encoded=encoded)


def _held(known: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    return {name: texts for name, texts in known.items() if texts}


def _texts_of(categories: TrainedCategories, inputs: Sequence[Column]) -> dict[str, frozenset[str]]:
    names = [column.name for column in inputs]
    known = categories.by_name(names, [column.name for column in inputs if column.type == "string"])
    return {name: frozenset(v for v in values if isinstance(v, str)) for name, values in known.items()}


def _names(estimator: Any) -> list[str]:
    return [str(name) for name in getattr(estimator, "feature_names_in_", [])]


def _first_steps(
    estimator: Any, names: Sequence[str], *, past_imputers: bool = False
) -> Iterator[tuple[Any, Sequence[str]]]:
    """Yield the steps that read columns as they come, with the names of those columns.

    ``past_imputers`` has the step after an imputer, which changes no value that is there, in its place.
    """
    if hasattr(estimator, "steps"):
        steps = [step for _, step in estimator.steps if step is not None and step != "passthrough"]
        first, *others = steps or [None]
        passed = past_imputers and _fills_gaps_alone(first) and others
        yield from _first_steps(others[0] if passed else first, names or _names(first), past_imputers=past_imputers)
    elif hasattr(estimator, "transformers_"):
        held = names or _names(estimator)
        for _, transformer, columns in estimator.transformers_ if held else []:  # places tell nothing without names
            if not (isinstance(transformer, str) and transformer == "drop"):
                chosen = chosen_names(columns, held)
                yield from _first_steps(transformer, chosen, past_imputers=past_imputers)
    elif hasattr(estimator, "transformer_list"):
        for _, transformer in estimator.transformer_list:
            yield from _first_steps(transformer, names, past_imputers=past_imputers)
    else:
        yield estimator, names
        for inner in inner_estimators(estimator):
            yield from _first_steps(inner, names or _names(inner), past_imputers=past_imputers)


def _fills_gaps_alone(step: Any) -> bool:
    return type(step).__name__ == "SimpleImputer" and not step.add_indicator


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
