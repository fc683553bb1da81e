"""What models tell of the texts they know."""

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from xgboost import XGBClassifier

from batchscore.model.facts import estimator_facts
from tests.libraries import XGBOOST_HOLDS_CATEGORIES
from tests.models.conftest import Load
from tests.registry import Registry, columns

PEOPLE = pd.DataFrame(
    {
        "plan": ["None", "gold", "NA", "gold", "None", "gold"] * 4,
        "age": [20.0, 30.0, 40.0, 50.0, 60.0, 70.0] * 4,
        "city": ["Bern", None, "Bern", "Basel", "Basel", "Bern"] * 4,
    }
)
LABELS = [0, 1, 0, 1, 0, 1] * 4
KNOWN = frozenset(["None", "gold", "NA"])


def _encoded() -> object:
    impute = SimpleImputer(missing_values=None, strategy="constant", fill_value="?")
    steps = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["plan"]),
        (make_pipeline(impute, OrdinalEncoder()), ["city"]),
        remainder="passthrough",
    )
    return make_pipeline(steps, LogisticRegression(max_iter=500))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        lambda model: GridSearchCV(model, {"logisticregression__C": [1.0]}, cv=2),
        lambda model: CalibratedClassifierCV(model, cv=2),
        lambda model: VotingClassifier([("one", model)]),
    ],
)
def test_encoders_that_read_a_column_tell_what_they_know_and_whether_missing_is_none(wrap: object) -> None:
    model = wrap(_encoded()).fit(PEOPLE, LABELS)  # type: ignore[operator] # a function
    facts = estimator_facts(model)
    assert facts.known is not None
    assert facts.known["plan"] == KNOWN
    assert "city" not in facts.known  # its encoder reads what the imputer wrote
    assert facts.none_columns == {"city"}


def test_categories_that_hold_none_tell_it() -> None:
    encoder = OrdinalEncoder().fit(PEOPLE[["city", "plan"]])
    facts = estimator_facts(make_pipeline(encoder, LogisticRegression()))
    assert facts.none_columns == {"city"}
    nan = OrdinalEncoder().fit(PEOPLE[["city"]].fillna(np.nan))
    assert estimator_facts(make_pipeline(nan, LogisticRegression())).none_columns == frozenset()


def test_a_vectoriser_and_a_plain_model_know_no_categories() -> None:
    text = make_pipeline(CountVectorizer(), LogisticRegression()).fit(PEOPLE["plan"], LABELS)
    assert estimator_facts(text).known == {}
    assert estimator_facts(LogisticRegression().fit(PEOPLE[["age"]], LABELS)).known == {}


@pytest.mark.filterwarnings("ignore")
def test_boosters_tell_their_categories(registry: Registry, load: Load) -> None:
    frame = PEOPLE[["age", "plan"]].astype({"plan": "category"})
    signature = columns("age:double", "plan:string")
    light = LGBMClassifier(n_estimators=2, min_child_samples=1, min_data_per_group=1, verbose=-1).fit(frame, LABELS)
    boosted = XGBClassifier(n_estimators=2, enable_categorical=True).fit(frame, LABELS)
    models = [(light, "lightgbm"), (light.booster_, "lightgbm"), (boosted, "xgboost")]
    for model, flavor in models if XGBOOST_HOLDS_CATEGORIES else models[:2]:
        facts = load(registry.register(model, flavor, signature=signature)).predictor.facts
        assert facts.known == {"plan": KNOWN}


def test_catboost_and_models_of_mlflow_do_not_show_theirs(registry: Registry, load: Load) -> None:
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(iterations=2, verbose=False, allow_writing_files=False).fit(PEOPLE[["age"]], LABELS)
    assert load(registry.register(model, "catboost", signature=columns("age:double"))).predictor.facts.known is None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("logged", ["model", "run", "neither", "null_values"])
def test_the_number_that_meant_missing_for_xgboost_is_that_of_the_logged_model_or_its_run(
    logged: str, registry: Registry, load: Load
) -> None:
    import mlflow

    training = pd.DataFrame({"a": [1.0, -999.0, 3.0, -999.0, 5.0, 6.0] * 5})
    model = XGBClassifier(n_estimators=3, missing=-999.0).fit(training, [0, 1, 0, 1, 0, 0] * 5)
    uri = registry.register(model, "xgboost", signature=columns("a:double"))
    version = registry.client.get_model_version(*uri.removeprefix("models:/").split("/"))
    model_id = str(version.source).removeprefix("models:/")
    if logged in ("model", "null_values"):
        registry.client.log_model_params(model_id, {"missing": "-999.0"})
    elif logged == "run":
        mlflow.set_tracking_uri(registry.uri)
        registry.client.log_param(str(registry.client.get_logged_model(model_id).source_run_id), "missing", "-999.0")
    keys = {"null_values": ["pandas"]} if logged == "null_values" else {}

    loaded = load(uri, **keys)

    holds = logged in ("model", "run")
    assert loaded.version.xgboost_missing == (-999.0 if holds else None)
    expected = model if holds else XGBClassifier(n_estimators=3).fit(training, [0, 1, 0, 1, 0, 0] * 5)
    if not holds:
        expected = model.set_params(missing=np.nan)
    frame = pd.DataFrame({"a": [1.0, -999.0, np.nan, 4.0]})
    np.testing.assert_allclose(loaded.predictor.predict(frame), expected.predict_proba(frame)[:, 1], rtol=1e-6)


def test_whole_numbers_may_come_as_floats_where_only_steps_that_compute_with_floats_read_them() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3, 4], "b": [1, 2, 1, 2], "c": [3, 4, 5, 6]})
    steps = make_column_transformer(
        (SimpleImputer(), ["a", "b"]), (OneHotEncoder(handle_unknown="ignore"), ["b"]), remainder="passthrough"
    )
    model = make_pipeline(steps, LogisticRegression()).fit(frame, [0, 1, 0, 1])
    assert estimator_facts(model).numbers == {"a"}
    counted = make_pipeline(SimpleImputer(strategy="most_frequent"), LogisticRegression()).fit(frame, [0, 1, 0, 1])
    assert estimator_facts(counted).numbers == frozenset()


def test_texts_that_encoders_know_are_told_also_behind_an_imputer_and_of_columns_that_others_read_too() -> None:
    people = PEOPLE.fillna("?").assign(note=PEOPLE["plan"])
    encode = OneHotEncoder(handle_unknown="ignore")
    steps = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), encode), ["plan"]),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OrdinalEncoder()), ["city"]),
        (OneHotEncoder(), ["note"]),
        (CountVectorizer(), "note"),
        (SimpleImputer(), ["age"]),
    )
    facts = estimator_facts(make_pipeline(steps, LogisticRegression(max_iter=500)).fit(people, LABELS))
    assert {name: vocabulary.texts for name, vocabulary in facts.vocabularies.items()} == {
        "plan": KNOWN,
        "city": frozenset(["?", "Bern", "Basel"]),
        "note": KNOWN,
    }
