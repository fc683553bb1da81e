"""Models of libraries that have no module here, used through pyfunc: each answers as its own library does.

The oracle is ONNX Runtime, scikit-learn, or statsmodels, called directly.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature, infer_signature
from mlflow.types.schema import Schema, TensorSpec
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from batchscore.errors import ModelError
from tests.agreement.judge import score
from tests.agreement.oracle import Scored, read_as_pandas
from tests.models.conftest import Load
from tests.registry import Registry, columns

onnx = pytest.importorskip("onnx")  # these come with the extra for development
onnxruntime = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")
statsmodels_api = pytest.importorskip("statsmodels.api")
formulas = pytest.importorskip("statsmodels.formula.api")

pytestmark = pytest.mark.filterwarnings("ignore")  # hints for those who train in earnest
FLOWERS, SPECIES = load_iris(return_X_y=True, as_frame=True)
FLOWERS = FLOWERS.set_axis(list("abcd"), axis=1)
TUMOURS, MALIGNANT = load_breast_cancer(return_X_y=True, as_frame=True)
TUMOURS = TUMOURS.iloc[:, :3].set_axis(list("abc"), axis=1)
SHOPPERS = pd.DataFrame(
    {
        "city": ["Bern", "Basel", "Genève", "Basel"] * 20,
        "spent": np.arange(80.0) % 7,
        "visits": np.arange(80) % 5,
    }
)
RETURNED = ((SHOPPERS["spent"] > 3) ^ (SHOPPERS["city"] == "Basel")).astype(int)
CHOSEN: dict[str, Any] = {"prediction_column": "probabilities"}


def converted(model: Any, types: Any = None, **options: Any) -> Any:
    """Return a scikit-learn model as ONNX: one array of floats, unless types of columns are given."""
    from skl2onnx.common.data_types import FloatTensorType

    types = types or [("X", FloatTensorType([None, model.n_features_in_]))]
    return skl2onnx.convert_sklearn(
        model, initial_types=types, options={id(model): options} if options else {}, target_opset=15
    )


def run(model: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return what ONNX Runtime answers."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip([item.name for item in session.get_outputs()], session.run(None, inputs), strict=True))


def scored(frame: pd.DataFrame, uri: str, load: Load, folder: Path, **keys: Any) -> Scored:
    """Return what a job makes of a file with the rows of a frame."""
    return score(frame.to_csv(index=False), load(uri, **keys), folder, **keys)


@pytest.fixture(scope="module")
def flowers() -> Any:
    return converted(LogisticRegression(max_iter=500).fit(FLOWERS.to_numpy(), SPECIES), zipmap=False)


@pytest.mark.parametrize("form", ["named columns", "array", "named array"])
def test_an_onnx_classifier_gives_the_probabilities_that_onnx_runtime_gives(
    form: str, flowers: Any, registry: Registry, load: Load, tmp_path: Path
) -> None:
    """MLflow fails on a frame: it makes one of the answer, which cannot hold three probabilities for each record."""
    array = FLOWERS.to_numpy(np.float32)
    signature = {
        "named columns": infer_signature(FLOWERS),
        "array": infer_signature(array),
        "named array": ModelSignature(Schema([TensorSpec(np.dtype("float32"), (-1, 4), "X")])),
    }[form]
    uri = registry.register(flowers, "onnx", signature)

    loaded = load(uri, **CHOSEN)
    found = scored(FLOWERS, uri, load, tmp_path, **CHOSEN)

    assert (loaded.predictor.model_type, loaded.predictor.classes) == ("multiclass", ("0", "1", "2"))
    np.testing.assert_array_equal(found.predictions, run(flowers, {"X": array})["probabilities"])


def test_an_onnx_classifier_of_two_classes_gives_p_1_where_the_key_says_binary(
    registry: Registry, load: Load, tmp_path: Path
) -> None:
    model = converted(LogisticRegression(max_iter=5000).fit(TUMOURS.to_numpy(), MALIGNANT), zipmap=False)
    uri = registry.register(model, "onnx", infer_signature(TUMOURS))

    found = scored(TUMOURS, uri, load, tmp_path, model_type="binary", **CHOSEN)

    expected = run(model, {"X": TUMOURS.to_numpy(np.float32)})["probabilities"][:, 1]
    np.testing.assert_array_equal(found.predictions[:, 0], expected)


def test_an_onnx_regressor_gives_its_value(registry: Registry, load: Load, tmp_path: Path) -> None:
    model = converted(LinearRegression().fit(TUMOURS.to_numpy(), TUMOURS["a"] * 2 + 1))
    uri = registry.register(model, "onnx", infer_signature(TUMOURS))

    found = scored(TUMOURS, uri, load, tmp_path)

    [expected] = run(model, {"X": TUMOURS.to_numpy(np.float32)}).values()
    np.testing.assert_array_equal(found.predictions, expected)


def test_an_onnx_pipeline_of_columns_of_several_types_gets_each_by_name(
    registry: Registry, load: Load, tmp_path: Path
) -> None:
    """MLflow gives each column in one dimension, which this graph refuses: so do most that are made of pipelines."""
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    steps = make_column_transformer((OneHotEncoder(), ["city"]), (StandardScaler(), ["spent", "visits"]))
    pipeline = make_pipeline(steps, LogisticRegression()).fit(SHOPPERS, RETURNED)
    shapes = [("city", StringTensorType), ("spent", FloatTensorType), ("visits", Int64TensorType)]
    model = converted(pipeline, [(name, kind([None, 1])) for name, kind in shapes], zipmap=False)
    uri = registry.register(model, "onnx", columns("visits:long", "city:string", "spent:double"))

    found = scored(SHOPPERS, uri, load, tmp_path, model_type="binary", **CHOSEN)

    inputs = {"spent": np.float32, "visits": np.int64, "city": object}
    arrays = {name: SHOPPERS[[name]].to_numpy().astype(kind) for name, kind in inputs.items()}
    np.testing.assert_array_equal(found.predictions[:, 0], run(model, arrays)["probabilities"][:, 1])


def test_an_onnx_graph_of_arrays_of_one_dimension_gets_them(registry: Registry, load: Load, tmp_path: Path) -> None:
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(name, floats, [None]) for name in ("p", "q")]
    total = helper.make_tensor_value_info("total", floats, [None])
    node = helper.make_node("Add", ["p", "q"], ["total"])
    graph = helper.make_graph([node], "sum", inputs, [total])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=9)
    uri = registry.register(model, "onnx", columns("q:double", "p:long"))

    found = scored(pd.DataFrame({"p": [1, 2], "q": [0.5, 0.25]}), uri, load, tmp_path)

    assert found.predictions.tolist() == [[1.5], [2.25]]


@pytest.mark.parametrize(
    ("zipmap", "keys", "message"),
    [
        (False, {}, "expected one output, or several of one number each, got label, probabilities; prediction_column"),
        (False, {"prediction_column": "score"}, "expected an output column score, got label, probabilities"),
        (True, {"prediction_column": "output_probability"}, "got maps in output_probability; convert it with options="),
        (True, {}, "got maps in output_probability; convert it with options="),
    ],
)
def test_an_onnx_model_whose_outputs_are_not_told_apart_is_refused_at_load(
    zipmap: bool, keys: dict[str, Any], message: str, flowers: Any, registry: Registry, load: Load
) -> None:
    model = flowers
    if zipmap:
        model = converted(LogisticRegression(max_iter=500).fit(FLOWERS.to_numpy(), SPECIES))
    uri = registry.register(model, "onnx", infer_signature(FLOWERS))

    with pytest.raises(ModelError, match=message):
        load(uri, **keys)


def test_an_onnx_signature_without_the_graph_s_inputs_is_refused(registry: Registry, load: Load) -> None:
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(name, floats, [None]) for name in ("p", "q")]
    total = helper.make_tensor_value_info("total", floats, [None])
    graph = helper.make_graph([helper.make_node("Add", ["p", "q"], ["total"])], "sum", inputs, [total])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=9)

    with pytest.raises(ModelError, match="a signature with the inputs of the graph, p, q, got p, r"):
        load(registry.register(model, "onnx", columns("p:double", "r:double")))


def test_onnx_runtime_uses_one_thread(flowers: Any, registry: Registry, load: Load) -> None:
    uri = registry.register(flowers, "onnx", infer_signature(FLOWERS), onnx_session_options={"intra_op_num_threads": 3})

    session = _session(load(uri, **CHOSEN).predictor.predict)

    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def _session(function: Any) -> Any:
    """Return the session of the loaded model that a predictor's functions hold."""
    for cell in function.__closure__ or ():
        held = cell.cell_contents
        if hasattr(held, "_model_impl"):
            return held._model_impl.rt
        found = _session(held) if hasattr(held, "__closure__") else None
        if found is not None:
            return found
    return None


