"""Many small inputs transformed at once: each gets the bits that the model's own library gives it alone."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

from batchscore.input.columns import Column
from batchscore.model.frames import ModelRecords, to_model_input
from batchscore.model.missing_patterns import predict_table
from batchscore.model.predictor import Failure, Predictor
from batchscore.model.rowwise import TransformedRows, transform_together
from tests.models.conftest import Load
from tests.registry import Registry, columns

NUMBERS, TEXTS = ["age", "debt", "share"], ["job", "city"]
SIGNATURE = columns(*(f"{name}:double" for name in NUMBERS), *(f"{name}:string" for name in TEXTS))
COLUMNS = (*(Column(name, "double") for name in NUMBERS), *(Column(name, "string") for name in TEXTS))
SIZES = (1, 2, 0, 3, 1, 17, 1, 64, 5)
NUMBERS_ALONE = columns(*(f"{name}:double" for name in NUMBERS))

one_hot = OneHotEncoder(handle_unknown="ignore")
ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
network = MLPRegressor(hidden_layer_sizes=(5,), tol=10.0, random_state=0)
imputed = make_pipeline(SimpleImputer(), StandardScaler())


class Mine(ColumnTransformer):  # type: ignore[misc] # scikit-learn has no types
    """What a subclass does is not known."""


def people(count: int, seed: int) -> pd.DataFrame:
    """Return records of which some lack a value."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({name: draw.normal(size=count) * 10 for name in NUMBERS})
    for name, words in zip(TEXTS, (["cook", "pilot", "clown", "é"], ["Rome", "Oslo"]), strict=True):
        frame[name] = draw.choice(np.array([*words, np.nan], object), size=count)
    frame.loc[draw.random(count) < 0.2, "debt"] = np.nan
    return frame


def over(*parts: tuple[Any, list[str]], last: Any, **options: Any) -> Any:
    return make_pipeline(make_column_transformer(*parts, **options), last)


TOGETHER: dict[str, Any] = {
    "dense, then a product": over((imputed, NUMBERS), (one_hot, TEXTS), last=LogisticRegression(C=0.3)),
    "sparse": over((imputed, NUMBERS), (one_hot, TEXTS), sparse_threshold=1.0, last=LogisticRegression(C=0.3)),
    "one block, column by column": over((imputed, NUMBERS), last=LogisticRegression()),
    "one column": over((imputed, ["debt"]), last=LogisticRegression()),
    "several steps after": make_pipeline(
        make_column_transformer((imputed, NUMBERS), (one_hot, TEXTS)), PCA(3), LogisticRegression()
    ),
    "neighbours": over((imputed, NUMBERS), (one_hot, TEXTS), last=KNeighborsClassifier(3)),
    "a network": over((imputed, NUMBERS), (one_hot, TEXTS), last=network),
    "two column transformers": make_pipeline(
        make_column_transformer((SimpleImputer(), NUMBERS), (ordinal, TEXTS)),
        make_column_transformer((RobustScaler(), slice(0, 3)), remainder="passthrough"),
        LogisticRegression(),
    ),
    "passed and dropped": over(
        (make_pipeline(SimpleImputer(), MinMaxScaler()), ["debt"]), ("passthrough", ["age"]), ("drop", ["share"]),
        (one_hot, TEXTS), last=LinearRegression(),
    ),
    "trees": over((imputed, NUMBERS), (ordinal, TEXTS), last=HistGradientBoostingClassifier(max_iter=5)),
    "trees on scaled numbers": make_pipeline(SimpleImputer(), RobustScaler(), RandomForestRegressor(5)),
}  # fmt: skip
ALONE: dict[str, Any] = {
    "a function": over(
        (make_pipeline(SimpleImputer(), FunctionTransformer(np.arctan)), NUMBERS), last=LinearRegression()
    ),
    "a power": over((make_pipeline(SimpleImputer(), PowerTransformer()), NUMBERS), last=LinearRegression()),
    "a frame between": over((deepcopy(imputed), NUMBERS), last=LinearRegression()).set_output(transform="pandas"),
    "of a subclass": make_pipeline(Mine([("numbers", imputed, NUMBERS)]), LinearRegression()),
    "nothing before": Pipeline([("last", HistGradientBoostingClassifier(max_iter=5))]),
    "no column transformer, then a product": make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
    "trees that begin with another's answer": make_pipeline(
        SimpleImputer(), StandardScaler(), GradientBoostingClassifier(init=LogisticRegression(), n_estimators=3)
    ),
    "no pipeline": RandomForestClassifier(5),
}  # fmt: skip


