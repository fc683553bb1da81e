"""A worker predicts with one thread and no other process, whatever a model was trained with."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import joblib
import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pytest
import xgboost
from mlflow.models import Model
from mlflow.pyfunc.model import PythonModel
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from batchscore.model.flavors import PredictorSettings
from batchscore.model.threads import set_one_thread
from batchscore.model.version import ModelVersion
from batchscore.spark.worker_environment import WORKER_VARIABLES
from tests.registry import NAME_OF_MODEL

pytestmark = pytest.mark.filterwarnings("ignore")  # hints for those who train in earnest

_RNG = np.random.default_rng(5)
MANY = pd.DataFrame(_RNG.normal(size=(20_000, 6)), columns=list("abcdef"))
FEW = MANY[:300]
TWO = (FEW["a"] + FEW["b"] > 0).astype(int)
VALUE = FEW["a"] * 2 + FEW["c"]
FOUR = 4  # threads: more than one whatever the machine has


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(20, max_depth=4, random_state=1, n_jobs=FOUR)


def values() -> RandomForestRegressor:
    return RandomForestRegressor(20, max_depth=4, random_state=1, n_jobs=FOUR)


def lgbm(**options: Any) -> lightgbm.LGBMClassifier:
    return lightgbm.LGBMClassifier(n_estimators=40, verbose=-1, **options)


def xgb(**options: Any) -> xgboost.XGBClassifier:
    return xgboost.XGBClassifier(n_estimators=40, **options)


def cat() -> catboost.CatBoostClassifier:
    return catboost.CatBoostClassifier(iterations=300, verbose=False, allow_writing_files=False, thread_count=FOUR)


class Scores(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Somebody's own estimator, of LightGBM's and XGBoost's models without their scikit-learn interface."""

    def fit(self, X: Any, y: Any) -> "Scores":  # noqa: N803 - scikit-learn's names
        self.classes_ = np.unique(y)
        trees = {"verbose": -1, "num_threads": FOUR, "objective": "binary"}
        self.models = {"lightgbm": lightgbm.train(trees, lightgbm.Dataset(X, y), 40)}
        trees = {"nthread": FOUR, "objective": "binary:logistic"}
        self.more = (xgboost.train(trees, xgboost.DMatrix(X, y), 40),)
        return self

    def predict_proba(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's names
        one = (np.asarray(self.models["lightgbm"].predict(X)) + self.more[0].inplace_predict(X)) / 2
        return np.column_stack([1 - one, one])


class Wrapped(PythonModel):
    """Somebody's own MLflow model, of a scikit-learn one."""

    def __init__(self, model: Any) -> None:
        self.inner = [model]

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002 - mlflow's interface
        return self.inner[0].predict_proba(model_input)[:, 1]


def _searched(search: Callable[..., Any], **options: Any) -> Any:
    return search(forest(), {"max_depth": [3, 4]}, cv=2, n_jobs=1, **options)


def _chosen() -> Any:
    return make_pipeline(SelectFromModel(forest()), forest())


def _clustered() -> Any:
    clusters = KMeans(30, n_init=1, max_iter=5, random_state=1).fit(FEW)
    clusters._n_threads = FOUR  # as of a machine with four cores
    return make_pipeline(FunctionTransformer(clusters.predict), FunctionTransformer(_column), LogisticRegression())


def _column(array: Any) -> Any:
    return np.asarray(array).reshape(-1, 1)


CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "a forest": forest,
    "a pipeline": lambda: make_pipeline(StandardScaler(), forest()),
    "neighbours": lambda: KNeighborsClassifier(n_jobs=FOUR),
    "a grid search": lambda: _searched(GridSearchCV),
    "a random search": lambda: _searched(RandomizedSearchCV, n_iter=2, random_state=1),
    "a search over a pipeline": lambda: GridSearchCV(make_pipeline(StandardScaler(), forest()), {}, cv=2),
    "a calibrated classifier": lambda: CalibratedClassifierCV(forest(), cv=2),
    "a calibrated search": lambda: CalibratedClassifierCV(_searched(GridSearchCV), cv=2),
    "votes": lambda: VotingClassifier([("f", forest()), ("l", LogisticRegression())], voting="soft", n_jobs=FOUR),
    "a stack": lambda: StackingClassifier([("f", forest())], forest(), cv=2),
    "a bag": lambda: BaggingClassifier(forest(), 3, n_jobs=FOUR),
    "boosted forests": lambda: AdaBoostClassifier(forest(), n_estimators=2),
    "one against the rest": lambda: OneVsRestClassifier(forest(), n_jobs=FOUR),
    "chosen features": _chosen,
    "clusters": _clustered,
    "columns": lambda: make_pipeline(
        ColumnTransformer([("a", StandardScaler(), ["a", "b"]), ("b", StandardScaler(), ["c"])], n_jobs=2), forest()
    ),
    "joined features": lambda: make_pipeline(
        FeatureUnion([("a", StandardScaler()), ("b", StandardScaler())], n_jobs=2), forest()
    ),
    "LightGBM": lambda: make_pipeline(StandardScaler(), lgbm(n_jobs=FOUR)),
    "LightGBM by another name": lambda: make_pipeline(StandardScaler(), lgbm(num_threads=FOUR)),
    "LightGBM in votes": lambda: VotingClassifier([("l", lgbm(n_jobs=-1))], voting="soft"),
    "LightGBM, all cores": lambda: CalibratedClassifierCV(lgbm(), cv=2),
    "XGBoost in a search": lambda: GridSearchCV(xgb(n_jobs=FOUR), {"max_depth": [3]}, cv=2),
    "XGBoost by another name": lambda: make_pipeline(xgb(nthread=FOUR)),
    "XGBoost, all cores": lambda: VotingClassifier([("x", xgb())], voting="soft"),
    "CatBoost in votes": lambda: VotingClassifier([("c", cat())], voting="soft"),
    "CatBoost in a calibrated pipeline": lambda: CalibratedClassifierCV(make_pipeline(cat()), cv=2),
    "boosters in somebody's own estimator": Scores,
}
REGRESSORS: dict[str, Callable[[], Any]] = {
    "trees": lambda: ExtraTreesRegressor(20, max_depth=4, random_state=1, n_jobs=FOUR),
    "several outputs": lambda: MultiOutputRegressor(values(), n_jobs=FOUR),
    "a chain": lambda: RegressorChain(values()),
    "a transformed target": lambda: TransformedTargetRegressor(values(), func=np.cbrt, inverse_func=_cube),
    "votes for values": lambda: VotingRegressor([("f", values()), ("l", LinearRegression())], n_jobs=FOUR),
}


