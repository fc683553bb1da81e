"""The model, tried on the job's sample: by the driver before anything is written, by a worker that doubts it."""

from __future__ import annotations

import io
import logging
import threading
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, redirect_stderr, redirect_stdout

from batchscore.errors import BatchTimeoutError, ModelError, describe_without_content
from batchscore.model.predictor import Predictor, raised_on_all
from batchscore.plan import JobSpec, SampledInput
from batchscore.preflight.beginnings import Head
from batchscore.preflight.sample import read_sample
from batchscore.scoring.time_limit import time_limit

log = logging.getLogger(__name__)


def try_model(predictor: Predictor, spec: JobSpec, sample: Sequence[SampledInput], kept: Mapping[str, Head]) -> None:
    """Try the model on the driver as check_model does, for no longer than a batch may take.

    A model that takes longer has not raised: that is left to the tasks, which Spark tries again.
    """
    try:
        with limit_on_driver(spec):
            check_model(predictor, spec, sample, kept)
    except BatchTimeoutError as error:
        log.warning("tried the model on %d inputs: %s", len(sample), error)


def limit_on_driver(spec: JobSpec) -> AbstractContextManager[None]:
    """Return what raises BatchTimeoutError where the model takes longer than a batch may take."""
    # Only a process's main thread can be interrupted: a program that runs the job in another one has no limit here.
    is_main = threading.current_thread() is threading.main_thread()
    return time_limit(spec.config.batch_timeout_seconds if is_main else None)


def check_model(predictor: Predictor, spec: JobSpec, sample: Sequence[SampledInput], kept: Mapping[str, Head]) -> None:
    """Raise ModelError if the model raises on each record of the job's sample, with the cause.

    What it prints and warns of could be records: it is dropped.
    """
    records = read_sample(spec, sample, predictor, kept)
    if records is None:
        return
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        cause = raised_on_all(predictor, records)
    if cause is not None:
        raise ModelError(
            f"model {spec.model.pinned_uri}: expected predictions, got an error for each of {len(records)} complete "
            "records of the inputs, which each have a value in every column of their file: "
            f"{describe_without_content(cause)}; see whether the model's libraries are those of training, and whether "
            "it takes what its signature says"
        ) from cause
