"""Spark as an expert tunes it: spark.read.csv, an own iterator pandas UDF on a struct, write.csv.

The broadcast model is called by its library's own interface, once for each large Arrow batch; gzip is at its fastest
level; Python workers are reused; a partition is small enough for the cores to end at about the same time.
"""

from collections.abc import Iterator

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, struct
from pyspark.sql.pandas.functions import pandas_udf

from bench.ways.direct import load_model, predictor
from bench.ways.job import parse_job
from bench.ways.plain_spark import spark_schema

SETTINGS = {
    "spark.driver.memory": "4g",
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
    "spark.hadoop.zlib.compress.level": "BEST_SPEED",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "50000",
    "spark.sql.files.maxPartitionBytes": "64m",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def main() -> None:
    """Score a job."""
    job = parse_job()
    builder = SparkSession.builder.master(f"local[{job.cores}]")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    model = spark.sparkContext.broadcast(load_model(job))
    model_type = job.model_type
    result_type = "bestAnswer int, score double" if model_type == "binary" else "score double"

    def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        return map(predictor(model.value, model_type), batches)

    predict = pandas_udf(score, result_type)  # type: ignore[call-overload]
    records = spark.read.csv(job.input, header=True, schema=spark_schema(job))
    result = predict(struct(*[col(f"`{name}`") for name in job.features]))
    scored = records.select("id", result.alias("result")).select("id", "result.*")
    scored.write.csv(job.output, header=True, compression="gzip")
    spark.stop()


if __name__ == "__main__":
    main()
