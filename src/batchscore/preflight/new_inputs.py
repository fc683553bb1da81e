"""The inputs of a job: all that are listed or, with ``mode: new_inputs``, those that no finished job has scored."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from batchscore.commit.manifest_reader import read_sources
from batchscore.commit.stored_manifests import read_stored
from batchscore.config.job_config import JobConfig
from batchscore.config.uris import base_name
from batchscore.errors import IdempotentParameterMismatchError, InputError, InputsScoredError, ObjectExistsError
from batchscore.output.paths import EXTENDED_MANIFEST_END, Outputs
from batchscore.preflight.discovery import list_inputs, named_objects, uris_listed
from batchscore.storage.base import Storage, StoredObject, read_if_present
from batchscore.storage.factory import storage_for
from batchscore.storage.stored_json import read_json, typed

log = logging.getLogger(__name__)

_SCORED = "scored by an earlier job"
_LATE = "not there at the start"
_THREADS = 16


@dataclass(frozen=True)
class Choice:
    """The inputs that a job scores, and what else lies below those configured: see Plan.

    ``listed`` are the URIs of all that lies there, scored or not: they tell what each entry is.
    """

    sources: Sequence[StoredObject]
    skipped: Sequence[tuple[str, str]]
    listed: Collection[str]
    not_new: Mapping[str, int] = field(default_factory=dict)
    manifests_read: frozenset[StoredObject] = frozenset()


def choose_inputs(config: JobConfig) -> Choice:
    """Return what a job scores.

    With ``mode: new_inputs`` the choice is made once for an id: a finished job has the inputs of its manifest, one
    that has begun those it began with. Raises InputError; InputsScoredError if another job has scored some since.
    """
    if config.mode == "all":
        return _all_of(*list_inputs(config))
    storage, outputs = storage_for(config.output, config.s3), _outputs(config)
    content = read_if_present(storage, outputs.extended_manifest) if config.id else None
    if content is not None:
        finished = _all_of(read_sources(content, outputs.extended_manifest), ())
        return replace(finished, listed={*finished.listed, *named_objects(config)})
    listed, skipped = list_inputs(config)
    manifests = _manifests_of_others(storage, outputs)
    scored = _scored_inputs(storage, manifests, listed)
    begun = _read_begun(storage, outputs) if config.id else None
    if begun is None:
        chosen = [source for source in listed if source not in scored]
    else:
        chosen = [source for source in listed if _key(source) in begun]
        _check_unscored(outputs.id, chosen, scored)
    log.info("%d of %d files below the inputs are new", len(chosen), len(listed))
    before = sum(source in scored for source in listed)
    not_new = {_SCORED: before, _LATE: len(listed) - len(chosen) - before}
    told = {reason: number for reason, number in not_new.items() if number}
    return replace(_all_of(listed, skipped), sources=chosen, not_new=told, manifests_read=manifests)


def _all_of(sources: Sequence[StoredObject], skipped: Sequence[tuple[str, str]]) -> Choice:
    return Choice(sources, skipped, uris_listed(sources, skipped))


def bind_inputs(config: JobConfig, sources: Sequence[StoredObject]) -> None:
    """Keep the inputs that a job of new ones begins with, for a later run of its id; create-only.

    Raises IdempotentParameterMismatchError if another run of the id has begun with others meanwhile.
    """
    storage, outputs = storage_for(config.output, config.s3), _outputs(config)
    content = json.dumps([[source.uri, source.size_in_bytes, source.etag] for source in sources])
    try:
        storage.put_new(outputs.inputs, io.BytesIO(content.encode()))
    except ObjectExistsError as error:
        begun = _read_begun(storage, outputs) or set()
        if not {_key(source) for source in sources} <= begun:
            raise IdempotentParameterMismatchError(
                f"id {outputs.id}: expected the inputs that another run of it has begun with, got others; run it again"
            ) from error


def check_still_new(config: JobConfig, sources: Sequence[StoredObject], read: frozenset[StoredObject]) -> None:
    """Raise InputsScoredError if another job has scored some of the inputs since this one chose them.

    ``read`` are the manifests that they were held against then.
    """
    if config.mode == "new_inputs":
        storage, outputs = storage_for(config.output, config.s3), _outputs(config)
        since = _manifests_of_others(storage, outputs) - read
        _check_unscored(outputs.id, sources, _scored_inputs(storage, since, sources))


def _outputs(config: JobConfig) -> Outputs:
    return Outputs(config.output, config.id or "", config.layout)


def _key(source: StoredObject) -> tuple[str, str]:
    return source.uri, source.etag


def _manifests_of_others(storage: Storage, outputs: Outputs) -> frozenset[StoredObject]:
    """Return the extended manifests of the output as they are listed, without the job's own."""
    listed = storage.list_folder(f"{outputs.folder}/")
    return frozenset(
        item for item in listed if item.uri.endswith(EXTENDED_MANIFEST_END) and item.uri != outputs.extended_manifest
    )


def _scored_inputs(
    storage: Storage, manifests: Collection[StoredObject], sources: Iterable[StoredObject]
) -> dict[StoredObject, str]:
    """Return those of the sources that the jobs of some manifests have scored, each with the id of its job."""
    wanted = {source.uri: source for source in sources}

    def scored_by(manifest: StoredObject) -> list[StoredObject]:
        told = read_stored(storage, manifest, read_sources)
        found = ((source, wanted.get(source.uri)) for source in told)
        return [ours for source, ours in found if ours is not None and ours.etag == source.etag]

    scored: dict[StoredObject, str] = {}
    in_order = sorted(manifests, key=lambda manifest: manifest.uri)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="manifests") as pool:
        for manifest, found in zip(in_order, pool.map(scored_by, in_order), strict=True):
            scored |= dict.fromkeys(found, base_name(manifest.uri).removesuffix(EXTENDED_MANIFEST_END))
    return scored


def _read_begun(storage: Storage, outputs: Outputs) -> set[tuple[str, str]] | None:
    content = read_if_present(storage, outputs.inputs)
    if content is None:
        return None
    try:
        return {(uri, etag) for uri, _, etag in typed(list[tuple[str, int, str]], read_json(content))}
    except ValueError as error:
        raise InputError(f"inputs {outputs.inputs}: expected the inputs of a job, got something else") from error


def _check_unscored(batch_id: str, sources: Iterable[StoredObject], scored: Mapping[StoredObject, str]) -> None:
    taken = [source for source in sources if source in scored]
    if taken:
        others = ", ".join(sorted({scored[source] for source in taken})[:5])
        raise InputsScoredError(
            f"job {batch_id}: expected inputs that no other job has scored, got {len(taken)} that {others} has, "
            f"the first {taken[0].uri}; run again with a new id for the rest"
        )
