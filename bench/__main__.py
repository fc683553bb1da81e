"""`python -m bench`: run the benchmark, or `python -m bench report`: make its report from the runs there are."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cases import CASES, Case
from bench.compare import DifferenceError, Predictions, check_same, read_predictions
from bench.data import make_data
from bench.figures import WAYS
from bench.measure import Measurement, WayError, adopt_orphans, in_turn, measure, use_cores
from bench.report import RUNS, write_report
from bench.results import Results, Run, this_environment
from bench.ways.job import Job, way_command, way_environment


@dataclass(frozen=True)
class Turn:
    """One run that is to be made."""

    case: Case
    way: str
    asked_count: int
    round: int

    @property
    def record_count(self) -> int:
        """How many records are scored."""
        return self.case.record_count(self.asked_count)

    def key(self, cores: int) -> tuple[str, str, int, int, int]:
        """Return the key of its run."""
        return (self.case.name, self.way, self.asked_count, self.round, cores)

    def __str__(self) -> str:
        """Return what the run is called in messages."""
        return f"round {self.round + 1}, {self.case.name}, {self.record_count:,} records, {self.way}"


def turns(cases: list[Case], ways: list[str], sizes: list[int], rounds: int) -> Iterator[Turn]:
    """Yield the runs: all ways next to each other, and another one first in each round."""
    for number in range(rounds):
        for case in cases:
            for size in sizes:
                for way in in_turn(ways, number):
                    yield Turn(case, way, size, number)


class Benchmark:
    """The work folder with data and models, and what is needed to make a run in it."""

    def __init__(self, work: Path, cores: int) -> None:
        self._work = work
        self._cores = cores
        self._expected: dict[tuple[str, int], Predictions] = {}

    def prepare(self, todo: Sequence[Turn]) -> None:
        """Make the models and the data that are not there."""
        cases = sorted({turn.case.name for turn in todo})
        command = [sys.executable, "-m", "bench.models", str(self._work), *cases]
        subprocess.run(command, env=way_environment(self._cores), check=True)
        for turn in todo:
            make_data(turn.case.data_set, turn.record_count, self._work)

    def run(self, turn: Turn) -> Run:
        """Make a run, and hold its predictions to those of the first way that had the same records."""
        output = self._work / "output"
        shutil.rmtree(output, ignore_errors=True)
        job = self._job(turn, output)
        _read_into_cache(job)
        log = self._work / "logs" / f"{turn.case.name}-{turn.record_count}-{turn.way}-{turn.round}.log"
        measured = measure(way_command(turn.way, job), way_environment(self._cores), log)
        self._check(turn, read_predictions(output, turn.record_count))
        shutil.rmtree(output)
        return _run_of(turn, self._cores, measured)

    def _job(self, turn: Turn, output: Path) -> Job:
        folder = make_data(turn.case.data_set, turn.record_count, self._work)
        uri = f"sqlite:///{self._work}/mlflow.db"
        schema = str(folder / ".schema")
        return Job(str(folder), str(output), turn.case.model_uri, turn.case.model_type, uri, self._cores, schema)

    def _check(self, turn: Turn, predictions: Predictions) -> None:
        expected = self._expected.setdefault((turn.case.name, turn.record_count), predictions)
        check_same(expected, predictions, str(turn))


def _read_into_cache(job: Job) -> None:
    """Read the files once: whichever way comes first must not be the one that waits for the disk."""
    for path in job.files:
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass


def _run_of(turn: Turn, cores: int, measured: Measurement) -> Run:
    return Run(
        turn.case.name,
        turn.way,
        turn.asked_count,
        turn.record_count,
        turn.round,
        cores,
        measured.seconds,
        measured.cpu_seconds,
        measured.peak_bytes,
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["run", "report"], default="run")
    parser.add_argument("--records", type=int, nargs="+", default=[1000, 2_000_000, 10_000_000], help="sizes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path(".bench"), help="data, models and logs")
    parser.add_argument("--output", type=Path, default=Path("docs/performance"), help="runs, tables and plot")
    return parser.parse_args()


def _benchmark(options: argparse.Namespace) -> None:
    results = Results(options.output / RUNS)
    done = {run.key for run in results.runs()}
    asked = turns([CASES[name] for name in options.cases], options.ways, options.records, options.rounds)
    todo = [turn for turn in asked if turn.key(options.cores) not in done]
    if not todo:
        return
    adopt_orphans()
    use_cores(options.cores)
    benchmark = Benchmark(options.work.resolve(), options.cores)
    benchmark.prepare(todo)
    environment = this_environment()
    if environment not in results.environments():
        results.add(environment)
    for turn in todo:
        run = benchmark.run(turn)
        results.add(run)
        print(f"{turn}: {run.seconds:.1f} s, {run.cpu_seconds:.1f} CPU s, {run.peak_bytes / 1e6:.0f} MB", flush=True)


def main() -> int:
    """Run the benchmark, which goes on after the runs that its results have, and write the report."""
    options = _parse()
    try:
        if options.command == "run":
            _benchmark(options)
        write_report(options.output)
    except (WayError, DifferenceError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
