"""The model of a job: resolved once to a version of the registry, and downloaded once.

``predictor`` loads what this module brings, ``archive`` packs it for the workers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchscore.config.artifact_prefixes import is_below_one
from batchscore.config.job_config import JobConfig, S3Settings
from batchscore.config.uris import without_credentials
from batchscore.environment import registry_of
from batchscore.errors import ConfigError, CredentialsError, ModelError, describe_without_content
from batchscore.model.archive import digest_of_files
from batchscore.model.flavors import flavor_of
from batchscore.model.signature import signature_facts
from batchscore.model.version import ModelVersion
from batchscore.storage.s3_client import clients_of_libraries

if TYPE_CHECKING:
    from mlflow.models import Model

_WITHOUT_TLS = ("MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_S3_IGNORE_TLS")


@dataclass(frozen=True)
class _Found:
    """What the registry says of a model: see ModelVersion. ``uri`` pins it, its files are fetched from ``source``."""

    name: str | None
    version: str | None
    model_id: str | None
    tags: Mapping[str, str]
    uri: str
    source: str


def resolve_model(config: JobConfig, folder: Path) -> ModelVersion:
    """Resolve the model that ``config`` names, once, and download its files to ``folder``.

    Raises ModelError if the registry cannot be reached, knows no such model, or the model cannot be used or lies where
    none may, ConfigError if the environment turns TLS verification off.
    """
    _check_tls_is_verified()
    with registry_of(config):
        found = _ask_registry(config)
        _check_place(found, config.allowed_artifact_prefixes)
        model = _fetch(found, folder, config.s3)
        missing = _missing_number(config, found, model)
    return ModelVersion(
        asked_uri=config.model,
        name=found.name,
        version=found.version,
        model_id=found.model_id or model.model_id,
        digest=digest_of_files(folder),
        tags=found.tags,
        flavors=model.flavors,
        xgboost_missing=missing,
        **signature_facts(model, found.uri),
    )


def _check_place(found: _Found, prefixes: Sequence[str]) -> None:
    if prefixes and not is_below_one(found.source, prefixes):
        place = without_credentials(found.source)
        raise ModelError(f"files of {found.uri}: expected them below one of allowed_artifact_prefixes, got {place}")


def _fetch(found: _Found, folder: Path, s3: S3Settings) -> Model:
    from mlflow.models import Model
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    folder.mkdir(parents=True, exist_ok=True)
    try:
        repository: Any = get_artifact_repository(found.source)
        on_s3 = str(getattr(repository, "repo", repository).artifact_uri).startswith("s3:")
        with clients_of_libraries(s3) if on_s3 else nullcontext():
            repository.download_artifacts("", str(folder))
        return Model.load(str(folder))
    except CredentialsError:
        raise
    except Exception as error:
        reason = describe_without_content(error)
        raise ModelError(f"files of {found.uri}: expected to download them, got {reason}") from error


def _missing_number(config: JobConfig, found: _Found, model: Model) -> float | None:
    """Return what the logged parameters of training say; ``null_values`` go before them."""
    if "null_values" in config.model_fields_set:
        return None
    return flavor_of(model.flavors).missing_number(found.model_id or model.model_id, model.run_id)


def _ask_registry(config: JobConfig) -> _Found:
    from mlflow.exceptions import MlflowException

    try:
        found = _look_up(config.model)
        # Fetched from the very place that is checked: the registry is not asked a second time.
        return replace(found, source=_artifact_location(found)) if config.allowed_artifact_prefixes else found
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


def _check_tls_is_verified() -> None:
    """Refuse variables by which MLflow would take a model, which is code, from whoever answers; raises ConfigError."""
    for name in _WITHOUT_TLS:
        if os.environ.get(name, "").lower() in {"true", "1"}:
            raise ConfigError(
                f"variable {name}: expected TLS verification, got it turned off; name the authority's certificate "
                "with MLFLOW_TRACKING_SERVER_CERT_PATH or AWS_CA_BUNDLE in its place"
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


def _look_up(uri: str) -> _Found:
    """Return what a ``models:/`` URI means now."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

    client = MlflowClient()
    name = uri.removeprefix("models:/")
    if re.fullmatch(r"m-[^/@]+", name):
        logged = client.get_logged_model(name)
        return _Found(None, None, logged.model_id, dict(logged.tags or {}), uri, uri)
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
    pinned, model_id = f"models:/{found.name}/{found.version}", getattr(found, "model_id", None)
    return _Found(found.name, str(found.version), model_id, dict(found.tags or {}), pinned, pinned)


def _artifact_location(found: _Found) -> str:
    """Return where the files of a version lie; a version of a logged model has them where that one does."""
    from mlflow import MlflowClient

    client = MlflowClient()
    location = found.source
    if found.name and found.version:
        location = str(client.get_model_version_download_uri(found.name, found.version))
    logged = re.fullmatch(r"models:/(m-[^/@]+)", location)
    return str(client.get_logged_model(logged[1]).artifact_location) if logged else location
