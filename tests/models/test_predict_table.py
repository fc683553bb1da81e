"""Records that lack values: predicted with those that lack the same, and refused together where the model refuses."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from batchscore.errors import TooManyInvalidRecordsError
from batchscore.input.columns import Column
from batchscore.model.categories import ModelInput
from batchscore.model.frames import ModelRecords
from batchscore.model.missing_patterns import predict_complete, predict_table
from batchscore.model.predictor import Failure, FloatArray, Predictor

COLUMNS = (Column("a", "double"), Column("n", "long"), Column("t", "string"))
MANY = 100_000


def records(a: list[float | None], n: list[int | None], t: list[str | None]) -> ModelRecords:
    texts = pa.array(t, pa.string()).dictionary_encode()
    table = pa.table({"a": pa.array(a, pa.float64()), "n": pa.array(n, pa.int64()), "t": texts})
    return ModelRecords(table, COLUMNS)


class Counting:
    """A model that counts its calls and raises where a rule says so."""

    def __init__(self, raises: Callable[[pd.DataFrame], bool]) -> None:
        self.raises = raises
        self.calls: list[int] = []
        self.predictor = Predictor("regression", (), None, self.predict)

    def predict(self, frame: ModelInput) -> FloatArray:
        assert isinstance(frame, pd.DataFrame)
        self.calls.append(len(frame))
        if self.raises(frame):
            raise ValueError("secret")
        return np.asarray(frame["a"].fillna(-1.0) + frame["n"].fillna(-2.0), float)


def predict(model: Counting, asked: ModelRecords, most: int = MANY) -> tuple[FloatArray, list[Failure]]:
    return predict_table(model.predictor, asked, asked.groups(), most)


def many(count: int) -> ModelRecords:
    """Return records of which every fifth lacks a value: a number, a whole number or a text in turns."""
    places = range(count)
    return records(
        [None if place % 15 == 0 else float(place) for place in places],
        [None if place % 15 == 5 else place for place in places],
        [None if place % 15 == 10 else "x" for place in places],
    )


def test_a_model_that_refuses_missing_values_costs_a_few_calls_and_only_their_records() -> None:
    model = Counting(lambda frame: bool(frame.isna().to_numpy().any()))

    predictions, failures = predict(model, many(3000))

    assert failures == [Failure(place, "model_error") for place in range(0, 3000, 5)]
    expected = np.array([np.nan if place % 5 == 0 else 2.0 * place for place in range(3000)])
    np.testing.assert_array_equal(predictions, expected)
    assert len(model.calls) < 80  # 21 for each of three kinds of gaps
    model.calls.clear()
    assert predict(model, many(3000))[1] == failures
    assert len(model.calls) <= 2  # what was learnt holds


def test_a_model_that_takes_missing_values_is_called_once_for_each_set_of_types() -> None:
    model = Counting(lambda _: False)
    predictions, failures = predict(model, many(3000))
    assert failures == []
    assert np.isfinite(predictions).all()
    assert model.calls == [2800, 200]


def test_a_model_that_refuses_one_column_alone_takes_the_others() -> None:
    model = Counting(lambda frame: bool(frame["t"].isna().any()))
    _, failures = predict(model, many(300))
    assert [failure.row for failure in failures] == list(range(10, 300, 15))


@pytest.mark.parametrize("bad", [7, 45, 50])  # complete; lacks a number; lacks a whole number
def test_a_record_on_which_the_model_raises_for_another_reason_takes_none_with_it(bad: int) -> None:
    table: Any = many(300).inputs
    texts = ["bad" if place == bad else text for place, text in enumerate(table["t"].to_pylist())]
    asked = records(table["a"].to_pylist(), table["n"].to_pylist(), texts)
    model = Counting(lambda frame: bool((frame["t"] == "bad").any()))

    predictions, failures = predict(model, asked)

    assert failures == [Failure(bad, "model_error")]
    assert np.isfinite(np.delete(predictions, bad)).all()


def test_a_refusal_of_some_complete_records_alone_is_none_of_the_columns() -> None:
    # Refuses a missing number beside the text "y" alone; those beside "x" are to be predicted.
    model = Counting(lambda frame: bool((frame["a"].isna() & (frame["t"] == "y")).any()))
    asked = records([1.0, 2.0, None, None, 5.0], [1, 2, 3, 4, 5], ["x", "y", "x", "y", "x"])
    predictions, failures = predict(model, asked)
    assert failures == [Failure(3, "model_error")]
    np.testing.assert_array_equal(predictions, [2, 4, 2, np.nan, 10])


def test_without_a_complete_record_each_stands_for_itself() -> None:
    model = Counting(lambda frame: bool(frame["a"].isna().any()))
    predictions, failures = predict(model, records([None, None, 1.0], [1, 2, None], ["x", "x", "x"]))
    assert [failure.row for failure in failures] == [0, 1]
    np.testing.assert_array_equal(predictions, [np.nan, np.nan, -1])


def test_more_refused_records_than_allowed_end_it() -> None:
    model = Counting(lambda frame: bool(frame.isna().to_numpy().any()))
    with pytest.raises(TooManyInvalidRecordsError, match=r"expected at most 20 more .* ValueError in predict"):
        predict(model, many(300), 20)


def test_a_matrix_with_gaps_is_predicted_as_the_library_does() -> None:
    columns = (Column("a", "double"), Column("b", "double"))
    numbers = np.array([[1.0, 2.0], [np.nan, 3.0], [4.0, np.nan], [5.0, 6.0]])
    training = pd.DataFrame([[1.0, 2.0], [2.0, 1.0], [0.5, 3.0]], columns=["a", "b"])
    refusing = LinearRegression().fit(training, [1.0, 2.0, 3.0])
    imputing = make_pipeline(SimpleImputer(), LinearRegression()).fit(training, [1.0, 2.0, 3.0])
    frame = pd.DataFrame(numbers, columns=["a", "b"])

    for model, lacking in ((refusing, [1, 2]), (imputing, [])):
        predictor = Predictor("regression", (), None, model.predict)
        asked = ModelRecords(numbers, columns)
        predictions, failures = predict_table(predictor, asked, asked.groups(), MANY)
        assert [failure.row for failure in failures] == lacking
        np.testing.assert_allclose(np.delete(predictions, lacking), model.predict(frame.drop(index=lacking)))


def test_in_a_dataframe_a_refused_record_has_no_prediction_and_what_a_complete_one_raises_is_raised() -> None:
    refuses = Counting(lambda frame: bool(frame.isna().to_numpy().any()))
    predictions = predict_complete(refuses.predictor, many(30))
    assert np.flatnonzero(np.isnan(predictions)).tolist() == list(range(0, 30, 5))

    def never(_: pd.DataFrame) -> bool:
        return True

    with pytest.raises(ValueError, match="secret"):
        predict_complete(Counting(never).predictor, many(30))


def test_no_records_are_no_call_of_the_model() -> None:
    model: Any = Counting(lambda _: True)
    predictions, failures = predict(model, records([], [], []))
    assert (len(predictions), failures, model.calls) == (0, [], [])


def test_what_other_records_lacked_changes_no_call_for_these() -> None:
    model = Counting(lambda frame: bool(frame["a"].isna().any()))
    predict(model, records([1.0, None, 2.0], [1, 1, 1], ["x", "x", "x"]))
    assert any(model.predictor.refusals.values())
    model.calls.clear()

    predict(model, records([1.0, 2.0, 3.0], [1, 1, 1], ["x", None, "x"]))

    assert model.calls == [3]


@pytest.mark.parametrize("kind", ["matrix", "table"])
def test_a_model_that_writes_into_its_input_changes_no_record(kind: str) -> None:
    numbers = np.array([[1.0, 2.0], [np.nan, 4.0], [7.0, 1.0]])
    training = pd.DataFrame(np.random.default_rng(0).normal(3, 5, size=(100, 2)), columns=["a", "b"])
    model = make_pipeline(StandardScaler(copy=False), LogisticRegression()).fit(training.copy(), np.arange(100) % 2)
    expected = model.predict_proba(pd.DataFrame(numbers[[0, 2]], columns=["a", "b"]))[:, 1]
    predictor = Predictor("binary", ("0", "1"), "1", lambda frame: model.predict_proba(frame)[:, 1])
    columns = (Column("a", "double"), Column("b", "double"))
    table = pa.table({"a": pa.array([1.0, None, 7.0]), "b": pa.array([2.0, 4.0, 1.0])})
    asked = ModelRecords(numbers if kind == "matrix" else table, columns)

    predictions, failures = predict_table(predictor, asked, asked.groups(), 3)  # it refuses the one that lacks a value

    assert failures == [Failure(1, "model_error")]
    np.testing.assert_allclose(predictions[[0, 2]], expected, rtol=1e-12)
    np.testing.assert_array_equal(numbers, [[1.0, 2.0], [np.nan, 4.0], [7.0, 1.0]])
