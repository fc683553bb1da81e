import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parsed import parse_block

from batchscore.input import delimiters, numeric_lines, parsed_block
from batchscore.input.binding import bind
from batchscore.input.blocks import Block
from batchscore.input.columns import Column, Columns, ColumnType
from batchscore.input.csv_lines import TextFormat, line_starts
from batchscore.input.echo_columns import echo_columns
from batchscore.input.numeric_lines import NumberLines, read_number_lines
from batchscore.input.parsed_block import ParsedBlock
from batchscore.input.roles import Roles
from batchscore.model.frames import to_model_input

COLUMNS = Columns(
    (Column("y", "double", required=True), Column("x", "double")),
    echo_columns(Roles("id", "label")),
    names=("x", "id", "note", "y", "label"),
    has_header=False,
)


def read(data: bytes, columns: Columns = COLUMNS, delimiter: str = ",") -> NumberLines | None:
    return read_number_lines(
        data, line_starts(data), bind(columns, None, "x"), columns, TextFormat(delimiter=delimiter)
    )


def numbers_only(*names: str, **column: Any) -> Columns:
    return Columns(tuple(Column(name, "double", **column) for name in names), (), names, has_header=False)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_numbers_come_in_the_models_order_and_texts_beside_them(delimiter: str, end: bytes) -> None:
    lines = [b"1,a,note,2.5,yes", b"-3,\xc3\xa9e, ,4e2,"]
    data = b"".join(line.replace(b",", delimiter.encode()) + end for line in lines)
    read_lines = read(data, delimiter=delimiter)
    assert read_lines is not None
    assert read_lines.numbers.tolist() == [[2.5, 1.0], [400.0, -3.0]]
    assert {place: texts.to_pylist() for place, texts in read_lines.texts.items()} == {1: ["a", "ée"], 4: ["yes", ""]}


def test_a_row_id_that_the_model_takes_is_a_number_and_a_text() -> None:
    columns = replace(
        COLUMNS, echoed=echo_columns(Roles("y", "label")), inputs=(Column("y", "double"), Column("x", "double"))
    )
    read_lines = read(b"1,a,note,2.50,yes\n-3,b,note, 4e2 ,\n", columns)
    assert read_lines is not None
    assert read_lines.numbers.tolist() == [[2.5, 1.0], [400.0, -3.0]]
    assert read_lines.texts[3].to_pylist() == ["2.50", " 4e2 "]


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"1", b"1,2,3", b"1,", b",2", b"1, ", b"1,x", b"1,nan", b"1,inf", b"1,1e999", b"1,0x10", b"1,1_0"),
        *(b"1,.5", b"1,5.", b"1,+1", b"1,01", b"1,true", b"1,null", b"1,\xff", b"1,99999999999999999999999"),
        *(b'1,"2"', b"1,[2]", b"[1,2]", b"1],[2", b"1,{}", b"1,2]", b"1,2 3", b"1,\x00", b"1,2/", b"1,- 2"),
    ],
)
def test_a_line_that_is_not_two_plain_numbers_gives_no_matrix(line: bytes) -> None:
    columns = numbers_only("x", "y")
    assert read(b"1,2\n", columns) is not None
    assert read(b"1,2\n" + line + b"\n3,4\n", columns) is None


@pytest.mark.parametrize("line", [b"1,3.5e38", b"-1e39,2"])
def test_a_number_beyond_float32_gives_no_matrix_of_float_columns(line: bytes) -> None:
    columns = Columns(tuple(Column(name, "float") for name in "xy"), (), ("x", "y"), has_header=False)
    assert read(b"1,3.4e38\n-3.4e38,2\n", columns) is not None
    assert read(b"1,2\n" + line + b"\n", columns) is None


def test_cells_missing_in_one_line_are_not_made_up_for_by_more_in_another() -> None:
    assert read(b"1,2,3\n4\n", numbers_only("x", "y")) is None
    assert read(b"1\n2,3,4\n", numbers_only("x", "y")) is None
    assert read(b"1;2\n3;4,5\n", numbers_only("x", "y"), delimiter=";") is None


