"""The kinds of models that are refused when they are loaded, each with the way out; and what a value means."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from lightgbm import Dataset, LGBMClassifier, LGBMRegressor, train
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema
from sklearn.base import clone
from sklearn.cluster import DBSCAN, KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest, RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from xgboost import Booster, DMatrix, XGBClassifier, XGBRanker
from xgboost import train as xgboost_train

from batchscore.commands.report_text import describe_plan, render_review
from batchscore.commands.verify import review_job
from batchscore.errors import ModelError
from tests.models.conftest import Load
from tests.registry import Registry, columns

pytestmark = pytest.mark.filterwarnings("ignore")  # hints for those who train in earnest

_RNG = np.random.default_rng(5)
NUMBERS = pd.DataFrame(_RNG.normal(size=(90, 2)), columns=["a", "b"])
YES = (NUMBERS["a"] > 0).astype(int)
THREE = YES + (NUMBERS["b"] > 0)
BOTH = np.column_stack([YES, NUMBERS["b"] > 0]).astype(int)
SIGNATURE = columns("a:double", "b:double")
QUIET = {"iterations": 2, "verbose": False, "allow_writing_files": False, "thread_count": 1}
PYFUNC = "log it as a pyfunc model"


def logistic(known: Any, margins: Any) -> Any:
    """Return gradient and hessian of an objective of the notebook's own."""
    found = 1 / (1 + np.exp(-margins))
    return found - known, found * (1 - found)


def squares(known: Any, values: Any) -> Any:
    return values - known, np.ones(len(known))


class Logistic:
    """The same as CatBoost has it."""

    def calc_ders_range(self, margins: Any, known: Any, weights: Any) -> Any:  # noqa: ARG002 - its interface
        return [(known[n] - 1 / (1 + np.exp(-margins[n])), -0.2) for n in range(len(margins))]


def lightgbm(objective: Any = None, **more: Any) -> Any:
    return LGBMClassifier(objective=objective, n_estimators=2, verbose=-1, n_jobs=1, **more)


def _scaled(model: Any) -> Any:
    return make_pipeline(StandardScaler(), model)


def _searched(model: Any, **grid: Any) -> Any:
    return GridSearchCV(model, grid, cv=2)


