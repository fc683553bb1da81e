"""The floor: plain processes, byte ranges, pyarrow.csv, the model called directly, gzip level 1."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.ways.direct import Range, load_model, predictor, ranges, read_range, write_results
from bench.ways.job import Job, parse_job


def _score_ranges(parts: Sequence[Range], job: Job, model: Any, next_place: Any) -> None:
    """Score range after range, whichever no other process has taken."""
    predict = predictor(model, job.model_type)
    while True:
        with next_place.get_lock():
            place = next_place.value
            next_place.value += 1
        if place >= len(parts):
            return
        for table in read_range(parts[place], job):
            results = predict(table.select(job.features).to_pandas())
            write_results(table.column("id"), results, Path(job.output) / f"part-{place:05d}.csv.gz")


def main() -> None:
    """Score a job."""
    job = parse_job()
    Path(job.output).mkdir(parents=True)
    pa.set_cpu_count(1)
    context = multiprocessing.get_context("fork")
    arguments = (ranges(job.files), job, load_model(job), context.Value("l", 0))
    processes = [context.Process(target=_score_ranges, args=arguments) for _ in range(job.cores)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    raise SystemExit(max(abs(process.exitcode or 0) for process in processes))


if __name__ == "__main__":
    main()
