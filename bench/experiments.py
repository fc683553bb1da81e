"""`python -m bench.experiments NAME`: what the comparison does not show, such as delay, dialects, invalid records.

Each prints a table in Markdown as it goes.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from tests.yarn.jars import UnreachableError

from batchscore.spark.worker_environment import WORKER_VARIABLES
from bench.cases import MODELS
from bench.data import DATA_SETS, make_data
from bench.dialects import dialect_rows
from bench.figures import WAYS, Spread
from bench.measure import adopt_orphans, in_turn, use_cores
from bench.object_server import CREDENTIALS, running_object_server
from bench.on_s3 import costs_on_s3, sizes_with_room
from bench.result_reading import result_costs
from bench.results import this_environment
from bench.small_files import make_small_files
from bench.unseen import Counting, unseen_turns
from bench.ways.job import way_environment

CORES = 2
SAMPLE_SECONDS = 0.2
MEGABYTE = 1e6


def _score(work: Path, case: str, source: str, schema: Path, **keys: object) -> tuple[float, dict[str, Any]]:
    """Run batchscore and return the seconds of the whole process and its summary."""
    output = work / "output"
    shutil.rmtree(output, ignore_errors=True)
    settings = {
        "id": "experiment",
        "model": MODELS[case].model_uri,
        "tracking_uri": f"sqlite:///{work}/mlflow.db",
        "input": source,
        "schema": str(schema),
        "output": str(output),
        "spark.master": f"local[{CORES}]",
        "spark.ui.enabled": "false",
    } | keys
    command = [sys.executable, "-m", "batchscore.cli", "run", *(f"{key}={value}" for key, value in settings.items())]
    started = time.perf_counter()
    done = subprocess.run(command, env=way_environment(CORES), stdout=subprocess.PIPE, check=True)
    return time.perf_counter() - started, json.loads(done.stdout)


def _prepare(work: Path, *cases: str) -> None:
    command = [sys.executable, "-m", "bench.models", str(work), *cases]
    subprocess.run(command, env=way_environment(CORES), check=True)


def _told(module: str, *arguments: object) -> Any:
    """Run a module of the benchmark in a process of its own and return what it tells as JSON."""
    command = [sys.executable, "-m", f"bench.{module}", *map(str, arguments)]
    return json.loads(subprocess.run(command, env=way_environment(CORES), stdout=subprocess.PIPE, check=True).stdout)


def _row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def _titles(*titles: str) -> None:
    _row(*titles)
    _row(*("---" for _ in titles))


def delay(work: Path) -> None:
    """Score four million records from an S3 server that answers at once, and from one that waits 50 ms each time."""
    _prepare(work, "bank-logistic")
    data = make_data(DATA_SETS["bank"], 4_000_000, work)
    os.environ |= CREDENTIALS
    root = work / "buckets"
    shutil.rmtree(root, ignore_errors=True)
    (root / "out").mkdir(parents=True)
    (root / "data").symlink_to(data)
    _titles("round", "s without delay", "s with 50 ms", "ratio")
    for number in range(3):
        seconds = []
        for delay_seconds in (0.0, 0.05):
            shutil.rmtree(root / "out" / "batch-prediction", ignore_errors=True)
            with running_object_server(root, delay_seconds) as server:
                keys = {"output": "s3://out", "s3.endpoint": server.endpoint}
                took, _ = _score(work, "bank-logistic", "s3://data/", data / ".schema", **keys)
            seconds.append(took)
        _row(number + 1, *(f"{value:.1f}" for value in seconds), f"{seconds[1] / seconds[0]:.3f}")


def s3(work: Path) -> None:
    """Score the bank set from and to an S3 server that waits 20 ms before each answer, by each way that knows S3."""
    _prepare(work, "bank-logistic")
    adopt_orphans()
    use_cores(CORES)
    sizes = list(sizes_with_room([2_000_000, 10_000_000], work))
    _titles("way", "records", "s", "core-s", "requests", "bytes read a record", "bytes written a record")
    try:
        for cost in costs_on_s3(work, sizes, rounds=3, delay_seconds=0.02, cores=CORES):
            each = [f"{value / cost.record_count:.1f}" for value in (cost.bytes_read, cost.bytes_written)]
            took = [f"{cost.measured.seconds:.1f}", f"{cost.measured.cpu_seconds:.1f}", f"{cost.request_count:,}"]
            _row(WAYS[cost.way], f"{cost.record_count:,}", *took, *each)
    except UnreachableError as error:
        print(f"S3: skipped, {error}")


def small_files(work: Path) -> None:
    """Score 3,000 files of two records from and to this machine, and 5,000 objects on S3 of 20 ms a request."""
    _prepare(work, "bank-logistic")
    data = make_data(DATA_SETS["bank"], 10_000, work)
    (source,) = data.glob("*.csv")
    os.environ |= CREDENTIALS
    root = work / "small-buckets"
    local = make_small_files(source, 3_000, work / "small-files")
    make_small_files(source, 5_000, root / "data")
    _titles("round", "s for 3,000 files", "s for 5,000 objects", "requests an object")
    for number in range(3):
        here, _ = _score(work, "bank-logistic", f"{local}/", data / ".schema")
        shutil.rmtree(root / "out", ignore_errors=True)
        (root / "out").mkdir()
        with running_object_server(root, 0.02) as server:
            keys = {"output": "s3://out", "s3.endpoint": server.endpoint}
            there, _ = _score(work, "bank-logistic", "s3://data/", data / ".schema", **keys)
            requests = server.asked.requests.total()
        _row(number + 1, f"{here:.1f}", f"{there:.1f}", f"{requests / 5_000:.2f}")


def warm(work: Path) -> None:
    """Score a thousand records with the archive of Spark's classes that `batchscore warm` makes, and without."""
    _prepare(work, "bank-logistic")
    data = make_data(DATA_SETS["bank"], 1_000, work)
    caches = {name: work / "caches" / name for name in ("none", "warm")}
    os.environ["XDG_CACHE_HOME"] = str(caches["warm"])
    subprocess.run([sys.executable, "-m", "batchscore.cli", "warm"], env=way_environment(CORES), check=True)
    _titles("round", "s without", "s with", "ratio")
    for number in range(5):
        took = {}
        for name in in_turn(list(caches), number):
            os.environ["XDG_CACHE_HOME"] = str(caches[name])
            took[name], _ = _score(work, "bank-logistic", f"{data}/", data / ".schema")
        _row(number + 1, *(f"{took[name]:.1f}" for name in caches), f"{took['warm'] / took['none']:.2f}")


