"""``batchscore report``: the page of a job is made of what the job left, and never fails the job itself."""

import io
import json
import logging
import webbrowser
from pathlib import Path
from typing import IO

import pytest
from tests.committed import FinishedJob
from tests.page_jobs import binary_job, stored_json

from batchscore.cli import main
from batchscore.commands.check import check_job
from batchscore.commands.report import remake_report, write_report
from batchscore.commit.job_record import BatchPrediction
from batchscore.errors import CommitError, TransientReadError
from batchscore.output.paths import id_of
from batchscore.storage.local import LocalStorage


def finished(folder: Path) -> FinishedJob:
    return FinishedJob(folder, {"a.csv": b"id,a,b,y\nC1,1,x,0\nC2,word,x,1\n"}).commit()


def record_of(job: FinishedJob) -> BatchPrediction:
    path = job.path("bp-1.json")
    return BatchPrediction.from_json(path.read_bytes(), str(path))


def page_of(job: FinishedJob) -> str:
    return job.path("bp-1.report.html").read_text(encoding="utf-8")


def test_the_page_is_made_of_what_the_job_left_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = finished(tmp_path)
    assert main(["report", "bp-1", f"output={tmp_path}/out"]) == 0
    assert capsys.readouterr().out == f"{job.plan.spec.outputs.report}\n"
    page = page_of(job)
    assert "2 records of 1 input were scored with <bdi>m</bdi> version <bdi>1</bdi>" in page
    assert f"{tmp_path}/in/a.csv" in page
    assert "invalid_value" in page
    assert "This job has no profile" in page
    assert main(["report", "bp-1", "--json", f"output={tmp_path}/out"]) == 0
    assert json.loads(capsys.readouterr().out) == {"report": job.plan.spec.outputs.report}


def test_a_profile_that_is_there_is_shown(tmp_path: Path) -> None:
    job = finished(tmp_path)
    job.path("bp-1.profile.json").write_bytes(stored_json(binary_job(500).profile or {}))
    assert main(["report", "bp-1", f"output={tmp_path}/out"]) == 0
    assert "tookOffer" in page_of(job)


def test_a_profile_that_is_none_is_told_and_the_page_shows_the_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = finished(tmp_path)
    job.path("bp-1.profile.json").write_bytes(b"{")
    remake_report(job.output, "bp-1")
    assert "the page is made without a profile: profile file://" in caplog.text
    assert "This job has no profile" in page_of(job)


def test_a_page_of_a_copy_of_the_output_names_the_files_of_the_copy(tmp_path: Path) -> None:
    job = finished(tmp_path)
    (tmp_path / "out").rename(tmp_path / "moved")
    assert main(["report", "bp-1", f"output={tmp_path}/moved"]) == 0
    page = (tmp_path / "moved/batch-prediction/bp-1.report.html").read_text()
    assert f"{tmp_path}/moved/batch-prediction/rejected/bp-1-*" in page
    assert not job.path("").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bp-1.json", None, "job bp-1: expected a job of this id below"),
        ("bp-1.json", b"{", "bp-1.json: expected the record of a batch prediction"),
        ("bp-1.manifest.json", b"{}", "bp-1.manifest.json: expected an extended manifest, got something else"),
    ],
)
def test_what_is_no_job_has_no_page(
    name: str, content: bytes | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = finished(tmp_path)
    job.path(name).unlink() if content is None else job.path(name).write_bytes(content)
    assert main(["report", "bp-1", f"output={tmp_path}/out"]) == 3
    assert message in capsys.readouterr().err
    assert not job.path("bp-1.report.html").exists()


def test_a_page_that_cannot_be_written_is_an_error_of_the_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = finished(tmp_path)
    job.path("bp-1.report.html").mkdir()
    assert main(["report", "bp-1", f"output={tmp_path}/out"]) == 6
    assert "bp-1.report.html: expected" in capsys.readouterr().err


def test_open_shows_a_copy_in_the_browser_also_where_the_page_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda uri: shown.append(uri))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    job = finished(tmp_path)
    remake_report(job.output, "bp-1", to_open=True)
    [uri] = shown
    copy = Path(uri.removeprefix("file://"))
    assert copy.read_text() == page_of(job)
    assert "browser: expected one to open the page with, got none; the page is in" in caplog.text
    job.path("bp-1.report.html").unlink()
    job.path("bp-1.report.html").mkdir()
    assert main(["report", "bp-1", "--open", f"output={tmp_path}/out"]) == 6
    assert len(shown) == 2


