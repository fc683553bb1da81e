"""Polars: scan_csv, batches of it to a thread for each core, write_csv."""

from __future__ import annotations

import gzip
import io
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl

from bench.ways.direct import load_model, predictor
from bench.ways.job import Job, parse_job

BATCH_RECORDS = 50_000


def _score(batch: pl.DataFrame, job: Job, model: Any, path: Path) -> None:
    results = predictor(model, job.model_type)(batch.select(job.features).to_pandas())
    columns = {"id": batch["id"]} | {name: results[name].to_numpy() for name in results.columns}
    text = io.BytesIO()
    pl.DataFrame(columns).write_csv(text)
    path.write_bytes(gzip.compress(text.getvalue(), 1, mtime=0))


def main() -> None:
    """Score a job."""
    job = parse_job()
    model = load_model(job)
    output = Path(job.output)
    output.mkdir(parents=True)
    schema = {name: pl.Float64 if number else pl.String for name, number in job.is_number.items()}
    batches = pl.scan_csv(job.files, schema=schema).collect_batches(chunk_size=BATCH_RECORDS, maintain_order=False)
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(job.cores) as pool:
        for number, batch in enumerate(batches):
            waiting.append(pool.submit(_score, batch, job, model, output / f"part-{number:05d}.csv.gz"))
            if len(waiting) > 2 * job.cores:  # no more in memory than the threads soon take
                waiting.popleft().result()
        for future in waiting:
            future.result()


if __name__ == "__main__":
    main()
