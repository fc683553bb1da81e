"""What a registered model predicts is what its library predicts when it is called directly."""

from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from mlflow.models import ModelSignature, infer_signature
from mlflow.pyfunc.model import PythonModel
from mlflow.types.schema import Array, ColSpec, DataType, Schema, TensorSpec
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from batchscore.errors import ModelError
from batchscore.preflight.planner import LoadedModel
from tests.libraries import XGBOOST_HOLDS_CATEGORIES
from tests.models.conftest import Load
from tests.registry import Registry, columns

TUMOURS, MALIGNANT = load_breast_cancer(return_X_y=True, as_frame=True)
TUMOURS = TUMOURS.iloc[:, :5].set_axis(list("abcde"), axis=1)
FLOWERS, SPECIES = load_iris(return_X_y=True, as_frame=True)
FLOWERS = FLOWERS.set_axis(list("abcd"), axis=1)
PATIENTS, PROGRESS = load_diabetes(return_X_y=True, as_frame=True)
TUMOUR_COLUMNS = columns(*(f"{name}:double" for name in TUMOURS))
FLOWER_COLUMNS = columns(*(f"{name}:double" for name in FLOWERS))
PATIENT_COLUMNS = columns(*(f"{name}:double" for name in PATIENTS))
_RNG = np.random.default_rng(1)
SHOPPERS = pd.DataFrame(
    {
        "city": _RNG.choice(["Bern", "Genève", "Zürich, City"], 300),
        "size": _RNG.choice([36, 40, 44], 300),
        "spent": np.round(_RNG.gamma(2, 50, 300), 2),
    }
)
SHOPPER_COLUMNS = columns("city:string", "size:long", "spent:double")
RETURNED = (SHOPPERS["spent"] + 40 * (SHOPPERS["city"] == "Bern") - 20 * (SHOPPERS["size"] == 40) > 100).astype(int)


def _assert_equal(loaded: LoadedModel, frame: Any, expected: Any) -> None:
    predictions = loaded.predictor.predict(frame)
    assert predictions.dtype == np.float64
    np.testing.assert_array_equal(predictions, np.asarray(expected, np.float64))


def _facts(loaded: LoadedModel) -> tuple[str, tuple[str, ...], str | None]:
    return loaded.predictor.model_type, loaded.predictor.classes, loaded.predictor.positive_label


# ---------------------------------------------------------------- scikit-learn


def test_a_binary_sklearn_classifier_gives_the_probability_of_its_second_class(registry: Registry, load: Load) -> None:
    model = LogisticRegression(max_iter=5000).fit(TUMOURS, MALIGNANT)

    loaded = load(registry.register(model, signature=TUMOUR_COLUMNS))

    assert _facts(loaded) == ("binary", ("0", "1"), "1")
    _assert_equal(loaded, TUMOURS, model.predict_proba(TUMOURS)[:, 1])


def test_positive_label_names_the_class_that_1_stands_for(registry: Registry, load: Load) -> None:
    model = LogisticRegression(max_iter=5000).fit(TUMOURS, np.where(MALIGNANT == 1, "yes", "no"))

    loaded = load(registry.register(model, signature=TUMOUR_COLUMNS), positive_label="no")

    assert _facts(loaded) == ("binary", ("no", "yes"), "no")
    _assert_equal(loaded, TUMOURS, model.predict_proba(TUMOURS)[:, 0])


def test_boolean_labels_are_named_as_python_spells_them(registry: Registry, load: Load) -> None:
    model = LogisticRegression(max_iter=5000).fit(TUMOURS, MALIGNANT == 1)
    uri = registry.register(model, signature=TUMOUR_COLUMNS)

    assert _facts(load(uri)) == ("binary", ("False", "True"), "True")
    for label in ("False", "false", "FALSE", False):
        assert _facts(load(uri, positive_label=label)) == ("binary", ("False", "True"), "False")
    with pytest.raises(ModelError, match="expected a positive_label of False or True, got no"):
        load(uri, positive_label="no")


def test_a_label_of_text_is_told_from_others_by_case(registry: Registry, load: Load) -> None:
    model = LogisticRegression(max_iter=5000).fit(TUMOURS, np.where(MALIGNANT == 1, "Yes", "yes"))
    uri = registry.register(model, signature=TUMOUR_COLUMNS)

    assert _facts(load(uri, positive_label="Yes")) == ("binary", ("Yes", "yes"), "Yes")
    with pytest.raises(ModelError, match="expected a positive_label of Yes or yes, got YES"):
        load(uri, positive_label="YES")