class Failing(LocalStorage):
    """A store whose n-th request fails."""

    def __init__(self, failing: int, error: Exception) -> None:
        super().__init__()
        object.__setattr__(self, "left", [failing])
        object.__setattr__(self, "error", error)

    def _count(self) -> None:
        left, error = vars(self)["left"], vars(self)["error"]
        left[0] -= 1
        if left[0] == 0:
            raise error

    def read(self, uri: str) -> bytes:
        self._count()
        return super().read(uri)

    def put(self, uri: str, content: IO[bytes], content_type: str | None = None) -> str:
        self._count()
        return super().put(uri, content, content_type)


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TransientReadError("object x: expected a whole body, got none"), "object x: expected a whole body, got none"),
        (CommitError("disk: expected room, got none"), "disk: expected room, got none"),
        (ValueError("the record of Anna"), "got: ValueError in _count (test_report_command.py:"),
    ],
)
def test_what_keeps_the_page_from_being_written_is_told_and_fails_no_job(
    failing: int, error: Exception, told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    job = finished(tmp_path)
    write_report(Failing(failing, error), job.plan.spec.outputs, record_of(job))
    assert told in caplog.text
    assert "batchscore report bp-1 makes the page" in caplog.text
    assert "Anna" not in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert not job.path("bp-1.report.html").exists()


def test_a_page_is_known_by_its_name() -> None:
    assert id_of("a.b.report.html") == "a.b"
    assert id_of("a.b.profile.json") == "a.b"
    assert id_of("report.html") is None


def test_a_profile_is_no_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = finished(tmp_path)
    job.path("bp-1.profile.json").write_bytes(b"{}")
    assert main(["list", f"output={tmp_path}/out"]) == 0
    assert "passed over" not in capsys.readouterr().err


def test_check_knows_the_page_and_finds_one_of_another_commit(tmp_path: Path) -> None:
    job = finished(tmp_path)
    assert check_job("bp-1", job.output).findings == []
    write_report(LocalStorage(), job.plan.spec.outputs, record_of(job))
    assert check_job("bp-1", job.output).findings == []
    job.edit_manifest(commit_id="another")
    [finding] = check_job("bp-1", job.output).findings
    assert finding.proof == "page"
    assert finding.what == "expected the page of this commit, got another; batchscore report bp-1 makes it anew"
    job.path("bp-1.report.html").write_bytes(b"\xff<p>")
    assert [finding.proof for finding in check_job("bp-1", job.output).findings] == ["page"]
    assert main(["report", "bp-1", f"output={tmp_path}/out"]) == 0
    assert check_job("bp-1", job.output).findings == []


def test_a_page_keeps_the_files_of_its_job_from_being_orphans_for_as_long_as_it_is_young(tmp_path: Path) -> None:
    import os
    import time

    from batchscore.commands.clean import find_orphan_files
    from batchscore.config.job_config import OutputConfig

    day = 24 * 3600.0
    now = time.time()
    output = OutputConfig(output=f"file://{tmp_path}")
    for name in ("bp-9.report.html", "result/bp-9-a.csv/part-00000.csv.gz"):
        LocalStorage().put(f"file://{tmp_path}/batch-prediction/{name}", io.BytesIO(b"x"))
        os.utime(tmp_path / "batch-prediction" / name, (now - 30 * day,) * 2)
    [orphan] = find_orphan_files(output, int(7 * day), now).objects
    assert orphan.uri.endswith("part-00000.csv.gz")
    os.utime(tmp_path / "batch-prediction/bp-9.report.html", (now, now))
    assert find_orphan_files(output, int(7 * day), now).objects == ()
