"""A registry on this machine: it must be there, since MLflow makes a new one of whatever path it is told."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from batchscore.errors import ModelError


def check_registry_is_there(asked_uri: str) -> None:
    """Look for the database or folder that MLflow is about to open; raises ModelError if there is none.

    MLflow makes the folders above a SQLite database, the file and its tables (mlflow/store/db/utils.py), in which no
    model is found, and of a folder that is not there an empty registry.
    """
    import mlflow
    from mlflow.tracking import is_tracking_uri_set

    tracking, registry = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    used = {registry: "registry_uri"}
    # A job that names a registry alone gets MLflow's default for tracking, which need not be there.
    if registry == tracking or is_tracking_uri_set():  # type: ignore[no-untyped-call] # of MLflow
        used[tracking] = "tracking_uri"
    for uri, key in used.items():
        path = local_place(uri)
        if path is not None and not path.exists():
            kind = "a database" if _is_sqlite(uri) else "a folder"
            raise ModelError(
                f"registry of {asked_uri}: expected {kind} at {path.absolute()}, got no such file; correct {key} (or "
                f"MLFLOW_{key.upper()}), of which a relative path is seen from the working directory {Path.cwd()}"
            )


def local_place(uri: str) -> Path | None:
    """Return the file or folder that a registry's URI means; None for one elsewhere, or in memory."""
    if _is_sqlite(uri):
        return _database_file(uri)
    parts = urlsplit(uri)
    if parts.scheme not in {"", "file"} or uri in {"databricks", "databricks-uc", "uc"}:
        return None
    return Path(unquote(parts.path) if parts.scheme else uri)


def _is_sqlite(uri: str) -> bool:
    return uri.split(":")[0].partition("+")[0] == "sqlite"


def _database_file(uri: str) -> Path | None:
    try:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError
    except ImportError:  # without it MLflow opens none
        return None
    try:
        url = make_url(uri)
    except ArgumentError:  # which MLflow refuses as well
        return None
    name = url.database or ""
    if url.query.get("uri"):  # SQLite's own form, file:name, which has parameters too
        name = unquote(name.removeprefix("file:"))
    return None if name in {"", ":memory:"} or "memory" in url.query.get("mode", "") else Path(name)