def test_a_sklearn_pipeline_takes_text_columns(registry: Registry, load: Load) -> None:
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city"]), (StandardScaler(), ["size", "spent"])
    )
    model = make_pipeline(encoder, LogisticRegression()).fit(SHOPPERS, RETURNED)

    loaded = load(registry.register(model, signature=SHOPPER_COLUMNS))

    _assert_equal(loaded, SHOPPERS, model.predict_proba(SHOPPERS)[:, 1])


def test_a_multiclass_sklearn_classifier_gives_all_probabilities_in_its_class_order(
    registry: Registry, load: Load
) -> None:
    names = np.array(["setosa", "versicolor", "a,virginica"])[SPECIES]
    model = RandomForestClassifier(10, random_state=1, n_jobs=2).fit(FLOWERS, names)

    loaded = load(registry.register(model, signature=FLOWER_COLUMNS))

    assert _facts(loaded) == ("multiclass", ("a,virginica", "setosa", "versicolor"), None)
    _assert_equal(loaded, FLOWERS, model.predict_proba(FLOWERS))


@pytest.mark.parametrize("model", [LinearRegression(), GradientBoostingRegressor(n_estimators=5)])
def test_a_sklearn_regressor_gives_its_values(model: Any, registry: Registry, load: Load) -> None:
    model.fit(PATIENTS, PROGRESS)

    loaded = load(registry.register(model, signature=PATIENT_COLUMNS))

    assert _facts(loaded) == ("regression", (), None)
    _assert_equal(loaded, PATIENTS, model.predict(PATIENTS))


def test_a_search_over_a_pipeline_is_the_classifier_it_found(registry: Registry, load: Load) -> None:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    model = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1.0]}, cv=2, n_jobs=1).fit(TUMOURS, MALIGNANT)

    loaded = load(registry.register(model, signature=TUMOUR_COLUMNS))

    _assert_equal(loaded, TUMOURS, model.predict_proba(TUMOURS)[:, 1])


def test_a_model_saved_in_mlflow_s_safe_format_loads_too(registry: Registry, load: Load) -> None:
    pytest.importorskip("skops")  # an option of mlflow
    model = LogisticRegression(max_iter=5000).fit(TUMOURS, MALIGNANT)

    loaded = load(registry.register(model, signature=TUMOUR_COLUMNS, serialization_format="skops"))

    _assert_equal(loaded, TUMOURS, model.predict_proba(TUMOURS)[:, 1])


@pytest.mark.parametrize("model", [LinearSVC(), RidgeClassifier()])
def test_a_classifier_without_probabilities_is_refused_with_a_hint(model: Any, registry: Registry, load: Load) -> None:
    uri = registry.register(model.fit(FLOWERS, SPECIES), signature=FLOWER_COLUMNS)

    with pytest.raises(ModelError, match=r"classifier with predict_proba .*CalibratedClassifierCV") as caught:
        load(uri)

    assert str(caught.value).startswith(f"model {uri}: expected ")
    assert caught.value.exit_code == 4


def test_a_model_that_neither_classifies_nor_regresses_is_refused(registry: Registry, load: Load) -> None:
    uri = registry.register(KMeans(2, n_init=1).fit(FLOWERS), signature=FLOWER_COLUMNS)

    with pytest.raises(ModelError, match="a classifier with predict_proba or a regressor, got KMeans"):
        load(uri)


def test_a_classifier_of_several_targets_is_refused(registry: Registry, load: Load) -> None:
    targets = np.column_stack([MALIGNANT, 1 - MALIGNANT])
    uri = registry.register(RandomForestClassifier(2).fit(TUMOURS, targets), signature=TUMOUR_COLUMNS)

    with pytest.raises(ModelError, match="expected a classifier of one target"):
        load(uri)


# ---------------------------------------------------------------- LightGBM


