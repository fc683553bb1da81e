"""What a local session does while the driver reads the model and looks at the inputs: the way to a job's first record.

What fails here fails again in the job, which says so: nothing is told.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from batchscore.model.flavors import predictor_settings
from batchscore.plan import Plan, pack_tasks
from batchscore.spark.action import planned_tasks
from batchscore.spark.loaded_models import loaded_predictor

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession


def plan_ahead(spark: SparkSession) -> None:
    """Plan the query of a job, so that Spark has loaded what that takes when the query comes."""
    planned_tasks(spark, 1, str).rdd.getNumPartitions()


def load_in_workers(context: SparkContext, plan: Plan, archive: bytes) -> None:
    """Have the workers of a job load its model at the same time, so that they have it when the query comes."""
    if context.getConf().get("spark.python.worker.reuse", "true") != "true":
        return
    model, settings = plan.spec.model, predictor_settings(plan.spec.config, plan.spec.model_type)
    tasks = pack_tasks(plan.splits, plan.spec.config.split_bytes)
    workers = sum(1 for _ in islice(tasks, context.defaultParallelism))
    broadcast = context.broadcast(archive)

    def load(_: int) -> None:
        with suppress(Exception):  # else Spark would try again, and log what the model's library says
            loaded_predictor(lambda: broadcast.value, model, settings)

    context.parallelize(range(workers), workers).foreach(load)
    broadcast.unpersist()
