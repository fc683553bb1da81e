"""MLflow's pyfunc: any other model, by what it answers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from batchscore.config.missing_values import ModelFacts
from batchscore.errors import ModelError
from batchscore.model.answers import FloatArray, as_numbers
from batchscore.model.categories import ModelInput
from batchscore.model.flavors.onnx_graph import check_inputs, check_maps, graph_outputs, on_one_thread, onnx_giver
from batchscore.model.flavors.protocol import Flavor, PredictorSettings, RawModel
from batchscore.model.flavors.pyfunc_input import giver, leave_unchecked
from batchscore.model.flavors.pyfunc_outputs import check_probabilities, check_two, meaning
from batchscore.model.version import ModelVersion


class Pyfunc(Flavor):
    """The flavor of ``mlflow.pyfunc``: somebody's own code, or a library that has no module here."""

    name = "python_function"
    module = "mlflow"
    version_key = None  # MLflow reads the models of its older versions
    distributions = ()  # mlflow-skinny is there for every model
    takes_params = True

    def load(self, folder: Path, model: ModelVersion, settings: PredictorSettings, /) -> RawModel:
        """Load a model whose type is what the configuration says, else what its signature's outputs do."""
        import mlflow.pyfunc

        _refuse_spark(model)
        loaded = mlflow.pyfunc.load_model(str(folder))
        _refuse_time_series(loaded)
        give, outputs = giver(loaded), model.outputs
        if "onnx" in model.flavors:
            session = on_one_thread(loaded)
            check_inputs(session, model)
            check_maps(session, settings.prediction_column)
            give, outputs = onnx_giver(session), graph_outputs(session)
        params = _params(loaded, settings.model_params)
        leave_unchecked(loaded)
        meant = meaning(outputs, settings.prediction_column, settings.model_type)
        unsure = iter([meant.model_type == "multiclass" and settings.model_type is None])  # for the first batch alone

        def predict(records: ModelInput) -> FloatArray:
            values = as_numbers(loaded.predict(give(records), params=params), len(records), meant.expected)
            if meant.model_type == "binary":
                check_two(values)
            if next(unsure, False):
                check_probabilities(values)
            return values

        facts = ModelFacts(known=None, integers_refuse_missing=isinstance(model.signature, tuple))
        raw = RawModel(meant.model_type, meant.classes, predict, facts=facts, loaded=loaded)
        return replace(raw, value_names=meant.value_names)


FLAVOR: Flavor = Pyfunc()


def _refuse_spark(model: ModelVersion) -> None:
    loader = str(model.flavors.get("python_function", {}).get("loader_module", ""))
    if "spark" in model.flavors or loader == "mlflow.spark":
        raise ModelError(
            "expected a model that predicts without a Spark session of its own, got a Spark ML model; score it in "
            "Spark, mlflow.spark.load_model(uri).transform(frame), or convert it to ONNX with onnxmltools and register "
            "that"
        )


def _refuse_time_series(loaded: Any) -> None:
    result = getattr(loaded._model_impl, "statsmodels_model", None)
    if any(base.__name__ == "TimeSeriesModel" for base in type(getattr(result, "model", None)).__mro__):
        raise ModelError(
            "expected a prediction for each record, got a time series model of statsmodels, which MLflow asks for a "
            "span from start to end; register a PythonModel around it that answers with a number for each record"
        )


def _params(loaded: Any, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the parameters of a prediction, held to the signature, which has the others; None: all have defaults."""
    if not given:
        return None
    schema = loaded.metadata.get_params_schema()
    known = {spec.name: spec for spec in schema.params} if schema else {}
    unknown = [name for name in given if name not in known]
    if unknown:
        have = ", ".join(known) or "no parameters"
        raise ModelError(f"expected model_params that the signature has, {have}, got {', '.join(unknown)}")
    if not _uses_params(loaded):
        raise ModelError("expected a predict(..., params) for model_params, got one without params")
    return {name: _param(known[name], value) for name, value in given.items()}


def _uses_params(loaded: Any) -> bool:
    """Tell whether parameters reach the model: MLflow drops them in silence where its predict has no such argument."""
    implementation = getattr(loaded._model_impl, "python_model", loaded._model_impl)
    function = getattr(implementation, "predict", None)
    is_function = type(implementation).__name__ == "_FunctionPythonModel"  # which gets nothing but the records
    return not is_function and function is not None and "params" in inspect.signature(function).parameters


_NARROW = {"integer": (int, np.int32), "float": (int | float, np.float32)}


def _param(spec: Any, value: Any) -> Any:
    """Return a value as MLflow would have it from Python; YAML knows no number of 32 bits. Raises ModelError."""
    from mlflow.exceptions import MlflowException

    wide, narrow = _NARROW.get(getattr(spec.dtype, "name", ""), (None, None))

    def narrowed(item: Any) -> Any:
        fits = wide is not None and isinstance(item, wide) and not isinstance(item, bool)
        return narrow(item) if fits and narrow is not None else item

    try:
        return spec.validate_param_spec(list(map(narrowed, value)) if _is_list(value) else narrowed(value), spec)
    except (MlflowException, OverflowError):
        kind = f"{'a list of ' if spec.shape else ''}{getattr(spec.dtype, 'name', spec.dtype)}"
        raise ModelError(f"expected {kind} for {spec.name} of model_params, got {type(value).__name__}") from None


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
