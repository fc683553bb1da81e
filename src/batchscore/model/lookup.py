"""What the registry says of a ``models:/`` URI: the version it means now, and where the files of that lie."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any

from batchscore.errors import describe_without_content

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

_LOGGED_MODEL = re.compile(r"m-[^/@]+")
_NAMES_ASKED = 1000  # of a page: the most that MLflow gives
_PAGES_ASKED = 5
_NAMES_SHOWN = 3


@dataclass(frozen=True)
class Found:
    """What the registry says of a model: see ModelVersion. ``uri`` pins it, its files are fetched from ``source``."""

    name: str | None
    version: str | None
    model_id: str | None
    tags: Mapping[str, str]
    uri: str
    source: str


def look_up(uri: str) -> Found:
    """Return what a ``models:/`` URI means now; raises MlflowException for one that means nothing."""
    from mlflow import MlflowClient

    client = MlflowClient()
    name = uri.removeprefix("models:/")
    if _LOGGED_MODEL.fullmatch(name):
        logged = client.get_logged_model(name)
        return Found(None, None, logged.model_id, dict(logged.tags or {}), uri, uri)
    if "@" in name:
        found = client.get_model_version_by_alias(*name.split("@", 1))
    else:
        name, version = name.split("/", 1)
        found = client.get_model_version(name, _latest_version(client, name) if version == "latest" else version)
    pinned, model_id = f"models:/{found.name}/{found.version}", getattr(found, "model_id", None)
    return Found(found.name, str(found.version), model_id, dict(found.tags or {}), pinned, pinned)


def _latest_version(client: MlflowClient, name: str) -> str:
    """Return the highest version that is READY.

    MLflow's own ``latest`` asks for GetLatestVersions, whose protocol gives READY versions alone
    (mlflow/protos/model_registry_pb2.pyi); its stores in a database know no other state than READY, and do not look.
    That request is deprecated, and Unity Catalog has none of it: so the versions are searched for, and held to the
    protocol here.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

    quoted = name.replace("'", "''")
    pages = _pages(lambda token: client.search_model_versions(f"name='{quoted}'", page_token=token))
    states = {int(item.version): str(item.status) for page in pages for item in page}
    ready = [version for version, state in states.items() if state == "READY"]
    for version in sorted(states):
        if not ready or version > max(ready):
            log.warning("version %d of model %s is %s, not READY: it is not the latest", version, name, states[version])
    if not ready:
        raise MlflowException("no version is READY", error_code=RESOURCE_DOES_NOT_EXIST)
    return str(max(ready))


def _pages(ask: Callable[[str | None], Any]) -> Iterator[Any]:
    """Yield the pages of an answer: a server may give fewer items than are asked for, with a token for the next."""
    token = None
    while True:
        page = ask(token)
        yield page
        token = page.token
        if not token:
            return


def near_names(uri: str) -> list[str]:
    """Return names of the registry like the one in a URI; none if it is there, or if they cannot be listed."""
    wanted = re.split("[/@]", uri.removeprefix("models:/"))[0]
    if _LOGGED_MODEL.fullmatch(uri.removeprefix("models:/")):
        return []
    try:
        names = _registered_names()
    except Exception as error:  # the fault that is told is another: this only helps to mend it
        log.debug("names of the registry: expected a list, got %s", describe_without_content(error))
        return []
    if wanted in names:
        return []
    folded = {name.casefold(): name for name in names}
    return [folded[match] for match in get_close_matches(wanted.casefold(), folded, _NAMES_SHOWN)]


def _registered_names() -> set[str]:
    from mlflow import MlflowClient

    client = MlflowClient()
    pages = _pages(lambda token: client.search_registered_models(max_results=_NAMES_ASKED, page_token=token))
    return {str(model.name) for page in islice(pages, _PAGES_ASKED) for model in page}


def artifact_location(found: Found) -> str:
    """Return where the files of a version lie; a version of a logged model has them where that one does."""
    from mlflow import MlflowClient

    client = MlflowClient()
    location = found.source
    if found.name and found.version:
        location = str(client.get_model_version_download_uri(found.name, found.version))
    logged = re.fullmatch(r"models:/(m-[^/@]+)", location)
    return str(client.get_logged_model(logged[1]).artifact_location) if logged else location
