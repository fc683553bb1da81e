"""What models answer, in each form that MLflow lets them, becomes one row of numbers for each record, or is told."""

from typing import Any

import numpy as np
import pandas as pd
import pydantic
import pytest

from batchscore.model.answers import Expected, WrongOutputError, as_numbers

NAN = float("nan")
ONE = [1.0, 0.5, 3.0]
TWO = [[1.0, 4.0], [0.5, 5.0], [3.0, 6.0]]


class Out(pydantic.BaseModel):
    """An answer of a type hint."""

    score: float


@pytest.mark.parametrize(
    "answer",
    [
        ONE,
        tuple(ONE),
        [[1.0], [0.5], [3.0]],
        [np.array([1.0]), np.array([0.5]), np.array([3.0])],
        [{"score": 1.0}, {"score": 0.5}, {"score": 3.0}],
        [Out(score=1.0), Out(score=0.5), Out(score=3.0)],
        {"score": np.array(ONE)},
        {"score": ONE},
        {"score": np.array(ONE)[:, np.newaxis]},
        pd.Series(ONE),
        pd.Series(ONE, dtype=object),
        pd.Series(ONE, dtype="Float64"),
        pd.Series(ONE, dtype="double[pyarrow]"),
        pd.array(ONE, dtype="Float32"),
        pd.DataFrame({"score": ONE}),
        pd.DataFrame({"score": [[1.0], [0.5], [3.0]]}),
        np.array(ONE),
        np.array(ONE, np.float32),
        np.array(ONE, object),
        np.array(ONE)[:, np.newaxis],
    ],
    ids=lambda answer: f"{type(answer).__name__}-{getattr(answer, 'dtype', '')}",
)
@pytest.mark.parametrize("width", [None, 1])
def test_one_number_for_each_record_may_come_in_any_form(answer: Any, width: int | None) -> None:
    found = as_numbers(answer, 3, Expected(width=width))

    assert (str(found.dtype), found.tolist()) == ("float64", ONE)


@pytest.mark.parametrize(
    "answer",
    [
        [True, None, False],
        [np.bool_(True), np.nan, 0],
        pd.Series([True, None, False]),
        pd.Series([1, None, 0], dtype="Int64"),
        pd.Series([True, None, False], dtype="boolean"),
        pd.DataFrame({"a": pd.Series([1, None, 0], dtype="Int8")}),
        [{"a": 1}, {"a": None}, {"a": 0}],
        [{"a": 1}, None, {"a": 0}],
        {"a": [1, pd.NA, 0]},
    ],
)
def test_none_and_na_are_no_number_of_their_record_alone(answer: Any) -> None:
    np.testing.assert_array_equal(as_numbers(answer, 3, Expected()), [1.0, NAN, 0.0])