Refused = tuple[Callable[[], Any], str, str]
NO_PREDICTIONS: dict[str, Refused] = {
    "clusterer": (lambda: KMeans(2, n_init=1).fit(NUMBERS), "sklearn", f"a regressor, got KMeans; {PYFUNC}"),
    "clusterer in a pipeline": (
        lambda: _scaled(KMeans(2, n_init=1)).fit(NUMBERS),
        "sklearn",
        f"a regressor, got KMeans in Pipeline; {PYFUNC}",
    ),
    "clusterer without predict": (lambda: DBSCAN().fit(NUMBERS), "sklearn", f"got DBSCAN; {PYFUNC}"),
    "mixture": (lambda: GaussianMixture(2).fit(NUMBERS), "sklearn", f"got GaussianMixture; {PYFUNC}"),
    "transformer": (lambda: PCA(1).fit(NUMBERS), "sklearn", f"got PCA; {PYFUNC}"),
    "outlier detector of its own data": (
        lambda: LocalOutlierFactor().fit(NUMBERS),
        "sklearn",
        "got LocalOutlierFactor; train it with novelty=True",
    ),
    "margins": (
        lambda: _scaled(LinearSVC()).fit(NUMBERS, YES),
        "sklearn",
        "got LinearSVC in Pipeline; wrap it in sklearn.calibration.CalibratedClassifierCV",
    ),
    "votes": (
        lambda: VotingClassifier([("a", LogisticRegression()), ("b", SVC())]).fit(NUMBERS, YES),
        "sklearn",
        "got VotingClassifier; train it with voting='soft'",
    ),
    "labels alone": (
        lambda: OutputCodeClassifier(LogisticRegression()).fit(NUMBERS, THREE),
        "sklearn",
        f"got OutputCodeClassifier; {PYFUNC}",
    ),
}
_SEVERAL = "expected a classifier of one target, got {} of several; register a model for each target, or "
SEVERAL_TARGETS: dict[str, Refused] = {
    name: (make, flavor, _SEVERAL.format(shown))
    for name, make, flavor, shown in [
        ("network", lambda: MLPClassifier((3,), max_iter=5).fit(NUMBERS, BOTH), "sklearn", "MLPClassifier"),
        (
            "network in a search of a pipeline",
            lambda: _searched(_scaled(MLPClassifier(max_iter=5)), mlpclassifier__alpha=[0.1]).fit(NUMBERS, BOTH),
            "sklearn",
            "MLPClassifier in GridSearchCV",
        ),
        (
            "one against the rest",
            lambda: OneVsRestClassifier(LogisticRegression()).fit(NUMBERS, BOTH),
            "sklearn",
            "OneVsRestClassifier",
        ),
        ("neighbours", lambda: KNeighborsClassifier().fit(NUMBERS, BOTH), "sklearn", "KNeighborsClassifier"),
        ("forest", lambda: RandomForestClassifier(2).fit(NUMBERS, BOTH), "sklearn", "RandomForestClassifier"),
        (
            "forest of targets of different classes",
            lambda: RandomForestClassifier(2).fit(NUMBERS, np.column_stack([YES, THREE])),
            "sklearn",
            "RandomForestClassifier",
        ),
        (
            "one for each",
            lambda: MultiOutputClassifier(LogisticRegression()).fit(NUMBERS, BOTH),
            "sklearn",
            "MultiOutputClassifier",
        ),
        ("chain", lambda: ClassifierChain(LogisticRegression()).fit(NUMBERS, BOTH), "sklearn", "ClassifierChain"),
        ("xgboost", lambda: XGBClassifier(n_estimators=2).fit(NUMBERS, BOTH), "xgboost", "XGBClassifier"),
        (
            "xgboost in a pipeline",
            lambda: _scaled(XGBClassifier(n_estimators=2)).fit(NUMBERS, BOTH),
            "sklearn",
            "XGBClassifier",
        ),
        (
            "xgboost booster",
            lambda: XGBClassifier(n_estimators=2).fit(NUMBERS, BOTH).get_booster(),
            "xgboost",
            "a Booster",
        ),
        (
            "catboost",
            lambda: CatBoostClassifier(loss_function="MultiLogloss", **QUIET).fit(NUMBERS, BOTH),
            "catboost",
            "CatBoostClassifier with MultiLogloss",
        ),
        (
            "catboost in a pipeline",
            lambda: _scaled(CatBoostClassifier(loss_function="MultiCrossEntropy", **QUIET)).fit(NUMBERS, BOTH / 2),
            "sklearn",
            "CatBoostClassifier with MultiCrossEntropy",
        ),
    ]
}
_OBJECTIVE = "expected an objective with probabilities, got {}; train it with {}, or log a pyfunc model"
OBJECTIVES: dict[str, Refused] = {
    name: (make, flavor, _OBJECTIVE.format(shown, other))
    for name, make, flavor, shown, other in [
        (
            "lightgbm ova",
            lambda: lightgbm("multiclassova").fit(NUMBERS, THREE),
            "lightgbm",
            "multiclassova",
            "multiclass",
        ),
        (
            "lightgbm ova in a pipeline",
            lambda: _scaled(lightgbm("ova")).fit(NUMBERS, THREE),
            "sklearn",
            "multiclassova",
            "multiclass",
        ),
        (
            "lightgbm ova that votes",
            lambda: VotingClassifier([("a", lightgbm("ova"))], voting="soft").fit(NUMBERS, THREE),
            "sklearn",
            "multiclassova",
            "multiclass",
        ),
        (
            "lightgbm ova booster",
            lambda: lightgbm("multiclassova").fit(NUMBERS, THREE).booster_,
            "lightgbm",
            "multiclassova",
            "multiclass",
        ),
        (
            "lightgbm function",
            lambda: lightgbm(logistic).fit(NUMBERS, YES),
            "sklearn",
            "a function of its own",
            "another",
        ),
        (
            "lightgbm rate",
            lambda: lightgbm("cross_entropy_lambda").fit(NUMBERS, YES),
            "lightgbm",
            "cross_entropy_lambda",
            "another",
        ),
        (
            "xgboost function",
            lambda: XGBClassifier(objective=logistic, n_estimators=2).fit(NUMBERS, YES),
            "sklearn",
            "a function of its own",
            "another",
        ),
        (
            "xgboost margins",
            lambda: XGBClassifier(objective="binary:logitraw", n_estimators=2).fit(NUMBERS, YES),
            "xgboost",
            "binary:logitraw",
            "binary:logistic",
        ),
        (
            "xgboost labels in a pipeline",
            lambda: _scaled(XGBClassifier(objective="binary:hinge", n_estimators=2)).fit(NUMBERS, YES),
            "sklearn",
            "binary:hinge",
            "binary:logistic",
        ),
        (
            "xgboost labels",
            lambda: xgboost_train({"objective": "multi:softmax", "num_class": 3}, DMatrix(NUMBERS, THREE), 2),
            "xgboost",
            "multi:softmax",
            "multi:softprob",
        ),
        (
            "catboost ova",
            lambda: CatBoostClassifier(loss_function="MultiClassOneVsAll", **QUIET).fit(NUMBERS, THREE),
            "catboost",
            "MultiClassOneVsAll",
            "MultiClass",
        ),
        (
            "catboost function",
            lambda: CatBoostClassifier(loss_function=Logistic(), eval_metric="Logloss", **QUIET).fit(NUMBERS, YES),
            "catboost",
            "a function of its own",
            "another",
        ),
    ]
}


