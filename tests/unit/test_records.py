import io
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parsed import as_in_01, parse_block, rows
from tests.stretches import covered_lines, lines_of

from batchscore.input.binding import bind
from batchscore.input.blocks import MAX_RECORD_BYTES, Block
from batchscore.input.columns import Column, Columns, ColumnType
from batchscore.input.csv_lines import MalformedRecordError, TextFormat, split_record
from batchscore.input.echo_columns import echo_columns
from batchscore.input.parsed_block import ParsedBlock, parse_blocks
from batchscore.input.roles import Roles
from batchscore.model.frames import ModelRecords, fitting_array, to_model_input

NEW_COLUMNS = Columns(
    (
        Column("d", "double"),
        Column("s", "string"),
        Column("l", "long", required=True),
        Column("i", "integer"),
        Column("f", "float"),
        Column("b", "boolean"),
    ),
    echo_columns(Roles("id")),
    names=("id", "d", "s", "l", "i", "f", "b"),
    has_header=False,
)
COLUMNS = as_in_01(NEW_COLUMNS)


def parse(data: bytes, columns: Columns = COLUMNS, **text: Any) -> ParsedBlock:
    return parse_block(Block(0, data), bind(columns, None, "x"), columns, TextFormat(**text))


def outcome(parsed: ParsedBlock) -> list[Any]:
    """What became of each record: its values, or why it is invalid."""
    found: dict[int, Any] = {}
    for line, row in zip(parsed.lines.tolist(), rows(parsed), strict=True):
        found[line] = tuple(repr(value) for value in row)
    for record in parsed.invalid:
        found[record.line] = (record.stage, record.reason, record.attribute)
    tags = parsed.echoed[0].to_pylist() if parsed.echoed else [""] * parsed.record_count
    return [(tags[line], found[line]) for line in range(parsed.record_count)]


CELL = st.one_of(
    st.sampled_from(
        [
            *("1", "-2", "+5", "+-5", " 7 ", "\t8", "5.0", "5.5", "007", ".5", "5.", "1e3", "1E-400", "1e400", "1e39"),
            *("nan", "NaN", "inf", "-Infinity", "0x1F", "1_000", "", " ", "-", "x", "9223372036854775807"),
            *("9223372036854775808", "-9223372036854775809", "2147483648", "9" * 5000, "٣", "yes", "F", "maybe"),
        ]
    ),
    st.sampled_from(
        ['"1"', '"a,b"', '"a""b"', '"', '""', '5" x', '"open', 'a"', '"a"b', "é", "a\rb", "\x00", "\ufeffa"]
    ),
    st.text(alphabet='ab",\r \t0.é;', max_size=5),
)
LINE = st.one_of(
    st.lists(CELL, min_size=7, max_size=7).map(",".join),
    st.tuples(CELL, CELL, CELL, st.just("3"), CELL, CELL, CELL).map(",".join),
    st.text(alphabet='ab",\r0', max_size=10),
).map(str.encode)
DATA = st.lists(
    st.tuples(LINE | st.binary(max_size=6), st.sampled_from([b"\n", b"\r\n"])).map(b"".join), min_size=1, max_size=8
).map(b"".join)


@given(DATA, st.sampled_from(["utf-8", "cp1252", "iso8859-1"]), st.sampled_from([COLUMNS, NEW_COLUMNS]))
def test_what_becomes_of_a_record_does_not_depend_on_its_neighbours_unless_a_value_is_left_open(
    data: bytes, encoding: str, columns: Columns
) -> None:
    together = outcome(parse(data, columns, encoding=encoding))
    alone = [outcome(parse(line, columns, encoding=encoding))[0] for line in io.BytesIO(data)]
    covered = covered_lines(lines_of(data.decode("latin-1")), 7, MAX_RECORD_BYTES)
    for line in covered:
        alone[line] = ("", ("parse", "line_end_in_quotes", None))
    assert together == alone


@given(DATA, st.sampled_from(["d", "s", "l", "i", "f", "b"]))
def test_a_row_id_that_the_model_takes_is_read_both_ways(data: bytes, name: str) -> None:
    both = replace(COLUMNS, echoed=echo_columns(Roles(name)))
    together, apart = outcome(parse(data, both)), outcome(parse(data))
    assert [found for _, found in together] == [found for _, found in apart]
    [echoed] = parse(data, replace(both, inputs=())).echoed
    assert [tag for tag, _ in together] == echoed.to_pylist()