# ---------------------------------------------------------------- statsmodels


@pytest.mark.parametrize("kind", ["ols", "glm", "logit", "formula", "formula of logit"])
def test_a_statsmodels_result_gives_what_it_predicts(kind: str, registry: Registry, load: Load, tmp_path: Path) -> None:
    frame = TUMOURS.assign(y=MALIGNANT)
    api = statsmodels_api
    model = {
        "ols": lambda: api.OLS(TUMOURS["c"], TUMOURS[["a", "b"]]).fit(),
        "glm": lambda: api.GLM(MALIGNANT, TUMOURS[["a", "b"]], family=api.families.Binomial()).fit(),
        "logit": lambda: api.Logit(MALIGNANT, TUMOURS[["a", "b"]]).fit(disp=False),
        "formula": lambda: formulas.ols("c ~ a * b", frame).fit(),
        "formula of logit": lambda: formulas.logit("y ~ a + np.log(b)", frame).fit(disp=False),
    }[kind]()
    is_binary = kind not in ("ols", "formula")
    keys = {"model_type": "binary"} if is_binary else {}
    uri = registry.register(model, "statsmodels", columns("a:double", "b:double", outputs=["y"]))

    found = scored(TUMOURS[["b", "a", "c"]], uri, load, tmp_path, **keys)

    np.testing.assert_allclose(found.predictions[:, 0], model.predict(TUMOURS[["a", "b"]]), rtol=1e-12)


def test_a_time_series_model_of_statsmodels_is_refused_by_name(registry: Registry, load: Load) -> None:
    from statsmodels.tsa.arima.model import ARIMA

    model = ARIMA(np.sin(np.arange(40.0)), order=(1, 0, 0)).fit()
    uri = registry.register(model, "statsmodels", columns("start:long", "end:long", outputs=["y"]))

    with pytest.raises(ModelError, match="a prediction for each record, got a time series model of statsmodels, which"):
        load(uri)


def test_a_statsmodels_formula_gives_no_number_for_a_record_that_lacks_a_value(
    registry: Registry, load: Load, tmp_path: Path
) -> None:
    model = formulas.ols("c ~ a * b", TUMOURS).fit()
    uri = registry.register(model, "statsmodels", columns("a:double", "b:double", outputs=["y"]))
    text = "a,b\n1,2\nNA,2\n3,4\n5,\n6,7\n"

    found = score(text, load(uri), tmp_path)

    frame = read_as_pandas(text, {})
    assert found.reasons == ["", "non_finite_score", "", "non_finite_score", ""]
    np.testing.assert_allclose(found.predictions[[0, 2, 4], 0], model.predict(frame.dropna()), rtol=1e-12)
