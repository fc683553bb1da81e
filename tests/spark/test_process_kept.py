"""A job leaves its process as it found it, whether it ends well or not."""

import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import mlflow
import pandas as pd
import pytest
from mlflow.tracking._model_registry import utils as registry_utils
from mlflow.tracking._tracking_service import utils as tracking_utils
from sklearn.linear_model import LogisticRegression

from batchscore import cli
from batchscore.commands import job as job_module
from batchscore.commands.verify import review_job
from batchscore.commit.commit_manifest import commit_manifest
from batchscore.errors import BatchScoreError
from batchscore.udf import predict_udf
from tests.registry import Registry, columns
from tests.spark.conftest import Runner

HOST = "sqlite:////tmp/of-the-host.db"
S3 = {"endpoint": "http://127.0.0.1:9", "region": "eu-west-1", "expected_bucket_owner": "111122223333"}


@pytest.fixture(scope="module")
def model_uri(registry: Registry) -> str:
    model = LogisticRegression().fit(pd.DataFrame({"age": [20.0, 60.0]}), [0, 1])
    return registry.register(model, signature=columns("age:double"))


@pytest.fixture(params=["unset", "set"], autouse=True)
def _host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that uses MLflow and boto3 for itself, or not yet."""
    uris = tracking_utils._tracking_uri, registry_utils._registry_uri
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    host = HOST if request.param == "set" else None
    mlflow.set_tracking_uri(host)  # type: ignore[arg-type] # None is none
    mlflow.set_registry_uri(host)  # type: ignore[arg-type]
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session(region_name="eu-north-1") if host else None)
    if host:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    yield
    mlflow.set_tracking_uri(uris[0])  # type: ignore[arg-type]
    mlflow.set_registry_uri(uris[1])  # type: ignore[arg-type]


def state() -> dict[str, Any]:
    logger = logging.getLogger("batchscore")
    return {
        "variables": dict(os.environ),
        "uris": (tracking_utils._tracking_uri, registry_utils._registry_uri),
        "boto3": boto3.DEFAULT_SESSION,
        "signals": [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)],
        "logging": (logger.level, logger.propagate, logger.handlers[:]),
        "warnings": (warnings.filters[:], warnings.showwarning),
        "stdout": getattr(sys.stdout, "errors", None),
        "path": sys.path[:],
        "folder": Path.cwd(),
    }


def job(run: Runner, model_uri: str) -> None:
    run(model_uri, input=f"{run.folder}/in.csv", s3=S3)


def failing_job(run: Runner, _: str) -> None:
    with pytest.raises(BatchScoreError):
        run("models:/unknown/1", input=f"{run.folder}/in.csv", s3=S3)


def job_that_fails_later(run: Runner, model_uri: str) -> None:
    (run.folder / "in.csv").write_text("age\nx\n")
    with pytest.raises(BatchScoreError):
        run(model_uri, input=f"{run.folder}/in.csv", s3=S3, max_invalid_records=0)


def review(run: Runner, model_uri: str) -> None:
    config = run.registry.config(model_uri, input=f"{run.folder}/in.csv", output=str(run.folder), s3=S3)
    assert review_job(config, run.folder / "verify").exit_code == 0


def verify(run: Runner, model_uri: str) -> None:
    keys = [f"model={model_uri}", f"tracking_uri={run.registry.uri}", f"input={run.folder}/in.csv"]
    assert cli.main(["verify", *keys, f"output={run.folder}/out", "s3.region=eu-west-1"]) == 0


def failing_verify(run: Runner, _: str) -> None:
    keys = ["model=models:/unknown/1", f"tracking_uri={run.registry.uri}", f"input={run.folder}/in.csv"]
    assert cli.main(["verify", *keys, f"output={run.folder}/out", "s3.region=eu-west-1"]) == 4


def wrong_arguments(_run: Runner, _: str) -> None:
    assert cli.main(["verify", "nonsense=1"]) == 2


def udf(run: Runner, model_uri: str) -> None:
    predict_udf(run.spark, model_uri, tracking_uri=run.registry.uri, s3=S3)


def failing_udf(run: Runner, _: str) -> None:
    with pytest.raises(BatchScoreError):
        predict_udf(run.spark, "models:/unknown/1", tracking_uri=run.registry.uri, s3=S3)


@pytest.mark.parametrize(
    "work",
    [job, failing_job, job_that_fails_later, review, verify, failing_verify, wrong_arguments, udf, failing_udf],
)
def test_a_process_is_afterwards_as_it_was_before(
    work: Callable[[Runner, str], None], model_uri: str, run: Runner
) -> None:
    (run.folder / "in.csv").write_text("age\n20\n60\n")
    before = state()

    work(run, model_uri)

    assert state() == before


def test_a_variable_that_the_host_renews_while_a_job_runs_stays_renewed(
    model_uri: str, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run.folder / "in.csv").write_text("age\n20\n60\n")
    commit = commit_manifest

    def renew(*arguments: Any) -> None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", "renewed")
        commit(*arguments)

    monkeypatch.setenv("AWS_SESSION_TOKEN", "first")
    monkeypatch.setattr(job_module, "commit_manifest", renew)
    job(run, model_uri)

    assert os.environ["AWS_SESSION_TOKEN"] == "renewed"
