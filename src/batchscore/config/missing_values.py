"""What of a file is missing, and what becomes of it: the rule of each column (pure). See docs/adr/0020."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MissingValues = Literal["auto", "reject"]
MissingText = Literal["nan", "none", "empty"]
InvalidValues = Literal["reject", "missing"]

PANDAS = "pandas"
"""Stands for ``PANDAS_WORDS`` in a list of null values."""

# pandas._libs.parsers.STR_NA_VALUES of pandas 2, fixed here so that no upgrade changes a result.
PANDAS_WORDS = frozenset(
    [
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A"),
        *("NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    ]
)
_EMPTY = frozenset([""])
PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class MissingRule:
    """The rule of one column.

    ``words`` are the texts that mean missing, ``numbers`` the numbers that do. ``is_refused``: a missing value makes
    its record invalid. ``text`` is what a missing text becomes. ``invalid_is_missing``: a value that does not fit
    becomes a missing one, where otherwise it makes its record invalid. ``changes_type``: whole numbers and booleans
    keep their type where none is missing; otherwise they are float64 always.
    """

    words: frozenset[str] = PANDAS_WORDS
    numbers: frozenset[float] = frozenset()
    is_refused: bool = False
    text: MissingText = "nan"
    invalid_is_missing: bool = False
    changes_type: bool = True


AS_PANDAS = MissingRule()


@dataclass(frozen=True)
class MissingSettings:
    """What a configuration says of missing values; ``null_values`` may hold PANDAS.

    In values that do not come from a file no text and no number means missing: ``of_file`` is False for them.
    """

    missing_values: MissingValues = "auto"
    null_values: tuple[str, ...] = (PANDAS,)
    missing_text: Literal["auto", "nan", "none", "empty"] = "auto"
    invalid_values: InvalidValues = "reject"
    of_file: bool = True
    decimal: str = "."

    @property
    def words(self) -> frozenset[str]:
        """The texts that mean missing."""
        if not self.of_file:
            return frozenset()
        return _EMPTY | self.own_words | (PANDAS_WORDS if PANDAS in self.null_values else frozenset())

    @property
    def numbers(self) -> frozenset[float]:
        """The numbers that mean missing."""
        if not self.of_file:
            return frozenset()
        plain = (word.strip(" \t").replace(self.decimal, ".") for word in self.null_values)
        return frozenset(float(word) for word in plain if PLAIN_NUMBER.fullmatch(word))

    @property
    def own_words(self) -> frozenset[str]:
        """Those that the user lists: they are missing whatever the model knows.

        A whole number is listed as pandas spells it too, with and without a fraction: what a text column holds is
        compared as text.
        """
        listed = frozenset(self.null_values) - {PANDAS}
        whole = [int(number) for number in self.numbers if number.is_integer()]
        return listed.union(map(str, whole), (f"{number}.0" for number in whole))


@dataclass(frozen=True)
class Vocabulary:
    """The texts that a model's encoders or booster know of a column; ``holds_missing``: missing values as well.

    ``words`` are those that mean missing in a job's files: no record holds them as a value.
    """

    texts: frozenset[str]
    holds_missing: bool = False
    words: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ModelFacts:
    """What a model tells of how it was trained.

    ``known`` are the values that an encoder or booster which reads the column directly knows, by column; None where the
    model does not show them. ``vocabularies`` are the same texts for the columns of which any are known, and those that
    encoders know behind imputers. ``none_columns`` are those whose missing values it knows as None.
    ``integers_refuse_missing`` is for models that MLflow calls: it refuses a missing value in a required column of
    whole numbers. ``numbers`` are the columns that the model makes floats of itself: whether whole numbers come as
    integers is nothing to it.
    """

    known: Mapping[str, frozenset[str]] | None = field(default_factory=dict)
    none_columns: frozenset[str] = frozenset()
    integers_refuse_missing: bool = False
    numbers: frozenset[str] = frozenset()
    vocabularies: Mapping[str, Vocabulary] = field(default_factory=dict)


NO_FACTS = ModelFacts()


@dataclass(frozen=True)
class InputKind:
    """What of a column decides on its rule; ``holds_missing`` is False in arrays of whole numbers or booleans."""

    name: str
    type: str
    required: bool
    has_signature: bool = True
    holds_missing: bool = True


def missing_rule(settings: MissingSettings, facts: ModelFacts, kind: InputKind) -> MissingRule:
    """Return the rule of a column."""
    rejects = settings.missing_values == "reject"
    is_text = kind.type == "string"
    return MissingRule(
        words=settings.words - kept_words(settings, facts, kind.name) if is_text else settings.words,
        numbers=frozenset() if is_text else settings.numbers,
        is_refused=not is_text and (not kind.holds_missing or _is_refused(rejects, facts, kind)),
        text=_missing_text(settings, facts, kind),
        invalid_is_missing=settings.invalid_values == "missing" and not kind.required,
        changes_type=kind.required if rejects else kind.type == "boolean" or kind.name not in facts.numbers,
    )


def words_listed_but_known(settings: MissingSettings, facts: ModelFacts) -> dict[str, list[str]]:
    """Return the words that the user lists and the model knows as values, by column: they are missing all the same."""
    found = {name: sorted(settings.own_words & words) for name, words in (facts.known or {}).items()}
    return {name: words for name, words in found.items() if words}


def _is_refused(rejects: bool, facts: ModelFacts, kind: InputKind) -> bool:
    integer = kind.type in {"long", "integer"}
    return kind.required and (rejects or (facts.integers_refuse_missing and integer))


def _missing_text(settings: MissingSettings, facts: ModelFacts, kind: InputKind) -> MissingText:
    if settings.missing_text != "auto":
        return settings.missing_text
    if settings.missing_values == "reject" and (kind.required or not kind.has_signature):
        return "empty"
    return "none" if kind.name in facts.none_columns else "nan"


def kept_words(settings: MissingSettings, facts: ModelFacts, name: str) -> frozenset[str]:
    """Return the words of the default list that stay values in a column, since the model knows them there."""
    if PANDAS not in settings.null_values or facts.known is None:
        return frozenset()
    return (PANDAS_WORDS - _EMPTY - settings.own_words) & facts.known.get(name, frozenset())
