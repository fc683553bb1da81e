"""A model that does not load is refused with the name of what is not there, or may not be read."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from mlflow.models import infer_signature
from mlflow.pyfunc.model import PythonModel
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from batchscore.errors import ConfigError, ModelError, describe_without_content
from batchscore.model.predictor import raised_on_all
from tests.models.conftest import Load
from tests.registry import Registry, columns

PICKLES = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"
HOW_TO_HAVE_IT = "install what has it in the version of training, or register the model with code_paths that bring it"
FRAME = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]})
TAKES = columns("a:double", outputs=["half"])
MODULE = """
from mlflow.pyfunc import PythonModel
from sklearn.base import BaseEstimator, TransformerMixin

class Halves(PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["a"] / 2

class Same(BaseEstimator, TransformerMixin):
    def fit(self, X, y=None):
        return self
    def transform(self, X):
        return X
    def __sklearn_is_fitted__(self):
        return True
"""


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Any]:
    """A module of the trainer's own, which can be imported while the model is trained."""
    (tmp_path / "trainers_own.py").write_text(MODULE)
    sys.path.insert(0, str(tmp_path))
    yield importlib.import_module("trainers_own")
    sys.path.remove(str(tmp_path))
    sys.modules.pop("trainers_own", None)


def _forget(module: Any) -> None:
    Path(module.__file__).unlink()
    sys.modules.pop(module.__name__)
    importlib.invalidate_caches()


@pytest.mark.parametrize("flavor", ["pyfunc", "sklearn"])
def test_a_module_that_is_not_there_is_named(flavor: str, module: Any, registry: Registry, load: Load) -> None:
    uri = registry.register(_trained(module, flavor), flavor, TAKES)
    _forget(module)

    with pytest.raises(ModelError) as caught:
        load(uri)

    kind = "python_function" if flavor == "pyfunc" else "sklearn"
    assert str(caught.value) == (
        f"model {uri}: expected to load it as {kind}, got no module trainers_own; {HOW_TO_HAVE_IT}"
    )
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize("flavor", ["pyfunc", "sklearn"])
def test_a_class_that_is_not_there_is_named(flavor: str, module: Any, registry: Registry, load: Load) -> None:
    uri = registry.register(_trained(module, flavor), flavor, TAKES)
    name = "Halves" if flavor == "pyfunc" else "Same"
    delattr(module, name)

    with pytest.raises(ModelError, match=f"got no {name} in module trainers_own; {HOW_TO_HAVE_IT}"):
        load(uri)


def _trained(module: Any, flavor: str) -> Any:
    if flavor == "pyfunc":
        return module.Halves()
    return make_pipeline(module.Same(), LinearRegression()).fit(FRAME, [0, 1, 2, 4])


def halves_from_code(registry: Registry, folder: Path) -> str:
    """Register a model that is code."""
    code = folder / "model.py"
    code.write_text(
        "import mlflow\n"
        "from mlflow.pyfunc import PythonModel\n"
        "class Halves(PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return model_input['a'] / 2\n"
        "mlflow.models.set_model(Halves())\n"
    )
    return registry.register(str(code), "pyfunc", TAKES)


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("import a_module_of_nobody.inner", "no module a_module_of_nobody"),
        ("from math import a_function_of_nobody", "no a_function_of_nobody in module math"),
        ("import math; math.a_function_of_nobody", "no a_function_of_nobody in module math"),
    ],
)
def test_code_that_is_a_model_names_what_it_lacks(
    line: str, missing: str, tmp_path: Path, registry: Registry, load: Load
) -> None:
    uri = halves_from_code(registry, tmp_path)
    kept = registry.files(uri) / "model.py"
    kept.write_text(f"{line}\n{kept.read_text()}")

    with pytest.raises(ModelError, match=f"expected to load it as python_function, got {missing}; {HOW_TO_HAVE_IT}"):
        load(uri)