@given(DATA)
def test_quotes_and_columns_are_those_of_the_reference_parser(data: bytes) -> None:
    parsed = parse(data)
    told = {record.line: record.reason for record in parsed.invalid if record.stage == "parse"}
    covered = covered_lines(lines_of(data.decode("latin-1")), 7, MAX_RECORD_BYTES)
    for number, line in enumerate(io.BytesIO(data)):
        content = line.removesuffix(b"\n").removesuffix(b"\r")
        try:
            expected = None if len(split_record(content.decode(), ",")) == 7 else "column_count"
        except MalformedRecordError as error:
            expected = str(error)
        except UnicodeDecodeError:
            expected = "encoding"
        if number in covered:
            expected = "line_end_in_quotes"
        assert told.get(number) == (expected if content or number in covered else "blank")


def test_a_byte_order_mark_after_an_invalid_record_is_part_of_its_record() -> None:
    parsed = parse(b'"\n\xef\xbb\xbft,1,a,1,1,1,1\n')
    assert [record.line for record in parsed.invalid] == [0]
    assert [texts.to_pylist() for texts in parsed.echoed] == [["", "\ufefft"]]


@given(DATA)
def test_each_invalid_record_has_the_offset_of_its_first_byte(data: bytes) -> None:
    starts = [0]
    for line in io.BytesIO(data):
        starts.append(starts[-1] + len(line))
    for record in parse(data).invalid:
        assert record.offset == starts[record.line]


@pytest.mark.parametrize(
    ("line", "reason", "attribute"),
    [
        (b"", "blank", None),
        (b"\r", "blank", None),
        (b"x" * (MAX_RECORD_BYTES + 1), "too_long", None),
        (b"\xff,1,a,1,1,1,1", "encoding", None),
        (b'"a,1,a,1,1,1,1', "unbalanced_quote", None),
        (b'"a"b,1,a,1,1,1,1', "unbalanced_quote", None),
        (b"t,1,a,1,1,1", "column_count", None),
        (b"t,1,a,1,1,1,1,1", "column_count", None),
        (b"t,1,a,,1,1,1", "missing_value", "l"),
        (b"t,1,a,x,1,1,1", "invalid_value", "l"),
        (b"t,1,a,5.5,1,1,1", "invalid_value", "l"),
        (b"t,1,a,9223372036854775808,1,1,1", "invalid_value", "l"),
    ],
)
def test_each_reason_for_which_a_record_is_invalid(line: bytes, reason: str, attribute: str | None) -> None:
    parsed = parse(b"t,1,a,1,1,1,1\n" + line + b"\nt,2,a,1,1,1,1\n")
    assert parsed.lines.tolist() == [0, 2]
    (record,) = parsed.invalid
    assert (record.line, record.offset, record.reason, record.attribute) == (1, 14, reason, attribute)
    assert record.raw == line.removesuffix(b"\r")[:1024]


def read(kind: ColumnType, text: str, **column: Any) -> Any:
    """Return how one value reads: the value, None for missing, or the reason for which its record is invalid."""
    columns = Columns((Column("c", kind, **column), Column("z", "string")), (), ("c", "z"), has_header=False)
    parsed = parse(f"{text},\n".encode(), as_in_01(columns))
    return parsed.invalid[0].reason if parsed.invalid else rows(parsed)[0][0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5.0),
        (" 5\t", 5.0),
        ("+5", 5.0),
        ("5.", 5.0),
        (".5", 0.5),
        ("-1e-3", -0.001),
        ("1E3", 1000.0),
        ('"7"', 7.0),
        ("", None),
        (" ", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("0x1F", None),
        ("1_000", None),
        ("٣", None),
        ("+-5", None),
    ],
)
def test_how_a_number_reads(text: str, value: float | None) -> None:
    assert read("double", text) == value


