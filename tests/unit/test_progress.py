import io
import logging
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from batchscore.commands.progress import progress_report
from batchscore.plan import Plan
from batchscore.spark.tasks import Progress

PLAN = cast("Plan", SimpleNamespace(size_in_bytes=1000, splits=range(10), spec=SimpleNamespace(id="bp-1")))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_bar_shows_bytes_and_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_report(PLAN) as report:
        report(Progress(splits=4, size_in_bytes=400, record_count=28))
        report(Progress(splits=10, size_in_bytes=1000, record_count=70))
    last = terminal.getvalue().split("\r")[-1]
    assert "bp-1: 100%" in last
    assert "10/10 splits, 70 records" in last


def test_elsewhere_a_line_every_thirty_seconds_and_one_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([0.0, 10.0, 31.0, 31.0, 40.0, 62.0, 62.0, 70.0])
    with caplog.at_level(logging.INFO, "batchscore"), progress_report(PLAN, lambda: next(times)) as report:
        for splits in (1, 5, 6, 9):
            report(Progress(splits=splits, size_in_bytes=splits * 100, record_count=splits * 7))
    told: list[Any] = [record.getMessage() for record in caplog.records]
    assert told == [
        "5 of 10 splits, 500 of 1000 bytes, 35 records, 0 invalid, after 31 s",
        "9 of 10 splits, 900 of 1000 bytes, 63 records, 0 invalid, after 62 s",
        "scored 10 splits in 70.0 s",
    ]