def _cube(array: Any) -> Any:
    return array**3


def _models() -> dict[str, tuple[str, Any]]:
    found: dict[str, tuple[str, Any]] = {name: ("sklearn", make().fit(FEW, TWO)) for name, make in CLASSIFIERS.items()}
    tables = {"several outputs", "a chain"}
    for name, make in REGRESSORS.items():
        found[name] = "sklearn", make().fit(FEW, VALUE.to_frame() if name in tables else VALUE)
    trees = {"nthread": FOUR, "objective": "binary:logistic"}
    return found | {
        "LightGBM alone": ("lightgbm", lgbm(num_threads=FOUR).fit(FEW, TWO)),
        "LightGBM's booster": ("lightgbm", lgbm(n_jobs=FOUR).fit(FEW, TWO).booster_),
        "XGBoost alone": ("xgboost", xgb(nthread=FOUR).fit(FEW, TWO)),
        "XGBoost's booster": ("xgboost", xgboost.train(trees, xgboost.DMatrix(FEW, TWO), 40)),
        "CatBoost alone": ("catboost", cat().fit(FEW, TWO)),
        "a forest in a pyfunc model": ("pyfunc", Wrapped(forest().fit(FEW, TWO))),
        "CatBoost in a pyfunc model": ("pyfunc", Wrapped(cat().fit(FEW, TWO))),
        "boosters in a pyfunc model": ("pyfunc", Wrapped(Scores().fit(FEW, TWO))),
    }


