"""What lies at the inputs: listings and schema files. Reads, but decides nothing that the plan could."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fnmatch import fnmatchcase

from batchscore.config import uris
from batchscore.config.job_config import JobConfig
from batchscore.errors import InputError, ObjectMissingError
from batchscore.input.schema_file import Schema, parse_schema
from batchscore.preflight.lengths import is_too_long
from batchscore.storage.base import StoredObject
from batchscore.storage.factory import storage_for

_SCHEMA_ENDING = ".schema"


def list_inputs(config: JobConfig) -> tuple[list[StoredObject], list[tuple[str, str]]]:
    """Return the inputs in the order configured, each prefix in key order, and what is skipped with the reason.

    Raises InputError if an input cannot be listed or nothing is left to score.
    """
    sources: list[StoredObject] = []
    skipped: list[tuple[str, str]] = []
    for entry in config.input:
        for source in _list_entry(entry, config):
            reason = _skip_reason(source, entry, config)
            if reason:
                skipped.append((source.uri, reason))
            else:
                sources.append(source)
    if not sources:
        raise InputError(f"input {', '.join(config.input)}: expected files to score, got {len(skipped)} skipped ones")
    return sources, skipped


def _list_entry(entry: str, config: JobConfig) -> Iterator[StoredObject]:
    storage = storage_for(entry, config.s3)
    if entry.endswith("/"):
        yield from storage.list(entry)
    else:
        yield storage.stat(entry)


def _skip_reason(source: StoredObject, entry: str, config: JobConfig) -> str | None:
    name = source.uri.removeprefix(entry) or uris.base_name(source.uri)
    if source.uri.endswith("/") and source.size_in_bytes == 0:
        return "folder marker"
    if source.uri.endswith(_SCHEMA_ENDING):
        return "schema"
    matched = [
        pattern
        for pattern in config.exclude
        if fnmatchcase(name, pattern) or fnmatchcase(uris.base_name(source.uri), pattern)
    ]
    return f"excluded by {matched[0]}" if matched else None


def find_schema(config: JobConfig) -> tuple[Schema | None, str]:
    """Return the schema and its digest: the one configured, or the one beside the inputs.

    Beside a file it is ``<file>.schema``, for a prefix ``<prefix>/.schema``. Raises InputError if the one configured is
    missing, one is malformed, or the inputs have different ones.
    """
    beside = [uri for uri in map(_beside, config.input) if not is_too_long(uri)]  # nothing can be there
    candidates = [config.schema_uri] if config.schema_uri else beside
    found: dict[str, bytes] = {}
    for uri in candidates:
        try:
            found[uri] = storage_for(uri, config.s3).read(uri)
        except ObjectMissingError:
            if config.schema_uri:
                raise
    if not found:
        return None, ""
    if len(set(found.values())) > 1:
        raise InputError(f"schema: expected one for all inputs, got different ones: {', '.join(found)}")
    uri, content = next(iter(found.items()))
    return parse_schema(content, uri), hashlib.sha256(content).hexdigest()


def _beside(entry: str) -> str:
    return f"{entry}{_SCHEMA_ENDING}"
