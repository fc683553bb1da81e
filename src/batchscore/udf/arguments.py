"""Which argument of a call is which input of the model: by name, or by position as MLflow's UDF has it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from batchscore.errors import ConfigError
from batchscore.input.columns import Column

_LAST_PART = re.compile(r"`((?:[^`]|``)*)`$|([^.`]+)$")


class Argument(NamedTuple):
    """One argument; ``name`` is that of its column, or its alias, and None for another expression."""

    text: str
    name: str | None

    def input_meant(self, inputs: Sequence[Column]) -> str | None:
        """Return the input that it is named as; in other letters, as Spark takes them, if no other is meant."""
        names = [column.name for column in inputs]
        for name in dict.fromkeys((self.name, None if self.name is None else last_part(self.name))):
            alike = [item for item in names if name is not None and item.lower() == name.lower()]
            if name in names or len(alike) == 1:
                return name if name in names else alike[0]
        return None


def last_part(name: str) -> str:
    """Return the column's own name of ``table.column``, without backticks."""
    found = _LAST_PART.search(name)
    if not found:
        return name
    return found[2] if found[1] is None else found[1].replace("``", "`")


def bind(arguments: Sequence[Argument], inputs: Sequence[Column]) -> dict[str, int]:
    """Return the place of each input's argument.

    Inputs that are named are taken by name and other columns left out, as from a struct. Where not all are named,
    arguments are taken by position, if none stands at another's place and there are as many as inputs: optional ones
    at the end may be left out. Raises ConfigError for anything else, and where both ways are open and differ.
    """
    meant = [argument.input_meant(inputs) for argument in arguments]
    twice = [name for name, count in Counter(filter(None, meant)).items() if count > 1]
    if twice:
        raise ConfigError(f"score: expected one column for input {twice[0]}, got {meant.count(twice[0])}")
    by_name = {name: place for place, name in enumerate(meant) if name is not None}
    in_order = {column.name: place for place, (column, _) in enumerate(zip(inputs, arguments, strict=False))}
    if by_name == in_order and len(by_name) == len(arguments):
        in_order = {}
    named = _is_by_name(arguments, by_name, inputs)
    ordered = bool(in_order) and _is_in_order(arguments, by_name, in_order, inputs)
    if named and (len(by_name) == len(arguments) or not ordered):
        return by_name
    if ordered and not named:
        return in_order
    raise _unclear(arguments, inputs, named)


def _is_by_name(arguments: Sequence[Argument], by_name: dict[str, int], inputs: Sequence[Column]) -> bool:
    """Whether every input that is needed is named; an expression without a name may be one that is not."""
    nameless = any(argument.name is None for argument in arguments)
    return all(column.name in by_name or (column.may_be_absent and not nameless) for column in inputs)


def _is_in_order(
    arguments: Sequence[Argument], by_name: dict[str, int], in_order: dict[str, int], inputs: Sequence[Column]
) -> bool:
    rest = inputs[len(arguments) :]
    fits = len(arguments) <= len(inputs) and all(column.may_be_absent for column in rest)
    return fits and all(in_order[name] == place for name, place in by_name.items() if name in in_order)


def _unclear(arguments: Sequence[Argument], inputs: Sequence[Column], named: bool) -> ConfigError:
    got = ", ".join(argument.text for argument in arguments)
    wanted = ", ".join(column.name + (" (optional)" if column.may_be_absent else "") for column in inputs)
    doubt = ", which may be meant by name or in that order" if named else ""
    return ConfigError(
        f"score: expected columns of the names {wanted}, or {len(inputs)} columns in that order, got {got}{doubt}; "
        'name them: score(struct(col("a").alias("input"), ...))'
    )
