"""The limit: the model's predict alone, on data already in memory, in a process for each core.

Prints one line of JSON with the seconds that the predictions took, from the first process's start to the last one's
end, and their CPU seconds: the figures of this way in place of those of the whole process.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.ways.direct import load_model, predictor, ranges, read_range, write_results
from bench.ways.job import Job, parse_job


def _predict_share(place: int, job: Job, model: Any, barrier: Barrier, answers: Any) -> None:
    mine = ranges(job.files)[place :: job.cores]
    tables = [table for part in mine for table in read_range(part, job)]
    frames = [table.select(job.features).to_pandas() for table in tables]
    predict = predictor(model, job.model_type)
    for frame in frames[:1]:
        predict(frame.head(1000))  # the first call of a process does more than predict
    barrier.wait()
    started, cpu_started = time.monotonic(), time.process_time()
    results = [predict(frame) for frame in frames]
    answers.put((started, time.monotonic(), time.process_time() - cpu_started))
    for number, (table, result) in enumerate(zip(tables, results, strict=True)):
        write_results(table.column("id"), result, Path(job.output) / f"part-{place}-{number:05d}.csv.gz")


def main() -> None:
    """Score a job and print the seconds of predicting."""
    job = parse_job()
    Path(job.output).mkdir(parents=True)
    pa.set_cpu_count(1)
    model = load_model(job)
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(job.cores), context.SimpleQueue()
    processes = [
        context.Process(target=_predict_share, args=(place, job, model, barrier, answers)) for place in range(job.cores)
    ]
    for process in processes:
        process.start()
    times = [answers.get() for _ in processes]
    for process in processes:
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)
    seconds = max(end for _, end, _ in times) - min(start for start, _, _ in times)
    print(json.dumps({"seconds": seconds, "cpu_seconds": sum(cpu for _, _, cpu in times)}))


if __name__ == "__main__":
    main()
