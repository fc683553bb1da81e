"""What programs and notebooks call: verify, score and read_inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from batchscore.commands.config_file import Configuration, config_of
from batchscore.commands.job_result import JobResult

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from batchscore.commands.review import Review


def verify(config: Configuration | None = None, full: bool = False, **keys: Any) -> Review:
    """Check a configuration, its model and its inputs, and plan the job, without starting it.

    ``config`` is a JobConfig, keys with values, or the path or URI of a YAML file; ``keys`` are laid over it. ``full``
    reads the inputs whole in place of a sample of each. Returns what was found, as ``batchscore verify`` prints it:
    ``ready``, ``errors``, ``warnings``, and both as ``faults``. Raises ConfigError where the configuration is none.

    >>> verify("job.yaml", input="s3://example/in/")
    >>> verify(model="models:/bank-marketing@champion", input="in/", output="out").ready
    """
    checked = config_of(config, keys)
    from batchscore.commands.shown_review import ShownReview
    from batchscore.commands.verify import review_job
    from batchscore.process import signals_as_errors, temporary_folder

    with signals_as_errors(), temporary_folder() as folder:
        return ShownReview(**vars(review_job(checked, folder, full)))


def score(config: Configuration | None = None, spark: SparkSession | None = None, **keys: Any) -> JobResult:
    """Run a batch prediction and return its result: ``record``, ``manifest``, ``summary`` and ``predictions()``.

    ``config`` is a JobConfig, keys with values, or the path or URI of a YAML file; ``keys`` are laid over it.
    ``spark`` is the session to run on; without one the job runs on the session of this process, and where there is none
    it starts one and stops it. A session that was there is left running. With the id of a finished job and the same
    parameters its result is returned again; with that of an unfinished one the job goes on.

    Raises BatchScoreError, whose ``record`` is that of the failed job once there is one. Nothing is printed: configure
    the logger ``batchscore`` to see what goes on.

    >>> score("job.yaml", id="may")
    >>> score(model="models:/bank-marketing@champion", input="in/", output="out").predictions()
    """
    checked = config_of(config, keys)
    from batchscore.commands.run import run_job

    summary = run_job(checked, spark)
    return JobResult(summary["BatchPredictionId"], checked.output, summary, checked.s3)


def read_inputs(
    spark: SparkSession, config: Configuration | None = None, *, joined: Sequence[str] = (), **keys: Any
) -> DataFrame:
    """Return the inputs of a job as a DataFrame, read as the job reads them.

    A row is a record, in order, invalid ones too. Its columns are the model's inputs by name and type; row id, target
    and what else is echoed, as text; ``_invalid``, the reason for which the job gives it no prediction, else null;
    ``_input``, its file; and ``_row``, its number in that file, from 1. Of an invalid record the model's inputs are
    null.

    ``config`` is a JobConfig, keys with values, or the path or URI of a YAML file; ``keys`` are laid over it.
    ``joined`` names inputs of the model that the files do not have, since they are joined before scoring. The files are
    listed and looked at now, and read when the DataFrame is; where one has several splits a first job counts records.
    Raises BatchScoreError.

    >>> people = read_inputs(spark, "job.yaml")
    >>> score = predict_udf(spark, "models:/bank-marketing@champion")
    >>> people.withColumn("score", F.when(F.col("_invalid").isNull(), score(*people.columns)))
    """
    checked = config_of(config, keys)
    from batchscore.spark.read_inputs import read_inputs as read

    return read(spark, checked, joined)
