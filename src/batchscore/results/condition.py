"""A condition of SQL on the columns of results, judged by DuckDB."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from batchscore.errors import ConfigError
from batchscore.results.condition_text import (
    bare_statement_of,
    check_read,
    checked_tree,
    compared,
    statement_of,
    with_expression,
)
from batchscore.results.libraries import imported

_SETTINGS = {
    "threads": 1,
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
    "lock_configuration": True,
}
# No file, network, extension or variable of Python is within reach of a condition, and one thread keeps the order.
_NULL = '"NULL"'
_OF_VALUES = (
    "a passed column is text: TRY_CAST(age AS DOUBLE) reads its numbers, TRY_CAST(day AS DATE) its dates, and is null "
    "where there is none"
)


class Condition:
    """A condition that was checked against the columns; ``names`` are those that it is of.

    It is judged a batch at a time, as an expression that is true, false or null of each record. So nothing is filtered
    or ordered by DuckDB, and no value comes back from there.
    """

    def __init__(self, text: str, schema: pa.Schema) -> None:
        if not isinstance(text, str):
            raise ConfigError(f"where: expected a text, got a {type(text).__name__}")
        text = text.strip().removesuffix(";")
        connection = _connection()
        read, plain = (_read(connection, statement_of(condition)) for condition in (text, "true"))
        tree = checked_tree(read, text, schema.names, plain)
        check_read(_read(connection, bare_statement_of(text)), text)
        self.names = tree.names
        self._expression = _expression(connection, tree.statement)
        self._connection: Any = connection
        self._check_type(schema)
        for operands in compared(tree.statement):
            self._check_texts([(with_expression(tree.statement, item), item["class"]) for item in operands], schema)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the connection behind: another process opens its own."""
        return self.__dict__ | {"_connection": None}

    def holds(self, columns: Mapping[str, pa.Array]) -> pa.BooleanArray:
        """Return for each record whether the condition is true of it; raises ConfigError."""
        duckdb = imported("duckdb", "where")
        table = self._table(columns)
        try:
            found = self._run(f"SELECT {self._expression} AS keep FROM records", table).fetchnumpy()["keep"]
        except duckdb.Error as error:  # its words can hold a value
            what = f"expected values that it can be judged of, got a {type(error).__name__}; {_OF_VALUES}"
            raise ConfigError(f"where: {what}") from None
        if len(found) != len(table):
            raise AssertionError(f"where: expected {len(table)} answers, got {len(found)}")
        return pa.array(np.ma.filled(found, False), pa.bool_())  # null is not true

    def _check_type(self, schema: pa.Schema) -> None:
        """See that it can be judged, and is true or false: on no records, so that no value can be told."""
        duckdb = imported("duckdb", "where")
        try:
            kind = self._type_of(self._expression, schema)
            self._run(f"SELECT {self._expression} AS keep FROM records", self._no_records(schema)).fetchall()
        except duckdb.Error as error:
            told = str(error).partition("\n")[0].partition(": ")[2]
            raise ConfigError(f"where: expected a condition that can be judged, got: {told}; {_OF_VALUES}") from None
        if kind != "BOOLEAN":
            raise ConfigError(f"where: expected a condition that is true or false, got a value of type {kind}")

    def _check_texts(self, operands: Sequence[tuple[Any, str]], schema: pa.Schema) -> None:
        """See that texts are compared with texts: DuckDB would take 00501 for the number 501."""
        kinds = [
            (self._type_of(_expression(self._connection, statement), schema), kind) for statement, kind in operands
        ]
        others = [found for found, _ in kinds if found not in {"VARCHAR", _NULL}]
        if others and any(found == "VARCHAR" and kind != "CONSTANT" for found, kind in kinds):
            raise ConfigError(
                f"where: expected texts to be compared with texts, in single quotes, got a value of type {others[0]}; "
                f"{_OF_VALUES}"
            )

    def _type_of(self, expression: str, schema: pa.Schema) -> str:
        query = f"DESCRIBE SELECT {expression} AS keep FROM records"
        [(_, kind, *_)] = self._run(query, self._no_records(schema)).fetchall()
        return str(kind)

    def _no_records(self, schema: pa.Schema) -> pa.Table:
        return self._table({name: pa.array([], schema.field(name).type) for name in self.names})

    def _table(self, columns: Mapping[str, pa.Array]) -> pa.Table:
        names = [f"c{place}" for place in range(len(self.names))]
        return pa.table([columns[name] for name in self.names], names=names)

    def _run(self, query: str, records: pa.Table) -> Any:
        if self._connection is None:
            self._connection = _connection()
        self._connection.register("records", records)
        return self._connection.execute(query)


def _connection() -> Any:
    return imported("duckdb", "where").connect(":memory:", config=_SETTINGS)


def _read(connection: Any, statement: str) -> Any:
    [(text,)] = connection.execute("SELECT json_serialize_sql(?)", [statement]).fetchall()
    return json.loads(text)


def _expression(connection: Any, statement: Any) -> str:
    """Return the text of a tree that was checked: nothing but it is run, not what was given."""
    [(text,)] = connection.execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(statement)]).fetchall()
    return f"({str(text).removeprefix('SELECT ').removesuffix(';')})"
