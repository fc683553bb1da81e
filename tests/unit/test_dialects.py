"""Dialects of values: how files spell numbers, dates and yes, held against pandas where it reads them."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.models.utils import _enforce_mlflow_datatype
from mlflow.types.schema import DataType
from tests.parsed import parse_block, rows

from batchscore.config.missing_values import MissingRule
from batchscore.input.binding import bind
from batchscore.input.blocks import Block
from batchscore.input.columns import Column, Columns, ColumnType
from batchscore.input.csv_lines import MalformedRecordError, TextFormat, decode_header, split_record
from batchscore.input.diagnosis.cell_diagnosis import value_hints
from batchscore.input.diagnosis.explanation import explain
from batchscore.input.diagnosis.other_spellings import Beginning, other_spelling
from batchscore.input.echo_columns import echo_columns
from batchscore.input.roles import Roles
from batchscore.model.frames import ModelRecords


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


MARKS = [(",", None), (",", "."), (",", " "), (".", ","), (".", "'"), (".", " "), (",", "'"), (".", "_")]
PART = st.sampled_from(["1", "12", "234", "000", "0", ".", ",", " ", "'", "_", "e2", "E-1", "-", "+", ""])
SPELLING = st.lists(PART, max_size=6).map("".join)


def as_pandas(cells: Sequence[str], decimal: str, thousands: str | None) -> Any:
    """Return what pandas reads in a column of fractions: the first value, or None where that is no number."""
    text = "c;x\n" + "".join(f"{cell};x\n" for cell in [*cells, f"0{decimal}5"])
    frame = pd.read_csv(
        io.StringIO(text), sep=";", decimal=decimal, thousands=thousands, float_precision="round_trip", na_filter=False
    )
    return frame["c"][0] if frame["c"].dtype == float else None


@given(SPELLING.filter(lambda cell: bool(cell.strip())), st.sampled_from(MARKS))
def test_numbers_are_those_that_pandas_reads_by_decimal_and_thousands(cell: str, marks: tuple[str, str | None]) -> None:
    decimal, thousands = marks
    expected = as_pandas([cell], decimal, thousands)
    for kind in (Column("c", "double"), binary("double")):
        found = read(cell, kind, decimal=decimal, thousands=thousands)
        assert found == ("invalid_value" if expected is None or abs(expected) == float("inf") else expected)


@pytest.mark.parametrize(
    ("cell", "marks", "number"),
    [
        ("9.007.199.254.740.993", (",", "."), 9007199254740993),
        ("-9 223 372 036 854 775 808", (".", " "), -9223372036854775808),
        ("9'007'199'254'740'993.0", (".", "'"), 9007199254740993),
        ("9007199254740993,00", (",", None), 9007199254740993),
        ("90.07,0e2", (",", "."), 900700),
        ("9.223.372.036.854.775.808", (",", "."), "invalid_value"),
        ("1,5", (",", "."), "invalid_value"),
        ("1..2", (",", "."), "invalid_value"),
    ],
)
def test_whole_numbers_are_exact_in_every_spelling(cell: str, marks: tuple[str, str | None], number: Any) -> None:
    for column in (Column("c", "long"), Column("c", "long", required=True), binary("long")):
        assert read(cell, column, decimal=marks[0], thousands=marks[1]) == number


def test_a_comma_may_be_in_a_number_and_between_values_when_quotes_tell_which() -> None:
    column = Column("c", "double")
    assert read('"1,5"', column, delimiter=",", decimal=",") == 1.5
    assert read('"1,234"', column, delimiter=",", thousands=",") == 1234
    assert read("1,5", column, delimiter=",", decimal=",") == "column_count"
    assert read("15", column, delimiter=",", decimal=",") == 15
    assert read("1.5", column, delimiter=",", decimal=",") == "invalid_value"


def test_null_values_are_numbers_whatever_their_spelling_and_words_by_their_letters() -> None:
    rule = MissingRule(words=frozenset(["", "-200", "-200.0", "?"]), numbers=frozenset([-200.0, 1234.0]))
    for column in (
        Column("c", "double", missing=rule),
        Column("c", "long", missing=rule),
        binary("double", missing=rule),
    ):
        cells = ["-200,0", "-200", "-2.00", "1.234", "?", ""]
        assert [read(cell, column, decimal=",", thousands=".") for cell in cells] == [None] * 6
        assert read("-201", column, decimal=",", thousands=".") == -201


@pytest.mark.parametrize("kind", ["double", "float"])
def test_many_numbers_with_decimal_commas_are_read_as_those_with_points(kind: ColumnType) -> None:
    columns = Columns(
        (Column("b", kind), Column("a", kind)), echo_columns(Roles("t", "y")), ("t", "a", "y", "b"), has_header=False
    )
    records = ["x.1;0,5;1,5;-0", "y,2;-0,0;n;7", "z;1e3;;-12,25"]
    text = TextFormat(delimiter=";", decimal=",")
    parsed = parse_block(Block(0, "\r\n".join(records).encode()), bind(columns, None, "f"), columns, text)
    assert isinstance(parsed.inputs, np.ndarray)  # read as JSON
    assert str(rows(parsed)) == "[(-0.0, 0.5), (7.0, -0.0), (-12.25, 1000.0)]"
    assert parsed.echoed[0].to_pylist() == ["x.1", "y,2", "z"]
    assert parsed.echoed[1].to_pylist() == ["1,5", "n", ""]
    mixed = "\n".join([*records, "w;1.5;;2"]).encode()
    parsed = parse_block(Block(0, mixed), bind(columns, None, "f"), columns, text)
    assert isinstance(parsed.inputs, pa.Table)
    assert [(record.line, record.reason) for record in parsed.invalid] == [(3, "invalid_value")]
    assert len(parsed.lines) == 3


BOTH = Columns(
    (Column("d", "double"), Column("s", "string"), Column("b", "boolean"), Column("t", "string")),
    echoed=echo_columns(Roles("s", "y")),
    names=("d", "s", "b", "t", "y"),
    has_header=False,
)


def outcomes(data: bytes, **dialect: Any) -> list[tuple[str, str, Any]]:
    """Return what is echoed of each record, and its values or the reason why it has none."""
    text = TextFormat(**dialect)
    parsed = parse_block(Block(0, data), bind(BOTH, None, "f"), BOTH, text)
    found: dict[int, Any] = dict(zip(parsed.lines.tolist(), map(repr, rows(parsed)), strict=True))
    for record in parsed.invalid:
        found[record.line] = record.reason
        assert data[record.offset :].startswith(record.raw)
    pairs = zip(parsed.echoed[0].to_pylist(), parsed.echoed[1].to_pylist(), strict=True)
    return [(*pair, found[line]) for line, pair in enumerate(pairs)]


def by_reference(line: bytes, delimiter: str, encoding: str) -> tuple[str, str, Any]:
    """Return the outcome of a record whose values the reference parser has found, put in quotes, without trimming."""
    content = line.removesuffix(b"\n").removesuffix(b"\r")
    if not content:
        return ("", "", "blank")
    try:
        values = split_record(content.decode(encoding), delimiter, trim=True)
        written = split_record(content.decode(encoding), delimiter, trim=True, kept={1, 4})
    except UnicodeDecodeError:
        return ("", "", "encoding")
    except MalformedRecordError as error:
        return ("", "", str(error))
    if len(values) != 5:
        return ("", "", "column_count")
    quoted = delimiter.join('"' + value.replace('"', '""') + '"' for value in values)
    [(_, _, found)] = outcomes(quoted.encode(), delimiter=delimiter)
    return (written[1], written[4], found)


SPACES = st.sampled_from(["", " ", "  ", "\t", " \t "])
TOLD = [
    "1",
    "-0",
    "x",
    "yes",
    "",
    '"a"',
    '" a "',
    '"a;,b"',
    '"a""b"',
    '"',
    '5" x',
    '"a" b',
    "a b",
    "é",
    "a\rb",
    "\ufeffa",
    "NA",
]
CELL = st.tuples(SPACES, st.sampled_from(TOLD) | st.text(alphabet='ab", \r\t0é;', max_size=4), SPACES).map("".join)
LINE = st.lists(CELL, min_size=5, max_size=5) | st.lists(CELL, max_size=6)
LINES = st.lists(st.tuples(LINE, st.sampled_from(["\n", "\r\n"])), min_size=1, max_size=6)


@given(LINES, st.sampled_from([",", ";", "\t", " ", "|"]), st.sampled_from(["utf-8", "cp1252"]))
def test_trimmed_records_are_those_of_the_reference_parser_and_echoed_as_written(
    lines: list[tuple[list[str], str]], delimiter: str, encoding: str
) -> None:
    data = "".join(delimiter.join(cells) + end for cells, end in lines).encode(encoding, errors="replace")
    expected = [by_reference(line, delimiter, encoding) for line in io.BytesIO(data)]
    # Lines are judged one by one: which ones a quoted value goes over is another rule, with tests of its own.
    assert outcomes(data, delimiter=delimiter, encoding=encoding, trim=True, covers_lines=False) == expected


@pytest.mark.parametrize(
    "data",
    [
        b' "1" "2",a,1,t,y\n',
        b'1,"a" ,1,"t" "u",y\n',
        b" \xef\xbb\xbfx,a,1,t,y\n1,a,1,t,y\n",
        b"\t\xef\xbb\xbf\n",
        b" \n \t\r\n  1 , a , 1 , t , y  \n",
        b"1,a,1,t,y ",
        b'1, a\rb ,1, "t\ru" , y\n',
    ],
)
def test_trimmed_records_that_are_easily_mistaken_are_those_of_the_reference_parser(data: bytes) -> None:
    assert outcomes(data, trim=True) == [by_reference(line, ",", "utf-8") for line in io.BytesIO(data)]


def test_a_line_of_spaces_in_a_file_of_one_column_is_an_empty_value_when_trimmed() -> None:
    columns = Columns((Column("s", "string"),), (), ("s",), has_header=False)
    parsed = parse_block(Block(0, b"  \n a\n"), bind(columns, None, "f"), columns, TextFormat(trim=True))
    assert rows(parsed) == [(None,), ("a",)]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("39, State-gov, 77516, ?", ["39", "State-gov", "77516", "?"]),
        (' "a" ,\t" b "\t,"c, d" ', ["a", " b ", "c, d"]),
        ('"a""b" , "" ,', ['a"b', "", ""]),
        (' 5" pipe ,  ', ['5" pipe', ""]),
        ("a\u00a0,\x0bb", ["a\u00a0", "\x0bb"]),
    ],
)
def test_trim_drops_spaces_and_tabs_around_values_and_quotes_and_none_within(line: str, values: list[str]) -> None:
    assert split_record(line, ",", trim=True) == values
    with pytest.raises(MalformedRecordError):
        split_record(f'{line}, "a" b', ",", trim=True)


def test_a_delimiter_is_no_space_that_is_dropped() -> None:
    assert split_record("a \t\t b", "\t", trim=True) == ["a", "", "b"]
    assert split_record("a  \tb", " ", trim=True) == ["a", "", "b"]


def test_a_header_is_trimmed_as_records_are() -> None:
    text = TextFormat(trim=True)
    assert decode_header(b'age, "the ""job""" , \tpay \r\n', text) == ["age", 'the "job"', "pay"]