def test_a_zero_keeps_its_sign() -> None:
    read_lines = read(b"0,-0\n-0.0,-0e0\n0.0,0\n", numbers_only("x", "y"))
    assert read_lines is not None
    assert [[math.copysign(1, value) for value in row] for row in read_lines.numbers.tolist()] == [
        [1, -1],
        [-1, -1],
        [1, 1],
    ]


@pytest.mark.parametrize("column", [Column("x", "long"), Column("x", "double", binary_words=True)])
def test_other_types_than_double_and_float_are_left_to_the_reader_of_values(column: Column) -> None:
    assert read(b"1\n", Columns((column,), (), ("x",), has_header=False)) is None


def test_columns_of_double_and_float_are_no_one_matrix() -> None:
    columns = Columns((Column("x", "double"), Column("y", "float")), (), ("x", "y"), has_header=False)
    assert read(b"1,2\n", columns) is None


@pytest.mark.parametrize("kind", ["double", "float"])
def test_records_reach_the_model_row_by_row_whichever_reader_read_them(kind: ColumnType) -> None:
    names = ("x", "y", "z")
    columns = Columns(tuple(Column(name, kind) for name in "zxy"), (), names, has_header=False)
    for line in (b"5,6,7", b"5,6,"):  # as JSON, and by pyarrow
        parsed = parse_block(Block(0, b"1,2,3\n" + line + b"\n"), bind(columns, None, "x"), columns, TextFormat())
        frame = to_model_input(parsed.inputs, columns.inputs, None)
        assert isinstance(frame, pd.DataFrame)
        assert frame.to_numpy(copy=False).flags.c_contiguous
        assert frame.iloc[0].to_dict() == {"z": 3.0, "x": 1.0, "y": 2.0}


def test_pieces_of_a_block_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"".join(b"%d,t%d,,%d.5,l\n" % (number, number, number) for number in range(1000))
    whole = read(data)
    monkeypatch.setattr(numeric_lines, "_PIECE_BYTES", 100)
    pieces = read(data)
    assert whole is not None
    assert pieces is not None
    assert np.array_equal(whole.numbers, pieces.numbers)
    assert pieces.texts == whole.texts
    assert pieces.texts[1].to_pylist() == [f"t{number}" for number in range(1000)]


NUMBER = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
CELL = NUMBER | NUMBER.map(lambda text: f" {text}\t") | st.text(alphabet='0123456789-+.eE []{}"tn,:;\t', max_size=6)
TEXT = st.text(st.characters(exclude_characters='\n\r,"\ufeff', exclude_categories=["Cs"]), max_size=5)
PLAIN_LINE = st.tuples(NUMBER, TEXT, TEXT, NUMBER, TEXT).map(",".join)
LINE = PLAIN_LINE | st.tuples(CELL, TEXT, TEXT, CELL, TEXT).map(",".join)


def outcome(parsed: ParsedBlock) -> Any:
    inputs = parsed.inputs
    columns = inputs.T if isinstance(inputs, np.ndarray) else [column.to_numpy() for column in inputs.columns]
    return (
        [[value.hex() for value in column.tolist()] for column in columns],
        parsed.lines.tolist(),
        parsed.echoed,
        [(record.line, record.offset, record.reason, record.attribute, record.raw) for record in parsed.invalid],
        parsed.invalid_values,
    )


@given(
    st.lists(LINE, min_size=1, max_size=6) | st.lists(PLAIN_LINE, min_size=1, max_size=6),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([0, 64]),  # how delimiters are found
)
def test_numbers_are_read_to_the_bit_as_the_reader_of_values_reads_them(
    lines: list[str], end: str, listed: int
) -> None:
    data = "".join(line + end for line in lines).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimiters, "_LISTED", listed)
        binding = bind(COLUMNS, None, "x")
        together = outcome(parse_block(Block(0, data), binding, COLUMNS, TextFormat()))
        patch.setattr(parsed_block, "read_number_lines", lambda *_: None)
        assert together == outcome(parse_block(Block(0, data), binding, COLUMNS, TextFormat()))