def _spoilt(cells: list[bytes], kind: str) -> bytes:
    if kind == "columns":
        cells = cells[:-1]
    elif kind == "number":
        cells[1] = b"many"
    elif kind == "quote":
        cells[3] = b'"x'
    else:
        cells[2] = b"\xff\xfe"
    return b",".join(cells)


def invalid(work: Path) -> None:
    """Score a million records of which none, a hundredth and half are invalid, for one of four reasons."""
    _prepare(work, "bank-logistic")
    data = make_data(DATA_SETS["bank"], 1_000_000, work)
    chance = random.Random(1)
    paths = []
    for share in (0.0, 0.01, 0.5):
        path = work / "data" / f"invalid-{share}.csv"
        with (data / "data-000.csv").open("rb") as source, path.open("wb") as target:
            target.write(source.readline())
            for line in source:
                spoil = chance.random() < share
                kind = chance.choice(("columns", "number", "quote", "encoding"))
                target.write(_spoilt(line.rstrip(b"\n").split(b","), kind) + b"\n" if spoil else line)
        paths.append(path)
    _titles("round", "invalid", "CPU s of the tasks", "ratio", "s in all", "ratio")
    for number in range(3):
        first: list[float] = []
        for path in paths:
            limit = {"max_invalid_records": 10**9, "max_invalid_fraction": 1}
            total, summary = _score(work, "bank-logistic", str(path), data / ".schema", **limit)
            cpu = summary["ComputeTime"] / 1000
            first = first or [cpu, total]
            cells = (f"{cpu:.2f}", f"{cpu / first[0]:.2f}", f"{total:.1f}", f"{total / first[1]:.2f}")
            _row(number + 1, f"{summary['InvalidRecordCount'] / summary['TotalRecordCount']:.1%}", *cells)