def test_many_records_with_spaces_after_commas_are_not_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a record was read by the reference parser")

    monkeypatch.setattr("batchscore.input.csv_lines.split_record", refuse)
    data = b'1, State-gov ,"yes", "t, u" , <=50K\r\n' * 1000
    expected = (" State-gov ", " <=50K", "(1.0, 'State-gov', True, 't, u')")
    assert outcomes(data, trim=True) == [expected] * 1000


WHEN = Column("when", "datetime")
DATES = ["2024-02-29", "2024-02-29T13:05", "2024-02-29 13:05:07.123456789", "20240229", "2024-02", "2024", "1677-09-22"]
DATES += [" 2024-02-29"]  # as pandas has it
NO_DATES = ["2024-02-30", "29.02.2024", "9999-12-31", "1600-01-01", "x", "5.5", "2024-02-29 ", "2024-02-29T24:00:00"]
ZONES = ["Z", "+02", "+02:00", "-0500", " -05:00", " Z"]


def test_dates_and_times_are_those_that_pandas_reads() -> None:
    for cell in DATES:
        assert read(cell, WHEN) == pd.to_datetime(cell, format="ISO8601")
    for cell in NO_DATES:
        with pytest.raises(ValueError):  # noqa: PT011 # OutOfBoundsDatetime is one
            pd.to_datetime(cell, format="ISO8601")
        assert read(cell, WHEN) == "invalid_value"
    assert [read(cell, WHEN) for cell in ("", "NA", "null", "NaT", "nat")] == [None] * 5


