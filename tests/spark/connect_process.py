"""A process with a session of Spark Connect: one with a session of another kind can have none.

``python -m tests.spark.connect_process REGISTRY STEP MODEL OUTPUT [STEP MODEL OUTPUT ...]`` prints what came of each
step as JSON.
"""

import json
import os
import sys
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, expr, struct

from batchscore import read_inputs
from batchscore.commands.run import run_job
from batchscore.config.job_config import make_config
from batchscore.errors import BatchScoreError
from batchscore.udf import predict_udf


def error_of(call: Any, *arguments: Any, **keys: Any) -> str:
    """Return the class and the message of what a call raises."""
    try:
        call(*arguments, **keys)
    except BatchScoreError as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def scored(spark: SparkSession, uris: str, registry: str, _: str) -> Any:
    """Score with two models by names, in another order, from a struct and in SQL."""
    frame = spark.range(3).selectExpr(
        "id AS place",
        "CASE id WHEN 0 THEN 21D WHEN 1 THEN 35.5D END AS age",
        "CASE id WHEN 0 THEN 9007199254740993L WHEN 2 THEN 3L END AS visits",
    )
    frame.coalesce(1).createOrReplaceTempView("people")
    frame = spark.table("people")
    binary, multiclass = (predict_udf(spark, uri, tracking_uri=registry) for uri in uris.split())
    spark.udf.register("score", binary)
    calls = {
        "names": binary("age", "visits"),
        "none": binary(),
        "another order": binary(col("visits"), col("age")),
        "aliases": binary((col("age") + 0).alias("age"), (col("visits") + 0).alias("visits")),
        "multiclass": multiclass("visits", "age"),
        "struct": binary(struct("*")),
        "sql": expr("score(age, visits)"),
    }
    rows = frame.select(*(call.alias(name) for name, call in calls.items())).orderBy("place").collect()
    return {name: [row[name] for row in rows] for name in calls}


def large(spark: SparkSession, uri: str, registry: str, _: str) -> Any:
    """Score with a model that no message of Spark Connect could hold, twice."""
    first, again = (predict_udf(spark, uri, tracking_uri=registry) for _ in range(2))
    frame = spark.range(0, 1000, numPartitions=2).selectExpr("CAST(id AS double) AS x")
    scores = frame.select(first("x").alias("first"), again("x").alias("again"))
    return list(scores.agg({"first": "sum", "again": "sum"}).collect()[0])


def run(spark: SparkSession, uri: str, registry: str, output: str) -> Any:
    """Run a job on the session, and one that finds it in the process."""
    keys = {"id": "job", "model": uri, "tracking_uri": registry, "input": f"{output}/in.csv", "output": output}
    return [error_of(run_job, make_config(keys), spark), error_of(run_job, make_config(keys))]


def inputs(spark: SparkSession, uri: str, registry: str, output: str) -> Any:
    """Read inputs of several splits as the job reads them, and score them."""
    keys = {"model": uri, "tracking_uri": registry, "input": f"{output}/in.csv", "output": output, "split_bytes": 5}
    frame = read_inputs(spark, keys)
    score = predict_udf(spark, uri, tracking_uri=registry)
    return [list(row) for row in frame.select("x", "_invalid", "_row", score("x")).collect()]


def workers(spark: SparkSession, uri: str, registry: str, _: str) -> Any:
    """Ask for a function where the workers' Python lacks what it needs."""
    return error_of(predict_udf, spark, uri, tracking_uri=registry)


STEPS = {"scored": scored, "large": large, "inputs": inputs, "run": run, "workers": workers}

if __name__ == "__main__":
    _, registry, *told = sys.argv
    builder: Any = SparkSession.builder
    session = builder.remote("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    asked = zip(told[::3], told[1::3], told[2::3], strict=True)
    print(json.dumps({step: STEPS[step](session, uri, registry, output) for step, uri, output in asked}))
    session.stop()
    os._exit(0)  # the server's JVM is a child that ends with this process
