"""The model of a job: resolved once to a version, downloaded once, packed for broadcast; mlflow only here.

``predictor`` loads what this module brings.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from batchscore.config import JobConfig
from batchscore.errors import ModelError, describe_without_content
from batchscore.schema import Column, ColumnType

if TYPE_CHECKING:
    from mlflow.models import Model
    from mlflow.models.signature import ModelSignature
    from mlflow.types.schema import Schema as SignatureSchema
    from mlflow.types.schema import TensorSpec

# Set before mlflow is imported: quiet, and no word to anyone but the configured registry.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
# A registry that does not answer fails a job after seconds (MLflow's own defaults: many minutes).
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

THRESHOLD_TAG = "score_threshold"
# Those that every number of a file either fits or is invalid for; narrower ones would wrap.
_TENSOR_TYPES = ("float64", "float32", "int64", "int32", "bool")
# mlflow writes this one while downloading; it names the way a model was asked for, not the model.
_NOT_OF_THE_MODEL = {"registered_model_meta"}
_NUMBER_TYPES = {"double": "float64", "float": "float32", "long": "int64", "integer": "int32"}
_COLUMN_TYPES = {*_NUMBER_TYPES, "boolean", "string"}


@dataclass(frozen=True)
class ModelVersion:
    """A model of the registry, pinned.

    ``name`` and ``version`` are None for a model asked for by its id alone. ``digest`` is the SHA-256 over names and
    contents of its files. ``signature`` is the named inputs, or their number where they have no names, or None.
    ``tensor_dtype`` is set for models that take an array in place of named columns. ``output_names`` are the columns
    of the signature's output, where it has named ones; ``output_width`` is how many numbers a record gets.
    """

    asked_uri: str
    name: str | None
    version: str | None
    model_id: str | None
    digest: str
    tags: Mapping[str, str]
    flavors: Mapping[str, Mapping[str, Any]] = field(repr=False)
    signature: tuple[Column, ...] | int | None
    tensor_dtype: str | None = None
    output_names: tuple[str, ...] = ()
    output_width: int | None = None

    @property
    def pinned_uri(self) -> str:
        """The URI that always means this version: Amazon ML's MLModelId."""
        return f"models:/{self.name}/{self.version}" if self.name else f"models:/{self.model_id}"

    @property
    def alias(self) -> str | None:
        """The alias that was asked for, if one was."""
        return self.asked_uri.partition("@")[2] or None

    @property
    def score_threshold(self) -> float | None:
        """The threshold that belongs to the model version (its tag ``score_threshold``); raises ModelError."""
        text = self.tags.get(THRESHOLD_TAG)
        if text is None:
            return None
        try:
            threshold = float(text)
        except ValueError:
            threshold = -1.0
        if not 0 <= threshold <= 1:
            raise ModelError(f"tag {THRESHOLD_TAG} of {self.pinned_uri}: expected a number from 0 to 1, got {text}")
        return threshold


def resolve_model(config: JobConfig, folder: Path) -> ModelVersion:
    """Resolve the model that ``config`` names, once, and download its files to ``folder``.

    Raises ModelError if the registry cannot be reached, knows no such model, or the model cannot be used.
    """
    _point_to_registry(config)
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model

    try:
        name, version, model_id, tags = _look_up(config.model)
        uri = f"models:/{name}/{version}" if name else f"models:/{model_id}"
    except MlflowException as error:
        code = error.error_code
        if code == "INTERNAL_ERROR":  # what mlflow says of a server that does not answer, too
            raise ModelError(
                f"registry of {config.model}: expected an answer, got {code}; can it be reached?"
            ) from error
        raise ModelError(f"model {config.model}: expected it in the registry, got {code}") from error
    except Exception as error:
        raise ModelError(
            f"registry of {config.model}: expected an answer, got {describe_without_content(error)}"
            f"{_needs_full_mlflow(config)}"
        ) from error
    try:
        mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder))
        model = Model.load(str(folder))
    except Exception as error:
        raise ModelError(f"files of {uri}: expected to download them, got {describe_without_content(error)}") from error
    return ModelVersion(
        asked_uri=config.model,
        name=name,
        version=version,
        model_id=model_id or model.model_id,
        digest=digest_of_files(folder),
        tags=tags,
        flavors=model.flavors,
        **_signature_facts(model, uri),
    )


def _needs_full_mlflow(config: JobConfig) -> str:
    uri = config.registry_uri or config.tracking_uri or ""
    if not uri.startswith(("sqlite:", "mysql", "postgresql", "mssql")):
        return ""
    try:
        import sqlalchemy  # noqa: F401 - whether mlflow can read a database
    except ImportError:
        return "; a database registry needs the full mlflow: pip install batchscore[local]"
    return ""


def _point_to_registry(config: JobConfig) -> None:
    if config.s3.endpoint:
        os.environ.setdefault("MLFLOW_S3_ENDPOINT_URL", config.s3.endpoint)
    if config.s3.region:
        os.environ.setdefault("AWS_DEFAULT_REGION", config.s3.region)
    import mlflow

    # A job without either key goes by MLFLOW_TRACKING_URI and MLFLOW_REGISTRY_URI, as any MLflow program.
    if config.tracking_uri:
        mlflow.set_tracking_uri(config.tracking_uri)
    if config.registry_uri or config.tracking_uri:
        mlflow.set_registry_uri(config.registry_uri or config.tracking_uri or "")


