"""The page of a job that Spark ran: written at its end, whether it completed or failed."""

import logging
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from batchscore.commands.report import remake_report
from batchscore.config.job_config import OutputConfig
from batchscore.errors import CommitError, TooManyInvalidRecordsError
from batchscore.storage.local import LocalStorage
from tests.registry import Registry, columns
from tests.spark.conftest import Runner


@pytest.fixture(scope="module")
def model_uri(registry: Registry) -> str:
    model = LogisticRegression().fit(np.array([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1])
    return registry.register(model, signature=columns("age:double"))


@pytest.fixture
def files(tmp_path: Path) -> str:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text("age\n" + "1\n2\n" * 60)
    (folder / "b.csv").write_text("age\n3\nword\n")
    return f"{folder}/"


def page_of(folder: Path) -> str:
    return (folder / "output/batch-prediction/job.report.html").read_text(encoding="utf-8")


def test_a_job_that_completes_leaves_its_page_with_counts_and_times(
    run: Runner, model_uri: str, files: str, tmp_path: Path
) -> None:
    run(model_uri, input=files)
    page = page_of(tmp_path)
    assert "122 records of 2 inputs were scored with" in page
    assert "1 of them (0.82%) are invalid" in page
    assert "invalid_value" in page
    assert "Stages within the tasks" in page
    assert "Steps of the job" in page


def test_a_job_that_fails_after_its_record_was_made_leaves_its_page_and_the_next_run_another(
    run: Runner, model_uri: str, files: str, tmp_path: Path
) -> None:
    with pytest.raises(TooManyInvalidRecordsError):
        run(model_uri, input=files, max_invalid_records=0)
    page = page_of(tmp_path)
    assert "What went wrong" in page
    assert "expected at most 0 invalid records" in page
    assert "batchscore run --config job.yaml id=job" in page
    assert "ERROR job job failed" in page
    run(model_uri, input=files)
    assert "What went wrong" not in page_of(tmp_path)


def test_a_job_that_fails_before_its_record_was_made_leaves_no_page(
    run: Runner, model_uri: str, files: str, tmp_path: Path
) -> None:
    (tmp_path / "output").write_text("no folder")
    with pytest.raises(CommitError):
        run(model_uri, input=files)
    assert not list(tmp_path.rglob("*.html"))


def test_a_page_that_cannot_be_written_fails_no_job_and_is_told_in_a_warning(
    run: Runner, model_uri: str, files: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain_put = LocalStorage.put

    def put(self: LocalStorage, uri: str, content: IO[bytes], content_type: str | None = None) -> str:
        if uri.endswith(".html"):
            raise CommitError("disk: expected room, got none")
        return plain_put(self, uri, content, content_type)

    monkeypatch.setattr(LocalStorage, "put", put)
    with caplog.at_level(logging.WARNING):
        assert run.summary(model_uri, input=files)["Status"] == "COMPLETED"
    assert "job.report.html: expected to write it, got: disk: expected room, got none" in caplog.text
    monkeypatch.undo()
    assert not list(run.folder.rglob("*.html"))
    remake_report(OutputConfig(output=f"file://{run.folder}/output"), "job")
    assert "122 records of 2 inputs were scored with" in page_of(run.folder)
