"""What the driver does of a large job, Spark aside: `python -m bench.planning WORK INPUTS SPLITS-EACH`.

It plans, makes the work of the tasks, checks their answers and writes the manifests, in a process of its own.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from batchscore.commit.checks import checked_parts
from batchscore.commit.manifest import classic_manifest, extended_manifest
from batchscore.config.job_config import make_config
from batchscore.input.columns import Column, Columns
from batchscore.input.echo_columns import echo_columns
from batchscore.input.factory import job_reader
from batchscore.input.files import Split, make_splits
from batchscore.input.roles import Roles
from batchscore.model.version import ModelVersion
from batchscore.output.parts import PartFile, WrittenFile, count
from batchscore.plan import JobSpec, Plan, make_inputs, pack_tasks
from batchscore.process import written_down
from batchscore.spark.task_answers import answered_parts, as_line
from batchscore.spark.workload import make_workload
from batchscore.storage.base import StoredObject
from bench.measure import peak_bytes_of


@dataclass(frozen=True)
class PlanningCost:
    """Seconds until the work of the tasks is ready, and from their answers to the manifests; bytes of what is made."""

    split_count: int
    plan_seconds: float
    commit_seconds: float
    work_bytes: int
    manifest_bytes: int
    peak_bytes: int


def synthetic_plan(input_count: int, splits_each: int = 1) -> Plan:
    """Return a plan of so many inputs of so many splits each, of 64 MiB."""
    config = make_config(
        {"id": "large", "model": "models:/m/1", "input": "s3://bucket/in/", "output": "s3://bucket/out"}
    )
    taken = tuple(Column(f"x{place}", "double") for place in range(20))
    columns = Columns(taken, echo_columns(Roles("id")), None, has_header=True)
    model = ModelVersion("models:/m/1", "m", "1", None, "d" * 64, {}, {"sklearn": {}}, None)
    spec = JobSpec("large", config, model, "binary", ("0", "1"), "1", 0.5, columns, {"schema": ""})
    size = splits_each * (64 << 20)
    names = (f"s3://bucket/in/{number:06d}.csv" for number in range(input_count))
    sources = [StoredObject(name, size, f"{number:032x}") for number, name in enumerate(names)]
    inputs = make_inputs(sources, "s3://bucket/in/", config.split_bytes, job_reader(config, columns))
    return Plan(spec, inputs, make_splits(inputs, config.split_bytes), ())


def synthetic_answer(split: Split) -> str:
    """Return what a task answers of a split."""
    seconds = dict.fromkeys(("read", "parse", "convert", "predict", "format", "write"), 0.123456)
    file = WrittenFile(f"s3://bucket/out/batch-prediction/result/{split.index}", 5_000_000, "a" * 64, "b" * 32)
    part = PartFile(split.index, file, 450_000, 0, {}, {}, None, [], 900, seconds)
    return as_line(part)


def write_manifests(plan: Plan, answers: Sequence[str], work: Path) -> int:
    """Check the answers and write both manifests down, as a commit does; return the bytes of the extended one."""
    parts = answered_parts(answers)
    counts = count(checked_parts(plan, parts))
    with written_down(extended_manifest(plan, parts, counts, {}, {}, "0"), work) as manifest:
        size = os.fstat(manifest.fileno()).st_size
    with written_down(classic_manifest(plan), work):
        return size


def planning_cost(work: Path, input_count: int, splits_each: int) -> PlanningCost:
    """Plan and commit a job of so many inputs of so many splits each."""
    started = time.perf_counter()
    plan = synthetic_plan(input_count, splits_each)
    tasks = make_workload(plan.inputs, plan.splits, pack_tasks(plan.splits, plan.spec.config.split_bytes))
    work_bytes = len(pickle.dumps(tasks))
    planned = time.perf_counter()
    answers = [synthetic_answer(split) for split in plan.splits]
    answered = time.perf_counter()
    manifest_bytes = write_manifests(plan, answers, work)
    committed = time.perf_counter()
    if len(tasks) != input_count * splits_each:
        raise AssertionError(f"plan: expected {input_count * splits_each} tasks, got {len(tasks)}")
    seconds = planned - started, committed - answered
    return PlanningCost(len(tasks), *seconds, work_bytes, manifest_bytes, peak_bytes_of())


def main() -> int:
    """Print what the driver's part costs as JSON."""
    work, *counts = sys.argv[1:]
    print(json.dumps(asdict(planning_cost(Path(work), *map(int, counts)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