def test_a_time_with_a_zone_is_invalid_as_mlflow_refuses_it() -> None:
    for zone in ZONES:
        cell = f"2024-02-29T13:05:07{zone}"
        zoned = pd.Series(pd.to_datetime([cell], format="ISO8601"))
        with pytest.raises(MlflowException, match="timezone-naive"):
            _enforce_mlflow_datatype("when", zoned, DataType.datetime)
        assert read(cell, WHEN) == "invalid_value"


def test_a_time_does_not_depend_on_when_it_is_read() -> None:
    assert [read(cell, WHEN) for cell in ("now", "today")] == ["invalid_value"] * 2
    assert read("now", WHEN, datetime_format="%Y") == "invalid_value"


def test_a_date_does_not_depend_on_its_neighbours() -> None:
    columns = Columns((WHEN,), echo_columns(Roles("t")), ("t", "when"), has_header=False)
    cells = [*DATES, "2024-01-01T00:00:00Z", *NO_DATES, "", "2024-01-01T00:00:00+01:00", *DATES, "now", "NaT"]
    data = "".join(f"t,{cell}\n" for cell in cells).encode()
    together = parse_block(Block(0, data), bind(columns, None, "f"), columns, TextFormat())
    alone = [read(cell, WHEN, delimiter=",") for cell in cells]
    invalid = {record.line: record.reason for record in together.invalid}
    found = dict(zip(together.lines.tolist(), (row[0] for row in rows(together)), strict=True)) | invalid
    assert [found[line] for line in range(len(cells))] == alone


