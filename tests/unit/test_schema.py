import json
from typing import Any

import pytest

from batchscore.errors import ConfigError, InputError, ModelError
from batchscore.input.binding import Binding, bind, extra_columns
from batchscore.input.columns import Column, ColumnType, resolve_columns
from batchscore.input.echo_columns import EchoColumn
from batchscore.input.roles import Roles
from batchscore.input.schema_file import Schema, parse_schema

SCHEMA: dict[str, Any] = {
    "version": "1.0",
    "rowId": "id",
    "rowWeight": None,
    "targetAttributeName": "y",
    "dataFormat": "CSV",
    "dataFileContainsHeader": True,
    "attributes": [
        {"attributeName": "id", "attributeType": "CATEGORICAL"},
        {"attributeName": "age", "attributeType": "NUMERIC"},
        {"attributeName": "member", "attributeType": "BINARY"},
        {"attributeName": "note", "attributeType": "TEXT"},
        {"attributeName": "old", "attributeType": "NUMERIC"},
        {"attributeName": "y", "attributeType": "BINARY"},
    ],
    "excludedAttributeNames": ["old"],
}


def parse(**changes: Any) -> Schema:
    return parse_schema(json.dumps(SCHEMA | changes).encode(), "s3://b/.schema")


def faults_of(**changes: Any) -> str:
    with pytest.raises(InputError) as caught:
        parse(**changes)
    return str(caught.value)


def test_a_schema_file_tells_attributes_and_their_parts() -> None:
    schema = parse()
    assert schema.names == ("id", "age", "member", "note", "old", "y")
    assert (schema.row_id, schema.row_weight, schema.target) == ("id", None, "y")
    assert (schema.has_header, schema.excluded) == (True, frozenset({"old"}))


def test_the_older_spelling_means_the_same() -> None:
    older = {
        "version": "1.0",
        "recordAnnotationFieldName": "id",
        "targetFieldName": "y",
        "dataFormat": "CSV",
        "dataFileContainsHeader": True,
        "attributes": [
            {"fieldName": item["attributeName"], "fieldType": item["attributeType"]} for item in SCHEMA["attributes"]
        ],
        "excludedVariableNames": ["old"],
    }
    assert parse_schema(json.dumps(older).encode(), "x") == parse()


def test_every_fault_of_a_schema_is_told_at_once() -> None:
    message = faults_of(
        rowId="nobody",
        dataFormat="TSV",
        version="2.0",
        surprise=1,
        attributes=[
            {"attributeName": "a", "attributeType": "DATE"},
            {"attributeName": "b" * 65, "attributeType": "TEXT"},
            {"attributeName": "c", "attributeType": "TEXT"},
            {"attributeName": "c", "attributeType": "TEXT"},
            "d",
        ],
    )
    for part in (
        "key surprise: expected a known key",
        "rowId: expected the name of an attribute, got nobody",
        'dataFormat: expected "CSV"',
        'version: expected "1.0"',
        "attribute a: expected a type of BINARY, CATEGORICAL, NUMERIC, TEXT, got DATE",
        "attribute 2: expected a name of at most 64 characters",
        "attribute c: expected once, got twice",
        "attribute 5: expected an object",
    ):
        assert part in message


