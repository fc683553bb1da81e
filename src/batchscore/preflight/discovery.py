"""What lies at the inputs: listings and schema files. Reads, but decides nothing that the plan could."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Collection, Iterable, Sequence
from glob import escape

from batchscore.config import uris
from batchscore.config.entries import as_folder, folder_of, parent_folder, path_below
from batchscore.config.globs import (
    NO_BRACES,
    Glob,
    folder_before_wildcards,
    has_braces,
    has_wildcards,
    spelt_names,
)
from batchscore.config.job_config import JobConfig
from batchscore.config.selection import FOLDER_MARKER, SCHEMA_ENDING, Selection
from batchscore.errors import InputError, ObjectMissingError, TransientReadError
from batchscore.input.schema_file import Schema, parse_schema
from batchscore.preflight.lengths import is_too_long
from batchscore.storage.base import NAMES_TOLD, StoredObject, is_present
from batchscore.storage.factory import storage_for

_NAMES_SHOWN = 5
_ROOTS = {"s3://", "/"}  # above buckets and file systems
_SKIPPED_TOLD = 3


def list_inputs(config: JobConfig) -> tuple[list[StoredObject], list[tuple[str, str]]]:
    """Return the inputs in the order configured, each folder in key order, and what is skipped with the reason.

    Raises InputError if there is nothing at an entry, or nothing is left to score.
    """
    sources: list[StoredObject] = []
    skipped: list[tuple[str, str]] = []
    for entry in config.input:
        listed = _list_entry(entry, config)
        reasons = _skip_reasons(entry, listed, config)
        if set(reasons) <= {FOLDER_MARKER}:
            raise ObjectMissingError(_nothing_at(entry, config))
        sources += [source for source, reason in zip(listed, reasons, strict=True) if reason is None]
        skipped += [(source.uri, reason) for source, reason in zip(listed, reasons, strict=True) if reason]
    if not sources:
        told = "; ".join(f"{uri} is {reason}" for uri, reason in skipped[:_SKIPPED_TOLD])
        raise InputError(
            f"input {', '.join(config.input)}: expected files to score, got {len(skipped)} skipped ones: {told}"
        )
    return sources, skipped


def uris_listed(sources: Iterable[StoredObject], skipped: Iterable[tuple[str, str]]) -> set[str]:
    """Return the URIs of all that lies at the inputs, as list_inputs gives it: they tell what each entry is."""
    return {source.uri for source in sources} | {uri for uri, _ in skipped}


def named_objects(config: JobConfig) -> set[str]:
    """Return the entries that name objects which are there."""
    bare = [entry for entry in config.input if not entry.endswith("/")]
    return {entry for entry in bare if is_present(storage_for(entry, config.s3), entry)}


def _list_entry(entry: str, config: JobConfig) -> list[StoredObject]:
    """Return what lies at an entry: the object of that name, else the folder's, else what the glob matches."""
    storage = storage_for(entry, config.s3)
    refusal: InputError | None = None
    if not entry.endswith("/"):
        try:
            return [storage.stat(entry)]
        except TransientReadError:
            raise
        except InputError as error:  # no such object, or no right to the name of what is a folder
            refusal = None if isinstance(error, ObjectMissingError) else error
    listed = list(storage.list(as_folder(entry)))
    if not listed and has_wildcards(entry):
        listed = list(storage.list_glob(Glob(entry)))
    if refusal and not listed:
        raise refusal
    return listed


def _skip_reasons(entry: str, listed: Sequence[StoredObject], config: JobConfig) -> list[str | None]:
    found = {source.uri for source in listed}
    folder = folder_of(entry, found)
    spelt = (escape(uris.base_name(entry)),) if entry in found else spelt_names(entry)
    selection = Selection(config.include, config.exclude, spelt)
    return [selection.skip_reason(source.uri, folder, source.size_in_bytes) for source in listed]


def _nothing_at(entry: str, config: JobConfig) -> str:
    """Say that nothing lies at an entry, and what lies near it."""
    is_glob, bare = has_wildcards(entry), entry.rstrip("/")
    folder = folder_before_wildcards(entry) if is_glob else parent_folder(bare)
    try:
        names = storage_for(entry, config.s3).names_in_folder(folder) if folder not in _ROOTS else None
    except InputError:  # what cannot be listed is not named
        names = None
    if is_glob:
        told = f"files to score that the glob matches, got none{_near_glob(entry, folder, names)}"
    else:
        told = f"files to score, got none{_what_is_there(entry, names)}{_near(uris.base_name(bare), folder, names)}"
    return f"input {entry}: expected {told}{f'; {NO_BRACES}' if has_braces(entry) else ''}"


def _near_glob(entry: str, folder: str, names: Sequence[str] | None) -> str:
    if names is None:
        return ""
    folders = [name for name in names if name.endswith("/") and Glob(entry).matches(f"{folder}{name[:-1]}")]
    more = f", and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    told = f"; {folder} holds {', '.join(names[:_NAMES_SHOWN]) or 'nothing'}{more}"
    ending = f"; the folder {folders[0]} matches: end the entry in / for what lies in such folders" if folders else ""
    return f"{told}{ending}"


def _what_is_there(entry: str, names: Sequence[str] | None) -> str:
    """Say what an entry without files names, by names of the folder that it lies in; nothing where that is unknown."""
    name = uris.base_name(entry)
    if names is None:
        return ""
    if f"{name}/" in names:
        return ": the folder holds nothing"
    if name in names:
        return ": it is a file, which is named without a / at its end"
    kind = "folder" if entry.endswith("/") else "file or folder"
    return f": there is no such {kind}" if len(names) < NAMES_TOLD else ""


def _near(name: str, folder: str, names: Sequence[str] | None) -> str:
    spelt = {other.lower().rstrip("/"): other for other in names or [] if other.rstrip("/") != name}
    near = difflib.get_close_matches(name.lower(), spelt, n=3)
    return f"; near it lie {', '.join(f'{folder}{spelt[other]}' for other in near)}" if near else ""


def find_schema(config: JobConfig, listed: Collection[str] = ()) -> tuple[Schema | None, str]:
    """Return the schema and its digest: the one configured, or the one beside the inputs; ``listed`` are their URIs.

    Beside a file it is ``<file>.schema``, in a folder ``<folder>/.schema``, and for a glob that of the folder before
    the first wildcard. Raises InputError if the one configured is missing, one is malformed, or the inputs have
    different ones.
    """
    known = frozenset(listed)
    beside = [uri for entry in config.input for uri in _beside(entry, known)]
    possible = [uri for uri in dict.fromkeys(beside) if not is_too_long(uri)]  # nothing else can be there
    candidates = [config.schema_uri] if config.schema_uri else possible
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


def _beside(entry: str, listed: Collection[str]) -> list[str]:
    """Return where the schema of an entry is looked for: of one of which nothing is listed, wherever it could be."""
    of_object, in_folder = f"{entry}{SCHEMA_ENDING}", f"{as_folder(entry)}{SCHEMA_ENDING}"
    of_glob = [f"{folder_before_wildcards(entry)}{SCHEMA_ENDING}"] if has_wildcards(entry) else []
    if entry in listed:
        return [of_object]
    if any(uri.startswith(as_folder(entry)) for uri in listed):
        return [in_folder]
    if any(path_below(entry, uri) is not None for uri in listed):
        return of_glob
    return [of_object, in_folder, *of_glob] if not entry.endswith("/") else [in_folder, *of_glob]
