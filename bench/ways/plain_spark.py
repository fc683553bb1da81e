"""Plain Spark: spark.read.csv, mlflow.pyfunc.spark_udf, write.csv with gzip."""

from __future__ import annotations

import mlflow
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, struct

from bench.ways.job import Job, parse_job


def spark_schema(job: Job) -> str:
    """Return the columns of the files as Spark writes them."""
    return ", ".join(f"`{name}` {'DOUBLE' if number else 'STRING'}" for name, number in job.is_number.items())


def main() -> None:
    """Score a job."""
    job = parse_job()
    spark = (
        SparkSession.builder.master(f"local[{job.cores}]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.memory", "4g")
        .getOrCreate()
    )
    mlflow.set_tracking_uri(job.tracking_uri)
    is_binary = job.model_type == "binary"
    result_type = "array<double>" if is_binary else "double"
    predict = mlflow.pyfunc.spark_udf(spark, job.model, result_type=result_type, env_manager="local")
    records = spark.read.csv(job.input, header=True, schema=spark_schema(job))
    prediction = predict(struct(*[col(f"`{name}`") for name in job.features]))
    scored = records.withColumn("score", prediction[1] if is_binary else prediction)
    answer = ["cast(score >= 0.5 as int) bestAnswer"] if is_binary else []
    scored.selectExpr("id", *answer, "score").write.csv(job.output, header=True, compression="gzip")
    spark.stop()


if __name__ == "__main__":
    main()
