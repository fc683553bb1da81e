"""The names of a multiclass model's classes are columns of its results: readers must be able to tell them apart."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc.model import PythonModel
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from batchscore.commands.verify import review_job
from batchscore.errors import ConfigError, ModelError
from batchscore.preflight.planner import LoadedModel, load_model, make_plan
from tests.models.conftest import Load
from tests.registry import Registry, columns

NUMBERS = pd.DataFrame({"a": [0.0, 0.1, 1.0, 1.1, 2.0, 2.1]})
NAN = float("nan")


def _trained(*labels: str) -> LogisticRegression:
    return LogisticRegression().fit(NUMBERS, np.repeat(np.array(labels), 6 // len(labels)))


class Labels(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Somebody's own classifier, of labels that scikit-learn's would refuse."""

    def __init__(self, labels: list[Any]) -> None:
        self.classes_ = np.array([*labels, None], object)[:-1]

    def predict_proba(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's names
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


class Outputs(PythonModel):
    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002 - mlflow's interface
        return np.full((len(model_input), 3), 1 / 3)


def _plan(registry: Registry, uri: str, folder: Path, **keys: Any) -> Any:
    (folder / "in.csv").write_text("id,a\nC1,0.5\n")
    config = registry.config(uri, input=(f"{folder}/in.csv",), output=f"{folder}/out", **keys)
    review = review_job(config, folder / "verify")
    assert [fault.exit_code for fault in review.faults] in ([], [2], [4])
    loaded: LoadedModel = load_model(config, folder / "model")
    plan = make_plan(config, loaded)
    assert review.exit_code == 0
    return plan


@pytest.mark.parametrize("name", ["tag", "trueLabel", "bestAnswer", "score"])
def test_a_class_of_the_name_of_another_column_is_refused_before_anything_is_scored(
    name: str, registry: Registry, tmp_path: Path
) -> None:
    uri = registry.register(_trained("x", name, "z"), signature=columns("a:double"))

    with pytest.raises(ModelError) as caught:
        _plan(registry, uri, tmp_path)

    assert str(caught.value) == (
        f"model {uri}: expected classes of other names than tag, trueLabel, bestAnswer, score, which are columns of "
        f"results, got {name}; train it with other labels"
    )


def test_a_class_named_status_is_one_of_them_where_results_have_a_status_and_none_is_where_labels_are_named(
    registry: Registry, tmp_path: Path
) -> None:
    uri = registry.register(_trained("status", "y", "z"), signature=columns("a:double"))
    with pytest.raises(ModelError, match="score, status, which are columns of results, got status;"):
        _plan(registry, uri, tmp_path, status_column=True)
    uri = registry.register(_trained("tag", "status", "predictedLabel"), signature=columns("a:double"))
    plan = _plan(registry, uri, tmp_path, status_column=True, multiclass_output="label")
    assert plan.spec.result_format.header == ("predictedLabel", "score", "status")


def test_the_label_of_another_model_than_a_multiclass_one_is_refused(registry: Registry, tmp_path: Path) -> None:
    uri = registry.register(_trained("a", "b"), signature=columns("a:double"))
    with pytest.raises(
        ConfigError, match=f"multiclass_output: expected a multiclass model for label, got {uri}, which"
    ):
        _plan(registry, uri, tmp_path, multiclass_output="label")


@pytest.mark.parametrize(
    ("labels", "keys"), [(("a\nb", "a b", "c"), {}), (("=x", "'=x", "c"), {"escape_formulas": True})]
)
def test_labels_that_are_written_alike_are_refused(
    labels: tuple[str, ...], keys: dict[str, Any], registry: Registry, tmp_path: Path
) -> None:
    uri = registry.register(_trained(*labels), signature=columns("a:double"))
    with pytest.raises(ModelError, match="expected classes that differ as they are written, got"):
        _plan(registry, uri, tmp_path, multiclass_output="label", **keys)


def test_an_output_of_the_name_of_another_column_is_refused_too(registry: Registry, tmp_path: Path) -> None:
    uri = registry.register(Outputs(), "pyfunc", columns("a:double", outputs=["low", "tag", "score"]))

    with pytest.raises(ModelError, match="which are columns of results, got tag, score;"):
        _plan(registry, uri, tmp_path)


@pytest.mark.parametrize("labels", [("Tag", "Score", "label"), ("tag", "score")])
def test_other_names_and_the_classes_of_binary_models_are_no_columns(
    labels: tuple[str, ...], registry: Registry, tmp_path: Path
) -> None:
    uri = registry.register(_trained(*labels), signature=columns("a:double"))

    assert set(_plan(registry, uri, tmp_path).spec.classes) == set(labels)


@pytest.mark.parametrize("labels", [[1, "1", "x"], [1, 1.0, "x"], [NAN, float("nan"), "x"], [True, 1, 2], ["1", 1]])
def test_classes_that_are_the_same_as_texts_or_as_values_are_refused(
    labels: list[Any], registry: Registry, load: Load
) -> None:
    uri = registry.register(Labels(labels), signature=columns("a:double"))

    with pytest.raises(ModelError, match=f"model {uri}: expected classes that differ as texts and as values, got "):
        load(uri)


@pytest.mark.parametrize("name", ["", " "])
def test_a_class_without_a_name_is_refused(name: str, registry: Registry, load: Load) -> None:
    uri = registry.register(_trained("x", name, "z"), signature=columns("a:double"))

    with pytest.raises(ModelError, match=f"model {uri}: expected a name for each of 3 classes, got an empty one"):
        load(uri)


def test_of_two_classes_one_may_be_the_empty_text(registry: Registry, load: Load) -> None:
    uri = registry.register(_trained("", "x"), signature=columns("a:double"))

    assert load(uri).predictor.classes == ("", "x")
