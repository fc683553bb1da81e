"""What a person at a terminal sees of a job, and what a program that reads a pipe gets."""

import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from batchscore.cli import main
from batchscore.errors import ScoringError
from tests.registry import Registry, columns
from tests.spark.conftest import Runner

MODEL = LinearRegression().fit(pd.DataFrame({"a": [0.0, 1.0, 2.0]}), [1.0, 3.5, 6.0])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def model_uri(registry: Registry) -> str:
    return registry.register(MODEL, signature=columns("a:double"), name="terminal")


def keys_of(run: Runner, model_uri: str, batch_id: str, count: int = 10) -> list[str]:
    (run.folder / "people.csv").write_text("a\n" + "1.5\n" * count)
    tracking_uri = run.registry.config(model_uri, input="none", output="none").tracking_uri
    places = [f"input={run.folder}/people.csv", f"output={run.folder}/output"]
    return [f"id={batch_id}", f"model={model_uri}", f"tracking_uri={tracking_uri}", *places]


def test_run_ends_with_lines_on_a_terminal_and_json_in_a_pipe_or_if_asked_for(
    run: Runner, model_uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = keys_of(run, model_uri, "shown")
    assert main(["run", *keys]) == 0
    [line] = capsys.readouterr().out.splitlines()
    piped = json.loads(line)
    assert (piped["Status"], piped["TotalRecordCount"]) == ("COMPLETED", 10)
    assert "took" not in piped

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["run", *keys]) == 0
    told = [line.split(maxsplit=1) for line in terminal.getvalue().splitlines()]
    assert [name for name, _ in told] == ["status", "records", "results", "page", "time", "next"]
    assert told[1][1] == "10, none of them invalid"
    assert told[5][1] == f"batchscore check shown output={run.folder}/output"

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["run", "--json", *keys]) == 0
    assert json.loads(terminal.getvalue())["reported_again"] is True


def test_a_job_says_what_it_waits_for_before_it_scores(
    run: Runner, model_uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *keys_of(run, model_uri, "phases")]) == 0
    told = capsys.readouterr().err
    assert told.index(f"loading the model {model_uri}") < told.index("plan: 1 inputs")


@contextmanager
def sent_while_it_scores(number: signal.Signals, results: Path) -> Iterator[None]:
    """Send this process a signal when a first part is written: in a broadcast it would leave PySpark's file open."""

    def send() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if any(results.rglob("*.csv.gz")):
                os.kill(os.getpid(), number)
                return
            time.sleep(0.01)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        sender.join()


@pytest.mark.parametrize(
    ("number", "begins", "name", "code"),
    [
        (signal.SIGINT, "", "Ctrl-C", 130),
        (signal.SIGTERM, "ScoringError: ", "SIGTERM", ScoringError.exit_code),
    ],
)
def test_a_job_that_is_stopped_says_so_in_words_and_goes_on_under_its_id(
    number: signal.Signals,
    begins: str,
    name: str,
    code: int,
    run: Runner,
    model_uri: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = [*keys_of(run, model_uri, "job", count=6_000), "split_bytes=400"]
    results = run.folder / "output/batch-prediction"
    record = results / "job.json"
    words = f"stopped by {name}; run it again with id=job to go on"

    with sent_while_it_scores(number, results):
        assert main(["run", *keys]) == code

    told = capsys.readouterr().err
    stored = json.loads(record.read_bytes())
    assert (stored["Status"], stored["Message"]) == ("FAILED", words)
    assert told.splitlines()[-1] == f"batchscore: {begins}{words}"
    assert "Traceback" not in told

    assert main(["run", *keys]) == 0
    assert json.loads(record.read_bytes())["TotalRecordCount"] == 6_000