@pytest.mark.parametrize("name", [*NO_PREDICTIONS, *SEVERAL_TARGETS, *OBJECTIVES])
def test_a_model_without_probabilities_or_values_is_refused_by_name_with_the_way_out(
    name: str, registry: Registry, load: Load
) -> None:
    make, flavor, message = (NO_PREDICTIONS | SEVERAL_TARGETS | OBJECTIVES)[name]
    uri = registry.register(make(), flavor, SIGNATURE)

    with pytest.raises(ModelError, match=f"^model {uri}: .*{re.escape(message)}") as caught:
        load(uri)

    assert caught.value.exit_code == 4


def test_xgboost_s_estimator_makes_probabilities_of_softmax_itself(registry: Registry, load: Load) -> None:
    model = XGBClassifier(objective="multi:softmax", n_estimators=2, n_jobs=1).fit(NUMBERS, THREE)
    loaded = load(registry.register(model, "xgboost", SIGNATURE))
    np.testing.assert_array_equal(loaded.predictor.predict(NUMBERS), model.predict_proba(NUMBERS))


def test_a_lightgbm_booster_of_a_function_is_a_regression_if_the_configuration_says_so(
    registry: Registry, load: Load
) -> None:
    model = train({"objective": _squares_of_data, "verbose": -1}, Dataset(NUMBERS, NUMBERS["a"]), 2)
    uri = registry.register(model, "lightgbm", SIGNATURE)

    with pytest.raises(ModelError, match="got a function of its own; model_type: regression takes its answers"):
        load(uri)
    np.testing.assert_array_equal(load(uri, model_type="regression").predictor.predict(NUMBERS), model.predict(NUMBERS))


def _squares_of_data(values: Any, data: Dataset) -> Any:
    return squares(data.get_label(), values)


class Halves:
    """An estimator that inherits nothing from scikit-learn."""

    classes_ = np.array(["no", "yes"])

    def predict(self, frame: pd.DataFrame) -> Any:
        return self.classes_[(frame["a"] > 0).to_numpy().astype(int)]


class Sure(Halves):
    """The same with probabilities."""

    def predict_proba(self, frame: pd.DataFrame) -> Any:
        return np.column_stack([frame["a"] <= 0, frame["a"] > 0]).astype(float)


def test_an_estimator_of_no_library_is_what_it_has(registry: Registry, load: Load) -> None:
    loaded = load(registry.register(Sure(), signature=SIGNATURE))

    assert (loaded.predictor.model_type, loaded.predictor.classes) == ("binary", ("no", "yes"))
    np.testing.assert_array_equal(loaded.predictor.predict(NUMBERS), (NUMBERS["a"] > 0).astype(float))
    with pytest.raises(ModelError, match=f"a regressor, got Halves; {PYFUNC}"):
        load(registry.register(Halves(), signature=SIGNATURE))


def test_a_regressor_of_a_function_gives_its_values(registry: Registry, load: Load) -> None:
    model = LGBMRegressor(objective=squares, n_estimators=2, verbose=-1, n_jobs=1).fit(NUMBERS, NUMBERS["a"])
    loaded = load(registry.register(model, signature=SIGNATURE))
    np.testing.assert_array_equal(loaded.predictor.predict(NUMBERS), model.predict(NUMBERS))


# ---------------------------------------------------------------- columns that do not reach the model as it takes them

SHOPS = pd.DataFrame({"city": _RNG.choice(["Bern", "Zug"], 90).astype(object), "spent": _RNG.normal(size=90)})
SHOP_COLUMNS = columns("city:string", "spent:double")


