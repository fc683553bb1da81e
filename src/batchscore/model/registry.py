"""The model of a job: resolved once to a version of the registry, and downloaded once.

``predictor`` loads what this module brings, ``archive`` packs it for the workers.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchscore.config.artifact_prefixes import is_below_one
from batchscore.config.job_config import JobConfig, S3Settings
from batchscore.config.uris import without_credentials
from batchscore.environment import registry_of
from batchscore.errors import ConfigError, CredentialsError, ModelError, describe_without_content
from batchscore.model.archive import digest_of_files
from batchscore.model.flavors import flavor_of
from batchscore.model.local_registry import check_registry_is_there
from batchscore.model.lookup import Found, artifact_location, look_up, near_names
from batchscore.model.signature import signature_facts
from batchscore.model.version import ModelVersion
from batchscore.storage.s3_client import clients_of_libraries

if TYPE_CHECKING:
    from mlflow.models import Model

log = logging.getLogger(__name__)

_WITHOUT_TLS = ("MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_S3_IGNORE_TLS")

# What registries say of a name, version or alias that they do not know.
_UNKNOWN = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"}


def resolve_model(config: JobConfig, folder: Path) -> ModelVersion:
    """Resolve the model that ``config`` names, once, and download its files to ``folder``.

    Raises ModelError if the registry cannot be reached, knows no such model, or the model cannot be used or lies where
    none may, ConfigError if the environment turns TLS verification off.
    """
    _check_tls_is_verified()
    with registry_of(config):
        check_registry_is_there(config.model)
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
        **signature_facts(model, found.uri, lambda: _input_example(model, folder)),
    )


def _check_place(found: Found, prefixes: Sequence[str]) -> None:
    if prefixes and not is_below_one(found.source, prefixes):
        place = without_credentials(found.source)
        raise ModelError(f"files of {found.uri}: expected them below one of allowed_artifact_prefixes, got {place}")


def _fetch(found: Found, folder: Path, s3: S3Settings) -> Model:
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


def _input_example(model: Model, folder: Path) -> Any:
    """Return the input example that was logged with a model; None where there is none that can be read."""
    try:
        return model.load_input_example(str(folder))
    except Exception as error:  # which only a type hint of dictionaries needs: then it is missed
        log.debug("input example of the model: expected to read it, got %s", describe_without_content(error))
        return None


def _missing_number(config: JobConfig, found: Found, model: Model) -> float | None:
    """Return what the logged parameters of training say; ``null_values`` go before them."""
    if "null_values" in config.model_fields_set:
        return None
    return flavor_of(model.flavors).missing_number(found.model_id or model.model_id, model.run_id)


def _ask_registry(config: JobConfig) -> Found:
    from mlflow.exceptions import MlflowException

    try:
        found = look_up(config.model)
        # Fetched from the very place that is checked: the registry is not asked a second time.
        return replace(found, source=artifact_location(found)) if config.allowed_artifact_prefixes else found
    except MlflowException as error:
        code = error.error_code
        if code == "INTERNAL_ERROR":  # what mlflow says of a server that does not answer, too
            raise ModelError(
                f"registry of {config.model}: expected an answer, got {code}; can it be reached?"
            ) from error
        near = near_names(config.model) if code in _UNKNOWN else []
        hint = f"; near names there: {', '.join(near)}" if near else ""
        raise ModelError(f"model {config.model}: expected it in the registry, got {code}{hint}") from error
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