class _WorkerSampler:
    """Watches the memory that no other process shares: of the workers, the greatest of one, and of the driver."""

    def __init__(self) -> None:
        self.worker_bytes = self.driver_bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> _WorkerSampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            for process in psutil.Process().children(recursive=True):
                try:
                    arguments, size = process.cmdline(), process.memory_full_info().uss
                except psutil.Error:  # it ended meanwhile
                    continue
                if "batchscore.spark.worker_daemon" in arguments:
                    self.worker_bytes = max(self.worker_bytes, size)
                elif "batchscore.cli" in arguments:
                    self.driver_bytes = max(self.driver_bytes, size)


def _repeated(data: Path, times: int, target: Path, opened: Callable[[Path], Any]) -> Path:
    """Write one file with the records of a folder's files so many times."""
    if not target.exists():
        with opened(target) as file:
            for turn in range(times):
                for path in sorted(data.glob("*.csv")):
                    with path.open("rb") as source:
                        header = source.readline()
                        if file.tell() == 0 and turn == 0:
                            file.write(header)
                        shutil.copyfileobj(source, file, 1 << 24)
    return target


def _gzip_file(path: Path) -> Any:
    return gzip.open(path, "wb", compresslevel=1)


def memory(work: Path) -> None:
    """Watch a worker's memory: for one record, a million, a hundred million in one file, a .gz, and wide records."""
    _prepare(work, "bank-logistic", "thousand-linear")
    bank = {size: make_data(DATA_SETS["bank"], size, work) for size in (1, 1_000_000, 4_000_000)}
    wide = {size: make_data(DATA_SETS["thousand"], size, work) for size in (1, 100_000)}
    folder = work / "data"
    large = _repeated(bank[4_000_000], 25, folder / "large.csv", lambda path: path.open("wb"))
    small_gz = _repeated(bank[1], 1, folder / "one.csv.gz", _gzip_file)
    large_gz = _repeated(bank[4_000_000], 11, folder / "large.csv.gz", _gzip_file)
    cases = [
        ("bank-logistic", "one record", f"{bank[1]}/", bank[1]),
        ("bank-logistic", "1 million records", f"{bank[1_000_000]}/", bank[1]),
        ("bank-logistic", "100 million in one file", str(large), bank[1]),
        ("bank-logistic", "one record in a .gz", str(small_gz), bank[1]),
        ("bank-logistic", "44 million in one .gz", str(large_gz), bank[1]),
        ("thousand-linear", "one record of 1,000 columns", f"{wide[1]}/", wide[1]),
        ("thousand-linear", "100,000 of 1,000 columns", f"{wide[100_000]}/", wide[1]),
    ]
    _titles("input", "GB", "worker's peak, MB", "driver's peak, MB", "s")
    for case, name, source, schema in cases:
        files = [Path(source)] if not source.endswith("/") else sorted(Path(source).glob("*.csv"))
        size = sum(path.stat().st_size for path in files) / 1e9
        with _WorkerSampler() as sampler:
            seconds, _ = _score(work, case, source, schema / ".schema")
        cells = (sampler.worker_bytes / MEGABYTE, sampler.driver_bytes / MEGABYTE, seconds)
        _row(name, f"{size:.2f}", *(f"{value:.0f}" for value in cells))


def planning(work: Path) -> None:
    """Plan, collect and commit up to a hundred thousand splits as the driver does, without Spark."""
    _titles("inputs", "splits", "plan and tasks, s", "answers and manifests, s", "work, MB", "manifest, MB", "peak, MB")
    work.mkdir(parents=True, exist_ok=True)
    for inputs, splits_each in ((1_000, 1), (10_000, 1), (100, 1_000), (100_000, 1)):
        cost = _told("planning", work, inputs, splits_each)
        seconds = [f"{cost[name]:.2f}" for name in ("plan_seconds", "commit_seconds")]
        sizes = [f"{cost[name] / MEGABYTE:.1f}" for name in ("work_bytes", "manifest_bytes")]
        _row(f"{inputs:,}", f"{cost['split_count']:,}", *seconds, *sizes, f"{cost['peak_bytes'] / MEGABYTE:.0f}")


