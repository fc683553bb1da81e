"""A condition of SQL on the columns of results, judged by DuckDB."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from batchscore.errors import ConfigError
from batchscore.results.condition_text import checked_tree, statement_of
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
_OF_VALUES = "a passed column is text: TRY_CAST(age AS DOUBLE) reads its numbers, and is null where there is none"


class Condition:
    """A condition that was checked against the columns; ``names`` are those that it is of.

    It is judged a batch at a time, as an expression that is true, false or null of each record. So nothing is filtered
    or ordered by DuckDB, and no value comes back from there.
    """

    def __init__(self, text: str, schema: pa.Schema) -> None:
        connection = _connection()
        tree = checked_tree(_tree(connection, text), text, schema.names, _tree(connection, "true"))
        self.names = tree.names
        self._expression = _expression(connection, tree.statement)
        self._connection: Any = connection
        self._check_type(schema)

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
        table = self._table({name: pa.array([], schema.field(name).type) for name in self.names})
        try:
            [(_, kind, *_)] = self._run(f"DESCRIBE SELECT {self._expression} AS keep FROM records", table).fetchall()
            self._run(f"SELECT {self._expression} AS keep FROM records", table).fetchall()
        except duckdb.Error as error:
            told = str(error).partition("\n")[0].partition(": ")[2]
            raise ConfigError(f"where: expected a condition that can be judged, got: {told}; {_OF_VALUES}") from None
        if kind != "BOOLEAN":
            raise ConfigError(f"where: expected a condition that is true or false, got a value of type {kind}")

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


def _tree(connection: Any, condition: str) -> Any:
    [(text,)] = connection.execute("SELECT json_serialize_sql(?)", [statement_of(condition)]).fetchall()
    return json.loads(text)


def _expression(connection: Any, statement: Any) -> str:
    """Return the text of a tree that was checked: nothing but it is run, not what was given."""
    [(text,)] = connection.execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(statement)]).fetchall()
    return f"({str(text).removeprefix('SELECT ').removesuffix(';')})"
