"""A call of the function in a query -> the arguments of its UDF: one struct, and what keeps whole numbers exact."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import pyspark.sql.functions as sql

from batchscore.errors import ConfigError
from batchscore.input.columns import Column, Columns
from batchscore.udf.arguments import Argument, bind
from batchscore.udf.batches import EXACT

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql.udf import UserDefinedFunction

_STARS = {"*", "unresolvedstar()"}
_WHOLE_TYPES = ("tinyint", "smallint", "int", "bigint")
_DIGITS_OF_A_DOUBLE = 15  # whole numbers of more may be another one as a double
_IS_NAME = re.compile(r"`[^`]*`|[^()\[\]<>'\"]+")
_ALIASED = re.compile(r".* AS ([^()]+)", re.DOTALL)


def as_score(udf: UserDefinedFunction, columns: Columns) -> UserDefinedFunction:
    """Return the UDF as people call it, by names or by position; in SQL and to register it is the UDF itself."""

    @functools.wraps(udf)  # which brings what spark.udf.register asks for
    def score(*arguments: str | SparkColumn) -> SparkColumn:
        return udf(*_udf_arguments(arguments, columns))

    score.asNondeterministic = lambda: as_score(udf.asNondeterministic(), columns)  # type: ignore[attr-defined]
    return cast("UserDefinedFunction", score)


def _udf_arguments(given: Sequence[Any], columns: Columns) -> tuple[SparkColumn, ...]:
    arguments = [_argument(place, item) for place, item in enumerate(given or _own_names(columns), 1)]
    chosen = [_column(item, argument, columns) for item, argument in zip(given or arguments, arguments, strict=True)]
    if any(argument.text in _STARS for argument in arguments):
        return (sql.struct(*chosen),)
    inputs = {column.name: column for column in columns.inputs}
    if len(chosen) == 1:
        return _one_argument(chosen[0], arguments, columns.inputs)
    bound = {name: chosen[place] for name, place in bind(arguments, columns.inputs).items()}
    values = sql.struct(*(item.alias(name) for name, item in bound.items()))
    exact = [_exact(inputs[name], item) for name, item in bound.items() if inputs[name].type in _EXACT]
    return (values, sql.struct(*exact)) if exact else (values,)


def _one_argument(
    chosen: SparkColumn, arguments: Sequence[Argument], inputs: Sequence[Column]
) -> tuple[SparkColumn, ...]:
    """Return a struct, an array or a column, which only its first batch tells apart, with the input that it may be."""
    try:
        [name] = bind(arguments, inputs)
    except ConfigError:
        return (chosen,)
    [column] = (column for column in inputs if column.name == name)
    return (chosen, sql.struct(_exact(column, chosen)))


def _own_names(columns: Columns) -> list[str]:
    """Return what is meant by a call without arguments; raises ConfigError where that is not known."""
    optional = [column.name for column in columns.inputs if column.may_be_absent]
    if columns.by_position:
        raise ConfigError(
            f"score: expected {len(columns.inputs)} columns or one of arrays, since the model's inputs have no names, "
            "got none"
        )
    if optional:
        raise ConfigError(
            f"score: expected the columns, since the optional {', '.join(optional)} may be there or not, got none; "
            'score(struct("*")) takes those that are there'
        )
    return [column.name for column in columns.inputs]


def _argument(place: int, given: Any) -> Argument:
    if isinstance(given, str):
        return Argument(given, given)
    if type(given).__name__ != "Column":
        raise ConfigError(
            f"score: expected columns or their names, got {type(given).__name__} as argument {place}; "
            "score(*names) takes a list of names"
        )
    text = re.sub(r"^Column<'(.*)'>$", r"\1", str(given), flags=re.DOTALL)
    alias = _ALIASED.fullmatch(text)
    return Argument(text, alias[1] if alias else text if _IS_NAME.fullmatch(text) else None)


def _column(given: Any, argument: Argument, columns: Columns) -> SparkColumn:
    """Return a column of a name, also of one with a dot, which Spark would take for a field of a struct."""
    if not isinstance(given, (str, Argument)):
        return cast("SparkColumn", given)
    if any(column.name == argument.text for column in columns.inputs):
        return sql.col(f"`{argument.text.replace('`', '``')}`")
    return sql.col(argument.text)


def _exact(column: Column, given: SparkColumn) -> SparkColumn:
    digits = _EXACT[column.type](given) if column.type in _EXACT else sql.lit(None).cast("string")
    return digits.alias(EXACT + column.name)


def _large_digits(given: SparkColumn) -> SparkColumn:
    """Return the digits of whole numbers that a double may not hold; null for all others, and for other types."""
    text = given.cast("string")
    return sql.when(_is_whole(given) & (sql.length(text) > _DIGITS_OF_A_DOUBLE), text)


def _digits(given: SparkColumn) -> SparkColumn:
    """Return the digits of whole numbers, no text for a null; null for other types."""
    return sql.when(_is_whole(given), sql.coalesce(given.cast("string"), sql.lit("")))


def _is_whole(given: SparkColumn) -> SparkColumn:
    return sql.typeof(given).isin(*_WHOLE_TYPES)


_EXACT: dict[str, Callable[[SparkColumn], SparkColumn]] = {"long": _large_digits, "string": _digits}
"""By type of the input. PySpark makes doubles of whole numbers in a batch with a null; Spark knows their types before
the query runs and leaves out what is nothing to a type."""
