"""Orphan files: found, and removed if asked for; never what a manifest names or a job could still need.

Only work files, results and rejected files go. Records, manifests and logs tell of whom they are, and always stay.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from batchscore.commit.jobs import check_output_is_there
from batchscore.commit.manifest_reader import read_file_uris
from batchscore.commit.stored_manifests import read_stored
from batchscore.config.job_config import OutputConfig
from batchscore.config.uris import FOLDER
from batchscore.errors import ConfigError, InputError, TransientReadError
from batchscore.output.paths import EXTENDED_MANIFEST_END, MANIFEST_END, Outputs, id_of
from batchscore.storage.base import Storage, StoredObject
from batchscore.storage.factory import storage_for
from batchscore.storage.stored_json import read_json, typed

log = logging.getLogger(__name__)

_UNIT_SECONDS = {"h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
# Longer than any task takes: within a day, a job that runs has written something.
_MIN_AGE_SECONDS = 24 * 3600
_REMOVED_TOGETHER = 1000
_WORK = "in-progress/"

Beside = dict[str, set[StoredObject]]
"""What lies beside the results, by the id it is of: manifests, records and logs."""


@dataclass(frozen=True)
class OrphanFiles:
    """Files that no manifest names and no job needs, work files first.

    ``beside`` is what lay beside the results when they were found.
    """

    objects: tuple[StoredObject, ...]
    beside: Beside


def parse_age(text: str) -> int:
    """Return the seconds of an age such as ``36h``, ``7d`` or ``2w``; raises ConfigError."""
    match = re.fullmatch(r"(\d{1,6})([hdw])", text)
    seconds = int(match[1]) * _UNIT_SECONDS[match[2]] if match else 0
    if seconds < _MIN_AGE_SECONDS:
        raise ConfigError(f"argument --older-than: expected an age of a day or more, such as 36h, 7d or 2w, got {text}")
    return seconds


def find_orphan_files(config: OutputConfig, age_seconds: int, now_epoch_seconds: float) -> OrphanFiles:
    """Return the files below an output that no manifest names, and that no job younger than the age could need.

    A job without a manifest is as old as the latest change to anything of it: as long as that is young, all of its
    files stay. So do all that could be of an id whose manifest is none, be it damaged or someone else's file.
    """
    check_output_is_there(config)
    storage, outputs = storage_for(config.output, config.s3), Outputs(config.output, "", "parts")
    before = _beside_results(storage, outputs)
    limit = now_epoch_seconds - age_seconds
    found: dict[str, StoredObject] = {}
    latest = {batch_id: max(item.modified_epoch_seconds for item in items) for batch_id, items in before.items()}
    for path, item in _written(storage, outputs):
        for batch_id in _possible_ids(path):
            if batch_id in latest or path.startswith(_WORK):
                latest[batch_id] = max(latest.get(batch_id, 0.0), item.modified_epoch_seconds)
        if item.modified_epoch_seconds < limit:
            found[path] = item
    # Manifests are read after the listing: a job that has committed meanwhile is known by its manifest.
    beside = _beside_results(storage, outputs)
    named, folders, unreadable = _named_files(storage, beside)
    young = {batch_id for batch_id, seconds in latest.items() if seconds >= limit}
    needed = {batch_id for batch_id in young if not _is_finished(beside, batch_id)} | _changed_ids(before, beside)
    needed |= unreadable
    objects = [
        item
        for path, item in found.items()
        if path not in named and not path.startswith(folders) and needed.isdisjoint(_possible_ids(path))
    ]
    return OrphanFiles(tuple(objects), beside)


def remove_orphan_files(config: OutputConfig, orphan_files: OrphanFiles) -> list[StoredObject]:
    """Remove what was found, but nothing of a job that has gone on or committed since; return what was removed."""
    storage, outputs = storage_for(config.output, config.s3), Outputs(config.output, "", "parts")
    removed: list[StoredObject] = []
    for start in range(0, len(orphan_files.objects), _REMOVED_TOGETHER):
        some = orphan_files.objects[start : start + _REMOVED_TOGETHER]
        changed = _changed_ids(orphan_files.beside, _beside_results(storage, outputs))
        idle = [item for item in some if changed.isdisjoint(_possible_ids(_path(item.uri, outputs)))]
        if len(idle) < len(some):
            log.warning("left %d files of jobs that go on: %s", len(some) - len(idle), ", ".join(sorted(changed)[:5]))
        storage.delete(*(item.uri for item in idle))
        removed += idle
    return removed


def _beside_results(storage: Storage, outputs: Outputs) -> Beside:
    """Return the manifests, records and logs of an output."""
    found: Beside = defaultdict(set)
    folder = f"{outputs.folder}/"
    for item in storage.list_folder(folder):
        batch_id = id_of(item.uri.removeprefix(folder))
        if batch_id is not None:
            found[batch_id].add(item)
    return found


def _changed_ids(before: Beside, after: Beside) -> set[str]:
    """Return the ids whose manifest, record or log has changed, come or gone; times decide where ETags do not."""

    def state(beside: Beside, batch_id: str) -> set[tuple[StoredObject, float]]:
        return {(item, item.modified_epoch_seconds) for item in beside.get(batch_id, ())}

    return {batch_id for batch_id in before.keys() | after.keys() if state(before, batch_id) != state(after, batch_id)}


def _path(uri: str, outputs: Outputs) -> str:
    return uri.removeprefix(f"{outputs.folder}/")


def _written(storage: Storage, outputs: Outputs) -> Iterator[tuple[str, StoredObject]]:
    """Yield every work file, result and rejected file, each with its path below the output's folder."""
    for folder in (_WORK, "result/", "rejected/"):
        for item in storage.list(f"{outputs.folder}/{folder}"):
            yield _path(item.uri, outputs), item