def fitted(unfitted: Any) -> tuple[Any, Sequence[str]]:
    """Fit a copy of an estimator to people; of those that choose no columns to their numbers alone."""
    estimator = deepcopy(unfitted)
    frame = people(300, seed=0)
    names = (
        list(frame.columns) if "columntransformer" in str(estimator).lower() or "Mine" in str(estimator) else NUMBERS
    )
    frame = frame[names]
    if isinstance(estimator, RandomForestClassifier):
        frame = frame.fillna(0.0)
    return estimator.fit(frame, np.arange(300) % 2), names


def as_records(frame: pd.DataFrame, predictor: Predictor) -> ModelRecords:
    """Return records as a reader gives them: texts as the dictionary of their own input."""
    known = [column for column in COLUMNS if column.name in frame.columns]
    arrays = [
        pa.array(frame[column.name], from_pandas=True, type=pa.string()).dictionary_encode()
        if column.type == "string"
        else pa.array(frame[column.name], from_pandas=True, type=pa.float64())
        for column in known
    ]
    table = pa.table(arrays, names=[column.name for column in known])
    return ModelRecords(table, known, categorical=predictor.categorical)


def in_memory(values: Any) -> tuple[Any, ...]:
    """Return what arithmetic on values could depend on: their bytes, and how they lie in memory."""
    if issparse(values):
        return values.shape, *(in_memory(part) for part in (values.data, values.indices, values.indptr))
    return values.dtype.str, values.shape, values.strides, values.tobytes()


@pytest.mark.parametrize("kind", TOGETHER)
def test_rows_transformed_together_are_those_transformed_alone_in_every_bit(
    kind: str, load: Load, registry: Registry
) -> None:
    estimator, names = fitted(TOGETHER[kind])
    signature = SIGNATURE if len(names) > len(NUMBERS) else NUMBERS_ALONE
    predictor = load(registry.register(estimator, signature=signature)).predictor
    assert predictor.transform is not None
    frames = [people(size, seed)[names] for seed, size in enumerate(SIZES, 1)]
    inputs = [as_records(frame, predictor) for frame in frames]

    together = transform_together(predictor.transform, inputs)

    assert [len(rows) if rows else 0 for rows in together] == list(SIZES)
    for frame, records, rows in zip(frames, inputs, together, strict=True):
        if rows is None:
            continue
        alone = predictor.transform(to_model_input(records.inputs, records.columns, None, predictor.categorical))
        assert in_memory(rows.values) == in_memory(alone.values)
        answer, failures = predict_table(predictor, records, [(np.arange(len(records)), rows)], 0)
        proba = hasattr(estimator, "predict_proba")
        expected = estimator.predict_proba(frame)[:, 1] if proba else estimator.predict(frame)
        assert (failures, answer.tobytes()) == ([], np.ascontiguousarray(expected).tobytes())


@pytest.mark.parametrize("kind", ALONE)
def test_a_model_of_which_it_is_not_known_gets_each_input_alone(kind: str, load: Load, registry: Registry) -> None:
    estimator, names = fitted(ALONE[kind])
    signature = SIGNATURE if len(names) > len(NUMBERS) else NUMBERS_ALONE
    assert load(registry.register(estimator, signature=signature)).predictor.transform is None


def test_where_a_step_refuses_a_record_it_alone_is_at_fault(load: Load, registry: Registry) -> None:
    estimator, _ = fitted(over((imputed, NUMBERS), (OneHotEncoder(), TEXTS), last=LogisticRegression()))
    predictor = load(registry.register(estimator, signature=SIGNATURE)).predictor
    frames = [people(3, seed) for seed in range(3)]
    frames[1].loc[1, "city"] = "Atlantis"
    inputs = [as_records(frame, predictor) for frame in frames]
    assert predictor.transform is not None

    together = transform_together(predictor.transform, inputs)

    assert together == [None] * 3
    found = [predict_table(predictor, records, records.groups(), 10) for records in inputs]
    assert [failures for _, failures in found] == [[], [Failure(1, "model_error")], []]
    np.testing.assert_array_equal(found[2][0], estimator.predict_proba(frames[2])[:, 1])


def test_an_input_whose_records_have_several_types_is_left_to_itself() -> None:
    known = (Column("n", "long"),)
    given = [pa.array([1, 2]), pa.array([3, None]), pa.array([4])]
    inputs = [ModelRecords(pa.table([array], names=["n"]), known) for array in given]
    seen = []

    def transform(records: Any) -> TransformedRows:
        seen.append(records)
        return TransformedRows(records.to_numpy() * 10.0)

    first, second, third = transform_together(transform, inputs)

    assert len(seen) == 1
    assert second is None
    assert first is not None
    assert third is not None
    assert (first.values.tolist(), third.values.tolist()) == ([[10.0], [20.0]], [[40.0]])
