"""Dialects of values: how files spell numbers, dates and yes, held against pandas where it reads them."""

from typing import Any

import pytest
from tests.parsed import parse_block, rows

from batchscore.config.missing_values import MissingRule
from batchscore.input.blocks import Block
from batchscore.input.columns import Column, Columns, ColumnType, bind
from batchscore.input.csv_lines import TextFormat


def read(cell: str, column: Column, **dialect: Any) -> Any:
    """Return the one value of a record, None where it is missing, or the reason why the record is invalid."""
    columns = Columns((column,), (), (column.name, "rest"), has_header=False)
    text = TextFormat(**{"delimiter": ";"} | dialect)
    data = f"{cell}{text.delimiter}x\n".encode()
    parsed = parse_block(Block(0, data), bind(columns, None, "f"), columns, text)
    value = parsed.invalid[0].reason if parsed.invalid else rows(parsed)[0][0]
    return value if value == value else None


def binary(kind: ColumnType, **more: Any) -> Column:
    """Return an input of a signature that the schema file calls BINARY."""
    return Column("previous", kind, binary_words=True, numbers_too=kind != "boolean", **more)


@pytest.mark.parametrize("kind", ["double", "float", "long", "integer"])
def test_a_binary_attribute_over_numbers_reads_numbers_and_words(kind: ColumnType) -> None:
    cells = ["0", "7", " 3 ", "yes", "No", " t ", "4.0", "-2", "1e2"]
    assert [read(cell, binary(kind)) for cell in cells] == [0, 7, 3, 1, 0, 1, 4, -2, 100]
    assert [read(cell, binary(kind)) for cell in ("", "NA", "maybe")] == [None, None, "invalid_value"]


def test_a_binary_attribute_over_whole_numbers_refuses_what_the_signature_refuses() -> None:
    assert read("9007199254740993", binary("long")) == 9007199254740993
    assert [read(cell, binary("long")) for cell in ("2.5", "9223372036854775808")] == ["invalid_value"] * 2
    assert read("3000000000", binary("integer")) == "invalid_value"
    assert [read(cell, binary("boolean")) for cell in ("1", "2", "1.0")] == [True, "invalid_value", "invalid_value"]


def test_words_that_mean_missing_go_before_binary_words_and_numbers_before_none() -> None:
    rule = MissingRule(words=frozenset(["", "no"]), numbers=frozenset([0.0]))
    cells = ["no", "n", "0", "0.0", "f", "5"]
    assert [read(cell, binary("double", missing=rule)) for cell in cells] == [None, 0, None, None, 0, 5]


def test_without_a_signature_a_binary_attribute_is_read_as_its_words_alone() -> None:
    column = Column("member", "double", binary_words=True)
    assert [read(cell, column) for cell in ("yes", "0", "2", "1.0")] == [1, 0, "invalid_value", "invalid_value"]
