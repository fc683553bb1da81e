"""Which columns a file has: named by pandas' rule, by the key ``names``, and what is told where one is not there."""

import io
import json
from typing import Any

import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import example, given

from batchscore.config.job_config import load_config
from batchscore.errors import ConfigError, InputError
from batchscore.input.binding import Binding, bind, extra_columns
from batchscore.input.column_notes import missing_columns, repeated_columns
from batchscore.input.columns import Column, Columns, resolve_columns
from batchscore.input.csv_lines import TextFormat
from batchscore.input.diagnosis.explanation import explain_header
from batchscore.input.header_names import near_name, near_names, pandas_names
from batchscore.input.roles import Roles
from batchscore.input.schema_file import Schema, parse_schema

NAMES = st.sampled_from(
    ["", "a", "a.1", "a.2", "a.1.1", "b", "Unnamed: 0", "Unnamed: 1", "Unnamed: 0.1", "Unnamed: 2.1", " a", "1", "1.1"]
)
SIGNATURE = (Column("a", "double", required=True), Column("b", "string", may_be_absent=True))


def read_by_pandas(header: list[str], engine: Any) -> list[str]:
    line = ",".join(f'"{name}"' for name in header)
    text = f"{line}\n{','.join('1' * len(header))}\n"
    return list(pd.read_csv(io.StringIO(text), engine=engine, skip_blank_lines=False).columns)


@example(["a", "a", "a.1"])
@example(["a.1", "a", "a", "a"])
@example(["", "Unnamed: 0", ""])
@given(st.lists(NAMES, min_size=1, max_size=8))
def test_columns_have_the_names_that_pandas_gives_them(header: list[str]) -> None:
    names = list(pandas_names(header))
    assert names == read_by_pandas(header, "c") == read_by_pandas(header, "python")


def schema_of(*names: str, header: bool = False, **keys: Any) -> Schema:
    attributes = [{"attributeName": name, "attributeType": "CATEGORICAL"} for name in names]
    told = {"version": "1.0", "dataFormat": "CSV", "dataFileContainsHeader": header, "attributes": attributes}
    return parse_schema(json.dumps(told | keys).encode(), "s")


# ------------------------------------------------------------------------------------------------ the key names


def config_of(text: str) -> Any:
    return load_config(f"model: models:/m/1\ninput: /in/\noutput: /out\n{text}")