@pytest.mark.parametrize(
    "answer",
    [
        TWO,
        np.array(TWO),
        pd.DataFrame(TWO),
        {"a": [1.0, 0.5, 3.0], "b": np.array([4, 5, 6])},
        {"b": [4, 5, 6], "a": [1.0, 0.5, 3.0]},
        pd.DataFrame({"b": [4, 5, 6], "a": [1.0, 0.5, 3.0]}),
        [{"b": 4, "a": 1}, {"a": 0.5, "b": 5}, {"b": 6, "a": 3}],
        pd.DataFrame({"p": TWO}),
        {"p": np.array(TWO)},
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_several_numbers_come_in_the_order_of_the_signature_s_names(answer: Any) -> None:
    assert as_numbers(answer, 3, Expected(names=("a", "b"), width=2)).tolist() == TWO


@pytest.mark.parametrize(
    "answer",
    [
        pd.DataFrame({"label": ["x", "y", "z"], "b": [4, 5, 6]}),
        {"label": ["x", "y", "z"], "b": [4, 5, 6]},
        [{"label": "x", "b": 4}, {"label": "y", "b": 5}, {"label": "z", "b": 6}],
        np.array([[1, 4], [2, 5], [3, 6]]),
        pd.DataFrame([[1, 4], [2, 5], [3, 6]]),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_one_of_several_outputs_is_found_by_its_name_or_by_its_place_in_the_signature(answer: Any) -> None:
    expected = Expected(column="b", names=("label", "b"), width=1)

    assert as_numbers(answer, 3, expected).tolist() == [4.0, 5.0, 6.0]


def test_one_output_of_several_may_have_several_numbers() -> None:
    answer = {"label": np.array(["x", "y", "z"]), "probabilities": np.array(TWO)}

    assert as_numbers(answer, 3, Expected("probabilities", ("label", "probabilities"), 2)).tolist() == TWO


def test_a_row_of_nothing_is_no_number_in_each_place() -> None:
    np.testing.assert_array_equal(as_numbers([[1, 2], None, [3, 4]], 3, Expected(width=2))[1], [NAN, NAN])


def test_what_squeezing_leaves_of_one_record_is_its_number() -> None:
    assert as_numbers(np.squeeze(np.array([[0.5]])), 1, Expected()).tolist() == [0.5]


@pytest.mark.parametrize(
    ("answer", "expected", "message"),
    [
        (["a", "b", "c"], Expected(), "expected numbers, got <U1; labels and texts are no predictions here"),
        (pd.Series(["a", "b", "c"]), Expected(), "expected numbers, got str;"),
        (pd.Series(["a", "b", "c"], dtype="string"), Expected(), "expected numbers, got str;"),
        (pd.Series(["a", "b", "c"], dtype="category"), Expected(), "expected numbers, got str;"),
        ([b"a", b"b", b"c"], Expected(), "expected numbers, got |S1;"),
        (pd.to_datetime(["2024-01-01"] * 3), Expected(), "expected numbers, got datetime64[ns];"),
        ([1j, 2j, 3j], Expected(), "expected numbers, got complex128;"),
        ([0.5, "b", 1], Expected(), "expected numbers, got <U32;"),
        ([0.5, object(), 1], Expected(), "expected numbers, got object;"),
        ([[1], [1, 2], [3]], Expected(), "expected numbers, got rows of several lengths;"),
        (pd.DataFrame({"a": ["x", "y", "z"]}), Expected(), "expected numbers in output a, got str;"),
        ([1, 2], Expected(), "expected 3 predictions for 3 records, got 2;"),
        (np.ones((2, 3)), Expected(), "expected 3 predictions for 3 records, got 2;"),
        (pd.Series([1, 2]), Expected(), "expected 3 predictions for 3 records, got 2;"),
        ([{"a": 1}, {"a": 2}], Expected(), "expected 3 predictions for 3 records, got 2;"),
        ([], Expected(), "expected 3 predictions for 3 records, got 0;"),
        (np.ones((3, 2, 2)), Expected(), "expected one or more numbers for each record, got shape (3, 2, 2);"),
        (0.5, Expected(), "expected predictions, got float; accepted are numbers, one or more for each record"),
        (None, Expected(), "expected predictions, got NoneType;"),
        ("yes", Expected(), "expected predictions, got str;"),
        ((number for number in ONE), Expected(), "expected predictions, got generator;"),
        ({}, Expected(), "expected predictions, got an answer without any;"),
        (pd.DataFrame(index=range(3)), Expected(), "expected predictions, got an answer without any;"),
        ([{"a": 1}, {"b": 2}, {"a": 3}], Expected(), "expected the same keys in each record of the answer"),
        (TWO, Expected(width=1), "expected one number for each record, got 2; prediction_column takes one of several"),
        (pd.DataFrame(TWO, columns=["x", "y"]), Expected(width=1), "expected one number for each record, got 2: x, y;"),
        (ONE, Expected(width=2), "expected 2 numbers for each record, got 1;"),
        (np.ones((3, 3)), Expected(width=2), "expected 2 numbers for each record, got 3;"),
        (
            pd.DataFrame(TWO, columns=["a", "c"]),
            Expected(names=("a", "b"), width=2),
            "expected the outputs of the signature, a, b, got a, c; prediction_column takes one of them",
        ),
        (
            pd.DataFrame(np.ones((3, 3)), columns=["a", "b", "c"]),
            Expected(names=("a", "b"), width=2),
            "expected the outputs of the signature, a, b, got a, b, c;",
        ),
        (
            pd.DataFrame(TWO, columns=["a", "b"]),
            Expected(column="best", width=1),
            "expected an output best as prediction_column says, got a, b",
        ),
        (
            ONE,
            Expected(column="best", width=1),
            "expected an output best as prediction_column says, got outputs without",
        ),
        (
            np.ones((3, 3)),
            Expected(column="b", names=("a", "b"), width=1),
            "expected an output b as prediction_column says, got outputs without names",
        ),
    ],
)
def test_any_other_answer_is_the_model_s_fault_and_says_what_came(
    answer: Any, expected: Expected, message: str
) -> None:
    with pytest.raises(WrongOutputError) as caught:
        as_numbers(answer, 3, expected)

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "index", [[2, 1, 0], [1, 2, 3], ["a", "b", "c"], pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"])]
)
@pytest.mark.parametrize("kind", ["Series", "DataFrame"])
def test_rows_that_are_labelled_in_another_order_than_the_records_are_refused(index: Any, kind: str) -> None:
    answer = pd.Series(ONE, index=index) if kind == "Series" else pd.DataFrame({"a": ONE}, index=index)

    with pytest.raises(WrongOutputError, match="expected predictions in the records' order, got other labels"):
        as_numbers(answer, 3, Expected())


def test_a_message_holds_no_value_of_an_answer() -> None:
    for answer in (["a secret"] * 3, [{"a secret": 1}, {"other": 1}, None], pd.Series(ONE, index=["a secret", 1, 2])):
        with pytest.raises(WrongOutputError) as caught:
            as_numbers(answer, 3, Expected())
        assert "secret" not in str(caught.value)
