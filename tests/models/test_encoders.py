"""Encoders on distinct values give what the encoders themselves give, to the bit."""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from batchscore.input.columns import Column
from batchscore.model.encoders import encode_distinct_values
from batchscore.model.frames import to_model_input
from tests.libraries import ENCODERS_WARN

WARNS = "warn" if ENCODERS_WARN else "infrequent_if_exist"

COLUMNS = (
    Column("job", "string"),
    Column("city", "string"),
    Column("age", "double", required=True),
)
TRAINING = pd.DataFrame(
    {
        "job": ["admin", "cook", "cook", np.nan, "pilot", "cook", "admin", "clown"] * 4,
        "city": ["Rome", "Oslo", "Oslo", "Rome", "Rome", "Oslo", np.nan, "Rome"] * 4,
        "age": [20.0, 30.0, 41.0, 52.0, 63.0, 74.0, 85.0, 96.0] * 4,
    }
)
LABELS = np.array([0, 1, 1, 0, 0, 1, 0, 1] * 4)
TEXTS = st.sampled_from(["admin", "cook", "pilot", "clown", "Rome", "Oslo", "", "unseen", "é"])
ENCODERS: dict[str, Any] = {
    "one-hot": OneHotEncoder(handle_unknown="ignore"),
    "one-hot dense": OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    "one-hot float32 without the first": OneHotEncoder(handle_unknown="ignore", drop="first", dtype=np.float32),
    "one-hot of frequent texts": OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=8),
    "one-hot of at most two": OneHotEncoder(handle_unknown=WARNS, max_categories=2),
    "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "ordinal with NaN": OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=-2
    ),
    "imputed one-hot": make_pipeline(
        SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder(handle_unknown="ignore")
    ),
    "imputed ordinal": make_pipeline(
        SimpleImputer(strategy="most_frequent"), OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    ),
}


def fitted(encoder: Any, columns: Any = ("job", "city")) -> Any:
    chosen = list(columns) if isinstance(columns, tuple) else columns
    transformer = make_column_transformer((StandardScaler(), ["age"]), (copy.deepcopy(encoder), chosen))
    model = make_pipeline(transformer, FunctionTransformer(np.nan_to_num), LogisticRegression())
    return model.fit(TRAINING, LABELS)


@lru_cache
def untouched_and_not(name: str) -> tuple[Any, Any, frozenset[str]]:
    untouched = fitted(ENCODERS[name])
    model = copy.deepcopy(untouched)
    categorical = encode_distinct_values(model)
    assert categorical == {"job", "city"}
    return untouched, model, categorical


def as_input(jobs: list[str], cities: list[str], categorical: frozenset[str]) -> Any:
    table = pa.table(
        {
            "job": pa.array(jobs, pa.string()).dictionary_encode(),
            "city": pa.array(cities, pa.string()).dictionary_encode(),
            "age": pa.array(np.linspace(18, 90, len(jobs))),
        }
    )
    return to_model_input(table, COLUMNS, None, categorical)


@pytest.mark.filterwarnings("ignore:Found unknown categories:UserWarning")
@pytest.mark.parametrize("name", ENCODERS)
@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=30))
def test_predictions_are_those_of_the_untouched_model_to_the_bit(name: str, rows: list[tuple[str, str]]) -> None:
    jobs, cities = [list(texts) for texts in zip(*rows, strict=True)]
    untouched, model, categorical = untouched_and_not(name)
    plain = as_input(jobs, cities, frozenset())
    expected, encoded = untouched[0].transform(plain), untouched.predict_proba(plain)
    for frame in (plain, as_input(jobs, cities, categorical)):
        transformed = model[0].transform(frame)
        assert issparse(transformed) == issparse(expected)
        assert transformed.dtype == expected.dtype
        np.testing.assert_array_equal(_dense(transformed), _dense(expected))
        np.testing.assert_array_equal(model.predict_proba(frame), encoded)


def _dense(table: Any) -> Any:
    return table.toarray() if issparse(table) else table


