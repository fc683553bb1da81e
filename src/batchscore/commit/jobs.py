"""The jobs of an output: their records, the latest one, and what to say of an id or an output that has none."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from batchscore.commit.job_record import BatchPrediction
from batchscore.config import uris
from batchscore.config.job_config import OutputConfig
from batchscore.errors import InputError, ObjectMissingError, TransientReadError
from batchscore.output.paths import EXTENDED_MANIFEST_END, PROFILE_END, RECORD_END, Outputs, id_of
from batchscore.storage.base import StoredObject, read_if_present
from batchscore.storage.factory import storage_for

log = logging.getLogger(__name__)

LATEST = "latest"
"""What stands for the id of the finished job that was completed last."""
_NEAR_IDS = 5
_THREADS = 16


def read_record(config: OutputConfig, batch_id: str) -> BatchPrediction:
    """Return the record of a job; raises InputError, which names ids like this one if it has none."""
    check_output_is_there(config)
    record = _record_if_present(config, batch_id)
    if record is None:
        raise unknown_job(config, batch_id)
    return record


def read_records(config: OutputConfig, pass_over: Callable[[InputError], None]) -> Iterator[BatchPrediction]:
    """Yield the records of an output; ``pass_over`` is told of what has a record's name and is none."""
    check_output_is_there(config)
    storage = storage_for(config.output, config.s3)
    for item in _objects(config):
        if not _is_record(item.uri):
            continue
        try:
            yield BatchPrediction.from_json(storage.read(item.uri), item.uri)
        except TransientReadError:
            raise
        except InputError as error:
            pass_over(error)


def found_id(config: OutputConfig, batch_id: str) -> str:
    """Return the id that is meant: ``latest`` is that of the job that was completed last, if it has a manifest.

    A job of that very id goes first. Raises InputError if no job of the output is finished.
    """
    if batch_id != LATEST:
        return batch_id
    check_output_is_there(config)
    objects = {uris.base_name(item.uri): item for item in _objects(config)}
    if LATEST + RECORD_END in objects or LATEST + EXTENDED_MANIFEST_END in objects:
        return LATEST
    manifests = {name.removesuffix(EXTENDED_MANIFEST_END): item for name, item in objects.items() if _is_manifest(name)}

    def finished(batch_id: str) -> tuple[int, float, str]:
        """Return what tells the later of two jobs: their whole seconds, then the times of their manifests."""
        try:
            record = _record_if_present(config, batch_id) if batch_id + RECORD_END in objects else None
        except TransientReadError:
            raise
        except InputError as error:
            log.warning("passed over: %s", error)
            record = None
        at = record.FinishedAt if record and record.Status == "COMPLETED" else None
        return at or 0, manifests[batch_id].modified_epoch_seconds, batch_id

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="records") as pool:
        seconds, _, latest = max(pool.map(finished, manifests), default=(0, 0.0, ""))
    if not seconds:
        raise ObjectMissingError(
            f"job {LATEST}: expected a finished job below {_folder(config)}, got none; batchscore list shows all"
        )
    return latest


def check_output_is_there(config: OutputConfig) -> None:
    """Raise InputError if a local output is no folder; on S3 a prefix without objects is nothing to be missed."""
    output = config.output
    if uris.is_s3(output):
        return
    path = Path(uris.local_path(output))
    if not path.is_dir():
        got = "something else" if path.exists() else "none"
        raise ObjectMissingError(f"output {output}: expected a folder, got {got}; correct the key output")


def unknown_job(config: OutputConfig, batch_id: str) -> InputError:
    """Return what to say of an id without a record."""
    place = _folder(config)
    return ObjectMissingError(
        f"job {batch_id}: expected a job of this id below {place}, got none; {_near(config, batch_id)}"
    )


def unfinished_job(config: OutputConfig, batch_id: str) -> InputError:
    """Return what to say of an id without a manifest."""
    record = _record_if_present(config, batch_id)
    if record is None:
        return unknown_job(config, batch_id)
    return InputError(
        f"job {batch_id}: expected a finished one, got no manifest and a record that says {record.Status}; "
        f"run it again with id={batch_id} to go on"
    )


def _record_if_present(config: OutputConfig, batch_id: str) -> BatchPrediction | None:
    uri = Outputs(config.output, batch_id, "parts").record
    content = read_if_present(storage_for(uri, config.s3), uri)
    return None if content is None else BatchPrediction.from_json(content, uri)


def _near(config: OutputConfig, batch_id: str) -> str:
    """Name the ids that could have been meant."""
    try:
        ids = sorted({name for item in _objects(config) if (name := id_of(uris.base_name(item.uri)))})
    except InputError:  # without the right to list there is less to say
        return "batchscore list shows those that are there"
    if not ids:
        return "no job has written there: correct the key output, or run the job first"
    by_plain = {name.casefold(): name for name in ids}
    near = difflib.get_close_matches(batch_id.casefold(), by_plain, _NEAR_IDS)
    if near:
        return f"did you mean {' or '.join(by_plain[name] for name in near)}?"
    return f"ids there: {', '.join(ids[:_NEAR_IDS])}{_more(len(ids) - _NEAR_IDS)}"


def _more(count: int) -> str:
    return f" and {count:,} more, which batchscore list shows" if count > 0 else ""


def _folder(config: OutputConfig) -> str:
    return Outputs(config.output, "", "parts").folder


def _objects(config: OutputConfig) -> Iterator[StoredObject]:
    folder = f"{_folder(config)}/"
    return storage_for(folder, config.s3).list_folder(folder)


def _is_manifest(name: str) -> bool:
    return name.endswith(EXTENDED_MANIFEST_END)


def _is_record(uri: str) -> bool:
    return uri.endswith(RECORD_END) and not uri.endswith((EXTENDED_MANIFEST_END, PROFILE_END))