def test_a_format_reads_dates_that_are_not_iso() -> None:
    form = "%d.%m.%Y %H:%M"
    assert read("29.02.2024 13:05", WHEN, datetime_format=form) == pd.Timestamp("2024-02-29 13:05")
    cells = ("2024-02-29", "29.02.2024", "31.02.2024 00:00", "29.02.9999 00:00")
    assert [read(cell, WHEN, datetime_format=form) for cell in cells] == ["invalid_value"] * 4
    assert [read(cell, WHEN, datetime_format=form) for cell in ("", "NaN", "n/a")] == [None] * 3


def test_the_model_gets_nanoseconds_without_a_zone_and_nat_for_missing() -> None:
    columns = Columns((WHEN, Column("s", "string")), (), ("when", "s"), has_header=False)
    parsed = parse_block(Block(0, b"2024-02-29,a\n,b\n"), bind(columns, None, "f"), columns, TextFormat())
    [(_, frame)] = ModelRecords(parsed.inputs, columns.inputs).groups()
    assert isinstance(frame, pd.DataFrame)
    expected = pd.DataFrame({"when": pd.DatetimeIndex(["2024-02-29", "NaT"]), "s": ["a", "b"]})
    pd.testing.assert_frame_equal(frame, expected)


def test_words_of_null_values_are_missing_dates() -> None:
    rule = MissingRule(words=frozenset(["", "?"]), numbers=frozenset([2024.0]))
    column = Column("when", "datetime", missing=rule)
    assert [read(cell, column) for cell in ("?", "2024", "NA")] == [None, pd.Timestamp("2024-01-01"), "invalid_value"]
    required = Column("when", "datetime", required=True, missing=MissingRule(is_refused=True))
    assert read("", required) == "missing_value"


def explained(lines: Sequence[str], column: Column, **dialect: Any) -> str:
    """Return what is told of a file whose values of a column cannot be read."""
    columns = Columns((Column("other", "double"), column), (), None, has_header=True)
    header = ["other", column.name]
    text = TextFormat(**{"delimiter": ";"} | dialect)
    start = Beginning(header, ";".join(header), lines, bind(columns, header, "f"), columns, text)
    return explain(start, ("invalid_value", column.name), len(lines), len(lines))


@pytest.mark.parametrize(
    ("cells", "kind", "keys", "told"),
    [
        (["1,5", "2,25"], "double", {}, 'decimal commas: `decimal: ","` reads them'),
        (["1,5", "1.234,5"], "double", {}, '`decimal: ","` and `thousands: "."` reads them'),
        (["1,234,567.5", "1,234"], "double", {}, 'separators of thousands: `thousands: ","` reads them'),
        (["1,234", "12,500"], "long", {}, 'have separators of thousands: `thousands: ","` reads them'),
        (["1,234", "12,500"], "double", {}, '`decimal: ","` or `thousands: ","` reads them'),
        (["1'234.5", "12'345"], "double", {}, '`thousands: "\'"` reads them'),
        (["1 234,5", "2,5"], "double", {}, '`decimal: ","` and `thousands: " "` reads them'),
        (["1.5", "2.5"], "double", {"decimal": ","}, 'decimal points: `decimal: "."` reads them'),
        (["31.12.2024", "1.2.2024"], "datetime", {}, '`datetime_format: "%d.%m.%Y"` reads them'),
        (["1/2/2024", "3/4/2024"], "datetime", {}, '"%d/%m/%Y"` or `datetime_format: "%m/%d/%Y"` reads them'),
        ([' "5"', ' "6"'], "double", {}, "`trim: true` reads them"),
        (["5 kg", "6 kg"], "double", {}, "the column holds text"),
        (["1\u2019234.5", "12\u2019345"], "double", {}, '`thousands: "\\u2019"` reads them'),
        (["1\u202f234,5", "2,5"], "double", {}, '`decimal: ","` and `thousands: "\\u202f"` reads them'),
    ],
)
def test_a_fault_of_a_dialect_is_told_with_the_keys_that_read_the_file(
    cells: Sequence[str], kind: ColumnType, keys: dict[str, Any], told: str
) -> None:
    assert told in explained([f"7;{cell}" for cell in cells] * 10, Column("c", kind), **keys)


