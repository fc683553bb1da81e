"""What a condition may say: its tree, as DuckDB reads it, held to columns and functions (pure).

A condition is judged record by record: what looks at other records, at tables or files, at the clock or at chance has
no place in it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from batchscore.errors import ConfigError
from batchscore.input.header_names import first_names, near_name

# Before a condition and after it; the line ends keep a comment in it from hiding what comes after.
BEFORE, AFTER = "SELECT (\n", "\n)"
_SHOWN_CHARACTERS = 20
_CLASSES = {
    "COMPARISON",
    "CONJUNCTION",
    "CONSTANT",
    "COLUMN_REF",
    "FUNCTION",
    "OPERATOR",
    "CAST",
    "CASE",
    "BETWEEN",
    "TYPE",
}
_REFUSED = {
    "SUBQUERY": "a query within it",
    "WINDOW": "a function of several records",
    "STAR": "a * for all columns",
    "PARAMETER": "a parameter; write the value itself",
    "LAMBDA": "a lambda",
    "COLLATE": "a collation; lower(...) compares without case",
}
_EQUALITIES = {
    *("COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM"),
    *("COMPARE_IN", "COMPARE_NOT_IN"),
}
FUNCTIONS = frozenset(
    {
        *("+", "-", "*", "/", "//", "%", "**", "^", "||", "~~", "!~~", "~~*", "!~~*", "~~~", "like_escape"),
        *("not_like_escape", "ilike_escape", "not_ilike_escape", "lower", "upper", "length", "strlen", "trim"),
        *("ltrim", "rtrim", "left", "right", "substring", "substr", "replace", "reverse", "lpad", "rpad"),
        *("concat", "concat_ws", "starts_with", "prefix", "ends_with", "suffix", "contains", "position"),
        *("strpos", "instr", "split_part", "regexp_matches", "regexp_full_match", "regexp_extract"),
        *("regexp_replace", "levenshtein", "strip_accents", "abs", "sign", "round", "floor", "ceil", "ceiling"),
        *("trunc", "sqrt", "exp", "ln", "log", "log2", "log10", "pow", "power", "mod", "greatest", "least"),
        *("strptime", "try_strptime", "strftime", "year", "month", "day", "date_part", "date_diff"),
    }
)
"""The functions and operators of a condition: each gives the same for the same record, whatever else there is."""


@dataclass(frozen=True)
class ConditionTree:
    """A condition whose columns stand by their number, as ``c0``, and which of the columns they are."""

    statement: Any
    names: tuple[str, ...]


def statement_of(condition: str) -> str:
    """Return the condition as a statement that can be read as a tree."""
    return f"{BEFORE}{condition}{AFTER}"


def bare_statement_of(condition: str) -> str:
    """Return it without parentheses around it, so that its own must be in pairs; places are the same."""
    return statement_of(condition).replace("(", " ", 1).removesuffix(")")


def checked_tree(read: Any, condition: str, columns: Sequence[str], plain: Any) -> ConditionTree:
    """Return what DuckDB read of a condition; raises ConfigError for what is no condition on the columns.

    ``plain`` is what it reads of ``true``: all but the expression must be as there.
    """
    check_read(read, condition)
    if len(read["statements"]) != 1 or _without_places(_frame(read)) != _without_places(_frame(plain)):
        raise ConfigError(
            "where: expected one condition, got more than that; give a condition as it stands after WHERE"
        )
    [expression] = read["statements"][0]["node"]["select_list"]
    used: list[str] = []
    for node in _nodes(expression):
        _check_node(node)
        if node["class"] == "COLUMN_REF":
            name = _column(node["column_names"], columns)
            if name not in used:
                used.append(name)
            node["column_names"] = [f"c{used.index(name)}"]
    if not used:
        raise ConfigError(
            "where: expected a condition on a column, got none in it; a column named as a number or a word of SQL "
            f"stands in double quotes; columns: {first_names(columns)}"
        )
    return ConditionTree(read, tuple(used))


def check_read(read: Any, condition: str) -> None:
    """Raise ConfigError if DuckDB could not read a condition."""
    if read["error"] or not condition.strip():
        raise _syntax_error(read, condition)


def compared(tree: Any) -> Iterator[list[Any]]:
    """Yield the expressions that are held to be equal or not: DuckDB would make numbers of the texts among them."""
    for node in _nodes(tree):
        if node["type"] in _EQUALITIES:
            yield node["children"] if "children" in node else [node["left"], node["right"]]


def with_expression(read: Any, expression: Any) -> Any:
    """Return a statement as it was read with another expression in it."""
    [statement] = read["statements"]
    node = statement["node"] | {"select_list": [expression]}
    return read | {"statements": [statement | {"node": node}]}


def _frame(read: Any) -> Any:
    """Return all of a statement but its expressions; parameters show in those."""
    [statement] = read["statements"]
    expressions = statement["node"].get("select_list", [])
    return {**statement, "node": statement["node"] | {"select_list": len(expressions)}, "named_param_map": None}


def _without_places(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_places(value) for key, value in tree.items() if not key.startswith("query_location")}
    return [_without_places(item) for item in tree] if isinstance(tree, list) else tree


def _nodes(tree: Any) -> Iterator[Any]:
    """Yield every expression of a tree, those that hold others first."""
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for item in tree:
            yield from _nodes(item)


def _check_node(node: Any) -> None:
    kind = node["class"]
    if kind not in _CLASSES:
        got = _REFUSED.get(kind, f"a {kind.lower().replace('_', ' ')}")
        raise ConfigError(f"where: expected a condition that is judged record by record, got {got}")
    if kind == "FUNCTION" and node["function_name"] not in FUNCTIONS:
        name = node["function_name"]
        near = difflib.get_close_matches(name, FUNCTIONS, 1)
        hint = f"did you mean {near[0]}?" if near else "docs/results.md lists them"
        raise ConfigError(f"where: function {name}: expected one that a condition can use, got another; {hint}")


def _column(parts: Sequence[str], columns: Sequence[str]) -> str:
    """Return the column that is meant: exactly so, or but for capitals; raises ConfigError."""
    name = ".".join(parts)
    if name in columns:
        return name
    alike = [column for column in columns if column.casefold() == name.casefold()]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise ConfigError(
            f"where: column {name}: expected one column, got {' and '.join(alike)}; write it as it stands"
        )
    near = near_name(name, columns)
    hint = f"did you mean {near}?" if near else "a text stands in single quotes"
    raise ConfigError(
        f"where: column {name}: expected a column of the results, got another; {hint}; columns: {first_names(columns)}"
    )


def _syntax_error(read: Any, condition: str) -> ConfigError:
    """Say where a condition cannot be read; places count in characters from 1."""
    place = int(read.get("position") or 0) - len(BEFORE)
    after = condition.encode()[max(place, 0) :].decode(errors="replace").strip()
    hint = "texts stand in single quotes, odd names in double ones: \"b,c\" = 'x'"
    if not after:
        return ConfigError(f"where: expected a condition, got an end where more was to come; {hint}")
    number = len(condition.encode()[:place].decode(errors="replace")) + 1
    shown = after if len(after) <= _SHOWN_CHARACTERS else f"{after[:_SHOWN_CHARACTERS]}..."
    return ConfigError(f"where: expected a condition, got a syntax error at character {number}, at {shown}; {hint}")
