"""MLflow's pyfunc: any other model, by what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from batchscore.config.job_config import ModelType
from batchscore.config.missing_values import ModelFacts
from batchscore.errors import ModelError
from batchscore.model.categories import ModelInput
from batchscore.model.flavors.estimator import class_names, one_column
from batchscore.model.flavors.protocol import Flavor, PredictorSettings, RawModel
from batchscore.model.version import ModelVersion


class Pyfunc(Flavor):
    """The flavor of ``mlflow.pyfunc``: somebody's own code, or a library that has no module here."""

    name = "python_function"
    module = "mlflow"
    version_key = None  # MLflow reads the models of its older versions
    distributions = ()  # mlflow-skinny is there for every model

    def load(self, folder: Path, model: ModelVersion, settings: PredictorSettings, /) -> RawModel:
        """Load a model whose type is what the configuration says, else what its signature's outputs do."""
        loaded = _load_unenforced(folder, model)
        column = settings.prediction_column
        width = 1 if column else model.output_width
        if column and model.output_names and column not in model.output_names:
            raise ModelError(f"expected an output column {column}, got {', '.join(model.output_names)}")
        model_type = settings.model_type or _type_of_width(width)
        classes = _classes(model_type, width, model.output_names)

        def predict(frame: ModelInput) -> Any:
            values = loaded.predict(frame)
            if column:
                values = values[column]
            return one_column(values)

        facts = ModelFacts(known=None, integers_refuse_missing=isinstance(model.signature, tuple))
        return RawModel(model_type, classes, predict, facts=facts, loaded=loaded)


FLAVOR: Flavor = Pyfunc()


def _load_unenforced(folder: Path, model: ModelVersion) -> Any:
    """Load a pyfunc model that takes the frames of ``to_model_input`` as they are.

    They have the signature's types already; MLflow's own check would refuse an optional integer column, which is
    float64 for its missing values.
    """
    import mlflow.pyfunc
    from mlflow.models import ModelSignature

    loaded = mlflow.pyfunc.load_model(str(folder))
    signature = loaded.metadata.signature
    if isinstance(model.signature, tuple) and signature is not None:
        rest = {"outputs": signature.outputs, "params": signature.params}
        loaded.metadata.signature = ModelSignature(**rest) if any(rest.values()) else None
    return loaded


def _type_of_width(width: int | None) -> ModelType:
    if width is None:
        raise ModelError("expected a signature with outputs or a model_type in the configuration, got neither")
    return "regression" if width == 1 else "multiclass"


def _classes(model_type: ModelType, width: int | None, names: tuple[str, ...]) -> tuple[str, ...]:
    if model_type == "binary":
        return ("0", "1")
    if model_type == "regression":
        return ()
    if width is None or width < 2:
        raise ModelError("expected a signature with an output column for each class, got none")
    return class_names(names or range(width))