def test_a_lightgbm_classifier_gives_probabilities(registry: Registry, load: Load) -> None:
    binary: Any = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(TUMOURS, np.where(MALIGNANT, "bad", "good"))
    several = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(FLOWERS, SPECIES)

    one = load(registry.register(binary, "lightgbm", TUMOUR_COLUMNS))
    three = load(registry.register(several, "lightgbm", FLOWER_COLUMNS))

    assert _facts(one) == ("binary", ("bad", "good"), "good")
    _assert_equal(one, TUMOURS, binary.predict_proba(TUMOURS)[:, 1])
    assert _facts(three) == ("multiclass", ("0", "1", "2"), None)
    _assert_equal(three, FLOWERS, several.predict_proba(FLOWERS))


def test_a_lightgbm_regressor_gives_its_values(registry: Registry, load: Load) -> None:
    model = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1).fit(PATIENTS, PROGRESS)

    loaded = load(registry.register(model, "lightgbm", PATIENT_COLUMNS))

    assert _facts(loaded) == ("regression", (), None)
    _assert_equal(loaded, PATIENTS, model.predict(PATIENTS))


@pytest.mark.parametrize(
    ("parameters", "frame", "target", "facts"),
    [
        ({"objective": "binary"}, TUMOURS, MALIGNANT, ("binary", ("0", "1"), "1")),
        ({"objective": "cross_entropy"}, TUMOURS, MALIGNANT, ("binary", ("0", "1"), "1")),
        ({"objective": "multiclass", "num_class": 3}, FLOWERS, SPECIES, ("multiclass", ("0", "1", "2"), None)),
        ({"objective": "regression"}, PATIENTS, PROGRESS, ("regression", (), None)),
        ({"objective": "poisson"}, PATIENTS, PROGRESS, ("regression", (), None)),
    ],
)
def test_a_lightgbm_booster_is_what_its_objective_says(
    parameters: dict[str, Any], frame: pd.DataFrame, target: Any, facts: Any, registry: Registry, load: Load
) -> None:
    data = lightgbm.Dataset(frame, target)
    model = lightgbm.train(parameters | {"verbose": -1}, data, num_boost_round=4)

    loaded = load(registry.register(model, "lightgbm", infer_signature(frame)))

    assert _facts(loaded) == facts
    _assert_equal(loaded, frame, model.predict(frame))


@pytest.mark.parametrize("native", [False, True])
def test_a_lightgbm_model_trained_on_pandas_categories_takes_their_plain_values(
    native: bool, registry: Registry, load: Load
) -> None:
    trained = SHOPPERS.astype({"city": "category", "size": "category"})
    parameters: dict[str, Any] = {"min_data_per_group": 1, "verbose": -1, "num_threads": 1}
    if native:
        data = lightgbm.Dataset(trained, RETURNED)
        model: Any = lightgbm.train(parameters | {"objective": "binary"}, data, num_boost_round=5)
        expected = np.asarray(model.predict(trained))
    else:
        model = lightgbm.LGBMClassifier(n_estimators=5, **parameters).fit(trained, RETURNED)
        expected = model.predict_proba(trained)[:, 1]
    assert len(set(expected)) > 6

    loaded = load(registry.register(model, "lightgbm", SHOPPER_COLUMNS))

    _assert_equal(loaded, SHOPPERS, expected)
    # A batch that holds but one of the categories is read the same.
    _assert_equal(loaded, SHOPPERS[SHOPPERS["city"] == "Genève"], expected[SHOPPERS["city"] == "Genève"])
    _assert_equal(loaded, SHOPPERS.astype({"size": "float64"}), expected)  # an optional integer column


def test_a_text_stands_for_the_number_that_a_lightgbm_category_was(registry: Registry, load: Load) -> None:
    trained = SHOPPERS[["size"]].astype("category")
    model = lightgbm.LGBMClassifier(n_estimators=5, min_data_per_group=1, verbose=-1).fit(trained, RETURNED)
    texts = SHOPPERS[["size"]].astype(str)

    loaded = load(registry.register(model, "lightgbm", infer_signature(texts)))

    _assert_equal(loaded, texts, np.asarray(model.predict_proba(trained))[:, 1])


# ---------------------------------------------------------------- XGBoost