def test_a_key_that_would_break_another_column_is_not_proposed() -> None:
    assert "`decimal" not in explained([f"7.5;1,{n}5" for n in range(10)], Column("c", "double"))


def test_of_the_keys_that_read_a_column_those_are_told_that_leave_the_fewest_values_unread() -> None:
    """``12.345`` beside ``1.234,5`` is no number with a decimal point."""
    columns = Columns((Column("n", "double"), Column("c", "double")), (), None, has_header=True)
    binding = bind(columns, ["n", "c"], "f")
    lines = ["12.345;1.234,5", "1.000;2.000.000,75"] * 10
    start = Beginning(["n", "c"], "n;c", lines, binding, columns, TextFormat(delimiter=";", decimal=","))
    assert '; the numbers have separators of thousands: `thousands: "."` reads them' in explain(
        start, ("invalid_value", "n"), 20, 20
    )
    assert other_spelling(start, "c").endswith('`thousands: "."` reads them')


def test_keys_that_other_columns_need_are_told_with_those_of_the_worst() -> None:
    columns = Columns((Column("n", "double"), Column("w", "datetime")), (), None, has_header=True)
    binding = bind(columns, ["n", "w"], "f")
    start = Beginning(None, "", ["1,5;31.12.2024"] * 20, binding, columns, TextFormat(delimiter=";"))
    assert explain(start, ("invalid_value", None), 20, 20) == (
        "expected values of the types of their columns, got others in 20 of 20 records read; the numbers have decimal "
        'commas: `decimal: ","` reads them; other columns need `datetime_format: "%d.%m.%Y"`'
    )


def test_with_names_in_place_of_a_header_the_delimiter_is_told_with_what_its_values_need() -> None:
    columns = Columns((Column("n", "double"), Column("s", "string")), (), ("n", "s"), has_header=False)
    start = Beginning(None, "1,5;a", ["1,5;a"] * 20, bind(columns, None, "f"), columns, TextFormat(delimiter="|"))
    assert explain(start, ("column_count", None), 20, 20).endswith('`delimiter: ";"` and `decimal: ","`')


def test_separators_of_thousands_are_proposed_only_where_three_digits_follow_them() -> None:
    """Beside points ``1234,56`` may have a decimal comma, but no key reads both; 123456 it is not."""
    columns = Columns((Column("n", "double"), Column("c", "double")), (), None, has_header=True)
    binding = bind(columns, ["n", "c"], "f")
    for cells, told in ((["1234,56", "9,5"], False), (["1,234,567", "12,500.25"], True)):
        start = Beginning(None, "", [f"7.5;{cell}" for cell in cells], binding, columns, TextFormat(delimiter=";"))
        assert ("thousands" in other_spelling(start, "c")) == told


@pytest.mark.parametrize(
    ("cells", "hint"),
    [
        (["1,5"] * 3, 'the numbers have decimal commas: `decimal: ","` reads them'),
        (["1,5"] * 30 + ["-"], 'the numbers have decimal commas: `decimal: ","` reads them'),
        (["-", "-"], "the marker - stands where a value is missing: name it in `null_values`"),
        (["x", "1,5"], None),
    ],
)
def test_what_reads_a_few_values_among_good_ones_is_tried_on_their_records(cells: list[str], hint: str | None) -> None:
    columns = Columns((Column("n", "double"), Column("c", "double")), (), None, has_header=True)
    binding = bind(columns, ["n", "c"], "f")
    start = Beginning(None, "", [f"7;{cell}" for cell in cells], binding, columns, TextFormat(delimiter=";"))
    assert value_hints(start).get("c") == hint