def _possible_ids(path: str) -> list[str]:
    """Return every id that could have written a file: ids and the names of inputs may both hold hyphens."""
    name = path.split("/")[1]
    if path.startswith(_WORK):
        return [name]
    return [name[:place] for place, character in enumerate(name) if character == "-"]


def _is_finished(beside: Beside, batch_id: str) -> bool:
    return any(item.uri.endswith(EXTENDED_MANIFEST_END) for item in beside.get(batch_id, ()))


def _named_files(storage: Storage, beside: Beside) -> tuple[set[str], tuple[str, ...], set[str]]:
    """Return the paths of all that manifests name, those of them that are folders, and the ids of unreadable ones.

    Of Amazon's manifests only those count that have no extended one beside them: such as the service wrote itself.
    """
    files: set[str] = set()
    results: set[str] = set()
    unreadable: set[str] = set()
    for batch_id, items in beside.items():
        for item in sorted(items, key=lambda item: item.uri):
            try:
                if item.uri.endswith(EXTENDED_MANIFEST_END):
                    files |= _paths(read_stored(storage, item, read_file_uris))
                elif item.uri.endswith(MANIFEST_END) and not _is_finished(beside, batch_id):
                    results |= _paths(_classic_results(storage.read(item.uri), item.uri))
            except TransientReadError:
                raise
            except InputError as error:  # a damaged one or someone else's file: all that it could name is of its id
                log.warning("what could be of id %s stays: %s", batch_id, error)
                unreadable.add(batch_id)
    return files | results, tuple(path for path in results if path.endswith("/")), unreadable


def _paths(uris: Iterable[str]) -> set[str]:
    """Return the paths of files below any folder of results.

    A manifest can name its files by another spelling of the output than this one: that of a copy, or by way of a link.
    """
    mark = re.compile(f"(?<=/){FOLDER}/")
    return {uri[found.end() :] for uri in uris for found in mark.finditer(uri)}


def _classic_results(content: bytes, uri: str) -> set[str]:
    try:
        return set(typed(dict[str, str], read_json(content)).values())
    except ValueError as error:
        raise InputError(f"manifest {uri}: expected a JSON object of inputs and results, got something else") from error
