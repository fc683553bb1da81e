"""The results of an id or of the latest job of an output, by its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from batchscore.commit.committed_results import CommittedResults, read_results_manifest
from batchscore.commit.jobs import check_output_is_there, found_id, unfinished_job
from batchscore.config.batch_id import check_id
from batchscore.config.faults import faults_of, raise_faults
from batchscore.config.job_config import OutputConfig, S3Settings, known_keys
from batchscore.output.paths import Outputs
from batchscore.storage.base import read_if_present
from batchscore.storage.factory import storage_for


def output_of(output: str, s3: S3Settings | Mapping[str, Any] | None) -> OutputConfig:
    """Return where results lie, as a configuration says it; raises ConfigError."""
    settings = {"output": output} | ({} if s3 is None else {"s3": s3})
    try:
        return OutputConfig.model_validate(settings)
    except ValidationError as error:
        raise_faults(faults_of(error, known_keys()))
        raise


def committed_results(config: OutputConfig, batch_id: str) -> CommittedResults:
    """Return the results of a committed job; raises InputError that says what to do if it is none."""
    check_id(batch_id)
    check_output_is_there(config)
    batch_id = found_id(config, batch_id)
    outputs = Outputs(config.output, batch_id, "parts")
    content = read_if_present(storage_for(config.output, config.s3), outputs.extended_manifest)
    if content is None:
        raise unfinished_job(config, batch_id)
    return read_results_manifest(content, outputs.extended_manifest, outputs)