@pytest.mark.parametrize(
    ("booster", "name"),
    [
        (lightgbm(min_data_per_group=1, min_child_samples=2), "LGBMClassifier"),
        (XGBClassifier(n_estimators=2, enable_categorical=True), "XGBClassifier"),
    ],
)
def test_pandas_categories_behind_a_step_that_changes_the_columns_are_refused(
    booster: Any, name: str, registry: Registry, load: Load
) -> None:
    scaled = ColumnTransformer([("scaled", StandardScaler(), ["spent"])], remainder="passthrough")
    model = make_pipeline(scaled.set_output(transform="pandas"), booster).fit(SHOPS.astype({"city": "category"}), YES)
    uri = registry.register(model, signature=SHOP_COLUMNS)

    message = f"expected {name} to get the columns of pandas .* got ColumnTransformer .*;"
    if name == "XGBClassifier" and not hasattr(Booster, "get_categories"):
        message = "expected the categories of training in the model, as XGBoost 3.1 and later hold them"
    with pytest.raises(ModelError, match=message):
        load(uri)


def test_codes_that_an_encoder_makes_are_no_pandas_categories(registry: Registry, load: Load) -> None:
    encoder = ColumnTransformer([("codes", OrdinalEncoder(), ["city"])], remainder="passthrough")
    arrays = make_pipeline(encoder, XGBClassifier(n_estimators=3, feature_types=["c", "q"], n_jobs=1))
    frames = make_pipeline(
        clone(encoder).set_output(transform="pandas"), XGBClassifier(n_estimators=3, feature_types=["c", "q"], n_jobs=1)
    )
    for model in (arrays, frames):
        model.set_params(xgbclassifier__enable_categorical=True).fit(SHOPS, YES)
        loaded = load(registry.register(model, signature=SHOP_COLUMNS))
        np.testing.assert_array_equal(loaded.predictor.predict(SHOPS), model.predict_proba(SHOPS)[:, 1])


def test_a_vectorizer_of_a_signature_that_is_not_one_text_column_is_refused(registry: Registry, load: Load) -> None:
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(SHOPS["city"], YES)
    unnamed = ModelSignature(inputs=Schema([ColSpec("double")] * 2))
    for signature, got in (
        (SHOP_COLUMNS, r"city \(string\), spent \(double\)"),
        (columns("spent:double"), r"spent \(double\)"),
        (unnamed, "2 columns without names"),
    ):
        uri = registry.register(model, signature=signature)
        with pytest.raises(
            ModelError, match=f"expected a signature of one text column, .*TfidfVectorizer.*, got {got};"
        ):
            load(uri)


# ---------------------------------------------------------------- one of several values, and what a value means


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            LogisticRegression().fit(NUMBERS, YES),
            "expected a model of several values for prediction_column, got binary",
        ),
        (LinearRegression().fit(NUMBERS, NUMBERS["a"]), "expected a prediction_column of 0, got best"),
        (LinearRegression().fit(NUMBERS, BOTH), "expected a prediction_column of 0, 1, got best"),
    ],
)
def test_a_prediction_column_that_is_not_there_is_refused(
    model: Any, message: str, registry: Registry, load: Load
) -> None:
    uri = registry.register(model, signature=SIGNATURE)
    with pytest.raises(ModelError, match=f"model {uri}: {message}"):
        load(uri, prediction_column="best")


def test_names_of_outputs_that_do_not_tell_values_apart_give_way_to_numbers(registry: Registry, load: Load) -> None:
    model = LinearRegression().fit(NUMBERS, BOTH)
    for outputs in (["one"], ["one", " "], ["one", "two", "three"]):
        signature = columns("a:double", "b:double", outputs=outputs)
        assert load(registry.register(model, signature=signature)).predictor.value_names == ("0", "1")


@pytest.mark.parametrize(
    ("model", "meaning"),
    [
        (
            _scaled(IsolationForest(n_estimators=2)).fit(NUMBERS),
            "decision_function of IsolationForest in Pipeline: 0 is the model's own border, lower is stranger",
        ),
        (
            XGBRanker(n_estimators=2).fit(NUMBERS, YES, qid=np.repeat(range(9), 10)),
            "predict of XGBRanker: higher is better, among the records of one query",
        ),
        (LinearRegression().fit(NUMBERS, NUMBERS["a"]), None),
    ],
)
def test_verify_says_what_a_value_means_that_is_no_estimate_of_a_target(
    model: Any, meaning: str | None, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("a,b\n1,2\n3,4\n")
    keys = {"input": str(tmp_path / "in.csv"), "output": str(tmp_path / "out")}
    uri = registry.register(model, signature=SIGNATURE)

    review = review_job(registry.config(uri, **keys), tmp_path / "folder")

    assert review.exit_code == 0
    assert describe_plan(review)["score"] == meaning
    shown = [line.removeprefix("score").strip() for line in render_review(review).splitlines() if line[:6] == "score "]
    assert shown == ([meaning] if meaning else [])