def test_an_invalid_value_counts_even_where_it_reaches_the_model_as_missing() -> None:
    parsed = parse(b"t,x,a,1,y,1,maybe\nt,,a,1,,,\n")
    assert parsed.lines.tolist() == [0, 1]
    assert parsed.invalid_values == Counter({"d": 1, "i": 1, "b": 1})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9007199254740993", 9007199254740993),
        ("5.0", 5),
        ("9007199254740993.0", 9007199254740993),
        ("+9007199254740993.", 9007199254740993),
        ("9007199254740993.5", "invalid_value"),
        ("9.007199254740993e15", 9007199254740993),
        ("90071992547409935e-1", "invalid_value"),
        ("-9223372036854775808.0", -(2**63)),
        ("9223372036854775808.0", "invalid_value"),
        ("9.3e18", "invalid_value"),
        ("1e99999999999999999999999", "invalid_value"),
        ("1e3", 1000),
        ("007", 7),
        ("5.5", "invalid_value"),
        ("0x1F", "invalid_value"),
        ("9" * 5000, "invalid_value"),
        ("", "missing_value"),
    ],
)
def test_a_required_integer_is_exact(text: str, value: object) -> None:
    assert read("long", text, required=True) == value


@pytest.mark.parametrize("text", ["9223372036854775808", "9223372036854775808.0", "-9223372036854775809", "1e19"])
def test_an_optional_integer_beyond_64_bits_is_invalid_beside_the_last_one_that_is_none(text: str) -> None:
    columns = as_in_01(replace(COLUMNS, inputs=_with_optional_long()))
    parsed = parse(f"t,1,a,1,1,1,1\nu,1,a,{text},1,1,1\n".encode(), columns)
    assert parsed.invalid_values == {"l": 1}
    assert read("long", "9223372036854775807") == 2**63 - 1
    assert read("long", "-9223372036854775808") == -(2**63)


def _with_optional_long() -> tuple[Column, ...]:
    return tuple(replace(column, required=False) for column in COLUMNS.inputs)


def test_an_integer_of_32_bits_has_its_bounds() -> None:
    assert read("integer", "2147483647", required=True) == 2147483647
    assert read("integer", "2147483648", required=True) == "invalid_value"
    assert read("integer", "-2147483648") == -2147483648.0
    assert read("integer", "-2147483649") is None


@pytest.mark.parametrize("together", [1, 2, 3, 100])
def test_records_read_some_at_a_time_are_those_read_together(together: int) -> None:
    data = b"A,1,x,1,1,1,1\n\nB,word,y,2,2,2,yes\nC,1\nD,4,z,4,4,4,maybe"
    binding = bind(COLUMNS, None, "x")
    pieces = list(parse_blocks(Block(7, data), binding, COLUMNS, TextFormat(), together))
    whole = parse_block(Block(7, data), binding, COLUMNS, TextFormat())

    assert [piece.record_count for piece in pieces] == [min(together, 5 - first) for first in range(0, 5, together)]
    assert [row for piece in pieces for row in rows(piece)] == rows(whole)
    found = [(item.offset, item.reason, item.raw) for piece in pieces for item in piece.invalid]
    assert found == [(item.offset, item.reason, item.raw) for item in whole.invalid]
    assert sum((piece.invalid_values for piece in pieces), Counter()) == whole.invalid_values


def test_a_number_beyond_float32_is_invalid_for_a_model_that_takes_an_array_of_them() -> None:
    columns = Columns((Column("a", "double"), Column("b", "double")), (), ("a", "b"), has_header=False)
    fitting = as_in_01(fitting_array(columns, "float32"))
    parsed = parse_block(Block(0, b"1e39,2\n3,4\n"), bind(fitting, None, "x"), fitting, TextFormat())
    assert parsed.invalid_values == {"a": 1}
    array = to_model_input(parsed.inputs, fitting.inputs, "float32")
    np.testing.assert_array_equal(array, np.array([[np.nan, 2], [3, 4]], np.float32))


@pytest.mark.parametrize("data", [b"0.1,3\n", b"0.1,\n"])  # as JSON, and by pyarrow
def test_float_columns_reach_the_model_as_float32(data: bytes) -> None:
    columns = Columns((Column("a", "float"), Column("b", "float")), (), ("a", "b"), has_header=False)
    parsed = parse_block(Block(0, data), bind(columns, None, "x"), columns, TextFormat())
    frame = to_model_input(parsed.inputs, columns.inputs, None)
    assert isinstance(frame, pd.DataFrame)
    assert frame.dtypes.tolist() == [np.float32, np.float32]
    assert frame["a"].tolist() == [np.float32("0.1")]