def _expected(model: Any) -> Any:
    """Return what the model's own library predicts, one tree after another: threads add a forest's up in any order."""
    with joblib.parallel_config(backend="sequential"):
        if isinstance(model, PythonModel):
            return model.predict(None, MANY)
        if isinstance(model, xgboost.Booster):
            return model.predict(xgboost.DMatrix(MANY))
        if hasattr(model, "predict_proba"):
            return np.asarray(model.predict_proba(MANY))[:, 1]
        return np.asarray(model.predict(MANY)).reshape(len(MANY))


def _saved(folder: Path, flavor: str, model: Any) -> tuple[Path, ModelVersion, PredictorSettings, pd.DataFrame]:
    options = {"serialization_format": "cloudpickle"} if flavor == "sklearn" else {}
    options |= {NAME_OF_MODEL.get(flavor, "python_model"): model}
    getattr(mlflow, flavor).save_model(path=str(folder), pip_requirements=["mlflow"], **options)
    version = ModelVersion("models:/m/1", "m", "1", None, "", {}, Model.load(str(folder)).flavors, None)
    return folder, version, PredictorSettings("binary" if flavor == "pyfunc" else None), MANY


Used = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def models() -> dict[str, tuple[str, Any]]:
    return _models()


@pytest.fixture(scope="module")
def used(models: dict[str, tuple[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Used:
    folder = tmp_path_factory.mktemp("threads")
    given = {name: _saved(folder / str(place), *models[name]) for place, name in enumerate(models)}
    (folder / "given").write_bytes(pickle.dumps(given))
    command = [sys.executable, "-m", "tests.models.threads_used", str(folder / "given")]
    environment = os.environ | WORKER_VARIABLES
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: Used = json.loads(done.stdout)
    return found


PYFUNC = ["a forest in a pyfunc model", "CatBoost in a pyfunc model", "boosters in a pyfunc model"]
ALONE = ["LightGBM alone", "LightGBM's booster", "XGBoost alone", "XGBoost's booster", "CatBoost alone"]


@pytest.mark.parametrize("name", [*CLASSIFIERS, *REGRESSORS, *ALONE, *PYFUNC])
def test_a_model_that_was_trained_with_many_threads_predicts_the_same_with_one(
    name: str, used: Used, models: dict[str, tuple[str, Any]]
) -> None:
    found = used[name]
    assert (found["threads"], found["processes"]) == (0, 0)
    assert found["milliseconds"] < 0.1
    np.testing.assert_array_equal(np.array(found["predictions"]), np.asarray(_expected(models[name][1]), np.float64))


def test_the_threads_that_an_xgboost_booster_asks_for_itself_are_one() -> None:
    """A worker's variables hold them down as well; the driver has none."""
    model = Scores().fit(FEW, TWO)

    set_one_thread({"somewhere": [model]})

    assert json.loads(model.more[0].save_config())["learner"]["generic_param"]["nthread"] == "1"


def test_a_model_that_holds_itself_is_gone_through_once() -> None:
    model = forest().fit(FEW, TWO)
    model.itself = [model, {"again": (model,)}]

    set_one_thread(model)

    assert {model.n_jobs, *(tree.get_params().get("n_jobs", 1) for tree in model.estimators_)} == {1}


def test_what_a_model_has_learned_stays_as_it_is() -> None:
    words = {"n_jobs": 0, "nthread": 1, "thread_count": 2}
    vectorizer = CountVectorizer(vocabulary=words).fit(["n_jobs"])

    set_one_thread(vectorizer)

    assert vectorizer.vocabulary_ == words == {"n_jobs": 0, "nthread": 1, "thread_count": 2}


def test_a_catboost_model_keeps_its_methods_arguments_but_for_the_threads() -> None:
    model = cat().fit(FEW, TWO)
    expected = model.predict(FEW, "Probability", 0, 50)

    set_one_thread(model)

    np.testing.assert_array_equal(model.predict(FEW, "Probability", 0, 50, 4, None), expected)
    np.testing.assert_array_equal(model.predict(FEW, prediction_type="Probability", ntree_end=50), expected)
    assert model.get_params()["thread_count"] == 1