def test_names_are_taken_as_they_are_written() -> None:
    assert config_of("names: [id, 1, no, 2024-01-01, ' x ', 1.50]").names == (
        "id",
        "1",
        "no",
        "2024-01-01",
        " x ",
        "1.50",
    )
    assert config_of("names: value").names == ("value",)
    assert config_of("names:").names is None
    text = "model: models:/m/1\ninput: /in/\noutput: /out\n"
    assert load_config(text, ["names=[a,b]"]).names == ("a", "b")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("names: []", "key names: expected the name of each column, in order, got one that is empty or none at all"),
        ("names: [a, '']", "key names: expected the name of each column"),
        ("names: [a, b, a, b]", "key names: expected each name once, got twice: a, b"),
        ("names: [[a]]", "key names"),
    ],
)
def test_names_that_are_empty_or_repeat_are_refused(text: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        config_of(text)


def test_names_are_the_columns_of_files_without_a_header() -> None:
    columns = resolve_columns("m", SIGNATURE, None, None, Roles("id", "y"), ("y", "b", "more", "id", "a"))
    assert (columns.has_header, columns.reads_header) == (False, False)
    assert bind(columns, None, "f") == Binding(5, (4, 1), (3, 0))


def test_names_stand_in_place_of_a_header() -> None:
    columns = resolve_columns("m", SIGNATURE, None, True, Roles("id"), ("id", "b", "a"))
    assert (columns.has_header, columns.reads_header) == (True, False)
    assert bind(columns, None, "f") == Binding(3, (2, 1), (0,))
    told = resolve_columns("m", SIGNATURE, schema_of("a", "b", header=True), None, names=("a", "b"))
    assert (told.has_header, told.reads_header) == (True, False)


def test_names_give_inputs_without_names_their_order_beside_row_id_and_target() -> None:
    columns = resolve_columns("m", 2, None, None, Roles("id", "y"), ("x1", "id", "x2", "y"))
    assert bind(columns, None, "f") == Binding(4, (0, 2), (1, 3))
    with pytest.raises(ConfigError, match=r"key names: expected 2 columns beside row_id and target, .* got 3"):
        resolve_columns("m", 2, None, None, Roles("id"), ("x1", "id", "x2", "y"))


def test_names_and_a_schema_file_say_the_same_or_it_is_a_fault() -> None:
    schema = schema_of("a", "b", "id")
    same = resolve_columns("m", SIGNATURE, schema, None, Roles("id"), ("a", "b", "id"))
    assert same == resolve_columns("m", SIGNATURE, schema, None, Roles("id"))
    with pytest.raises(ConfigError, match="key names: expected the 3 attributes of the schema file, got 2 names"):
        resolve_columns("m", SIGNATURE, schema, None, Roles("id"), ("a", "b"))
    with pytest.raises(ConfigError, match="schema file in their order, b as column 2, got id"):
        resolve_columns("m", SIGNATURE, schema, None, Roles("id"), ("a", "id", "b"))


def test_names_hold_each_input_that_the_model_needs_and_the_row_id() -> None:
    with pytest.raises(ConfigError, match="expected all inputs of the model, got none named a; did you mean A for a"):
        resolve_columns("m", SIGNATURE, None, None, names=("A", "b"))
    assert bind(resolve_columns("m", SIGNATURE, None, None, names=("x", "a")), None, "f") == Binding(2, (1, None), ())
    with pytest.raises(ConfigError, match="key row_id: expected a column that has a name, got id"):
        resolve_columns("m", SIGNATURE, None, None, Roles("id"), ("a", "b"))
    with pytest.raises(ConfigError, match="key target: expected a column that has a name, got y"):
        resolve_columns("m", SIGNATURE, None, True, Roles(None, "y"), ("a", "b"))


# ------------------------------------------------------------------------------------------------ a header of numbers


def test_a_header_of_numbers_holds_where_the_user_says_that_there_is_one() -> None:
    for header in (["1", "2.5"], ["", "3"], ["7", "7"]):
        assert bind(resolve_columns("m", 2, None, True), header, "f") == Binding(2, (0, 1), ())
        with pytest.raises(InputError, match=r"expected names, got numbers; has_header: false .* has_header: true"):
            bind(resolve_columns("m", 2, None, None), header, "f")
    named = (Column("1", "double"), Column("0", "double"))
    assert bind(resolve_columns("m", named, None, None), ["0", "1"], "f") == Binding(2, (1, 0), ())


def test_an_index_without_a_name_before_numbers_is_a_header_where_it_is_the_row_id() -> None:
    columns = resolve_columns("m", 2, None, None, Roles("Unnamed: 0"))
    assert bind(columns, ["", "0", "1"], "f") == Binding(3, (1, 2), (0,))


# ------------------------------------------------------------------------------------------------ repeated names


def test_names_that_nobody_reads_may_be_empty_or_repeat() -> None:
    columns = resolve_columns("m", SIGNATURE, None, None)
    header = ["", "x", "a", "x", "", "b"]
    assert bind(columns, header, "f") == Binding(6, (2, 5), ())
    assert extra_columns(columns, header) == ["Unnamed: 0", "x", "x.1", "Unnamed: 4"]
    assert repeated_columns(columns, header) == {}


def test_a_model_gets_the_columns_that_pandas_calls_so() -> None:
    columns = resolve_columns("m", (Column("Unnamed: 0", "double"), Column("a.1", "double")), None, None)
    assert bind(columns, ["", "a", "a"], "f") == Binding(3, (0, 2), ())
    assert bind(columns, ["", "a", "a", "a.1"], "f") == Binding(4, (0, 3), ())


def test_of_a_repeated_name_the_first_is_read_and_all_places_are_told() -> None:
    columns = resolve_columns("m", SIGNATURE, None, None, Roles("id"))
    header = ["id", "a", "b", "a", "id", "a"]
    assert bind(columns, header, "f") == Binding(6, (1, 2), (0,))
    assert repeated_columns(columns, header) == {"id": [1, 5], "a": [2, 4, 6]}
    by_position = resolve_columns("m", 2, None, None)
    assert bind(by_position, ["x", "x"], "f") == Binding(2, (0, 1), ())
    assert repeated_columns(by_position, ["x", "x"]) == {}


# ------------------------------------------------------------------------------------------------ missing columns


def test_a_file_may_lack_what_the_signature_calls_optional() -> None:
    columns = resolve_columns("m", SIGNATURE, None, None)
    binding = bind(columns, ["x", "a"], "f")
    assert binding == Binding(2, (1, None), ())
    assert missing_columns(columns, binding) == ["b"]
    with pytest.raises(InputError, match=r"expected columns that are not there: a$"):
        bind(columns, ["b"], "f")


def test_a_schema_file_may_lack_it_too() -> None:
    columns = resolve_columns("m", SIGNATURE, schema_of("a", "x"), None)
    assert bind(columns, None, "f") == Binding(2, (0, None), ())
    with pytest.raises(InputError, match="input a: expected an attribute of the schema, got none"):
        resolve_columns("m", SIGNATURE, schema_of("b", "x"), None)


def test_a_file_that_has_none_of_the_inputs_is_no_input() -> None:
    optional = tuple(Column(name, "double", may_be_absent=True) for name in ("age", "fare"))
    columns = resolve_columns("m", optional, None, None)
    with pytest.raises(InputError, match=r"header of f: expected some of the model's inputs, got none of age, fare$"):
        bind(columns, ["5.1", "x"], "f")
    assert bind(columns, ["fare"], "f") == Binding(1, (None, 0), ())


def test_a_missing_column_is_told_with_the_name_that_is_near() -> None:
    columns = resolve_columns("m", (Column("Annual Income", "double"), Column("age", "double")), None, None)
    with pytest.raises(
        InputError,
        match=r"not there: Annual Income, age; did you mean annual_income for Annual Income, AGE  for age",
    ):
        bind(columns, ["AGE ", "annual_income", "4111111111111111"], "f")
    with pytest.raises(InputError, match=r"not there: Annual Income; did you mean Anual.Income for Annual Income$"):
        bind(columns, ["age", "Anual.Income"], "f")


def test_names_that_are_not_near_are_not_shown() -> None:
    assert near_names(["age"], ["4111111111111111", "Smith", "page_count"]) == ""
    assert near_name("a_b", ["x", "A B"]) == "A B"
    assert near_name("___", ["", " "]) is None


# ------------------------------------------------------------------------------------------------ the delimiter


def explained(line: str, columns: Columns, delimiter: str = ",") -> str:
    return explain_header(line, columns, TextFormat(delimiter))


def test_a_header_of_one_name_that_holds_another_delimiter_tells_the_key() -> None:
    columns = resolve_columns("m", SIGNATURE, None, None)
    assert explained("x;y;z", columns) == 'the first line is one name and holds ";": `delimiter: ";"`'
    assert explained("x\ty", columns) == "the first line is one name and holds a tab: `delimiter: \\t`"
    assert explained("x,y", columns, ";") == 'the first line is one name and holds ",": `delimiter: ","`'
    assert "delimiter" not in explained("x", columns)


def test_of_optional_columns_those_that_are_needed_tell_the_delimiter() -> None:
    both = (Column("a", "double"), Column("c", "double"), Column("b", "string", may_be_absent=True))
    columns = resolve_columns("m", both, None, None)
    assert explained("a;c;x", columns).endswith('between them the names are there: `delimiter: ";"`')


def test_names_that_are_there_are_not_said_to_be_there_in_other_letters() -> None:
    columns = resolve_columns("m", (Column("a", "double"), Column("b", "double")), None, None)
    assert explained("A,b", columns) == "the names are there in other letters: upper and lower case are told apart"
    assert explained(" a,a ,b", columns) == ""


def test_a_header_that_the_user_told_is_not_said_to_be_a_record() -> None:
    assert "has_header: false" in explained("1,2", resolve_columns("m", SIGNATURE, None, None))
    assert explained("1,2", resolve_columns("m", SIGNATURE, None, True)) == ""


RECORDS = b"1,5;a;2024\r\n2,25;b;2023\r\n" * 10


def signature(*specs: str) -> Columns:
    inputs = tuple(Column(*spec.split(":")) for spec in specs)  # type: ignore[arg-type] # a type of the list
    return resolve_columns("m", inputs, None, None)


def test_a_header_with_another_delimiter_tells_all_keys_that_read_its_records() -> None:
    columns = signature("x:double", "s:string")
    told = explain_header("x;s;y", columns, TextFormat(), RECORDS)
    assert told.startswith('with ";" between them the names are there: `delimiter: ";"` and `decimal: ","` read all of')
    assert explain_header("x;s;y", signature("s:string", "y:long"), TextFormat(), RECORDS).endswith(
        '`delimiter: ";"` reads all of the first 20 records'
    )
    nearly = RECORDS * 2 + b"?;a;2024\n"
    assert "read nearly all of the first 41 records" in explain_header("x;s;y", columns, TextFormat(), nearly)
    assert explain_header("x;s;y", columns, TextFormat(), b"?;a;1\n" * 9).endswith('are there: `delimiter: ";"`')


def test_a_header_that_is_no_record_as_it_is_read_tells_the_delimiter_the_escape_or_the_encoding() -> None:
    columns = signature("x:double", "s:string")
    assert '`delimiter: ";"`' in explain_header('"x";"s"', columns, TextFormat(), b'1;"a"\n')
    assert '`escape: "\\\\"`' in explain_header('x,s,"a \\"b\\" c"', columns, TextFormat(), b"1,a,b\n")
    latin = "x,s,Größe".encode("cp1252").decode("utf-8", "surrogateescape")
    assert "`encoding: cp1252` reads all" in explain_header(latin, columns, TextFormat(), b"1,a,\xfc\n")


def test_a_line_before_the_header_or_in_its_place_is_told() -> None:
    columns = signature("x:double", "s:string")
    title = explain_header("Report of 2024", columns, TextFormat(), b"\nx,s,y\n1,a,2\n")
    assert title == "the names are in line 3: remove the lines before it"
    adult = explain_header("|1x3 Cross validator", columns, TextFormat(), b"25, a, b\n" * 30)
    assert adult == "the first line is no header of the 3 values after it: `has_header: true` with `names` drops it"
    assert explain_header("x|s", columns, TextFormat(), b"1|a\n" * 9).endswith(
        '`delimiter: "|"` reads all of the first 9 records'
    )


def test_a_record_in_place_of_a_header_with_spaces_beside_its_values_names_trim() -> None:
    columns = signature("x:double", "s:string")
    assert explain_header("39, State-gov", columns, TextFormat(), b"").endswith("beside its values: `trim: true`")
    assert "trim" not in explain_header("39,State gov", columns, TextFormat(), b"")


@pytest.mark.parametrize(
    ("header", "encoding", "told"),
    [
        ('"x", "s"', "utf-8", "`trim: true`"),
        ("x s", "utf-8", '`delimiter: " "`'),
        ("x^s", "utf-8", '`delimiter: "^"`'),
        ("x\x01s", "utf-8", '`delimiter: "\\x01"`'),
        ("x,s\r1,a\r", "utf-8", "convert them to newlines"),
        ("\ufeffx,s".encode().decode("cp1252"), "cp1252", "`encoding: utf-8`"),
    ],
)
def test_what_else_a_header_shows_is_told(header: str, encoding: str, told: str) -> None:
    assert told in explain_header(header, signature("x:double", "s:string"), TextFormat(encoding=encoding))