def test_a_model_may_write_into_what_it_gets() -> None:
    columns = Columns((Column("a", "long"), Column("b", "double"), Column("c", "string")), (), ("a", "b", "c"), False)
    parsed = parse_block(Block(0, b"1,2.5,x\n"), bind(columns, None, "x"), columns, TextFormat())
    frame = to_model_input(parsed.inputs, columns.inputs, None)
    assert isinstance(frame, pd.DataFrame)
    assert [frame[name].to_numpy().flags.writeable for name in "abc"] == [True, True, True]


def test_a_number_beyond_float32_is_invalid_for_a_float_column() -> None:
    assert read("float", "3e38") == 3e38
    assert read("float", "1e39") is None
    assert read("float", "1e39", required=True) == "invalid_value"


@pytest.mark.parametrize("text", ["1", "y", "YES", "t", " True "])
def test_words_for_true(text: str) -> None:
    assert read("boolean", text) is True
    assert read("double", text, binary_words=True) == 1.0


@pytest.mark.parametrize("text", ["0", "n", "No", "F", "false\t"])
def test_words_for_false(text: str) -> None:
    assert read("boolean", text, required=True) is False
    assert read("long", text, binary_words=True, required=True) == 0


def test_another_word_is_invalid_and_an_empty_one_missing() -> None:
    assert read("boolean", "maybe", required=True) == "invalid_value"
    assert read("boolean", "", required=True) == "missing_value"
    assert read("boolean", "maybe") is None


@pytest.mark.parametrize("space", ["\u00a0", "\x0b", "\x0c", "\x1c", "\u2003"])
def test_words_are_trimmed_of_spaces_and_tabs_alone(space: str) -> None:
    assert read("boolean", f"yes{space}", required=True) == "invalid_value"
    assert read("boolean", space, required=True) == "invalid_value"


def test_an_empty_text_is_a_value() -> None:
    columns = as_in_01(
        Columns((Column("c", "string", required=True),), echo_columns(Roles("t")), ("t", "c"), has_header=False)
    )
    [(_, frame)] = ModelRecords(parse(b"t,\n", columns).inputs, columns.inputs).groups()
    assert np.asarray(frame).tolist() == [[""]]


@pytest.mark.parametrize(("encoding", "byte"), [("iso8859-1", b"\xe9"), ("cp1252", b"\xe9"), ("utf-8", b"\xc3\xa9")])
def test_text_is_read_in_its_encoding(encoding: str, byte: bytes) -> None:
    parsed = parse(byte + b",1," + byte + b",1,1,1,1\n", encoding=encoding)
    assert ([texts.to_pylist() for texts in parsed.echoed], rows(parsed)[0][1]) == ([["é"]], "é")


def test_bytes_that_an_encoding_does_not_have_are_invalid() -> None:
    assert [record.reason for record in parse(b"\x81,1,a,1,1,1,1\n", encoding="cp1252").invalid] == ["encoding"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_leave_commas_alone(delimiter: str) -> None:
    line = delimiter.join(["t", "1", "a,b", "1", "1", "1", f'"x{delimiter}"']).encode()
    parsed = parse(line, delimiter=delimiter)
    assert rows(parsed)[0][1] == "a,b"
    assert parsed.invalid_values == Counter({"b": 1})


def test_a_thousand_columns() -> None:
    names = tuple(f"c{number}" for number in range(1000))
    columns = Columns(tuple(Column(name, "double") for name in names), (), names, has_header=False)
    parsed = parse(",".join(map(str, range(1000))).encode(), columns)
    assert rows(parsed) == [tuple(float(number) for number in range(1000))]


def test_many_lines_of_a_wrong_encoding_are_found_in_time() -> None:
    parsed = parse(b"\xff,1,a,1,1,1,1\n" * 50_000)
    assert len(parsed.invalid) == 50_000


def test_a_target_that_a_file_does_not_have_leaves_an_empty_label() -> None:
    columns = Columns((Column("a", "double"),), echo_columns(Roles("id", "y")), None, has_header=True)
    binding = bind(columns, ["id", "a"], "x")
    parsed = parse_block(Block(0, b"A,1\nB,2\n"), binding, columns, TextFormat())
    assert [texts.to_pylist() for texts in parsed.echoed] == [["A", "B"], ["", ""]]
