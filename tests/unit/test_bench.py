"""The benchmark's own parts: what it makes of runs, and what it takes for the same predictions."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench.cases import CASES
from bench.compare import DifferenceError, check_same, read_predictions
from bench.data import DATA_SETS, amazon_schema, make_data, make_piece
from bench.figures import Line, Spread, figures_of
from bench.on_s3 import sizes_with_room
from bench.report import RUNS, tables, write_report
from bench.results import Environment, Results, Run

ENVIRONMENT = Environment("2026-11-23", "A CPU", 4, 2**34, "Linux 6.1", "openjdk 17", {"batchscore": "0.1.0 at abc"})


def a_run(way: str, records: int, seconds: float, number: int = 0) -> Run:
    return Run("bank-logistic", way, records, records, number, 2, seconds, 2 * seconds, records * 100)


def results(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(gzip.compress(text.encode()))
    return folder


def test_start_up_and_marginal_seconds_are_those_of_the_two_largest_sizes() -> None:
    runs = [a_run("batchscore", 1000, 3), a_run("batchscore", 2_000_000, 8), a_run("batchscore", 10_000_000, 24)]
    assert figures_of(runs)[0].line == Line(4, 2)


def test_one_size_has_no_marginal_seconds() -> None:
    figures = figures_of([a_run("batchscore", 1000, 3)])[0]
    assert (figures.line, figures.ratio, figures.ratio_by_round) == (None, None, None)


def test_ratios_are_of_marginal_seconds_and_by_round_of_the_runs_of_that_round() -> None:
    paces = {"batchscore": (1, 2, 4), "floor": (4, 2, 1)}
    ours, floor = (
        [a_run(way, 10**6 * size, size * pace, number) for number, pace in enumerate(paces[way]) for size in (1, 2)]
        for way in paces
    )
    figures = figures_of(ours + floor)[1]
    assert figures.ratio == 1
    assert figures.ratio_by_round == Spread(median=1, least=0.25, greatest=4)


def test_the_table_has_a_row_for_each_way() -> None:
    runs = [
        a_run(way, 10**6 * size, size * pace + 1) for way, pace in (("batchscore", 2), ("limit", 3)) for size in (1, 2)
    ]
    lines = tables(runs, [ENVIRONMENT]).splitlines()
    assert lines[4] == "- 2026-11-23: A CPU, 4 cores, 16.0 GiB; Linux 6.1; openjdk 17; batchscore 0.1.0 at abc"
    assert lines[-4].startswith("| way | 1,000,000 records, s | 2,000,000 records, s | start-up, s |")
    spreads = "3.0 (3.0 to 3.0) | 5.0 (5.0 to 5.0) | 1.0 | 2.00 | 1.00 | 1.00 (1.00 to 1.00)"
    limits = "4.0 (4.0 to 4.0) | 7.0 (7.0 to 7.0) | 1.0 | 3.00 | 1.50 | 1.50 (1.50 to 1.50)"
    assert lines[-2:] == [
        f"| batchscore | {spreads} | 200 | 10.0 |",
        f"| limit: predict alone | {limits} | 200 | 14.0 |",
    ]


def test_the_report_is_made_of_the_runs_in_the_file(tmp_path: Path) -> None:
    file = Results(tmp_path / RUNS)
    file.add(ENVIRONMENT)
    file.add(a_run("floor", 1000, 1.5))
    write_report(tmp_path)
    assert Results(tmp_path / RUNS).runs() == [a_run("floor", 1000, 1.5)]
    assert "| floor: processes without Spark | 1.5 (1.5 to 1.5) |" in (tmp_path / "benchmark.md").read_text()
    assert (tmp_path / "benchmark.png").read_bytes().startswith(b"\x89PNG")


def test_predictions_are_put_in_the_order_of_their_ids(tmp_path: Path) -> None:
    results(tmp_path, "part-0.csv.gz", "tag,bestAnswer,score\nC0000000002,1,7.5E-1\n")
    results(tmp_path, "part-1.csv.gz", "tag,bestAnswer,score\nC0000000001,0,2.5E-1\nC0000000000,0,1E-1\n")
    results(tmp_path, ".part-1.csv.gz.crc", "no result")
    read = read_predictions(tmp_path, 3)
    assert read.scores.tolist() == [0.1, 0.25, 0.75]
    assert read.answers is not None
    assert read.answers.tolist() == [0, 0, 1]


@pytest.mark.parametrize("ids", [["C0000000000"], ["C0000000000", "C0000000000"], ["C0000000000", "C0000000002"]])
def test_each_id_is_there_exactly_once(tmp_path: Path, ids: list[str]) -> None:
    results(tmp_path, "part.csv.gz", "id,score\n" + "".join(f"{name},1.5\n" for name in ids))
    with pytest.raises(DifferenceError, match="expected each of 2 ids once"):
        read_predictions(tmp_path, 2)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0,0.12345674", "0,1.234567E-1", True),
        ("0,0.1234568", "0,1.234567E-1", False),
        ("0,0.5", "1,0.5", False),
        ("1,0.99999995", "1,9.999999E-1", True),
        ("1,0.9999998", "1,9.999999E-1", False),
    ],
)
def test_the_same_predictions_have_the_same_answer_and_seven_digits(
    tmp_path: Path, one: str, other: str, same: bool
) -> None:
    header = "id,bestAnswer,score\nC0000000000,"
    expected, got = (
        read_predictions(results(tmp_path / str(number), "part.csv", f"{header}{text}\n"), 1)
        for number, text in enumerate((one, other))
    )
    if same:
        check_same(expected, got, "floor")
        return
    with pytest.raises(DifferenceError, match="floor: expected the predictions of the other ways, got 1 different"):
        check_same(expected, got, "floor")


def test_a_data_set_is_the_beginning_of_every_larger_one(tmp_path: Path) -> None:
    small, large = (make_data(DATA_SETS["narrow"], count, tmp_path) for count in (50, 150_000))
    lines = (large / "data-000.csv").read_text().splitlines()
    assert (small / "data-000.csv").read_text().splitlines() == lines[:51]
    assert len(lines) == 150_001
    assert lines[0] == "id,x0,x1,x2,x3,x4"


@pytest.mark.parametrize(("name", "texts", "numbers"), [("bank", 11, 10), ("narrow", 1, 5), ("wide", 1, 500)])
def test_a_schema_names_the_columns_of_its_data(name: str, texts: int, numbers: int) -> None:
    schema = json.loads(amazon_schema(DATA_SETS[name]))
    types = [item["attributeType"] for item in schema["attributes"]]
    assert (types.count("CATEGORICAL"), types.count("NUMERIC")) == (texts, numbers)
    assert [item["attributeName"] for item in schema["attributes"]] == make_piece(DATA_SETS[name], 0, 1).column_names
    assert schema["rowId"] == "id"


def test_a_size_that_the_disk_has_no_room_for_is_skipped_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(sizes_with_room([1, 10**15, 2], tmp_path / "work")) == [1, 2]
    assert capsys.readouterr().out.startswith(
        f"{10**15:,} records: skipped, expected {10**15 * 201:,} bytes free in {tmp_path / 'work'}, found "
    )


def test_a_wide_record_counts_for_twenty() -> None:
    assert [CASES[name].record_count(2_000_000) for name in ("bank-lightgbm", "wide-linear")] == [2_000_000, 100_000]


_MEASURE = """
import json, os, sys
from pathlib import Path
from bench.measure import adopt_orphans, measure
adopt_orphans()
print(json.dumps(vars(measure([sys.executable, "-c", sys.argv[1]], os.environ, Path(sys.argv[2])))))
"""


def measured(code: str, folder: Path) -> dict[str, float]:
    """Return what a program takes, measured in a process of its own, since measuring waits for all children."""
    command = [sys.executable, "-c", _MEASURE, code, str(folder / "log")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def test_cpu_seconds_are_those_of_orphans_too(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 1: pass"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn!r}], start_new_session=True)"
    assert measured(code, tmp_path)["cpu_seconds"] > 1


def test_memory_is_that_of_all_processes_together(tmp_path: Path) -> None:
    hold = "held = b'x' * 10**8"
    child = f"{hold}; import time; time.sleep(2)"
    code = f"{hold}; import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert 2 * 10**8 < measured(code, tmp_path)["peak_bytes"] < 3 * 10**8


def test_a_way_may_tell_its_own_seconds(tmp_path: Path) -> None:
    code = """print('loaded'); print('{"seconds": 12.5, "cpu_seconds": 25.0}')"""
    answer = measured(code, tmp_path)
    assert (answer["seconds"], answer["cpu_seconds"]) == (12.5, 25.0)


def test_a_way_that_fails_ends_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        measured("raise SystemExit(3)", tmp_path)
    assert "expected exit code 0, got 3" in caught.value.stderr
