"""Parsed records as rows: each record once, null where there is nothing, in the types of Spark."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.parsed import parse_block

from batchscore.errors import ConfigError
from batchscore.input.binding import Binding, bind
from batchscore.input.blocks import Block
from batchscore.input.columns import Column, Columns
from batchscore.input.csv_lines import TextFormat
from batchscore.input.echo_columns import EchoColumn
from batchscore.input.parsed_block import ParsedBlock
from batchscore.spark.input_rows import record_rows, row_columns

NUMBERS = (Column("x", "double"), Column("y", "float"))
ECHOED = (EchoColumn("tag", "id"), EchoColumn("id", "id"), EchoColumn("trueLabel", "x"), EchoColumn("z", "z"))
HEADER = ("id", "x", "y")


def rows_of(text: str, inputs: tuple[Column, ...], echoed: tuple[EchoColumn, ...] = ()) -> list[dict[str, Any]]:
    columns = Columns(inputs, echoed, None, has_header=True)
    binding = bind(columns, HEADER, "in.csv")
    block = parse_block(Block(0, text.encode()), binding, columns, TextFormat())
    batch = record_rows(block, binding, row_columns(columns, HEADER, case_sensitive=False), "in.csv", 7)
    rows: list[dict[str, Any]] = batch.to_pylist()
    return rows


def test_plain_numbers_are_rows_in_their_types_numbered_after_the_records_before_them() -> None:
    assert rows_of("A,1,0.1\nB,,2\n", NUMBERS) == [
        {"x": 1.0, "y": float(np.float32(0.1)), "_invalid": None, "_input": "in.csv", "_row": 8},
        {"x": None, "y": 2.0, "_invalid": None, "_input": "in.csv", "_row": 9},
    ]


def test_a_matrix_without_gaps_is_rows_too() -> None:
    numbers = np.array([[1.0, np.nan], [2.0, 3.0]])
    block = ParsedBlock(0, np.array([0, 4, 8]), np.arange(2), numbers, numbers, (), [], Counter(), b"1,,\n2,3\n")
    columns = row_columns(Columns(NUMBERS, (), None, has_header=True), HEADER, case_sensitive=False)
    batch = record_rows(block, Binding(2, (0, 1), ()), columns, "in.csv", 0)
    assert batch.schema.types[:2] == [pa.float64(), pa.float32()]
    assert [(row["x"], row["y"], row["_row"]) for row in batch.to_pylist()] == [(1.0, None, 1), (2.0, 3.0, 2)]


def test_an_invalid_record_has_its_reason_and_its_texts_where_they_could_be_read() -> None:
    echoed = (ECHOED[0], EchoColumn("z", "z", is_required=False))
    found = rows_of("A,1,word\nB,1\n,2,3\n", NUMBERS, echoed)
    assert [tuple(row.values()) for row in found] == [
        (None, None, "A", None, "invalid_value", "in.csv", 8),
        (None, None, None, None, "column_count", "in.csv", 9),
        (2.0, 3.0, "", None, None, "in.csv", 10),
    ]


def test_a_column_is_there_once_under_its_name_in_the_files() -> None:
    columns = Columns(NUMBERS, ECHOED, None, has_header=True)
    found = row_columns(columns, HEADER, case_sensitive=False)
    assert found.schema.names == ["x", "y", "id", "z", "_invalid", "_input", "_row"]
    ordered = Columns(NUMBERS, (EchoColumn("tag", "id", role="row_id"),), None, has_header=True, by_position=True)
    first = row_columns(ordered, ("a", "id", "b"), case_sensitive=False)
    assert first.schema.names == ["a", "b", "id", "_invalid", "_input", "_row"]


@pytest.mark.parametrize(("source", "case_sensitive"), [("_ROW", False), ("_row", True), ("X", False)])
def test_a_second_column_of_a_name_is_refused(source: str, case_sensitive: bool) -> None:
    columns = Columns(NUMBERS, (EchoColumn("tag", source),), None, has_header=True)
    with pytest.raises(ConfigError, match=f"expected different names.*got .*{source}"):
        row_columns(columns, HEADER, case_sensitive=case_sensitive)
