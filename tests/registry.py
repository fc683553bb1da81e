"""A real MLflow registry on sqlite for the tests, and what registers models in it."""

import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema

from batchscore.config.job_config import JobConfig

NAME_OF_MODEL = {
    "sklearn": "sk_model",
    "lightgbm": "lgb_model",
    "xgboost": "xgb_model",
    "catboost": "cb_model",
    "onnx": "onnx_model",
    "statsmodels": "statsmodels_model",
    "spark": "spark_model",
}


def columns(*specs: str, outputs: Sequence[str] = ()) -> ModelSignature:
    """Return a signature of ``name:type`` inputs, of which ``name:type?`` are optional, and of double outputs."""
    parsed = [[*spec.removesuffix("?").split(":"), spec] for spec in specs]
    return ModelSignature(
        inputs=Schema([ColSpec(kind, name, required=not spec.endswith("?")) for name, kind, spec in parsed]),
        outputs=Schema([ColSpec("double", name) for name in outputs]) if outputs else None,
    )


class Registry:
    """A registry in a folder."""

    def __init__(self, folder: Path) -> None:
        self.uri = f"sqlite:///{folder}/mlflow.db"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sqlalchemy's deprecations, at mlflow's first use of a database
            self.client = mlflow.MlflowClient(self.uri, self.uri)
            self._experiment = self.client.create_experiment("tests", artifact_location=(folder / "files").as_uri())
        self._count = 0
        logging.getLogger("mlflow").setLevel(logging.ERROR)  # hints for those who train in earnest

    def register(
        self,
        model: Any,
        flavor: str = "sklearn",
        signature: ModelSignature | None = None,
        name: str | None = None,
        **options: Any,
    ) -> str:
        """Log and register a model and return the URI of its version; each call without a name makes a new one."""
        self._count += 1
        name = name or f"model-{self._count}"
        options |= {NAME_OF_MODEL.get(flavor, "python_model"): model}
        if flavor == "sklearn":
            options.setdefault("serialization_format", "cloudpickle")
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hints for those who train in earnest
            with mlflow.start_run(experiment_id=self._experiment):
                log_model = getattr(mlflow, flavor).log_model
                called = {"artifact_path" if flavor == "spark" else "name": "model"}  # MLflow's word for it there
                info = log_model(**called, signature=signature, pip_requirements=["mlflow"], **options)
            version = mlflow.register_model(info.model_uri, name)
        return f"models:/{name}/{version.version}"

    def files(self, model_uri: str) -> Path:
        """Return the folder of a registered version's files."""
        name, version = model_uri.removeprefix("models:/").split("/")
        source = str(self.client.get_model_version(name, version).source)  # models:/m-<id>
        logged = self.client.get_logged_model(source.removeprefix("models:/"))
        return Path(logged.artifact_location.removeprefix("file://"))

    def config(self, model_uri: str, **keys: Any) -> JobConfig:
        """Return a configuration that asks for a model of this registry."""
        settings = {"model": model_uri, "tracking_uri": self.uri, "input": "none", "output": "none"}
        return JobConfig.model_validate(settings | keys)
