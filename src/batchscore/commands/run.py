"""A job from its configuration to its summary; Spark is begun before what the driver itself needs is imported."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from batchscore.config.job_config import JobConfig
from batchscore.environment import process_kept
from batchscore.output.paths import Outputs, new_id
from batchscore.preflight.places import check_places
from batchscore.process import log_file, no_garbage_collection, signals_as_errors, temporary_folder
from batchscore.scoring.stage_clock import StageClock
from batchscore.spark.session import BackgroundSpark
from batchscore.storage.base import is_present
from batchscore.storage.factory import storage_for
from batchscore.storage.s3_client import begin_run

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def run_job(config: JobConfig, spark: SparkSession | None = None) -> dict[str, Any]:
    """Run a batch prediction and return its summary: Amazon's record, counts, seconds and rates.

    With the id of a finished job and the same parameters, the finished result is reported again; with that of an
    unfinished one, the job goes on from the parts it has. ``spark`` is a session to use and leave running; without
    one the job starts and stops its own. Raises BatchScoreError.
    """
    config = config.model_copy(update={"id": config.id or new_id()})
    begin_run(uuid.uuid4().hex)
    check_places(config)
    remedy = f"run it again with id={config.id} to go on"
    clock = StageClock()
    with process_kept(), signals_as_errors(remedy), log_file() as log_path, temporary_folder() as folder:
        with clock("total"), BackgroundSpark(config, spark) as background:
            finished = _is_finished(config)
            if not finished:
                background.check()
                if config.mode == "all":  # among new inputs there may be none to score
                    background.start()
            with clock("load_model"), no_garbage_collection():  # whose libraries are most of what it imports
                from batchscore.commands.job import Job
            end = Job(config, folder, log_path, clock).score_and_commit(background, finished)
        return end()


def _is_finished(config: JobConfig) -> bool:
    outputs = Outputs(config.output, str(config.id), config.layout)
    return is_present(storage_for(config.output, config.s3), outputs.extended_manifest)
