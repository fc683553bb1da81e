"""Models tell which texts they know, and a job that is right is stopped by none of them."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, TargetEncoder

from batchscore.config.job_config import JobConfig
from batchscore.config.missing_values import NO_FACTS, MissingSettings, ModelFacts, Vocabulary
from batchscore.input.columns import Column, Columns
from batchscore.model.facts import estimator_facts
from batchscore.model.frames import with_missing_rules
from batchscore.preflight.planner import make_plan, preflight
from batchscore.preflight.unseen import column_warnings, unseen_faults
from tests.agreement.files import spell, table
from tests.agreement.models import MODELS, load, signature_of, trained
from tests.models.conftest import Load
from tests.registry import Registry, columns
from tests.scored import looked_at
from tests.unit.test_first_look import written
from tests.unit.test_plan import make_plan as any_plan

PEOPLE = pd.DataFrame({"job": ["a", "b", "b", np.nan] * 3, "city": ["Bern", "Basel", "Chur", "Bern"] * 3}, dtype=object)
CITIES = frozenset(["Bern", "Basel", "Chur"])


def vocabularies(*steps: Any) -> Any:
    transformer = make_column_transformer(*steps).fit(PEOPLE, [0, 1] * 6)
    return estimator_facts(make_pipeline(transformer, LogisticRegression())).vocabularies


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(),
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=4),
        OneHotEncoder(drop="first"),
        OrdinalEncoder(),
        OrdinalEncoder(max_categories=2),
        TargetEncoder(),
    ],
)
def test_encoders_tell_all_texts_of_training_rare_ones_too(encoder: Any) -> None:
    assert vocabularies((encoder, ["job", "city"])) == {
        "job": Vocabulary(frozenset("ab"), holds_missing=True),
        "city": Vocabulary(CITIES),
    }


@pytest.mark.parametrize(
    ("imputer", "job"),
    [
        (SimpleImputer(strategy="most_frequent"), Vocabulary(frozenset("ab"), holds_missing=True)),
        (
            SimpleImputer(strategy="constant", fill_value="none"),
            Vocabulary(frozenset(["a", "b", "none"]), holds_missing=True),
        ),
        (SimpleImputer(missing_values="a", strategy="most_frequent"), Vocabulary(frozenset("ab"))),
    ],
)
def test_imputers_leave_texts_as_they_are_and_know_what_they_replace(imputer: Any, job: Vocabulary) -> None:
    data = PEOPLE.fillna("b") if imputer.missing_values == "a" else PEOPLE
    steps = make_column_transformer((make_pipeline(imputer, OneHotEncoder()), ["job", "city"])).fit(data)
    told = estimator_facts(make_pipeline(steps, LogisticRegression())).vocabularies
    assert told["job"] == job
    assert told["city"].texts == CITIES if imputer.missing_values != "a" else CITIES | {"a"}


def test_texts_that_are_changed_or_hashed_first_are_not_shown() -> None:
    lower = make_pipeline(FunctionTransformer(lambda frame: frame.map(str.lower)), OneHotEncoder())
    assert vocabularies((lower, ["city"])) == {}
    assert vocabularies((HashingVectorizer(), "city")) == {}


@pytest.mark.filterwarnings("ignore")
def test_an_imputer_that_moves_columns_hides_what_is_behind_it() -> None:
    """It drops the empty column and adds one that tells where that was missing: two, as before."""
    imputer = SimpleImputer(strategy="most_frequent", add_indicator=True)
    steps = make_column_transformer((make_pipeline(imputer, OneHotEncoder()), ["empty", "city"]))
    steps.fit(PEOPLE.assign(empty=np.nan))
    assert estimator_facts(make_pipeline(steps, LogisticRegression())).vocabularies == {}


@pytest.mark.filterwarnings("ignore")
def test_boosters_tell_the_texts_of_their_text_columns_numbers_as_texts(registry: Registry, load: Load) -> None:
    from lightgbm import LGBMClassifier
    from xgboost import XGBClassifier

    frame = pd.DataFrame({"plan": ["gold", "tin"] * 30, "zone": [1, 2, 3] * 20}).astype("category")
    light = LGBMClassifier(n_estimators=2, min_child_samples=1, min_data_per_group=1, verbose=-1)
    boosted = XGBClassifier(n_estimators=2, enable_categorical=True)
    for model, flavor in ((light, "lightgbm"), (boosted, "xgboost")):
        uri = registry.register(model.fit(frame, [0, 1] * 30), flavor, signature=columns("plan:string", "zone:string"))
        assert load(uri).predictor.facts.vocabularies == {
            "plan": Vocabulary(frozenset(["gold", "tin"]), holds_missing=True),
            "zone": Vocabulary(frozenset(["1", "2", "3"]), holds_missing=True),
        }


@pytest.mark.filterwarnings("ignore")
def test_boosters_within_estimators_tell_theirs_beside_those_of_encoders(registry: Registry, load: Load) -> None:
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import VotingClassifier

    frame = pd.DataFrame({"plan": ["gold", "tin"] * 30, "zone": ["a", "b", "c"] * 20}).astype("category")
    light = LGBMClassifier(n_estimators=2, min_child_samples=1, min_data_per_group=1, verbose=-1)
    encoder = OneHotEncoder(categories=[["gold", "lead"]], handle_unknown="ignore")
    encoded = make_pipeline(make_column_transformer((encoder, ["plan"])), LogisticRegression())
    model = VotingClassifier([("light", light), ("encoded", encoded)], voting="soft").fit(frame, [0, 1] * 30)
    uri = registry.register(model, signature=columns("plan:string", "zone:string"))
    assert load(uri).predictor.facts.vocabularies == {
        "plan": Vocabulary(frozenset(["gold", "tin", "lead"]), holds_missing=True),
        "zone": Vocabulary(frozenset("abc"), holds_missing=True),
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_a_clean_file_stops_no_model_of_any_kind(name: str, tmp_path: Path) -> None:
    model = trained(name)
    for number, signature in enumerate(("five rows", "all rows", "optional")):
        loaded = load(model, signature_of(signature, model.columns), tmp_path / signature)
        (tmp_path / "a.csv").write_text(spell(table(200, 7 + number)[list(model.columns)], 3, faulty=0).text)
        keys = {"model": "models:/m/1", "input": str(tmp_path / "a.csv"), "output": str(tmp_path / "out")}
        plan = make_plan(JobConfig.model_validate(keys | dict(model.keys)), loaded)
        preflight(plan, loaded, None, lambda: False)
        looked = looked_at(plan.inputs, plan.spec)
        assert [warning.what for warning in column_warnings(plan.spec, looked.columns)] == []


WORDS = [
    "red",
    "Red",
    "RED ",
    "1",
    "1.0",
    "01",
    "yes",
    "no",
    "true",
    "0",
    "?",
    "-",
    "é",
    "Ã©",
    "a b",
    " x",
    "x",
    "NULL",
]


def categories(rng: np.random.Generator) -> list[str]:
    """Return the categories of a column: of a few that look alike, or of many."""
    if rng.random() < 0.5:
        return [str(word) for word in rng.choice(WORDS, rng.integers(2, 9), replace=False)]
    return [f"{rng.choice(['v', 'V', ''])}{number}" for number in range(rng.integers(2, 300))]


@pytest.mark.parametrize("seed", range(200))
def test_rare_new_categories_stop_no_job(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    names = [f"c{number}" for number in range(rng.integers(1, 4))]
    known = {name: categories(rng) for name in names}
    training = pd.DataFrame({name: rng.choice(known[name], 500) for name in names}, dtype=object)
    training = training.mask(rng.random(training.shape) < rng.choice([0, 0.2]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encoder = OneHotEncoder(handle_unknown="ignore").fit(training)
    facts = estimator_facts(make_pipeline(encoder, LogisticRegression()), names)

    records = int(rng.choice([1, 5, 25, 120, 3000]))
    share = rng.choice([0, 0.01, 0.1, 0.3])
    data = pd.DataFrame({name: rng.choice(known[name], records) for name in names}, dtype=object)
    new = np.array([rng.choice(["NEW", " 1 ", "?", "new", "2.0", "É"]) for _ in range(data.size)]).reshape(data.shape)
    data = data.mask(rng.random(data.shape) < share, pd.DataFrame(new, columns=names))
    data = data.mask(rng.random(data.shape) < rng.choice([0, 0.2]))

    stopped, warned = judged(data, facts, tmp_path)
    assert stopped == []
    if records >= 100:
        assert [what for what in warned if "does not know" in what] == []


def judged(data: pd.DataFrame, facts: ModelFacts, folder: Path) -> tuple[list[str], list[str]]:
    inputs = Columns(tuple(Column(str(name), "string") for name in data), (), None, has_header=True)
    rules = with_missing_rules(inputs, MissingSettings(), facts or NO_FACTS)
    spec = replace(any_plan().spec, columns=rules, vocabularies=facts.vocabularies)
    text = data.to_csv(index=False, encoding="utf-8")
    looked = looked_at(written(folder, {"a.csv": text.encode()}), spec)
    warned = [warning.what for warning in column_warnings(spec, looked.columns)]
    return [str(fault) for fault in unseen_faults(spec, looked.columns)], warned
