"""The benchmark, run as its user runs it, on tiny data: it need not be fast, but it must work."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.demo import REPOSITORY, clean_environment

WAYS = ["batchscore", "floor", "limit"]


def run_benchmark(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    keys = ["--work", f"{folder}/work", "--output", f"{folder}/results", "--cores", "1"]
    command = [sys.executable, "-m", "bench", *arguments, *keys]
    return subprocess.run(command, cwd=REPOSITORY, env=clean_environment(), capture_output=True, text=True, check=False)


def test_the_benchmark_compares_predictions_and_makes_its_table_and_plot(tmp_path: Path) -> None:
    asked = ["--records", "3000", "--rounds", "1", "--cases", "bank-logistic"]
    done = run_benchmark(tmp_path, *asked, "--ways", *WAYS)
    assert done.returncode == 0, done.stderr[-4000:]
    table = (tmp_path / "results" / "benchmark.md").read_text()
    titles = ["| batchscore |", "| floor: processes without Spark |", "| limit: predict alone |"]
    assert [title for title in titles if title in table] == titles
    assert (tmp_path / "results" / "benchmark.png").read_bytes().startswith(b"\x89PNG")
    runs = (tmp_path / "results" / "benchmark.jsonl").read_text()
    assert len(runs.splitlines()) == 1 + len(WAYS)

    again = run_benchmark(tmp_path, *asked, "--ways", *WAYS)  # no run is made twice
    assert again.returncode == 0, again.stderr[-4000:]
    assert (tmp_path / "results" / "benchmark.jsonl").read_text() == runs
