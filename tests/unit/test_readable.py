"""Times, durations and columns as people read them."""

import time
from collections.abc import Iterator

import pytest

from batchscore.commands.readable import local_time, unread_columns
from batchscore.report.figures import duration


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("epoch_seconds", "text"),
    [
        (1795455526, "2026-11-23 18:38:46+01:00"),
        (1784538000.9, "2026-07-20 11:00:00+02:00"),
        (10**30, "1000000000000000000000000000000"),
    ],
)
def test_a_time_is_this_machine_s_with_its_zone(epoch_seconds: float, text: str) -> None:
    assert local_time(epoch_seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.418, "0.4 s"),
        (9.97, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (95, "1 min 35 s"),
        (3780, "1 h 3 min"),
        (7200, "2 h"),
        (86_399.9, "1 d"),
        (3 * 86_400 + 4 * 3600 + 59, "3 d 4 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_same_unread_columns_of_many_files_are_one_line() -> None:
    found = [(f"s3://b/in/{number}.csv", ["city", "zip"]) for number in range(3000)]
    assert unread_columns([*found, ("s3://b/in/odd.csv", ["x"]), ("s3://b/in/plain.csv", [])]) == [
        "city, zip (in 3,000 files, the first s3://b/in/0.csv)",
        "x (in s3://b/in/odd.csv)",
    ]


def test_at_most_twenty_sets_of_unread_columns_are_told() -> None:
    lines = unread_columns((f"s3://b/in/{number}.csv", [f"c{number}"]) for number in range(3000))
    assert len(lines) == 21
    assert lines[-1] == "and other columns in 2,980 more headers"


def test_at_most_twenty_unread_columns_of_an_input_are_told() -> None:
    names = [f"c{number}" for number in range(1, 20_001)]
    told = "c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19, c20 and 19,980 more"
    assert unread_columns([("s3://b/in/wide.csv", names)]) == [f"{told} (in s3://b/in/wide.csv)"]
