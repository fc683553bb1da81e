"""The page of a job, made of what lies beside its results: when the job ends, and again at any time."""

from __future__ import annotations

import io
import logging
import tempfile
import webbrowser
from pathlib import Path

from batchscore.commit.job_record import BatchPrediction
from batchscore.commit.jobs import read_record
from batchscore.config.job_config import OutputConfig
from batchscore.errors import InputError, told_without_content
from batchscore.output.paths import Outputs
from batchscore.report.job_report import report_of
from batchscore.report.page import render
from batchscore.report.stored import ProfileTold, manifest_told, profile_told
from batchscore.storage.base import Storage, read_if_present
from batchscore.storage.factory import storage_for

log = logging.getLogger(__name__)

_HTML = "text/html"


def write_report(storage: Storage, outputs: Outputs, record: BatchPrediction) -> None:
    """Write the page of a job that has ended; what keeps it from being written is logged, and fails no job."""
    try:
        storage.put(outputs.report, io.BytesIO(_page(storage, outputs, record)), _HTML)
    except Exception as error:
        log.warning(
            "page %s: expected to write it, got: %s; the job stands, and batchscore report %s makes the page",
            *(outputs.report, told_without_content(error), outputs.id),
        )


def remake_report(config: OutputConfig, batch_id: str, *, to_open: bool = False) -> str:
    """Write the page of a job anew and return its URI; raises InputError, and CommitError where it cannot be written.

    ``to_open`` shows a copy of it in a browser, before it is written.
    """
    record = read_record(config, batch_id)
    storage, outputs = storage_for(config.output, config.s3), Outputs(config.output, batch_id, "parts")
    content = _page(storage, outputs, record)
    if to_open:
        _show(content, outputs)
    storage.put(outputs.report, io.BytesIO(content), _HTML)
    return outputs.report


def _page(storage: Storage, outputs: Outputs, record: BatchPrediction) -> bytes:
    content = read_if_present(storage, outputs.extended_manifest)
    manifest = None if content is None else manifest_told(content, outputs.extended_manifest)
    text = (read_if_present(storage, outputs.log) or b"").decode(errors="replace")
    return render(report_of(record, outputs, manifest, _profile(storage, outputs), text)).encode()


def _profile(storage: Storage, outputs: Outputs) -> ProfileTold | None:
    """Return the profile; one that cannot be read is told, and the page is made without."""
    content = read_if_present(storage, outputs.profile)
    try:
        return None if content is None else profile_told(content, outputs.profile)
    except InputError as error:
        log.warning("the page is made without a profile: %s", error)
        return None


def _show(content: bytes, outputs: Outputs) -> None:
    """Open a copy of the page: a browser knows no S3. The copy stays, since it is read after this process has ended."""
    path = Path(tempfile.mkdtemp(prefix="batchscore-"), f"{outputs.id}.report.html")
    path.write_bytes(content)
    if not webbrowser.open(path.as_uri()):
        log.warning("browser: expected one to open the page with, got none; the page is in %s", path)
