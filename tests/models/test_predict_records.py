"""One bad record never takes its neighbours with it, and no message carries what is in it."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from batchscore.config.job_config import ModelType
from batchscore.errors import ModelError, TooManyInvalidRecordsError, describe_without_content
from batchscore.model import flavors
from batchscore.model.categories import ModelInput
from batchscore.model.flavors import Flavor, PredictorSettings, RawModel
from batchscore.model.predictor import Failure, Predictor, load_predictor, predict_records, raised_on_all
from batchscore.model.version import ModelVersion
from tests.models.conftest import Load
from tests.registry import Registry, columns

MANY = 10_000
CITIES = pd.DataFrame({"city": ["Bern", "Genève", "Bern", "Basel"]})
MODEL = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(CITIES, [0, 1, 0, 1])


def _predictor(
    function: Callable[[ModelInput], Any],
    monkeypatch: pytest.MonkeyPatch,
    model_type: ModelType = "regression",
    classes: tuple[str, ...] = (),
) -> Predictor:
    """Load a function as if a library had given it."""

    class Functions(Flavor):
        name, module, version_key, distributions = "functions", "builtins", None, ()

        def load(self, _folder: Path, _model: ModelVersion, _settings: PredictorSettings, /) -> RawModel:
            return RawModel(model_type, classes, function)

    monkeypatch.setattr(flavors, "FLAVORS", (Functions(),))
    version = ModelVersion("models:/m/1", "m", "1", None, "", {}, {"functions": {}}, MANY)
    return load_predictor(Path("none"), version, PredictorSettings())


def _frame(values: Sequence[float]) -> pd.DataFrame:
    return pd.DataFrame({"a": list(values)})


def _raise_on(*bad: float) -> Callable[[ModelInput], Any]:
    def predict(frame: ModelInput) -> Any:
        values = np.asarray(frame)[:, 0]
        if np.isin(values, bad).any():
            raise ValueError(f"secret {values.tolist()}")
        return values * 2.0

    return predict


@pytest.mark.parametrize("as_array", [False, True])
def test_records_are_halved_as_they_came_whatever_the_model_has_written_into_them(
    as_array: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = np.arange(37.0).reshape(-1, 1)
    records = numbers if as_array else pd.DataFrame(numbers, columns=["a"], copy=False)

    def predict(frame: ModelInput) -> Any:
        values = frame if isinstance(frame, np.ndarray) else frame.to_numpy()
        is_bad = (values == 20).any()
        values *= 2  # in place
        if is_bad:
            raise ValueError("secret")
        return values[:, 0].copy()

    predictions, failures = predict_records(_predictor(predict, monkeypatch), records, MANY)

    assert failures == [Failure(20, "model_error")]
    expected = np.arange(37) * 2.0
    expected[20] = np.nan
    np.testing.assert_array_equal(predictions, expected)


@pytest.mark.parametrize("bad", [(), (0,), (36,), (17, 18), (0, 1, 2, 20, 36), tuple(range(37))])
@pytest.mark.parametrize("as_array", [False, True])
def test_exactly_the_records_on_which_the_model_raises_fail(
    bad: tuple[int, ...], as_array: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = _frame(range(37))
    records = frame.to_numpy(float) if as_array else frame

    predictions, failures = predict_records(_predictor(_raise_on(*bad), monkeypatch), records, MANY)

    assert failures == [Failure(row, "model_error") for row in bad]
    expected = np.arange(37) * 2.0
    expected[list(bad)] = np.nan
    np.testing.assert_array_equal(predictions, expected)


def test_the_others_score_as_the_model_scores_them_directly(registry: Registry, load: Load) -> None:
    loaded = load(registry.register(MODEL, signature=columns("city:string")))
    people = pd.DataFrame({"city": ["Bern", "Atlantis", "Genève", "Basel", "Bern", "", "Basel"]})

    predictions, failures = predict_records(loaded.predictor, people, 2)

    assert failures == [Failure(1, "model_error"), Failure(5, "model_error")]
    good = people.drop(index=[1, 5])
    np.testing.assert_array_equal(predictions[[0, 2, 3, 4, 6]], MODEL.predict_proba(good)[:, 1])


def test_one_bad_record_costs_few_calls_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    raising = _raise_on(700)

    def predict(frame: ModelInput) -> Any:
        calls.append(len(frame))
        return raising(frame)

    predict_records(_predictor(predict, monkeypatch), _frame(range(1024)), MANY)

    assert len(calls) == 21  # all, then two halves at each of ten levels


@pytest.mark.parametrize(
    ("bad", "doubts"),
    [((), 0), ((0, 1, 2), 1), ((5, 6, 7), 0), ((0, 1), 0), (tuple(range(37)), 1)],
)
def test_it_is_in_doubt_once_whether_a_model_works_that_raises_on_a_batch_and_on_its_first_records(
    bad: tuple[int, ...], doubts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    predictor = replace(_predictor(_raise_on(*bad), monkeypatch), in_doubt=lambda: asked.append("works"))

    assert len(predict_records(predictor, _frame(range(37)), MANY)[1]) == len(bad)

    assert len(asked) == doubts


@pytest.mark.parametrize(("records", "max_failures"), [(1, MANY), (2, MANY), (37, 0), (37, 1)])
def test_a_doubt_comes_before_the_limit_and_in_the_smallest_batch(
    records: int, max_failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise ModelError("model: works on nothing")

    predictor = replace(_predictor(_raise_on(*range(37)), monkeypatch), in_doubt=refuse)

    with pytest.raises(ModelError, match="works on nothing"):
        predict_records(predictor, _frame(range(records)), max_failures)


@pytest.mark.parametrize(
    ("bad", "count", "calls", "raised"),
    [
        ((), 20, 1, False),
        ((19,), 20, 2, False),
        (range(19), 20, 21, False),
        (range(20), 20, 21, True),
        ((0,), 1, 1, True),
    ],
)
def test_a_model_raises_on_all_of_some_records_if_it_raises_on_each_alone(
    bad: Sequence[int], count: int, calls: int, raised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    raising = _raise_on(*bad)

    def predict(frame: ModelInput) -> Any:
        seen.append(len(frame))
        return raising(frame)

    cause = raised_on_all(_predictor(predict, monkeypatch), _frame(range(count)))

    assert (isinstance(cause, ValueError), len(seen)) == (raised, calls)


def test_a_model_that_would_end_the_process_has_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(_: ModelInput) -> Any:
        sys.exit(0)

    assert isinstance(raised_on_all(_predictor(predict, monkeypatch), _frame([1, 2])), SystemExit)


def test_a_wrong_answer_to_a_few_records_is_the_model_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="expected numbers, got <U1"):
        raised_on_all(_predictor(lambda frame: np.array(["a"] * len(frame)), monkeypatch), _frame([1, 2]))


def test_no_records_are_no_call_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(_: ModelInput) -> Any:
        raise AssertionError

    for model_type, classes, shape in (
        ("regression", (), (0,)),
        ("binary", ("0", "1"), (0,)),
        ("multiclass", ("a", "b", "c"), (0, 3)),
    ):
        predictor = _predictor(predict, monkeypatch, model_type, classes)  # type: ignore[arg-type] # literals
        predictions, failures = predict_records(predictor, _frame([]), 0)
        assert (predictions.shape, failures) == (shape, [])


def test_too_many_failures_end_the_job_before_all_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = _predictor(_raise_on(*range(37)), monkeypatch)

    with pytest.raises(
        TooManyInvalidRecordsError, match=r"at most 3 more invalid records, got 4; .*ValueError"
    ) as caught:
        predict_records(predictor, _frame(range(37)), 3)

    assert caught.value.exit_code == 5
    assert "secret" not in str(caught.value)
    assert len(predict_records(predictor, _frame(range(37)), 37)[1]) == 37


def test_a_model_that_raises_its_records_does_not_show_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(frame: ModelInput) -> Any:
        raise ValueError(str(frame))

    frame = pd.DataFrame({"name": ["a secret person"]})
    predictor = _predictor(predict, monkeypatch)

    with pytest.raises(TooManyInvalidRecordsError) as caught:
        predict_records(predictor, frame, 0)

    assert "secret" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ValueError)
    assert describe_without_content(caught.value.__cause__).startswith(
        "ValueError in predict (test_predict_records.py:"
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.array(["yes", "no", "yes"]), "expected numbers, got <U3"),
        (np.array(["0.5", None, 1], dtype=object), "expected numbers, got object"),
        (np.zeros((3, 2)), r"expected predictions of shape \(3,\), got \(3, 2\)"),
        (np.zeros(2), r"expected predictions of shape \(3,\), got \(2,\)"),
        (0.5, r"expected predictions of shape \(3,\), got \(\)"),
    ],
)
def test_an_answer_of_the_wrong_kind_is_the_model_s_fault_and_no_record_s(
    answer: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = _predictor(lambda _: answer, monkeypatch)

    with pytest.raises(ModelError, match=message) as caught:
        predict_records(predictor, _frame([1, 2, 3]), MANY)

    assert caught.value.exit_code == 4


def test_too_few_classes_in_the_answer_are_the_model_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = _predictor(lambda frame: np.full((len(frame), 2), 0.5), monkeypatch, "multiclass", ("a", "b", "c"))

    with pytest.raises(ModelError, match=r"expected predictions of shape \(1, 3\), got \(1, 2\)"):
        predict_records(predictor, _frame([1]), MANY)


def test_a_prediction_that_is_no_finite_number_fails_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = np.array([1.0, np.nan, -2.0, np.inf])

    predictions, failures = predict_records(_predictor(lambda _: answer, monkeypatch), _frame(range(4)), MANY)

    assert failures == [Failure(1, "non_finite_score"), Failure(3, "non_finite_score")]
    np.testing.assert_array_equal(predictions[[0, 2]], [1.0, -2.0])


def test_a_score_that_is_no_probability_fails_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = np.array([0.0, 1.5, 1.0, -0.1, np.nan])
    predictor = _predictor(lambda _: answer, monkeypatch, "binary", ("0", "1"))

    _, failures = predict_records(predictor, _frame(range(5)), MANY)

    assert failures == [
        Failure(1, "not_a_probability"),
        Failure(3, "not_a_probability"),
        Failure(4, "non_finite_score"),
    ]


def test_class_probabilities_that_do_not_sum_to_1_fail_their_record(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = np.array([[0.2, 0.3, 0.5], [0.2, 0.3, 0.6], [1.5, -0.5, 0.0], [0.2, np.inf, 0.1]])
    predictor = _predictor(lambda _: answer, monkeypatch, "multiclass", ("a", "b", "c"))

    _, failures = predict_records(predictor, _frame(range(4)), MANY)

    assert failures == [
        Failure(1, "not_a_probability"),
        Failure(2, "not_a_probability"),
        Failure(3, "non_finite_score"),
    ]


def test_whole_numbers_and_truth_values_are_numbers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in (np.array([1, 2]), np.array([True, False]), np.array([1, 2], np.float32), pd.Series([1.0, 2.0])):
        predictions = _predictor(lambda _, answer=answer: answer, monkeypatch).predict(_frame([1, 2]))  # type: ignore[misc] # the lambda's default
        assert predictions.dtype == np.float64
        np.testing.assert_array_equal(predictions, np.asarray(answer, float))


def test_memory_running_out_is_no_record_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(_: ModelInput) -> Any:
        raise MemoryError

    with pytest.raises(MemoryError):
        predict_records(_predictor(predict, monkeypatch), _frame([1, 2]), MANY)