def _look_up(uri: str) -> tuple[str | None, str | None, str | None, Mapping[str, str]]:
    """Return name, version, model id and tags of what a ``models:/`` URI means now."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

    client = MlflowClient()
    name = uri.removeprefix("models:/")
    if re.fullmatch(r"m-[^/@]+", name):
        logged = client.get_logged_model(name)
        return None, None, logged.model_id, dict(logged.tags or {})
    if "@" in name:
        found = client.get_model_version_by_alias(*name.split("@", 1))
    else:
        name, version = name.split("/", 1)
        if version == "latest":
            quoted = name.replace("'", "''")
            versions = [int(item.version) for item in client.search_model_versions(f"name='{quoted}'")]
            if not versions:
                raise MlflowException("no version", error_code=RESOURCE_DOES_NOT_EXIST)
            version = str(max(versions))
        found = client.get_model_version(name, version)
    return found.name, str(found.version), getattr(found, "model_id", None), dict(found.tags or {})


def _signature_facts(model: Model, uri: str) -> dict[str, Any]:
    signature: ModelSignature | None = model.signature
    if signature is None or signature.inputs is None:
        return {"signature": None}
    inputs, dtype = _input_columns(signature.inputs, uri)
    names, width = _output_names(signature.outputs)
    return {"signature": inputs, "tensor_dtype": dtype, "output_names": names, "output_width": width}


def _input_columns(schema: SignatureSchema, uri: str) -> tuple[tuple[Column, ...] | int, str | None]:
    if schema.is_tensor_spec():
        tensors = cast("list[TensorSpec]", schema.inputs)
        shape = tensors[0].shape
        if len(tensors) != 1 or len(shape) != 2 or shape[1] < 1 or str(tensors[0].type) not in _TENSOR_TYPES:
            raise ModelError(
                f"signature of {uri}: expected columns or one array of (-1, n) {', '.join(_TENSOR_TYPES)}, got another"
            )
        return int(shape[1]), str(tensors[0].type)
    types = {str(item.name): getattr(item.type, "name", str(item.type)) for item in schema.inputs}
    wrong = [f"{name} is {kind}" for name, kind in types.items() if kind not in _COLUMN_TYPES]
    if wrong:
        raise ModelError(
            f"signature of {uri}: expected types of {', '.join(sorted(_COLUMN_TYPES))}, got: {'; '.join(wrong)}"
        )
    if not schema.has_input_names():
        if len({item.type for item in schema.inputs}) > 1:
            raise ModelError(f"signature of {uri}: expected named columns, got columns of several types without names")
        kind = types["None"]
        if kind not in _NUMBER_TYPES:
            raise ModelError(f"signature of {uri}: expected named columns or numbers, got {kind} columns without names")
        return len(schema.inputs), _NUMBER_TYPES[kind]
    columns = tuple(
        Column(
            name=str(item.name),
            type=cast("ColumnType", types[str(item.name)]),
            required=item.required,
            empty_is_missing=types[str(item.name)] == "string" and not item.required,
        )
        for item in schema.inputs
    )
    return columns, None


def _output_names(schema: SignatureSchema | None) -> tuple[tuple[str, ...], int | None]:
    if schema is None:
        return (), None
    if schema.is_tensor_spec():
        shape = cast("list[TensorSpec]", schema.inputs)[0].shape
        return (), 1 if len(shape) == 1 else int(shape[1]) if shape[1] > 0 else None
    names = tuple(str(item.name) for item in schema.inputs) if schema.has_input_names() else ()
    return names, len(schema.inputs)


def digest_of_files(folder: Path) -> str:
    """Return the SHA-256 over the relative names and contents of a model's files, as hexadecimal text."""
    digest = hashlib.sha256()
    for path in _files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{content}  {path.relative_to(folder).as_posix()}\n".encode())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(
        (path for path in folder.rglob("*") if path.is_file() and path.name not in _NOT_OF_THE_MODEL),
        key=lambda path: path.relative_to(folder).as_posix(),
    )


def pack_model(folder: Path) -> bytes:
    """Return the model's files as one archive, for broadcast."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in _files(folder):
            archive.add(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()


def unpack_model(archive: bytes) -> Path:
    """Unpack into a private folder of this process and return it.

    Under Spark it lies in the executor's own folder, which Spark removes. Links and paths that leave the folder are
    refused. Raises ModelError.
    """
    parent = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or None
    folder = Path(tempfile.mkdtemp(prefix="batchscore-model-", dir=parent))
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise ModelError(f"model archive: expected to unpack it, got {type(error).__name__}") from error
    return folder


def threshold_in_force(config_threshold: float | None, model: ModelVersion) -> float:
    """Return the threshold in force: the configuration's, else the model version's, else 0.5."""
    if config_threshold is not None:
        return config_threshold
    belonging = model.score_threshold
    return 0.5 if belonging is None else belonging