def test_wide_one_hot_columns_stay_sparse() -> None:
    words = [f"word {number}" for number in range(200)]
    frame = pd.DataFrame({"job": words, "city": words[::-1]})
    untouched = make_pipeline(make_column_transformer((OneHotEncoder(), ["job", "city"])), LogisticRegression())
    untouched.fit(frame, np.arange(200) % 2)
    model = copy.deepcopy(untouched)
    assert encode_distinct_values(model) == {"job", "city"}
    found, expected = model[0].transform(frame), untouched[0].transform(frame)
    assert issparse(found)
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))


def test_a_slice_of_a_block_is_not_refused_for_a_text_elsewhere_in_the_block() -> None:
    model = fitted(OneHotEncoder(handle_unknown="error"))
    frame = as_input(["cook", "unseen"], ["Rome", "Rome"], encode_distinct_values(model))
    assert len(model.predict_proba(frame.iloc[:1])) == 1
    with pytest.raises(ValueError, match="unknown categories"):
        model.predict_proba(frame)


@pytest.mark.parametrize(
    "columns",
    [["job", "city"], [0, 1], slice(0, 2), slice("job", "city"), np.array([True, True, False])],
    ids=["names", "places", "slice", "slice of names", "mask"],
)
def test_columns_are_known_however_they_were_chosen(columns: Any) -> None:
    assert encode_distinct_values(fitted(OneHotEncoder(handle_unknown="ignore"), columns)) == {"job", "city"}


def test_a_column_that_another_transformer_reads_too_keeps_its_texts() -> None:
    lengths = FunctionTransformer(lambda frame: frame["city"].astype(str).str.len().to_numpy().reshape(-1, 1))
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["job", "city"]), (lengths, ["city"])),
        LogisticRegression(),
    ).fit(TRAINING, LABELS)
    assert encode_distinct_values(model) == {"job"}


def test_columns_that_are_dropped_may_be_anything() -> None:
    model = make_pipeline(
        ColumnTransformer([("hot", OneHotEncoder(), ["job"]), ("gone", "drop", ["city"])]), LogisticRegression()
    ).fit(TRAINING, LABELS)
    assert encode_distinct_values(model) == {"job"}


class OwnEncoder(OneHotEncoder):  # type: ignore[misc] # sklearn has no types
    """Somebody's subclass, which may depend on its neighbours."""


@pytest.mark.parametrize("missing", [None, np.nan])
def test_none_and_nan_stay_what_they_are(missing: Any) -> None:
    frame = pd.DataFrame({"job": ["nurse", missing, "cook", missing]}, dtype=object)
    steps = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["job"]))
    untouched = make_pipeline(steps, LogisticRegression()).fit(frame, [0, 1, 0, 1])
    model = copy.deepcopy(untouched)
    assert encode_distinct_values(model) == {"job"}
    np.testing.assert_array_equal(model.predict_proba(frame), untouched.predict_proba(frame))


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        fitted(OwnEncoder(handle_unknown="ignore")),
        make_pipeline(OrdinalEncoder(), LogisticRegression()),
        fitted(OneHotEncoder(handle_unknown="ignore", sparse_output=False).set_output(transform="pandas")),
        fitted(make_pipeline(SimpleImputer(strategy="most_frequent", add_indicator=True), OneHotEncoder())),
    ],
    ids=["no pipeline", "subclass", "no column transformer", "pandas output", "indicator of missing values"],
)
def test_other_models_stay_as_they_are(model: Any) -> None:
    assert encode_distinct_values(model) == frozenset()


def test_an_encoder_that_was_given_no_columns_is_left_as_it_is() -> None:
    """A selection by type, such as ``make_column_selector``, is empty where the table has no such column."""
    imputed = ENCODERS["imputed one-hot"]
    steps = make_column_transformer((StandardScaler(), ["age"]), (copy.deepcopy(imputed), []), (OneHotEncoder(), []))
    model = make_pipeline(steps, LogisticRegression()).fit(TRAINING[["age"]], LABELS)
    expected = model.predict_proba(TRAINING[["age"]])
    assert encode_distinct_values(model) == frozenset()
    np.testing.assert_array_equal(model.predict_proba(TRAINING[["age"]]), expected)