def growth(_work: Path) -> None:
    """Run as many tasks as 6.4 TiB has, which do nothing, and as many as a terabyte has, of a millisecond each.

    Those of ``java`` have no Python worker beside the driver, whose own cost they show. The last columns of seconds
    are from the last task on.
    """
    _titles("tasks", "of", "s", "tasks a second", "s to the answers", "s to the manifests", "Python, MB", "JVM, MB")
    jobs = ((1_000, "job"), (1_000, "job-by-tcp"), (16_000, "job"))
    for tasks, kind in ((1_000, "java"), (16_000, "java"), (100_000, "java"), *jobs):
        cost = _told("growth", tasks, kind)
        after_last = [f"{cost[name]:.1f}" for name in ("seconds_to_answers", "seconds_to_manifests")]
        each = [f"{cost['seconds']:.1f}", f"{tasks / cost['seconds']:.0f}", *after_last]
        peaks = [f"{cost[name] / MEGABYTE:.0f}" for name in ("python_bytes", "jvm_bytes")]
        _row(f"{tasks:,}", kind, *each, *peaks)


def dialects(work: Path) -> None:
    """Read the bank set as other programs write it, with the keys that read it so."""
    _titles("written", "keys", "core-s per million", "ratio to plain")
    for written, keys, seconds, ratio in dialect_rows(work):
        _row(written, keys, f"{seconds:.2f}", f"{ratio:.2f}")


def _counting_row(kind: str, turns: list[Counting]) -> None:
    """Print the spreads of reading, predicting and counting, and of the share that counting is of the others."""
    spreads = map(Spread.of, zip(*turns, strict=True))
    _row(kind, *(f"{spread:.3f}" for spread in spreads), f"{Spread.of([turn.share for turn in turns]):.2%}")


def results(work: Path) -> None:
    """Read the results of jobs of 1, 10 and 100 million records with ``batchscore results``."""
    _titles("asked", "million records", "s", "s per million", "core-s per million", "peak, MB")
    for millions in (1, 10, 100):
        for cost in result_costs(work, millions):
            each = [f"{value / millions:.2f}" for value in (cost.seconds, cost.cpu_seconds)]
            _row(cost.asked, millions, f"{cost.seconds:.1f}", *each, f"{cost.peak_bytes / MEGABYTE:.0f}")


def unseen(work: Path) -> None:
    """Count the texts of the bank set that a model does not know, beside reading and predicting it."""
    _titles("texts", "reading", "predicting", "counting", "share")
    for kind, turns in unseen_turns(work):
        _counting_row(kind, turns)


def passthrough(work: Path) -> None:
    """Pass all columns of the bank set through, in a process like a worker's, beside a job that passes none."""
    _prepare(work, "bank-logistic")
    _titles("passed", "core-s per million", "of it zlib", "MB of results", "MB of parts", "ratio")
    command = [sys.executable, "-m", "bench.passthrough", str(work)]
    subprocess.run(command, env=way_environment(1) | WORKER_VARIABLES, check=True)


def profile(work: Path) -> None:
    """Count what a job sees of the bank set, beside reading and predicting it."""
    _titles("profile", "reading", "predicting", "counting", "share")
    command = [sys.executable, "-m", "bench.profile", str(work)]
    done = subprocess.run(command, env=os.environ | WORKER_VARIABLES, stdout=subprocess.PIPE, check=True)
    for kind, turns in map(json.loads, done.stdout.splitlines()):
        _counting_row(kind, [Counting(*turn) for turn in turns])


EXPERIMENTS: dict[str, Callable[[Path], None]] = {
    "delay": delay,
    "dialects": dialects,
    "growth": growth,
    "invalid": invalid,
    "memory": memory,
    "passthrough": passthrough,
    "planning": planning,
    "profile": profile,
    "results": results,
    "s3": s3,
    "small_files": small_files,
    "unseen": unseen,
    "warm": warm,
}


def main() -> int:
    """Run an experiment."""
    parser = argparse.ArgumentParser(prog="bench.experiments", description=__doc__)
    parser.add_argument("name", choices=list(EXPERIMENTS))
    parser.add_argument("--work", type=Path, default=Path(".bench"))
    options = parser.parse_args()
    print(f"{this_environment()}\n", flush=True)
    EXPERIMENTS[options.name](options.work.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
