"""Parameters of a prediction: those of the key, held to the signature, and the signature's own for the rest."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.pyfunc.model import PythonModel
from mlflow.types.schema import ColSpec, ParamSchema, ParamSpec, Schema
from sklearn.linear_model import LinearRegression

from batchscore.config.job_config import load_config
from batchscore.errors import ConfigError, ModelError
from batchscore.plan import parameters_of
from tests.agreement.judge import score
from tests.models.conftest import Load
from tests.registry import Registry, columns

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's hints for those who write models
CONFIG = "model: models:/m/1\ninput: a\noutput: b\n"
PARAMS = [
    ParamSpec("factor", "double", 2.0),
    ParamSpec("shift", "long", 0),
    ParamSpec("small", "integer", 1),
    ParamSpec("narrow", "float", 0.5),
    ParamSpec("negative", "boolean", False),
    ParamSpec("word", "string", "abc"),
    ParamSpec("steps", "long", [1, 2], (-1,)),
    ParamSpec("since", "datetime", "2020-01-01"),
]


class Scales(PythonModel):
    """Answers with what its parameters make of ``a``."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002 - mlflow's interface
        assert params is not None
        assert {name: type(value) for name, value in params.items() if name in ("small", "narrow", "shift")} == {
            "small": int,
            "narrow": float,
            "shift": int,
        }
        value = model_input["a"] * params["factor"] + params["shift"] + len(params["word"]) + sum(params["steps"])
        value = value + params["small"] * params["narrow"] + (params["since"].year - 2020)
        return -value if params["negative"] else value


class Fixed(PythonModel):
    """Takes no parameters, whatever its signature says."""

    def predict(self, context: Any, model_input: pd.DataFrame) -> Any:  # type: ignore[override] # noqa: ARG002 - mlflow's interface
        return model_input["a"]


SIGNATURE = ModelSignature(Schema([ColSpec("double", "a")]), Schema([ColSpec("double")]), ParamSchema(PARAMS))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 20 + 3 + 3 + 0.5),
        ({"factor": 3}, 30 + 3 + 3 + 0.5),
        ({"factor": 0.5, "shift": 100}, 5 + 100 + 3 + 3 + 0.5),
        ({"small": 4, "narrow": 0.25}, 20 + 3 + 3 + 1),
        ({"narrow": 2}, 20 + 3 + 3 + 2),
        ({"negative": True, "word": ""}, -(20 + 3 + 0.5)),
        ({"steps": [10, 20, 30]}, 20 + 3 + 60 + 0.5),
        ({"since": "2024-05-06"}, 20 + 3 + 3 + 0.5 + 4),
    ],
)
def test_parameters_are_the_key_s_and_the_signature_s_for_the_rest(
    given: dict[str, Any], expected: float, registry: Registry, load: Load, tmp_path: Path
) -> None:
    loaded = load(registry.register(Scales(), "pyfunc", SIGNATURE), model_params=given)

    assert score("a\n10\n", loaded, tmp_path, model_params=given).predictions.tolist() == [[expected]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"factr": 3}, "expected model_params that the signature has, factor, shift, .*, got factr"),
        ({"factor": "high"}, "expected double for factor of model_params, got str"),
        ({"shift": 1.5}, "expected long for shift of model_params, got float"),
        ({"small": 2**31}, "expected integer for small of model_params, got int"),
        ({"negative": 1}, "expected boolean for negative of model_params, got int"),
        ({"word": 5}, "expected string for word of model_params, got int"),
        ({"steps": 5}, "expected a list of long for steps of model_params, got int"),
        ({"steps": ["x"]}, "expected a list of long for steps of model_params, got list"),
        ({"since": "soon"}, "expected datetime for since of model_params, got str"),
    ],
)
def test_a_parameter_that_the_signature_has_not_so_is_refused_by_name(
    given: dict[str, Any], message: str, registry: Registry, load: Load
) -> None:
    """MLflow leaves out unknown ones with a warning: a job whose factr was ignored would be silently wrong."""
    uri = registry.register(Scales(), "pyfunc", SIGNATURE)

    with pytest.raises(ModelError, match=f"model {uri}: {message}"):
        load(uri, model_params=given)


def test_parameters_that_could_not_reach_the_model_are_refused(registry: Registry, load: Load) -> None:
    without = registry.register(Fixed(), "pyfunc", SIGNATURE)
    unsigned = registry.register(Scales(), "pyfunc", columns("a:double", outputs=["x"]))
    other = registry.register(LinearRegression().fit(pd.DataFrame({"a": [0.0, 1]}), [0, 1]), signature=SIGNATURE)

    with pytest.raises(ModelError, match=r"expected a predict\(..., params\) for model_params, got one without params"):
        load(without, model_params={"factor": 1.0})
    with pytest.raises(ModelError, match="expected model_params that the signature has, no parameters, got factor"):
        load(unsigned, model_params={"factor": 1.0})
    with pytest.raises(
        ModelError, match="expected a pyfunc model for model_params, got one that is used through sklear"
    ):
        load(other, model_params={"factor": 1.0})
    assert load(without).predictor.predict(pd.DataFrame({"a": [1.5]})).tolist() == [1.5]


def test_parameters_are_read_as_yaml_has_them_in_the_file_and_as_arguments() -> None:
    text = f"{CONFIG}model_params:\n  factor: 0.5\n  word: no\n  steps: [1, 2]\n"

    config = load_config(text, ["model_params.factor=3", "model_params.negative=true", "model_params.a.b=x"])

    assert config.model_params == {"factor": 3, "word": False, "steps": [1, 2], "negative": True, "a.b": "x"}
    assert load_config(CONFIG, ["model_params={factor: 2.5}"]).model_params == {"factor": 2.5}
    assert load_config(CONFIG).model_params == {}


@pytest.mark.parametrize("value", ["5", "[1]", "{a: [!!binary aGk=]}", "{a: {1: 2}}"])
def test_parameters_are_values_by_name(value: str) -> None:
    with pytest.raises(ConfigError, match="model_params"):
        load_config(f"{CONFIG}model_params: {value}\n")


def test_parameters_bind_the_id_of_a_job(registry: Registry, load: Load) -> None:
    version = load(registry.register(Scales(), "pyfunc", SIGNATURE)).version

    def bound(*arguments: str) -> str:
        return parameters_of(load_config(CONFIG, arguments), version, 0.5, [], "")["configuration"]

    assert bound("model_params.factor=2.0") == bound("model_params={factor: 2.0}")
    assert len({bound(), bound("model_params.factor=2.0"), bound("model_params.since=2024-01-01")}) == 3


def test_the_text_of_a_configuration_does_not_show_parameters() -> None:
    config = load_config(CONFIG, ["model_params.api_key=a secret"])

    assert "secret" not in repr(config)
