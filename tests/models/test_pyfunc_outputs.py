"""What the outputs of a pyfunc model mean: its type, classes and values, and what is told at the first batch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.pyfunc.model import PythonModel
from mlflow.types.schema import ColSpec, Schema, TensorSpec

from batchscore.errors import ModelError
from batchscore.model.predictor import predict_records
from tests.agreement.judge import score
from tests.models.conftest import Load
from tests.registry import Registry, columns

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's hints for those who write models
FRAME = pd.DataFrame({"a": [0.0, 0.25, 1.0]})


class Answers(PythonModel):
    """Answers with what a function makes of ``a``."""

    def __init__(self, answer: Callable[[pd.Series], Any]) -> None:
        self.answer = answer

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002 - mlflow's interface
        return self.answer(model_input["a"])


def _outputs(*specs: Any) -> ModelSignature:
    return ModelSignature(Schema([ColSpec("double", "a")]), Schema(list(specs)) if specs else None)


def _weather(a: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"warmth": a * 30, "rain": a * 2})


def _shares(a: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"yes": a, "no": 1 - a})


def _labelled(a: pd.Series) -> dict[str, Any]:
    p = a.to_numpy()
    return {"label": np.where(p > 0.5, "yes", "no"), "probabilities": np.column_stack([1 - p, p])}


WEATHER = [ColSpec("double", "warmth"), ColSpec("double", "rain")]
SHARES = [ColSpec("double", "yes"), ColSpec("double", "no")]
LABELLED = [TensorSpec(np.dtype("str"), (-1,), "label"), TensorSpec(np.dtype("float64"), (-1, 2), "probabilities")]


def test_several_values_are_a_regression_where_the_key_says_so(registry: Registry, load: Load) -> None:
    loaded = load(registry.register(Answers(_weather), "pyfunc", _outputs(*WEATHER)), model_type="regression")

    assert (loaded.predictor.model_type, loaded.predictor.classes) == ("regression", ())
    assert loaded.predictor.value_names == ("warmth", "rain")
    values, failures = predict_records(loaded.predictor, FRAME, 0)
    assert (values.tolist(), failures) == ([[0.0, 0.0], [7.5, 0.5], [30.0, 2.0]], [])


def test_values_of_an_array_are_numbered(registry: Registry, load: Load) -> None:
    signature = _outputs(TensorSpec(np.dtype("float64"), (-1, 2)))
    uri = registry.register(Answers(lambda a: _weather(a).to_numpy()), "pyfunc", signature)

    assert load(uri, model_type="regression").predictor.value_names == ("0", "1")


def test_a_record_whose_values_are_not_all_numbers_is_invalid(registry: Registry, load: Load) -> None:
    def answer(a: pd.Series) -> Any:
        return _weather(a).mask(a == 0.25).values.tolist()

    loaded = load(registry.register(Answers(answer), "pyfunc", _outputs(*WEATHER)), model_type="regression")

    _, failures = predict_records(loaded.predictor, FRAME, 5)
    assert [tuple(failure) for failure in failures] == [(1, "non_finite_score")]


def test_numbers_that_are_no_probabilities_end_the_job_at_the_first_batch_unless_a_key_says_what_they_are(
    registry: Registry, load: Load, tmp_path: Path
) -> None:
    uri = registry.register(Answers(_weather), "pyfunc", _outputs(*WEATHER))

    with pytest.raises(ModelError) as caught:
        score("a\n1\n0.5\n", load(uri), tmp_path)

    assert str(caught.value) == (
        "model: expected the probabilities of 2 classes, got other numbers in the first batch; model_type: regression "
        "takes each output as a value, prediction_column takes one of them, and model_type: multiclass takes them for "
        "probabilities all the same, each record without proper ones invalid"
    )
    told = score("a\n1\n0.5\n", load(uri, model_type="multiclass"), tmp_path, model_type="multiclass")
    assert told.reasons == ["not_a_probability", "not_a_probability"]
    one = score("a\n1\n0.5\n", load(uri, prediction_column="rain"), tmp_path, prediction_column="rain")
    assert one.predictions.tolist() == [[2.0], [1.0]]


def test_probabilities_need_no_key_and_come_by_the_names_of_the_signature(
    registry: Registry, load: Load, tmp_path: Path
) -> None:
    turned = Answers(lambda a: _shares(a)[["no", "yes"]])
    loaded = load(registry.register(turned, "pyfunc", _outputs(*SHARES)))

    found = score("a\n0.25\n1\n", loaded, tmp_path)

    assert loaded.predictor.classes == ("yes", "no")
    assert found.predictions.tolist() == [[0.25, 0.75], [1.0, 0.0]]


def test_a_record_that_is_no_distribution_after_the_first_batch_is_invalid_by_itself(
    registry: Registry, load: Load
) -> None:
    uri = registry.register(Answers(lambda a: _shares(a.abs())), "pyfunc", _outputs(*SHARES))
    predictor = load(uri).predictor

    assert predict_records(predictor, FRAME, 0)[1] == []
    assert predict_records(predictor, pd.DataFrame({"a": [0.5, 3.0]}), 5)[1] == [(1, "not_a_probability")]


@pytest.mark.parametrize(("label", "expected"), [(None, [0.0, 0.25, 1.0]), (0, [1.0, 0.75, 0.0])])
def test_two_outputs_are_p_0_and_p_1_where_the_key_says_binary(
    label: Any, expected: list[float], registry: Registry, load: Load
) -> None:
    uri = registry.register(Answers(_labelled), "pyfunc", _outputs(*LABELLED))
    keys = {"model_type": "binary", "prediction_column": "probabilities"}

    loaded = load(uri, **keys, **({} if label is None else {"positive_label": label}))

    assert loaded.predictor.predict(FRAME).tolist() == expected


def test_an_output_of_two_columns_beside_a_label_is_two_classes(registry: Registry, load: Load) -> None:
    uri = registry.register(Answers(_labelled), "pyfunc", _outputs(*LABELLED))

    loaded = load(uri, prediction_column="probabilities")

    assert (loaded.predictor.model_type, loaded.predictor.classes) == ("multiclass", ("0", "1"))
    assert loaded.predictor.predict(FRAME).tolist() == [[1.0, 0.0], [0.75, 0.25], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("outputs", "keys", "message"),
    [
        (
            LABELLED,
            {},
            "expected numbers in each output, got none in label; prediction_column takes one of: probabilities",
        ),
        (
            [ColSpec("string", "label"), ColSpec("double", "p")],
            {},
            "expected numbers in each output, got none in label; prediction_column takes one of: p",
        ),
        (
            LABELLED,
            {"prediction_column": "label"},
            "expected numbers in the output column label, got no numbers; those",
        ),
        (LABELLED, {"prediction_column": "x"}, "expected an output column x, got label, probabilities"),
        (
            [TensorSpec(np.dtype("int64"), (-1,), "label"), LABELLED[1]],
            {},
            "expected one output, or several of one number each, got label, probabilities; prediction_column takes one",
        ),
        ([*SHARES, ColSpec("double", "both")], {"model_type": "binary"}, "model_type: binary says, got 3 outputs"),
        ([ColSpec("string")], {}, "expected numbers in each output, got none in without a name"),
        ((), {"model_type": "multiclass"}, "expected a signature with an output column for each class, got none"),
        ((), {}, "expected a signature with outputs or a model_type in the configuration, got neither"),
    ],
)
def test_outputs_that_say_too_little_are_refused_at_load_with_the_key_that_helps(
    outputs: Any, keys: dict[str, Any], message: str, registry: Registry, load: Load
) -> None:
    uri = registry.register(Answers(_labelled), "pyfunc", _outputs(*outputs))

    with pytest.raises(ModelError) as caught:
        load(uri, **keys)

    assert message in str(caught.value)


ONE = [ColSpec("double", "score")]


@pytest.mark.parametrize(
    ("answer", "outputs", "keys", "message"),
    [
        (lambda a: ["yes"] * len(a), ONE, {}, "expected numbers, got <U3; labels and texts are no predictions here"),
        (lambda a: a > 0.5, [ColSpec("boolean", "is_old")], {}, ""),
        (lambda a: (a > 0.5).map({True: "yes", False: "no"}), ONE, {}, "expected numbers in output a, got str"),
        (lambda a: pd.Categorical(["x"] * len(a)), ONE, {}, "expected numbers, got str"),
        (lambda a: a[:-1], ONE, {}, "expected 3 predictions for 3 records, got 2"),
        (
            lambda a: a.sort_values(ascending=False),
            ONE,
            {},
            "expected predictions in the records' order, got other labels",
        ),
        (lambda a: a.set_axis(a.index + 1), ONE, {}, "expected predictions in the records' order, got other labels"),
        (
            _weather,
            ONE,
            {},
            "expected the outputs of the signature, score, got warmth, rain; prediction_column takes one",
        ),
        (_weather, (), {"model_type": "regression"}, "expected one number for each record, got 2: warmth, rain"),
        (
            _weather,
            (),
            {"model_type": "regression", "prediction_column": "x"},
            "expected an output x as prediction_col",
        ),
        (
            lambda a: a,
            WEATHER,
            {"prediction_column": "rain"},
            "expected an output rain as prediction_column says, got a",
        ),
        (lambda a: a, WEATHER, {"model_type": "regression"}, "expected 2 numbers for each record, got 1"),
        (lambda a: np.ones((len(a), 3)), (), {"model_type": "binary"}, "as model_type: binary says, got 3 numbers"),
        (lambda a: a.sum(), ONE, {}, "expected one or more numbers for each record, got shape ()"),
        (lambda _: None, ONE, {}, "expected predictions, got NoneType"),
    ],
)
def test_another_answer_than_expected_ends_the_job_at_the_first_batch(
    answer: Any, outputs: Any, keys: dict[str, Any], message: str, registry: Registry, load: Load, tmp_path: Path
) -> None:
    text = "a\n0.25\n0.5\n1\n"
    loaded = load(registry.register(Answers(answer), "pyfunc", _outputs(*outputs)), **keys)

    if not message:  # truth values are numbers
        assert score(text, loaded, tmp_path, **keys).predictions[:, 0].tolist() == [0.0, 0.0, 1.0]
        return
    with pytest.raises(ModelError) as caught:
        score(text, loaded, tmp_path, **keys)

    assert message in str(caught.value)
    assert caught.value.exit_code == 4


def test_none_in_a_list_is_an_invalid_record(registry: Registry, load: Load, tmp_path: Path) -> None:
    answers = Answers(lambda a: [None if value == 0.25 else value for value in a])
    loaded = load(registry.register(answers, "pyfunc", columns("a:double", outputs=["x"])))

    found = score("a\n0\n0.25\n1\n", loaded, tmp_path)

    assert found.reasons == ["", "non_finite_score", ""]


def test_records_of_a_type_hint_are_outputs_by_their_fields(registry: Registry, load: Load, tmp_path: Path) -> None:
    import pydantic

    class Out(pydantic.BaseModel):
        z: float
        label: str

    def predict(model_input: list[float]) -> list[Out]:
        return [Out(z=value * 2, label="secret") for value in model_input]

    uri = registry.register(predict, "pyfunc", input_example=[1.0])

    with pytest.raises(ModelError, match="got none in label; prediction_column takes one of: z"):
        load(uri)
    found = score("a\n3\n", load(uri, prediction_column="z"), tmp_path, prediction_column="z")
    assert found.predictions.tolist() == [[6.0]]
