import fcntl
import io
import logging
import os
import pty
import struct
import sys
import termios
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, TextIO, cast

import pytest

from batchscore.commands.progress import bar_text, progress_report
from batchscore.plan import Plan
from batchscore.spark.tasks import Progress

PLAN = cast("Plan", SimpleNamespace(size_in_bytes=1000, splits=range(10), spec=SimpleNamespace(id="bp-1")))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(terminal: Terminal) -> str:
    return terminal.getvalue().split("\r")[-1].rstrip("\n")


def show_log_on(terminal: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stderr be a terminal on which our log is shown, as the command line does."""
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(logging.getLogger("batchscore"), "handlers", [logging.StreamHandler(terminal)])


def test_a_program_at_a_terminal_that_does_not_show_our_log_gets_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_report(PLAN) as report:
        report(Progress(splits=4, size_in_bytes=400, record_count=28))
    assert terminal.getvalue() == ""


def test_on_a_terminal_a_bar_shows_splits_and_records(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    show_log_on(terminal, monkeypatch)
    with progress_report(PLAN) as report:
        report(Progress(splits=4, size_in_bytes=400, record_count=28))
        report(Progress(splits=10, size_in_bytes=1000, record_count=70))
    assert drawn(terminal).startswith("bp-1: 100%|")
    assert drawn(terminal).endswith("| 10/10 splits, 70 records")


def test_the_longest_bar_fits_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    size, count = 99 * 10**15, 1_500_000
    plan = cast("Plan", SimpleNamespace(size_in_bytes=size, splits=range(count), spec=SimpleNamespace(id="x" * 64)))
    now = Progress(splits=1_499_999, size_in_bytes=size // 1000, record_count=987_654_321_098)
    times = iter([0.0, 47_304.0])
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown = []
    with os.fdopen(reader, "rb") as screen, suppress(OSError):  # which tells that the terminal is closed
        with os.fdopen(writer, "w", encoding="utf-8") as terminal:
            show_log_on(terminal, monkeypatch)
            with progress_report(plan, lambda: next(times)) as report:
                report(now)
        while piece := screen.read1():
            shown.append(piece)
    line = b"".join(shown).decode().strip().split("\r")[-1]
    assert line.startswith("xxxxxxxxxxxxx~:   0%|")
    assert line.endswith("| 1.50M/1.50M splits, 988G records, 546 d 22 h left")
    assert 75 <= len(line) <= 80


def test_a_bar_tells_how_long_it_will_take_once_something_is_done() -> None:
    assert bar_text(Progress(), 10, 1000, 60.0) == "0/10 splits, 0 records"
    now = Progress(splits=1, size_in_bytes=100, record_count=9_999)
    assert bar_text(now, 10, 1000, 420.0) == "1/10 splits, 9999 records, 1 h 3 min left"
    now = Progress(splits=10, size_in_bytes=1000, record_count=12_345)
    assert bar_text(now, 10, 1000, 466.0) == "10/10 splits, 12.3k records"


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