@pytest.mark.skipif(not XGBOOST_HOLDS_CATEGORIES, reason="files of XGBoost before 3.1 hold no categories")
@pytest.mark.parametrize("native", [False, True])
def test_an_xgboost_model_trained_on_pandas_categories_takes_their_texts(
    native: bool, registry: Registry, load: Load
) -> None:
    trained = SHOPPERS[["city", "size"]].astype({"city": "category"})
    if native:
        data = xgboost.DMatrix(trained, RETURNED, enable_categorical=True)
        model: Any = xgboost.train({"objective": "binary:logistic"}, data, num_boost_round=5)
        expected = model.predict(data)
    else:
        model = xgboost.XGBClassifier(n_estimators=5, enable_categorical=True).fit(trained, RETURNED)
        expected = model.predict_proba(trained)[:, 1]
    assert len(set(expected)) > 4

    loaded = load(registry.register(model, "xgboost", columns("city:string", "size:long")))

    texts = SHOPPERS[["city", "size"]]
    _assert_equal(loaded, texts, expected)
    _assert_equal(loaded, texts[SHOPPERS["city"] == "Genève"], expected[SHOPPERS["city"] == "Genève"])


def test_an_xgboost_classifier_gives_probabilities(registry: Registry, load: Load) -> None:
    binary = xgboost.XGBClassifier(n_estimators=5).fit(TUMOURS, MALIGNANT)
    several = xgboost.XGBClassifier(n_estimators=5).fit(FLOWERS, SPECIES)

    one = load(registry.register(binary, "xgboost", TUMOUR_COLUMNS))
    three = load(registry.register(several, "xgboost", FLOWER_COLUMNS))

    assert _facts(one) == ("binary", ("0", "1"), "1")
    _assert_equal(one, TUMOURS, binary.predict_proba(TUMOURS)[:, 1])
    assert _facts(three) == ("multiclass", ("0", "1", "2"), None)
    _assert_equal(three, FLOWERS, several.predict_proba(FLOWERS))


def test_an_xgboost_regressor_gives_its_values(registry: Registry, load: Load) -> None:
    model = xgboost.XGBRegressor(n_estimators=5).fit(PATIENTS, PROGRESS)

    loaded = load(registry.register(model, "xgboost", PATIENT_COLUMNS))

    assert _facts(loaded) == ("regression", (), None)
    _assert_equal(loaded, PATIENTS, model.predict(PATIENTS))


@pytest.mark.parametrize(
    ("parameters", "frame", "target", "facts"),
    [
        ({"objective": "binary:logistic"}, TUMOURS, MALIGNANT, ("binary", ("0", "1"), "1")),
        ({"objective": "multi:softprob", "num_class": 3}, FLOWERS, SPECIES, ("multiclass", ("0", "1", "2"), None)),
        ({"objective": "reg:squarederror"}, PATIENTS, PROGRESS, ("regression", (), None)),
    ],
)
def test_an_xgboost_booster_is_what_its_objective_says(
    parameters: dict[str, Any], frame: pd.DataFrame, target: Any, facts: Any, registry: Registry, load: Load
) -> None:
    data = xgboost.DMatrix(frame, target)
    model = xgboost.train(parameters, data, num_boost_round=4)

    loaded = load(registry.register(model, "xgboost", infer_signature(frame)))

    assert _facts(loaded) == facts
    _assert_equal(loaded, frame, model.predict(data))
    _assert_equal(loaded, frame.to_numpy(), model.predict(data))


@pytest.mark.parametrize(
    ("parameters", "frame", "target"),
    [
        ({"objective": "multi:softmax", "num_class": 3}, FLOWERS, SPECIES),
        ({"objective": "binary:logitraw"}, TUMOURS, MALIGNANT),
        ({"objective": "binary:hinge"}, TUMOURS, MALIGNANT),
    ],
)
def test_an_xgboost_booster_without_probabilities_is_refused(
    parameters: dict[str, Any], frame: pd.DataFrame, target: Any, registry: Registry, load: Load
) -> None:
    model = xgboost.train(parameters, xgboost.DMatrix(frame, target), num_boost_round=2)
    uri = registry.register(model, "xgboost", infer_signature(frame))

    with pytest.raises(ModelError, match=f"an objective with probabilities, got {parameters['objective']}"):
        load(uri)


# ---------------------------------------------------------------- CatBoost


@pytest.fixture
def quiet(tmp_path: Path) -> dict[str, Any]:
    return {"iterations": 4, "verbose": False, "train_dir": str(tmp_path), "thread_count": 1}


