"""A flavor is its module and its line of the table: nothing else knows of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from batchscore import __version__
from batchscore.errors import ModelError
from batchscore.model import flavors
from batchscore.model.flavors import FLAVORS, Flavor, PredictorSettings, RawModel, flavor_of
from batchscore.model.predictor import load_predictor
from batchscore.model.version import ModelVersion

FRAME = pd.DataFrame({"a": [0.0, 0.25, 1.0], "b": [1.0, 1.0, 1.0]})


class Weights:
    """An estimator of a tiny library: a weighted sum. It would use four threads."""

    def __init__(self, weights: dict[str, float]) -> None:
        self.weights = weights
        self.options = {"num_threads": 4}
        self.limited = False

    def sums(self, frame: pd.DataFrame) -> Any:
        return sum(frame[name] * weight for name, weight in self.weights.items())


class Tiny(Flavor):
    """All that a flavor needs to say."""

    name = "tiny"
    module = "batchscore"  # something that is installed and has a version
    version_key: str | None = "tiny_version"
    distributions = ("batchscore",)

    def load(self, folder: Path, _model: ModelVersion, _settings: PredictorSettings, /) -> RawModel:
        estimator = Weights(json.loads((folder / "weights.json").read_text()))
        return RawModel("regression", (), estimator.sums, loaded=[estimator])


class Threaded(Tiny):
    """A flavor whose estimators have threads of their own kind."""

    module = "tests"  # where the class of its estimator comes from
    version_key = None
    thread_places = ("options",)

    def limit_threads(self, estimator: Any, /) -> None:
        estimator.limited = True

    def load(self, folder: Path, model: ModelVersion, settings: PredictorSettings, /) -> RawModel:
        raw = super().load(folder, model, settings)
        held.append(raw.loaded[0])
        return raw


held: list[Weights] = []


def _version(trained: str | None = __version__) -> ModelVersion:
    conf = {} if trained is None else {"tiny_version": trained}
    return ModelVersion("models:/m/1", "m", "1", None, "", {}, {"tiny": conf, "python_function": {}}, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "weights.json").write_text('{"a": 2.0, "b": 0.5}')
    return tmp_path


def test_a_flavor_in_the_table_is_all_that_its_models_need_to_be_scored(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flavors, "FLAVORS", (Tiny(), *FLAVORS))

    predictor = load_predictor(folder, _version(), PredictorSettings())

    assert (predictor.model_type, predictor.classes) == ("regression", ())
    np.testing.assert_array_equal(predictor.predict(FRAME), [0.5, 1.0, 2.5])


def test_a_flavor_s_major_version_is_held_to_the_one_of_training(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flavors, "FLAVORS", (Tiny(), *FLAVORS))

    with pytest.raises(ModelError, match=r"expected batchscore 7\.2 as in training, got .*\[tiny\] allows it"):
        load_predictor(folder, _version("7.2"), PredictorSettings())
    load_predictor(folder, _version("7.2"), PredictorSettings(allow_version_mismatch=("tiny",)))
    load_predictor(folder, _version(None), PredictorSettings())


def test_a_flavor_s_estimators_use_one_thread_where_it_says_how(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flavors, "FLAVORS", (Threaded(), *FLAVORS))

    load_predictor(folder, _version(), PredictorSettings())

    assert (held[-1].options, held[-1].limited) == ({"num_threads": 1}, True)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["python_function", "lightgbm"], "lightgbm"),
        (["python_function", "xgboost", "sklearn"], "sklearn"),
        (["python_function", "catboost"], "catboost"),
        (["python_function"], "python_function"),
        (["python_function", "keras"], "python_function"),
        ([], "python_function"),
    ],
)
def test_a_model_of_several_flavors_is_used_by_the_first_of_the_table(names: list[str], chosen: str) -> None:
    assert flavor_of(names).name == chosen
