"""Ray Data: read_csv, map_batches with an actor for each core that holds the model, write_csv."""

from __future__ import annotations

import logging
import tempfile

import pyarrow as pa
import ray
import ray.data
from pyarrow import csv

from bench.ways.direct import load_model, predictor
from bench.ways.job import Job, parse_job

BATCH_RECORDS = 50_000
# Actors hold their share of a core as long as they live; reading and writing need the rest.
ACTOR_CORES = 0.5


class Scorer:
    """The actor: loads the model once."""

    def __init__(self, job: Job) -> None:
        self._features = job.features
        self._predict = predictor(load_model(job), job.model_type)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return the results of a batch of records."""
        results = self._predict(batch.select(self._features).to_pandas())
        return pa.table({"id": batch.column("id")} | {name: pa.array(results[name]) for name in results.columns})


def _score(job: Job) -> None:
    types = {name: pa.float64() if number else pa.string() for name, number in job.is_number.items()}
    records = ray.data.read_csv(
        job.input, file_extensions=["csv"], convert_options=csv.ConvertOptions(column_types=types)
    )
    scored = records.map_batches(
        Scorer,
        fn_constructor_args=(job,),
        batch_size=BATCH_RECORDS,
        batch_format="pyarrow",
        num_cpus=ACTOR_CORES,
        compute=ray.data.ActorPoolStrategy(size=job.cores),
    )
    scored.write_csv(job.output, arrow_open_stream_args={"compression": "gzip"})


def main() -> None:
    """Score a job."""
    job = parse_job()
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        ray.init(num_cpus=job.cores, include_dashboard=False, logging_level=logging.WARNING, _temp_dir=folder)
        _score(job)
        ray.shutdown()


if __name__ == "__main__":
    main()