def test_a_catboost_classifier_gives_probabilities(quiet: dict[str, Any], registry: Registry, load: Load) -> None:
    binary = catboost.CatBoostClassifier(cat_features=["city"], **quiet).fit(SHOPPERS, RETURNED)
    several = catboost.CatBoostClassifier(**quiet).fit(FLOWERS, SPECIES)

    one = load(registry.register(binary, "catboost", SHOPPER_COLUMNS))
    three = load(registry.register(several, "catboost", FLOWER_COLUMNS))

    assert _facts(one) == ("binary", ("0", "1"), "1")
    _assert_equal(one, SHOPPERS, binary.predict_proba(SHOPPERS)[:, 1])
    assert _facts(three) == ("multiclass", ("0", "1", "2"), None)
    _assert_equal(three, FLOWERS, several.predict_proba(FLOWERS))


def test_a_catboost_regressor_gives_its_values(quiet: dict[str, Any], registry: Registry, load: Load) -> None:
    model = catboost.CatBoostRegressor(**quiet).fit(PATIENTS, PROGRESS)

    loaded = load(registry.register(model, "catboost", PATIENT_COLUMNS))

    assert _facts(loaded) == ("regression", (), None)
    _assert_equal(loaded, PATIENTS, model.predict(PATIENTS))


# ---------------------------------------------------------------- pyfunc


class Halves(PythonModel):
    """Answers with half of ``a``: a probability where that is one."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002 - mlflow's interface
        return model_input["a"] / 2


class Shares(PythonModel):
    """Answers with a frame of three shares."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002 - mlflow's interface
        a = model_input["a"]
        return pd.DataFrame({"low": a / 4, "middle": a / 4, "high": 1 - a / 2})


NUMBERS = pd.DataFrame({"a": [0.0, 0.25, 1.0]})


def test_a_pyfunc_model_of_one_number_is_a_regression(registry: Registry, load: Load) -> None:
    loaded = load(registry.register(Halves(), "pyfunc", columns("a:double", outputs=["half"])))

    assert _facts(loaded) == ("regression", (), None)
    _assert_equal(loaded, NUMBERS, [0.0, 0.125, 0.5])


def test_a_pyfunc_model_of_one_number_is_binary_if_the_configuration_says_so(registry: Registry, load: Load) -> None:
    uri = registry.register(Halves(), "pyfunc", columns("a:double", outputs=["half"]))

    loaded = load(uri, model_type="binary")
    inverse = load(uri, model_type="binary", positive_label=0)

    assert _facts(loaded) == ("binary", ("0", "1"), "1")
    _assert_equal(loaded, NUMBERS, [0.0, 0.125, 0.5])
    _assert_equal(inverse, NUMBERS, [1.0, 0.875, 0.5])


def test_a_pyfunc_model_of_several_numbers_has_a_class_for_each_output(registry: Registry, load: Load) -> None:
    loaded = load(registry.register(Shares(), "pyfunc", columns("a:double", outputs=["low", "middle", "high"])))

    assert _facts(loaded) == ("multiclass", ("low", "middle", "high"), None)
    _assert_equal(loaded, NUMBERS, [[0.0, 0.0, 1.0], [0.0625, 0.0625, 0.875], [0.25, 0.25, 0.5]])


def test_classes_without_names_are_numbered(registry: Registry, load: Load) -> None:
    signature = ModelSignature(
        inputs=Schema([ColSpec("double", "a")]), outputs=Schema([TensorSpec(np.dtype("float64"), (-1, 3))])
    )

    assert load(registry.register(Shares(), "pyfunc", signature)).predictor.classes == ("0", "1", "2")


def test_prediction_column_takes_one_of_a_pyfunc_model_s_outputs(registry: Registry, load: Load) -> None:
    uri = registry.register(Shares(), "pyfunc", columns("a:double", outputs=["low", "middle", "high"]))

    loaded = load(uri, prediction_column="high", model_type="binary")

    assert _facts(loaded) == ("binary", ("0", "1"), "1")
    _assert_equal(loaded, NUMBERS, [1.0, 0.875, 0.5])
    with pytest.raises(ModelError, match="expected an output column best, got low, middle, high"):
        load(uri, prediction_column="best")


