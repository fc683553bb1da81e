"""The inputs of a job: all that are listed or, with ``mode: new_inputs``, those that no finished job has scored."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from batchscore.commit.manifest_reader import read_sources
from batchscore.config.job_config import JobConfig
from batchscore.errors import IdempotentParameterMismatchError, InputError, InputsScoredError, ObjectExistsError
from batchscore.output.paths import EXTENDED_MANIFEST_END, Outputs
from batchscore.preflight.discovery import list_inputs
from batchscore.storage.base import Storage, StoredObject, read_if_present
from batchscore.storage.factory import storage_for
from batchscore.storage.stored_json import read_json, typed

log = logging.getLogger(__name__)

SCORED_BEFORE = "scored before by"
_THREADS = 16


def choose_inputs(config: JobConfig) -> tuple[list[StoredObject], list[tuple[str, str]]]:
    """Return the inputs that a job scores, and what is skipped with the reason.

    With ``mode: new_inputs`` the choice is made once for an id: a finished job has the inputs of its manifest, one
    that has begun those it began with. Raises InputError; InputsScoredError if another job has scored some since.
    """
    if config.mode == "all":
        return list_inputs(config)
    storage, outputs = storage_for(config.output, config.s3), _outputs(config)
    content = read_if_present(storage, outputs.extended_manifest) if config.id else None
    if content is not None:
        return read_sources(content, outputs.extended_manifest), []
    listed, skipped = list_inputs(config)
    scored = _scored_inputs(storage, outputs)
    begun = _read_begun(storage, outputs) if config.id else None
    if begun is None:
        chosen = [source for source in listed if _key(source) not in scored]
    else:
        chosen = [source for source in listed if _key(source) in begun]
        _check_unscored(outputs.id, chosen, scored)
    log.info("%d of %d files below the inputs are new", len(chosen), len(listed))
    keys = {_key(source) for source in chosen}
    rest = [
        (source.uri, f"{SCORED_BEFORE} {scored[_key(source)]}" if _key(source) in scored else "not there at the start")
        for source in listed
        if _key(source) not in keys
    ]
    return chosen, skipped + rest


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


def check_still_new(config: JobConfig, sources: Sequence[StoredObject]) -> None:
    """Raise InputsScoredError if another job has scored some of the inputs since this one chose them."""
    if config.mode == "new_inputs":
        outputs = _outputs(config)
        _check_unscored(outputs.id, sources, _scored_inputs(storage_for(config.output, config.s3), outputs))


def _outputs(config: JobConfig) -> Outputs:
    return Outputs(config.output, config.id or "", config.layout)


def _key(source: StoredObject) -> tuple[str, str]:
    return source.uri, source.etag


def _scored_inputs(storage: Storage, outputs: Outputs) -> dict[tuple[str, str], str]:
    """Return URI and ETag of every input of the output's finished jobs, and the id of its job."""
    folder = f"{outputs.folder}/"
    listed = (item.uri for item in storage.list_folder(folder))
    manifests = [uri for uri in listed if uri.endswith(EXTENDED_MANIFEST_END) and uri != outputs.extended_manifest]
    scored: dict[tuple[str, str], str] = {}
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="manifests") as pool:
        for uri, sources in zip(
            manifests, pool.map(lambda uri: read_sources(storage.read(uri), uri), manifests), strict=True
        ):
            batch_id = uri.removeprefix(folder).removesuffix(EXTENDED_MANIFEST_END)
            scored |= {_key(source): batch_id for source in sources}
    return scored


def _read_begun(storage: Storage, outputs: Outputs) -> set[tuple[str, str]] | None:
    content = read_if_present(storage, outputs.inputs)
    if content is None:
        return None
    try:
        return {(uri, etag) for uri, _, etag in typed(list[tuple[str, int, str]], read_json(content))}
    except ValueError as error:
        raise InputError(f"inputs {outputs.inputs}: expected the inputs of a job, got something else") from error


def _check_unscored(batch_id: str, sources: Sequence[StoredObject], scored: dict[tuple[str, str], str]) -> None:
    taken = [source for source in sources if _key(source) in scored]
    if taken:
        others = ", ".join(sorted({scored[_key(source)] for source in taken})[:5])
        raise InputsScoredError(
            f"job {batch_id}: expected inputs that no other job has scored, got {len(taken)} that {others} has, "
            f"the first {taken[0].uri}; run again with a new id for the rest"
        )
