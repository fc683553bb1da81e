"""The kinds of models that people register: each scored in a job as its own library answers, called directly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostRanker, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRanker, LGBMRegressor
from mlflow.models import ModelSignature, infer_signature
from mlflow.types.schema import ColSpec, Schema, TensorSpec
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_transformer
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDOneClassSVM
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.neighbors import KNeighborsRegressor, LocalOutlierFactor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import OneClassSVM
from xgboost import Booster, XGBClassifier, XGBRanker, XGBRegressor

from tests.agreement.judge import agree, score
from tests.agreement.models import Trained, load
from tests.registry import columns

pytestmark = pytest.mark.filterwarnings("ignore")  # hints for those who train in earnest

RNG = np.random.default_rng(3)

# ---------------------------------------------------------------- pandas categories within other estimators

# A file of house prices in which NA is no basement, read with keep_default_na=False in this column.
HOUSES = pd.DataFrame(
    {
        "basement": RNG.choice(["NA", "Gd", "TA", "None"], 300).astype(object),
        "rooms": RNG.choice([3, 4, 6], 300),
        "frontage": RNG.normal(60, 9, 300).round(1),
    }
)
PRICES = 30 * (HOUSES["basement"] == "NA") + 9 * (HOUSES["rooms"] == 4) + HOUSES["frontage"]
DEAR = PRICES.gt(PRICES.median()).astype(int)
KINDS = {"basement": pd.CategoricalDtype(["Gd", "NA", "None", "TA"]), "rooms": pd.CategoricalDtype([3, 4, 6])}
HOUSE_NAMES = ["basement", "rooms", "frontage"]
HOUSE_COLUMNS = columns("basement:string", "rooms:long", "frontage:double")
READ_AS = {"keep_default_na": False, "na_values": {"basement": [""], "rooms": ["", "NA"], "frontage": ["", "NA"]}}
HOUSE_FILE = "id,basement,rooms,frontage\n" + "".join(
    f"h{place},{basement},{rooms},{frontage}\n"
    for place, (basement, rooms, frontage) in enumerate(
        [("NA", 3, 55.5), ("Gd", 4, ""), ("None", "", 61.2), ("", 6, "NA"), ("TA", "NA", 70.1), ("new", 4, 58.3)] * 5
    )
)

BOOSTERS: dict[str, Callable[[], Any]] = {
    "lightgbm": lambda: LGBMClassifier(n_estimators=9, min_child_samples=5, min_data_per_group=1, verbose=-1, n_jobs=1),
    "xgboost": lambda: XGBClassifier(n_estimators=9, max_depth=3, enable_categorical=True, n_jobs=1),
    "hist gradient boosting": lambda: HistGradientBoostingClassifier(
        max_iter=9, min_samples_leaf=5, categorical_features="from_dtype"
    ),
}
WRAPPERS: dict[str, Callable[[Callable[[], Any]], Any]] = {
    "alone": lambda make: make(),
    "pipeline": lambda make: Pipeline([("nothing", "passthrough"), ("none", None), ("model", make())]),
    "grid search": lambda make: GridSearchCV(make(), {"max_depth": [2, 3]}, cv=2),
    "random search of a pipeline": lambda make: RandomizedSearchCV(
        Pipeline([("model", make())]), {"model__max_depth": [2, 3]}, n_iter=1, cv=2
    ),
    "calibrated": lambda make: CalibratedClassifierCV(make(), cv=2),
    "calibrated search": lambda make: CalibratedClassifierCV(GridSearchCV(make(), {"max_depth": [3]}, cv=2), cv=2),
    "voting": lambda make: VotingClassifier([("a", make()), ("b", Pipeline([("m", make())]))], voting="soft"),
    "stacking": lambda make: StackingClassifier([("a", make()), ("b", make())], cv=2),
}


def _skip_where_not_held(booster: str) -> None:
    if booster == "xgboost" and not hasattr(Booster, "get_categories"):
        pytest.skip("before 3.1 its models do not hold the categories: they are refused")


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("booster", BOOSTERS)
def test_a_model_within_others_gets_the_pandas_categories_that_it_was_trained_on(
    booster: str, wrapper: str, tmp_path: Path
) -> None:
    _skip_where_not_held(booster)
    model = WRAPPERS[wrapper](BOOSTERS[booster]).fit(HOUSES.astype(KINDS), DEAR)

    def answer(frame: pd.DataFrame) -> Any:
        return model.predict_proba(frame.astype(KINDS))[:, 1]

    trained = Trained(model, HOUSE_NAMES, answer=answer, tolerance=1e-5)
    # XGBoost refuses a category that it does not know, and so a record that has one.
    text = HOUSE_FILE.replace("new", "Gd") if booster == "xgboost" else HOUSE_FILE
    assert agree(text, trained, HOUSE_COLUMNS, tmp_path, READ_AS) == 30


REGRESSORS: dict[str, Callable[[], Any]] = {
    "lightgbm": lambda: LGBMRegressor(n_estimators=9, min_child_samples=5, min_data_per_group=1, verbose=-1, n_jobs=1),
    "xgboost": lambda: XGBRegressor(n_estimators=9, enable_categorical=True, n_jobs=1),
}


@pytest.mark.parametrize("booster", REGRESSORS)
def test_a_transformed_target_leaves_the_categories_as_they_are(booster: str, tmp_path: Path) -> None:
    _skip_where_not_held(booster)
    model = TransformedTargetRegressor(REGRESSORS[booster](), func=np.log1p, inverse_func=np.expm1)
    model.fit(HOUSES.astype(KINDS), PRICES)
    trained = Trained(model, HOUSE_NAMES, answer=lambda frame: model.predict(frame.astype(KINDS)), tolerance=1e-5)
    assert agree(HOUSE_FILE.replace("new", "Gd"), trained, HOUSE_COLUMNS, tmp_path, READ_AS) == 30


def _as_categories(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(KINDS)


# What the first step does not know is missing where pandas says so.
PLAIN_FILE = HOUSE_FILE.replace("new", "Gd").replace("NA,3", "TA,3")


@pytest.mark.parametrize("booster", BOOSTERS)
def test_a_pipeline_that_makes_the_categories_itself_gets_plain_values(booster: str, tmp_path: Path) -> None:
    _skip_where_not_held(booster)
    model = make_pipeline(FunctionTransformer(_as_categories), BOOSTERS[booster]()).fit(HOUSES, DEAR)
    assert agree(PLAIN_FILE, Trained(model, HOUSE_NAMES, tolerance=1e-5), HOUSE_COLUMNS, tmp_path, {}) == 30


def test_histogram_boosting_knows_its_categories_after_other_steps_too(tmp_path: Path) -> None:
    scaled = ColumnTransformer(
        [("scaled", StandardScaler(), ["frontage"])], remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    model = make_pipeline(scaled, BOOSTERS["hist gradient boosting"]()).fit(HOUSES.astype(KINDS), DEAR)
    trained = Trained(model, HOUSE_NAMES, answer=lambda frame: model.predict_proba(frame.astype(KINDS))[:, 1])
    assert agree(PLAIN_FILE, trained, HOUSE_COLUMNS, tmp_path, {}) == 30


# ---------------------------------------------------------------- one column of texts

WORDS = ["good film", "bad film", "awful, really", "great and good", "a bad one"]
REVIEWS = pd.Series(RNG.choice(WORDS, 120).astype(object), name="review")
LIKED = REVIEWS.str.contains("good").astype(int)


def _search(steps: Any) -> Any:
    return GridSearchCV(
        make_pipeline("passthrough", steps, LogisticRegression()), {"logisticregression__C": [1.0]}, cv=2
    )


def _louder(texts: Any) -> Any:
    return [text.upper() for text in texts]


TEXT_MODELS: dict[str, Callable[[], Any]] = {
    "tf-idf": lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()),
    "counts": lambda: make_pipeline(CountVectorizer(), LogisticRegression()),
    "hashes": lambda: make_pipeline(HashingVectorizer(n_features=64), LogisticRegression()),
    "two vectorizers, searched": lambda: _search(
        FeatureUnion([("words", TfidfVectorizer()), ("letters", TfidfVectorizer(analyzer="char"))])
    ),
    "calibrated": lambda: CalibratedClassifierCV(make_pipeline(TfidfVectorizer(), LogisticRegression()), cv=2),
    "voting": lambda: VotingClassifier([("a", make_pipeline(TfidfVectorizer(), LogisticRegression()))], voting="soft"),
    "a function of texts first": lambda: make_pipeline(
        FunctionTransformer(_louder), TfidfVectorizer(), LogisticRegression()
    ),
}


@pytest.mark.parametrize("lines", [1, 7])
@pytest.mark.parametrize("name", TEXT_MODELS)
def test_a_pipeline_over_one_text_column_gets_the_texts_also_of_a_file_of_one_record(
    name: str, lines: int, tmp_path: Path
) -> None:
    model = TEXT_MODELS[name]().fit(REVIEWS, LIKED)
    trained = Trained(model, ["review"], answer=lambda frame: model.predict_proba(frame["review"])[:, 1])
    text = "id,review\n" + "".join(f'r{n},"{WORDS[n % 5]}"\n' for n in range(lines))
    assert agree(text, trained, infer_signature(REVIEWS.to_frame()), tmp_path, {}) == lines


def test_a_pipeline_that_chooses_its_text_column_gets_the_frame(tmp_path: Path) -> None:
    frame = REVIEWS.to_frame()
    for place, first in enumerate(
        [
            make_column_transformer((TfidfVectorizer(), "review")),
            make_pipeline(FunctionTransformer(_review), TfidfVectorizer()),
        ]
    ):
        model = make_pipeline(first, LogisticRegression()).fit(frame, LIKED)
        (tmp_path / str(place)).mkdir()
        assert (
            agree("id,review\na,good\n", Trained(model, ["review"]), infer_signature(frame), tmp_path / str(place), {})
            == 1
        )


def _review(frame: pd.DataFrame) -> Any:
    return frame["review"]


UNNAMED: dict[str, list[ColSpec | TensorSpec]] = {
    "column": [ColSpec("string")],
    "array of str": [TensorSpec(np.dtype("str"), (-1,))],
    "array of objects": [TensorSpec(np.dtype("O"), (-1,))],
    "table of objects": [TensorSpec(np.dtype("O"), (-1, 1))],
}


@pytest.mark.parametrize("lines", [1, 4])
@pytest.mark.parametrize("kind", UNNAMED)
def test_a_text_column_without_a_name_is_found_by_its_place(kind: str, lines: int, tmp_path: Path) -> None:
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(REVIEWS, LIKED)
    texts = ["good", "NA film", "bad, bad", "none"][:lines]
    signature = ModelSignature(Schema(UNNAMED[kind]))
    files = load(Trained(model, ["review"]), signature, tmp_path / "model")

    scored = score("anything\n" + "".join(f'"{text}"\n' for text in texts), files, tmp_path)

    assert scored.reasons == [""] * lines
    np.testing.assert_allclose(scored.predictions[:, 0], model.predict_proba(texts)[:, 1], rtol=1e-9)


@pytest.mark.parametrize("kind", ["named", "unnamed"])
def test_a_missing_text_is_refused_by_the_vectorizer_or_empty_as_the_key_says(kind: str, tmp_path: Path) -> None:
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(REVIEWS, LIKED)
    signature = columns("review:string") if kind == "named" else ModelSignature(Schema([ColSpec("string")]))
    text = 'review\ngood\n""\nNA\n'

    refused = score(text, load(Trained(model, ["review"]), signature, tmp_path / "a"), tmp_path)
    empty = score(text, load(Trained(model, ["review"]), signature, tmp_path / "b"), tmp_path, missing_text="empty")

    assert (refused.reasons, empty.reasons) == (["", "model_error", "model_error"], [""] * 3)
    np.testing.assert_allclose(empty.predictions[:, 0], model.predict_proba(["good", "", ""])[:, 1], rtol=1e-9)


# ---------------------------------------------------------------- values that are no estimate of a target

NUMBERS = pd.DataFrame(RNG.normal(size=(200, 3)).round(3), columns=["a", "b", "c"])
FIVE_ROWS = infer_signature(NUMBERS.head())
NUMBER_FILE = "id,a,b,c\n" + "".join(f"n{n},{n / 7 - 2:.3f},{n % 5 - 1.7:.1f},{(n - 9) / 3:.3f}\n" for n in range(20))
DETECTORS = {
    "isolation forest": IsolationForest(n_estimators=9, random_state=1),
    "one-class SVM": OneClassSVM(),
    "linear one-class SVM": SGDOneClassSVM(random_state=1),
    "local outlier factor": LocalOutlierFactor(novelty=True),
    "elliptic envelope": EllipticEnvelope(random_state=1),
    "pipeline": make_pipeline(StandardScaler(), IsolationForest(n_estimators=9, random_state=1)),
}


@pytest.mark.parametrize("name", DETECTORS)
def test_an_outlier_detector_gives_its_decision_function(name: str, tmp_path: Path) -> None:
    model = DETECTORS[name].fit(NUMBERS)
    assert agree(NUMBER_FILE, Trained(model, "abc", answer=model.decision_function), FIVE_ROWS, tmp_path, {}) == 20


QUIET = {"iterations": 5, "verbose": False, "allow_writing_files": False, "thread_count": 1}
QUERIES = np.repeat(np.arange(20), 10)
RELEVANT = (NUMBERS["a"] > 0).astype(int)


def _rankers() -> dict[str, tuple[Any, str]]:
    lightgbm = LGBMRanker(n_estimators=5, verbose=-1, n_jobs=1).fit(NUMBERS, RELEVANT, group=[10] * 20)
    xgboost = XGBRanker(n_estimators=5, n_jobs=1).fit(NUMBERS, RELEVANT, qid=QUERIES)
    catboost = CatBoostRanker(**QUIET).fit(NUMBERS, RELEVANT, group_id=QUERIES)
    scaled = make_pipeline(StandardScaler(), LGBMRanker(n_estimators=5, verbose=-1, n_jobs=1))
    scaled.fit(NUMBERS, RELEVANT, lgbmranker__group=[10] * 20)
    return {
        "lightgbm in sklearn": (lightgbm, "sklearn"),
        "lightgbm booster": (lightgbm.booster_, "lightgbm"),
        "xgboost": (xgboost, "xgboost"),
        "xgboost in sklearn": (xgboost, "sklearn"),
        "catboost": (catboost, "catboost"),
        "catboost in sklearn": (catboost, "sklearn"),
        "pipeline": (scaled, "sklearn"),
    }


RANKERS = _rankers()


@pytest.mark.parametrize("name", RANKERS)
def test_a_ranker_gives_its_score(name: str, tmp_path: Path) -> None:
    model, flavor = RANKERS[name]
    trained = Trained(model, "abc", flavor, answer=model.predict, tolerance=1e-5)
    assert agree(NUMBER_FILE, trained, FIVE_ROWS, tmp_path, {}) == 20


# ---------------------------------------------------------------- several values for each record

TARGETS = np.column_stack([NUMBERS["a"] + 1, NUMBERS["b"] * 2, NUMBERS["a"] - NUMBERS["c"]])
LEVELS = [0.1, 0.5, 0.9]
SEVERAL: dict[str, tuple[Any, str, Any]] = {
    "linear": (LinearRegression(), "sklearn", TARGETS),
    "forest": (RandomForestRegressor(3, random_state=1), "sklearn", TARGETS),
    "neighbours in a pipeline": (make_pipeline(StandardScaler(), KNeighborsRegressor()), "sklearn", TARGETS),
    "one for each": (MultiOutputRegressor(LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1)), "sklearn", TARGETS),
    "chain": (RegressorChain(LinearRegression()), "sklearn", TARGETS),
    "xgboost": (XGBRegressor(n_estimators=5, n_jobs=1), "xgboost", TARGETS),
    "xgboost quantiles": (
        XGBRegressor(n_estimators=5, objective="reg:quantileerror", quantile_alpha=LEVELS, n_jobs=1),
        "xgboost",
        TARGETS[:, 2],
    ),
    "xgboost quantiles in sklearn": (
        XGBRegressor(n_estimators=5, objective="reg:quantileerror", quantile_alpha=LEVELS, n_jobs=1),
        "sklearn",
        TARGETS[:, 2],
    ),
    "catboost": (CatBoostRegressor(loss_function="MultiRMSE", **QUIET), "catboost", TARGETS),
    "catboost quantiles": (
        CatBoostRegressor(loss_function="MultiQuantile:alpha=0.1,0.5,0.9", **QUIET),
        "catboost",
        TARGETS[:, 2],
    ),
}
NAMED = ModelSignature(FIVE_ROWS.inputs, Schema([ColSpec("double", name) for name in ("low", "middle", "high")]))


@pytest.mark.parametrize("name", SEVERAL)
def test_a_regression_of_several_values_writes_them_all_or_the_one_that_prediction_column_says(
    name: str, tmp_path: Path
) -> None:
    model, flavor, target = SEVERAL[name]
    model.fit(NUMBERS, target)
    for place, (signature, names) in enumerate([(NAMED, ("low", "middle", "high")), (FIVE_ROWS, ("0", "1", "2"))]):
        (tmp_path / f"{place}").mkdir()
        (tmp_path / f"{place}-1").mkdir()
        trained = Trained(model, "abc", flavor, tolerance=1e-5)
        assert agree(NUMBER_FILE, trained, signature, tmp_path / f"{place}", {}, model_type="regression") == 20
        written = next((tmp_path / f"{place}").glob("out*/batch-prediction/result/*/part-00000.csv.gz"))
        assert pd.read_csv(written).columns.tolist() == ["tag", *(f"score_{value}" for value in names)]

        one = Trained(
            model,
            "abc",
            flavor,
            answer=lambda frame: model.predict(frame)[:, 1],
            keys={"prediction_column": names[1]},
            tolerance=1e-5,
        )
        assert agree(NUMBER_FILE, one, signature, tmp_path / f"{place}-1", {}) == 20


def test_a_record_that_lacks_one_of_several_values_is_invalid_at_its_place(tmp_path: Path) -> None:
    model = LinearRegression().fit(NUMBERS, TARGETS)
    text = "id,a,b,c\nn0,1,2,3\nn1,,2,3\nn2,1,x,3\nn3,3,2,1\n"
    scored = score(text, load(Trained(model, "abc"), FIVE_ROWS, tmp_path / "model"), tmp_path, row_id="id")
    assert (scored.tags, scored.reasons) == (["n0", "n1", "n2", "n3"], ["", "model_error", "invalid_value", ""])
    expected = model.predict(pd.DataFrame({"a": [1.0, 3.0], "b": [2.0, 2.0], "c": [3.0, 1.0]}))
    np.testing.assert_allclose(scored.predictions[[0, 3]], expected, rtol=1e-9)
    assert np.isnan(scored.predictions[[1, 2]]).all()