def test_a_pyfunc_model_that_says_nothing_of_its_outputs_needs_a_model_type(registry: Registry, load: Load) -> None:
    uri = registry.register(Halves(), "pyfunc", columns("a:double"))

    with pytest.raises(ModelError, match="a signature with outputs or a model_type in the configuration"):
        load(uri)
    _assert_equal(load(uri, model_type="regression"), NUMBERS, [0.0, 0.125, 0.5])


@pytest.mark.parametrize("kind", ["long", "integer", "boolean"])
def test_a_pyfunc_model_takes_missing_values_in_an_optional_column(kind: str, registry: Registry, load: Load) -> None:
    loaded = load(registry.register(Halves(), "pyfunc", columns(f"a:{kind}?", outputs=["half"])))

    _assert_equal(loaded, pd.DataFrame({"a": [1.0, np.nan, 0.0]}), [0.5, np.nan, 0.0])


# ---------------------------------------------------------------- signatures


def test_a_model_trained_on_an_array_takes_an_array_of_its_type(registry: Registry, load: Load) -> None:
    array = FLOWERS.to_numpy(np.float32)
    model = LogisticRegression(max_iter=500).fit(array, SPECIES)

    loaded = load(registry.register(model, signature=infer_signature(array)))

    assert (loaded.version.signature, loaded.version.tensor_dtype) == (4, "float32")
    _assert_equal(loaded, array, model.predict_proba(array))


def test_columns_without_names_are_an_array(registry: Registry, load: Load) -> None:
    model = LogisticRegression(max_iter=500).fit(FLOWERS.to_numpy(), SPECIES)

    loaded = load(registry.register(model, signature=ModelSignature(inputs=Schema([ColSpec("double")] * 4))))

    assert (loaded.version.signature, loaded.version.tensor_dtype) == (4, "float64")
    _assert_equal(loaded, FLOWERS.to_numpy(), model.predict_proba(FLOWERS.to_numpy()))


def test_a_model_without_a_signature_says_nothing_of_its_columns(registry: Registry, load: Load) -> None:
    model = LogisticRegression(max_iter=500).fit(FLOWERS, SPECIES)

    loaded = load(registry.register(model))

    assert (loaded.version.signature, loaded.version.tensor_dtype) == (None, None)
    _assert_equal(loaded, FLOWERS, model.predict_proba(FLOWERS))


def test_optional_columns_are_known_as_optional(registry: Registry, load: Load) -> None:
    model = LogisticRegression(max_iter=500).fit(FLOWERS, SPECIES)
    signature = columns("a:double", "b:long?", "c:string?", "d:boolean")

    loaded = load(registry.register(model, signature=signature))

    assert isinstance(loaded.version.signature, tuple)
    assert [(column.type, column.required) for column in loaded.version.signature] == [
        ("double", True),
        ("long", False),
        ("string", False),
        ("boolean", True),
    ]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([ColSpec("binary", "when"), ColSpec("double", "a")], "expected types of .*, got: when is binary"),
        ([ColSpec("binary", "photo")], "got: photo is binary"),
        ([ColSpec(Array(DataType.double), "history")], r"got: history is Array"),
        ([ColSpec("double"), ColSpec("binary")], "expected types of .*, got: column 2 is binary"),
        ([TensorSpec(np.dtype("float32"), (-1, 28, 28))], r"columns, one array of \(-1, n\) .*, got another"),
        ([TensorSpec(np.dtype("float32"), (-1, -1))], r"columns, one array of \(-1, n\) .*, got another"),
        ([TensorSpec(np.dtype("float32"), (3, 2))], r"columns, one array of \(-1, n\) .*, got another"),
        ([TensorSpec(np.dtype("uint8"), (-1, 2))], r"columns, one array of \(-1, n\) .*, got another"),
        ([TensorSpec(np.dtype("O"), (-1, 2))], r"columns, one array of \(-1, n\) .*, got another"),
        (
            [TensorSpec(np.dtype("float64"), (-1, 2), "a"), TensorSpec(np.dtype("float64"), (-1, 2), "b")],
            r"columns, one array of \(-1, n\) .*, got another",
        ),
    ],
)
def test_signatures_that_no_column_of_a_csv_file_can_meet_are_refused(
    inputs: list[Any], message: str, registry: Registry, load: Load
) -> None:
    model = LogisticRegression(max_iter=500).fit(FLOWERS, SPECIES)
    uri = registry.register(model, signature=ModelSignature(inputs=Schema(inputs)))

    with pytest.raises(ModelError, match=f"signature of {uri}: .*{message}"):
        load(uri)