class Imports(PythonModel):
    """Finds out when it predicts that a library is not there."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002 - mlflow's interface
        import a_module_of_nobody  # type: ignore[import-not-found] # nobody has it

        return a_module_of_nobody.predict(model_input)


def test_a_module_that_a_model_lacks_when_it_predicts_is_named(registry: Registry, load: Load) -> None:
    loaded = load(registry.register(Imports(), "pyfunc", TAKES))

    cause = raised_on_all(loaded.predictor, FRAME)

    assert cause is not None
    assert describe_without_content(cause).startswith("ModuleNotFoundError of a_module_of_nobody in predict (")


def test_types_that_skops_does_not_trust_are_named(registry: Registry, load: Load) -> None:
    model = make_pipeline(FunctionTransformer(sorted), LinearRegression())
    model.fit(FRAME.to_numpy(), [0, 1, 2, 4])
    uri = registry.register(
        model, signature=TAKES, serialization_format="skops", skops_trusted_types=["builtins.sorted"]
    )
    mlmodel = registry.files(uri) / "MLmodel"
    mlmodel.write_text(mlmodel.read_text().replace("- builtins.sorted", "- builtins.list"))

    with pytest.raises(ModelError) as caught:
        load(uri)

    assert str(caught.value) == (
        f"model {uri}: expected to load it as sklearn, got types that skops does not trust: builtins.sorted; "
        "log it with skops_trusted_types if you trust them"
    )


# ---------------------------------------------------------------- pickles that may not be read


class Halves(PythonModel):
    """Answers with half of ``a``."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002 - mlflow's interface
        return model_input["a"] / 2


CLASSIFIER = LogisticRegression().fit(FRAME, [0, 0, 1, 1])
PICKLED: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "cloudpickle": (CLASSIFIER, "sklearn", {"serialization_format": "cloudpickle"}),
    "pickle": (CLASSIFIER, "sklearn", {"serialization_format": "pickle"}),
    "skops": (CLASSIFIER, "sklearn", {"serialization_format": "skops"}),
    "a PythonModel": (Halves(), "pyfunc", {}),
    "LightGBM's estimator": (
        LGBMClassifier(n_estimators=2, verbose=-1).fit(FRAME, [0, 0, 1, 1]),
        "lightgbm",
        {"serialization_format": "cloudpickle"},
    ),
}


@pytest.mark.parametrize("word", ["false", "FALSE", "0"])
@pytest.mark.parametrize("kept_as", PICKLED)
def test_where_mlflow_may_read_no_pickles_no_job_reads_one(
    kept_as: str, word: str, registry: Registry, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, flavor, options = PICKLED[kept_as]
    uri = registry.register(model, flavor, TAKES if flavor == "pyfunc" else infer_signature(FRAME), **options)
    monkeypatch.setenv(PICKLES, word)

    with pytest.raises(ModelError) as caught:
        load(uri)

    assert str(caught.value) == (
        f"model {uri}: expected files that may be read, got pickles where {PICKLES} forbids them; set it to true for "
        "a model that you trust, or register it in a form without pickles: from code, or as ONNX"
    )
    monkeypatch.setenv(PICKLES, "true")
    assert load(uri).predictor.model_type in {"binary", "regression"}


def test_code_that_is_a_model_is_no_pickle(
    tmp_path: Path, registry: Registry, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = halves_from_code(registry, tmp_path)
    monkeypatch.setenv(PICKLES, "false")

    assert load(uri).predictor.predict(FRAME).tolist() == [0.0, 0.5, 1.0, 1.5]


def test_another_word_than_true_and_false_is_a_fault_of_the_environment(
    registry: Registry, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = registry.register(CLASSIFIER, signature=infer_signature(FRAME))
    monkeypatch.setenv(PICKLES, "no")

    with pytest.raises(ConfigError, match=f"variable {PICKLES}: expected true or false, got no"):
        load(uri)
