"""`python -m bench.passthrough WORK`: what it costs to pass all columns of the bank set through, in CPU seconds.

The work of a task in a process like a worker's, without Spark, whose share does not grow with the columns: with and
without them in turns. `bench.experiments` starts it.
"""

from __future__ import annotations

import gzip
import shutil
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from batchscore.config.job_config import JobConfig, make_config
from batchscore.input.factory import job_reader
from batchscore.plan import Plan
from batchscore.preflight.planner import LoadedModel, load_model, make_plan, preflight
from batchscore.scoring.score_split import score_split
from batchscore.spark.worker_environment import limit_threads
from bench.cases import CASES
from bench.data import make_data, make_piece
from bench.figures import Spread

CASE = CASES["bank-logistic"]
RECORDS = 400_000
TURNS = 9
LEVEL, RAW_DEFLATE = 1, -15  # as gzip compresses the parts


@dataclass(frozen=True)
class Cost:
    """CPU seconds of scoring a million records, those that zlib alone takes for their results, and the bytes."""

    seconds: float
    zlib_seconds: float
    result_bytes: float
    part_bytes: float


def _config(work: Path, **keys: str) -> JobConfig:
    data = make_data(CASE.data_set, RECORDS, work)
    told = {"id": "passthrough", "model": CASE.model_uri, "tracking_uri": f"sqlite:///{work}/mlflow.db"}
    places = {"input": f"{data}/", "schema": str(data / ".schema"), "output": str(work / "output")}
    return make_config(told | places | keys)


def _plans(work: Path, model: LoadedModel) -> tuple[Plan, Plan]:
    """Return the plans of a job without passed columns and of one with all."""
    plain = _looked_at(_config(work), model)
    passed = _looked_at(_config(work, passthrough="all"), model)
    width = len(make_piece(CASE.data_set, 0, 1).column_names)
    if len(passed.spec.columns.echoed) != width:
        raise ValueError(f"bank set: expected {width} echoed columns, got {len(passed.spec.columns.echoed)}")
    return plain, passed


def _looked_at(config: JobConfig, model: LoadedModel) -> Plan:
    return preflight(make_plan(config, model), model, None, lambda: False)


def _cost(plan: Plan, model: LoadedModel, work: Path) -> Cost:
    """Score all splits of a plan and return what it took."""
    shutil.rmtree(work / "output", ignore_errors=True)
    reader = job_reader(plan.spec.config, plan.spec.columns)
    started = time.process_time()
    for split in plan.splits:
        source = plan.inputs[split.input_index]
        content = reader.read(source, split.start, split.stop)
        score_split(content, split, source, plan.spec, model.predictor).store()
    seconds = time.process_time() - started
    parts = [path.read_bytes() for path in (work / "output").rglob("part-*.csv.gz")]
    texts = [gzip.decompress(part) for part in parts]
    started = time.process_time()
    for text in texts:
        compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, RAW_DEFLATE)
        compressor.compress(text)
        compressor.flush()
    millions = RECORDS / 1e6
    return Cost(
        seconds / millions,
        (time.process_time() - started) / millions,
        sum(map(len, texts)) / millions,
        sum(map(len, parts)) / millions,
    )


def _row(title: str, costs: list[Cost], ratios: list[float]) -> str:
    seconds, compressing = Spread.of([cost.seconds for cost in costs]), Spread.of([cost.zlib_seconds for cost in costs])
    sizes = (f"{size / 1e6:.0f}" for size in (costs[0].result_bytes, costs[0].part_bytes))  # the same in each turn
    cells = (title, f"{seconds:.2f}", f"{compressing:.2f}", *sizes, f"{Spread.of(ratios):.2f}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure and print the rows of a table."""
    work = Path(sys.argv[1])
    limit_threads()
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(_config(work), Path(folder) / "model")
        plans = _plans(work, model)
        for plan in plans:  # the first time does more
            _cost(plan, model, work)
        turns = [tuple(_cost(plan, model, work) for plan in plans) for _ in range(TURNS)]
    print(_row("none", [plain for plain, _ in turns], [1.0]))
    print(_row("all", [passed for _, passed in turns], [passed.seconds / plain.seconds for plain, passed in turns]))


if __name__ == "__main__":
    main()
