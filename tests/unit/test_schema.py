import json
from typing import Any

import pytest

from batchscore.errors import InputError, ModelError
from batchscore.schema import Binding, Column, Schema, bind, extra_columns, parse_schema, resolve_columns

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
    assert columns.numeric_names == {"age", "old"}


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
    assert bind(columns, ["a", "extra", "b"], "f") == Binding(3, (2, 0), None, None)
    assert extra_columns(columns, ["a", "extra", "b"]) == ["extra"]


def test_without_a_header_columns_bind_by_position() -> None:
    columns = resolve_columns("m", (Column("b", "double"), Column("a", "double")), None, has_header=False)
    assert bind(columns, None, "f") == Binding(2, (0, 1), None, None)
    columns = resolve_columns("m", (Column("note", "string"), Column("age", "double")), parse(), has_header=False)
    assert bind(columns, None, "f") == Binding(6, (3, 1), 0, 5)


def test_the_target_may_be_absent_from_a_file() -> None:
    columns = resolve_columns("m", (Column("age", "double"),), parse(), None)
    assert bind(columns, ["age", "id"], "f") == Binding(2, (0,), 1, None)


def test_missing_and_repeated_columns_name_file_and_column() -> None:
    columns = resolve_columns("m", (Column("a", "double"), Column("b", "double")), None, None)
    with pytest.raises(InputError, match=r"header of s3://b/x\.csv: expected columns that are not there: a, b"):
        bind(columns, ["c"], "s3://b/x.csv")
    with pytest.raises(InputError, match=r"header of s3://b/x\.csv: expected each column once, got twice: a"):
        bind(columns, ["a", "b", "a"], "s3://b/x.csv")


def test_a_repeated_cell_that_may_be_data_is_told_by_its_place() -> None:
    columns = resolve_columns("m", (Column("a", "double"),), None, None)
    with pytest.raises(InputError, match="got twice: column 2") as caught:
        bind(columns, ["a", "4111111111111111", "4111111111111111"], "f")
    assert "4111" not in str(caught.value)


def test_a_model_without_names_takes_columns_in_order_but_no_numbers_for_a_header() -> None:
    columns = resolve_columns("m", 2, None, None)
    assert bind(columns, ["x", "y"], "f").positions == (0, 1)
    with pytest.raises(InputError, match="expected 2 columns, got 3"):
        bind(columns, ["x", "y", "z"], "f")
    with pytest.raises(InputError, match="expected names, got numbers; has_header: false"):
        bind(columns, ["1", "2.5"], "f")