@pytest.mark.parametrize("content", [b"", b"[]", b"nonsense", b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_json_object_is_no_schema(content: bytes) -> None:
    with pytest.raises(InputError, match=r"schema s3://b/\.schema: expected"):
        parse_schema(content, "s3://b/.schema")


@pytest.mark.parametrize("change", [{"rowId": ["id"]}, {"attributes": [None]}, {"excludedAttributeNames": [{}]}])
def test_values_of_a_wrong_kind_are_faults(change: dict[str, Any]) -> None:
    assert "expected" in faults_of(**change)


def test_a_name_with_half_a_character_is_a_fault() -> None:
    attributes = [{"attributeName": "a\ud800", "attributeType": "TEXT"}]
    assert "attribute 1: expected an attributeName" in faults_of(rowId=None, attributes=attributes)


def test_both_spellings_of_a_key_are_a_fault() -> None:
    assert "expected one spelling, got targetFieldName too" in faults_of(targetFieldName=None)


def test_without_a_signature_the_schema_types_the_inputs() -> None:
    columns = resolve_columns("m", None, parse(), None)
    assert columns.inputs == (
        Column("age", "double"),
        Column("member", "double", binary_words=True),
        Column("note", "string"),
    )
    assert (columns.row_id, columns.target, columns.has_header) == ("id", "y", True)
    assert columns.echoed == (
        EchoColumn("tag", "id", is_numeric=False, is_required=True, role="row_id"),
        EchoColumn("trueLabel", "y", is_numeric=False, is_required=False, role="target"),
    )


def test_an_echoed_column_that_the_schema_calls_numeric_is_one() -> None:
    columns = resolve_columns("m", None, parse(rowId=None, targetAttributeName=None), None, Roles("old", "note"))
    assert [(column.source, column.is_numeric) for column in columns.echoed] == [("old", True), ("note", False)]


def test_with_a_signature_the_signature_types_and_orders_them() -> None:
    signature = (Column("member", "boolean", required=True), Column("age", "long"))
    columns = resolve_columns("m", signature, parse(), has_header=False)
    assert columns.inputs == (Column("member", "boolean", required=True, binary_words=True), Column("age", "long"))
    assert columns.has_header is False


def test_all_differences_between_signature_and_schema_are_told() -> None:
    signature = (Column("x", "double"), Column("age", "string"), Column("y", "double"), Column("old", "double"))
    with pytest.raises(InputError) as caught:
        resolve_columns("models:/m/1", signature, parse(), None)
    for part in (
        "input x: expected an attribute of the schema, got none",
        "input age: expected string, got NUMERIC",
        "input y: expected a model input, got the target",
        "input old: expected a model input, got an excluded attribute",
    ):
        assert part in str(caught.value)


def test_neither_signature_nor_schema_is_an_error_with_the_line_that_mends_it() -> None:
    with pytest.raises(ModelError, match=r"mlflow\.models\.set_signature\(model_uri, mlflow\.models\.infer_signature"):
        resolve_columns("models:/m/1", None, None, None)


def test_a_header_binds_by_name_and_extra_columns_are_told() -> None:
    columns = resolve_columns("m", (Column("b", "double"), Column("a", "double")), None, None)
    assert bind(columns, ["a", "extra", "b"], "f") == Binding(3, (2, 0), ())
    assert extra_columns(columns, ["a", "extra", "b"]) == ["extra"]


def test_without_a_header_columns_bind_by_position() -> None:
    columns = resolve_columns("m", (Column("b", "double"), Column("a", "double")), None, has_header=False)
    assert bind(columns, None, "f") == Binding(2, (0, 1), ())
    columns = resolve_columns("m", (Column("note", "string"), Column("age", "double")), parse(), has_header=False)
    assert bind(columns, None, "f") == Binding(6, (3, 1), (0, 5))


def test_the_target_may_be_absent_from_a_file() -> None:
    columns = resolve_columns("m", (Column("age", "double"),), parse(), None)
    assert bind(columns, ["age", "id"], "f") == Binding(2, (0,), (1, None))


def test_missing_columns_name_file_and_column() -> None:
    columns = resolve_columns("m", (Column("a", "double"), Column("b", "double")), None, None)
    with pytest.raises(InputError, match=r"header of s3://b/x\.csv: expected columns that are not there: a, b"):
        bind(columns, ["c"], "s3://b/x.csv")


def test_a_model_without_names_takes_columns_in_order_but_no_numbers_for_a_header() -> None:
    columns = resolve_columns("m", 2, None, None)
    assert bind(columns, ["x", "y"], "f").positions == (0, 1)
    with pytest.raises(InputError, match="expected 2 columns, got 3"):
        bind(columns, ["x", "y", "z"], "f")
    with pytest.raises(InputError, match="expected names, got numbers; has_header: false"):
        bind(columns, ["1", "2.5"], "f")


SIGNATURE = (Column("a", "double"), Column("b", "string"))


def test_the_configuration_names_row_id_and_target_without_a_schema_file() -> None:
    columns = resolve_columns("m", SIGNATURE, None, None, Roles("id", "y"))
    assert (columns.row_id, columns.target, columns.inputs) == ("id", "y", SIGNATURE)
    assert bind(columns, ["y", "b", "id", "a"], "f") == Binding(4, (3, 1), (2, 0))
    assert bind(columns, ["b", "id", "a"], "f") == Binding(3, (2, 0), (1, None))
    assert extra_columns(columns, ["y", "b", "id", "a", "more"]) == ["more"]
    with pytest.raises(InputError, match="header of f: expected columns that are not there: id"):
        bind(columns, ["y", "b", "a"], "f")


def test_a_row_id_may_be_an_input_of_the_model_and_a_target_may_not() -> None:
    columns = resolve_columns("m", SIGNATURE, None, None, Roles("b", None))
    assert bind(columns, ["a", "b"], "f") == Binding(2, (0, 1), (1,))
    with pytest.raises(InputError, match=r"expected columns that are not there: b$"):
        bind(columns, ["a"], "f")
    for schema in (None, parse(rowId=None, targetAttributeName=None, attributes=ATTRIBUTES)):
        with pytest.raises(
            ConfigError, match="key target: expected a column that the model does not take, got its input b"
        ):
            resolve_columns("m", SIGNATURE, schema, None, Roles(None, "b"))


ATTRIBUTES = [{"attributeName": name, "attributeType": "CATEGORICAL"} for name in ("a", "b", "old", "id", "y")]


def test_keys_and_schema_file_may_say_the_same_or_one_of_them_alone() -> None:
    both = resolve_columns("m", None, parse(), None, Roles("id", "y"))
    assert both == resolve_columns("m", None, parse(), None)
    silent = parse(rowId=None, targetAttributeName=None)
    assert resolve_columns("m", None, silent, None, Roles("id", "y")) == both
    assert resolve_columns("m", None, parse(rowId=None), None, Roles("id")) == both


def test_keys_that_differ_from_the_schema_file_are_told_with_both_names() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_columns("m", None, parse(), None, Roles("age", "note"))
    assert caught.value.exit_code == 2
    assert "key row_id: expected id, the rowId of the schema file, got age" in str(caught.value)
    assert "key target: expected y, the targetAttributeName of the schema file, got note" in str(caught.value)


@pytest.mark.parametrize(
    ("schema", "keys", "name"),
    [
        (None, Roles("y", "y"), "y"),
        ({"rowId": None}, Roles("y"), "y"),
        ({"targetAttributeName": None}, Roles(None, "id"), "id"),
    ],
)
def test_one_column_is_not_row_id_and_target(schema: dict[str, Any] | None, keys: Roles, name: str) -> None:
    with pytest.raises(ConfigError, match=f"keys row_id and target: expected two columns, got {name} for both"):
        resolve_columns("m", (Column("note", "string"),), None if schema is None else parse(**schema), None, keys)


def test_a_row_id_may_be_excluded_or_weigh_and_is_no_input_of_a_model_without_a_signature() -> None:
    schema = parse(rowId=None, rowWeight="age")
    for name, inputs in (
        ("old", ["id", "member", "note"]),
        ("age", ["id", "member", "note"]),
        ("note", ["id", "member"]),
    ):
        columns = resolve_columns("m", None, schema, None, Roles(name))
        assert (columns.row_id, [column.name for column in columns.inputs]) == (name, inputs)


def test_a_row_id_of_the_schema_file_is_no_input_though_the_key_says_the_same() -> None:
    with pytest.raises(InputError, match="input id: expected a model input, got the rowId"):
        resolve_columns("m", (Column("id", "string"),), parse(), None, Roles("id"))
    columns = resolve_columns("m", (Column("id", "string"),), parse(rowId=None), None, Roles("id"))
    assert bind(columns, ["id"], "f") == Binding(1, (0,), (0, None))


@pytest.mark.parametrize("signature", [SIGNATURE, 2])
@pytest.mark.parametrize(("keys", "key"), [(Roles("id"), "row_id"), (Roles(None, "y"), "target")])
def test_without_a_header_a_schema_file_has_to_name_the_column(
    signature: tuple[Column, ...] | int, keys: Roles, key: str
) -> None:
    with pytest.raises(ConfigError, match=rf"key {key}: .* without a header.*; name all columns in a schema file"):
        resolve_columns("m", signature, None, False, keys)
    schema = parse(rowId=None, targetAttributeName=None, attributes=ATTRIBUTES, dataFileContainsHeader=False)
    columns = resolve_columns("m", SIGNATURE, schema, None, keys)
    assert bind(columns, None, "f") == Binding(5, (0, 1), (3 if key == "row_id" else 4,))


def test_without_a_header_the_row_id_may_be_one_of_the_inputs() -> None:
    columns = resolve_columns("m", SIGNATURE, None, False, Roles("b"))
    assert bind(columns, None, "f") == Binding(2, (0, 1), (1,))


def test_inputs_without_names_are_the_columns_beside_row_id_and_target_in_order() -> None:
    columns = resolve_columns("m", 2, None, None, Roles("id", "y"))
    assert bind(columns, ["p", "id", "y", "q"], "f") == Binding(4, (0, 3), (1, 2))
    assert bind(columns, ["id", "p", "q"], "f") == Binding(3, (1, 2), (0, None))
    with pytest.raises(InputError, match="header of f: expected 2 columns beside row_id and target, got 3"):
        bind(columns, ["p", "id", "y", "q", "r"], "f")
    with pytest.raises(InputError, match="header of f: expected columns that are not there: id"):
        bind(columns, ["p", "y", "q", "r"], "f")


def test_names_of_a_header_that_differ_by_spaces_around_them_are_the_same() -> None:
    columns = resolve_columns("m", SIGNATURE, None, None, Roles("id", "y"))
    header = ["\ty", " b", "id ", "  a  ", " more"]
    assert bind(columns, header, "f") == Binding(5, (3, 1), (2, 0))
    assert extra_columns(columns, header) == [" more"]
    spaced = resolve_columns("m", (Column(" a", "double"), Column("b b", "string")), None, None)
    assert bind(spaced, ["b b", "a"], "f") == Binding(2, (1, 0), ())


def test_of_names_that_differ_by_spaces_the_exact_one_is_meant_and_two_others_are_a_fault() -> None:
    columns = resolve_columns("m", SIGNATURE, None, None)
    assert bind(columns, [" a", "a", "b", "a "], "f") == Binding(4, (1, 2), ())
    assert extra_columns(columns, [" a", "a", "b"]) == [" a"]
    with pytest.raises(InputError, match=r"header of f: expected each column once, got two that differ by spaces.*: a"):
        bind(columns, [" a", "b", "a "], "f")
    both = resolve_columns("m", (Column("a", "double"), Column(" a", "double")), None, None)
    assert bind(both, [" a", "a"], "f") == Binding(2, (1, 0), ())
    with pytest.raises(InputError, match="expected columns that are not there:  a"):
        bind(both, ["a", "b"], "f")


def test_a_row_id_with_spaces_is_none_of_the_columns_in_order() -> None:
    columns = resolve_columns("m", 2, None, None, Roles("id", "y"))
    assert bind(columns, ["x1", " id", "x2", "y "], "f") == Binding(4, (0, 2), (1, 3))


def test_a_binary_attribute_adds_words_to_what_an_input_of_the_signature_takes() -> None:
    attributes = [*ATTRIBUTES[3:], {"attributeName": "age", "attributeType": "BINARY"}]
    schema = parse(attributes=attributes, excludedAttributeNames=[])
    kinds: list[ColumnType] = ["double", "float", "long", "integer"]
    for kind in kinds:
        [column] = resolve_columns("m", (Column("age", kind),), schema, None).inputs
        assert (column.binary_words, column.numbers_too) == (True, True)
    [column] = resolve_columns("m", 1, schema, None).inputs
    assert (column.type, column.binary_words, column.numbers_too) == ("double", True, True)
    [column] = resolve_columns("m", (Column("age", "string"),), schema, None).inputs
    assert (column.binary_words, column.numbers_too) == (False, False)