# ---------------------------------------------------------------- the configuration's word against the model


def test_a_model_type_that_contradicts_the_model_is_refused(registry: Registry, load: Load) -> None:
    model = LogisticRegression(max_iter=500).fit(FLOWERS, SPECIES)
    uri = registry.register(model, signature=FLOWER_COLUMNS)

    assert load(uri, model_type="multiclass").predictor.model_type == "multiclass"
    with pytest.raises(ModelError, match=f"model {uri}: expected binary as model_type says, got multiclass"):
        load(uri, model_type="binary")


def test_a_positive_label_must_be_a_class_of_a_binary_model(registry: Registry, load: Load) -> None:
    binary = registry.register(LogisticRegression(max_iter=5000).fit(TUMOURS, MALIGNANT), signature=TUMOUR_COLUMNS)
    several = registry.register(LogisticRegression(max_iter=500).fit(FLOWERS, SPECIES), signature=FLOWER_COLUMNS)

    with pytest.raises(ModelError, match="expected a positive_label of 0 or 1, got yes"):
        load(binary, positive_label="yes")
    with pytest.raises(ModelError, match="expected a binary model for positive_label, got multiclass"):
        load(several, positive_label="1")


def test_another_major_version_of_the_library_is_refused_unless_allowed_by_name(registry: Registry, load: Load) -> None:
    from sklearn import __version__ as installed

    model = LogisticRegression(max_iter=500).fit(FLOWERS, SPECIES)
    uri = registry.register(model, signature=FLOWER_COLUMNS)
    mlmodel = registry.files(uri) / "MLmodel"
    mlmodel.write_text(mlmodel.read_text().replace(f"sklearn_version: {installed}", "sklearn_version: 0.24.2"))

    with pytest.raises(ModelError) as caught:
        load(uri)

    assert str(caught.value) == (
        f"model {uri}: expected sklearn 0.24.2 as in training, got {installed}; "
        "allow_version_mismatch: [sklearn] allows it"
    )
    with pytest.raises(ModelError, match="as in training"):
        load(uri, allow_version_mismatch="lightgbm")
    _assert_equal(load(uri, allow_version_mismatch="sklearn"), FLOWERS, model.predict_proba(FLOWERS))


def test_the_threshold_is_the_configuration_s_else_the_model_version_s_else_one_half(
    registry: Registry, load: Load
) -> None:
    model = LogisticRegression(max_iter=5000).fit(TUMOURS, MALIGNANT)
    uri = registry.register(model, signature=TUMOUR_COLUMNS, name="with-threshold")

    assert load(uri).threshold == 0.5
    registry.client.set_model_version_tag("with-threshold", "1", "score_threshold", "0.35")
    assert load(uri).threshold == 0.35
    assert load(uri, threshold=0.0).threshold == 0.0


@pytest.mark.parametrize("text", ["high", "1.5", "-0.1", "nan", ""])
def test_a_threshold_tag_that_is_no_number_from_0_to_1_is_refused(text: str, registry: Registry, load: Load) -> None:
    model = LogisticRegression(max_iter=5000).fit(TUMOURS, MALIGNANT)
    name = f"threshold-{text or 'empty'}"
    uri = registry.register(model, signature=TUMOUR_COLUMNS, name=name)
    registry.client.set_model_version_tag(name, "1", "score_threshold", text)

    with pytest.raises(ModelError, match=f"tag score_threshold of {uri}: expected a number from 0 to 1, got {text}"):
        load(uri)
    assert load(uri, threshold=0.7).threshold == 0.7


def test_files_that_do_not_load_are_refused_without_the_library_s_message(registry: Registry, load: Load) -> None:
    model = LogisticRegression(max_iter=500).fit(FLOWERS, SPECIES)
    uri = registry.register(model, signature=FLOWER_COLUMNS)
    (registry.files(uri) / "model.pkl").write_bytes(b"secret")

    with pytest.raises(ModelError, match=f"model {uri}: expected to load it as sklearn, got UnpicklingError") as caught:
        load(uri)

    assert "secret" not in str(caught.value)
