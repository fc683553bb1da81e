"""A job to disturb, and the proof that its end is that of an undisturbed one, byte for byte."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any

import cloudpickle
import yaml

from batchscore.commands.check import check_job
from batchscore.commands.run import run_job
from batchscore.config.job_config import JobConfig, OutputConfig
from batchscore.errors import AlreadyCommittedError, BatchScoreError
from tests.faults import models
from tests.faults.models import OrderlyClassifier
from tests.processes import SHORT_LIVED_EXECUTORS, executor_of, kill, owner_of_port, running_cli
from tests.registry import Registry, columns
from tests.s3.loans import SCHEMA, json_of, keys_below, make_people
from tests.s3.proxy import Answer, ConnectionDroppedError, Forward, Proxy, Script

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession

SOAK_SEEDS = int(os.environ.get("BATCHSCORE_SOAK_SEEDS", "0"))
"""How often each case is to run in a soak; 0 in the quick form, where each runs once, and some not at all."""

ID = "job"
SPLIT_BYTES = 1500
# What another attempt of the same job has of its own.
_OWN = ("commit_id", "compute_milliseconds", "parameters")


def register_orderly(registry: Registry, orders: Path, name: str = "orderly", seed: int = 1) -> str:
    """Train and register the model that misbehaves on order."""
    people = make_people(300, seed=seed)
    model = OrderlyClassifier().fit(people[["age", "amount"]], (people["amount"] < people["age"] * 100).astype(int))
    model.orders = str(orders)
    cloudpickle.register_pickle_by_value(models)
    try:
        return registry.register(model, signature=columns("age:double", "amount:double"), name=name)
    finally:
        cloudpickle.unregister_pickle_by_value(models)


def put_inputs(s3: S3Client, bucket: str) -> None:
    """Write inputs of several splits, compressed and plain, with some records that are invalid."""
    lines = make_people(180, seed=2).to_csv(index=False).splitlines()
    lines[20], lines[90] = "2-19,old,100", "2-89,40"
    s3.put_object(Bucket=bucket, Key="in/a.csv", Body="\n".join(lines).encode())
    more = make_people(60, seed=3).to_csv(index=False).encode()
    s3.put_object(Bucket=bucket, Key="in/b.csv.gz", Body=gzip.compress(more, mtime=0))
    s3.put_object(Bucket=bucket, Key="in/c.csv", Body=make_people(40, seed=4).to_csv(index=False).encode())
    s3.put_object(Bucket=bucket, Key="in/.schema", Body=SCHEMA)


Outcome = dict[str, Any]


@dataclass
class Bench:
    """One job ``job`` through a proxy of its own, on a shared Spark session or as a driver process of its own.

    ``outcomes`` tells how its runs ended, in words; the report of a soak counts them.
    """

    s3: S3Client
    spark: SparkSession
    proxy: Proxy
    registry_uri: str
    model_uri: str
    orders: Path
    folder: Path
    bucket: str
    references: dict[str, Outcome]
    outcomes: list[str] = field(default_factory=list)

    def settings(self, **keys: Any) -> dict[str, Any]:
        """Return the keys of the job."""
        where = {"input": f"s3://{self.bucket}/in/", "output": f"s3://{self.bucket}/out"}
        model = {"model": self.model_uri, "tracking_uri": self.registry_uri}
        return {"id": ID, **model, **where, "split_bytes": SPLIT_BYTES, "s3": {"endpoint": self.proxy.endpoint}, **keys}

    def order(self, *orders: str) -> None:
        """Let the next calls of the model misbehave, one for each order."""
        for number, order in enumerate(orders):
            (self.orders / f"{number:03d}.{order}").touch()

    def orders_left(self) -> list[str]:
        """Return the orders that no call of the model has taken."""
        return sorted(order.name for order in self.orders.iterdir())

    def run(self, **keys: Any) -> dict[str, Any]:
        """Run the job in this process; raises what it fails with."""
        try:
            summary = run_job(JobConfig.model_validate(self.settings(**keys)), self.spark)
        except BatchScoreError as error:
            self.outcomes.append(f"exit {error.exit_code}")
            raise
        self.outcomes.append("reported again" if summary.get("reported_again") else "completed")
        return summary

    def run_until_done(self, attempts: int, **keys: Any) -> list[BatchScoreError]:
        """Run the job again and again until it completes, and return what it failed with."""
        errors: list[BatchScoreError] = []
        for _ in range(attempts):
            try:
                self.run(**keys)
            except AlreadyCommittedError:
                raise
            except BatchScoreError as error:
                errors.append(error)
            else:
                return errors
        raise AssertionError(f"expected the job to complete in {attempts} runs, got {errors}")

    @contextmanager
    def driver(self, *, master: str = "local[2,4]", **keys: Any) -> Iterator[Popen[bytes]]:
        """Run the job as a driver process of its own, on a Spark of its own unless ``master`` is another's."""
        path = self.folder / "job.yaml"
        spark = {"spark.master": master, "spark.ui.enabled": "false"} | SHORT_LIVED_EXECUTORS | keys.pop("spark", {})
        path.write_text(yaml.safe_dump(self.settings(**keys) | {"spark": spark}))
        with running_cli("run", "--config", str(path), errors=self.folder / "errors") as process:
            yield process

    def end(self, driver: Popen[bytes], seconds: float = 120) -> int:
        """Wait for a driver's end and return its exit code; below zero is the signal that killed it."""
        code = driver.wait(timeout=seconds)
        self.outcomes.append(f"killed by signal {-code}" if code < 0 else f"exit {code}" if code else "completed")
        return code

    def errors(self) -> str:
        """Return what the driver has written to stderr."""
        return (self.folder / "errors").read_text()

    def record(self) -> dict[str, Any]:
        """Return the record of the job."""
        return json_of(self.s3, f"s3://{self.bucket}/out/batch-prediction/{ID}.json")

    def manifests(self) -> list[str]:
        """Return the manifests that are there, by their endings."""
        start = f"out/batch-prediction/{ID}.manifest"
        return [key.removeprefix(start) for key in keys_below(self.s3, self.bucket, start)]

    def prove(self, **keys: Any) -> dict[str, Any]:
        """Hold everything that the job has written to what an undisturbed run of it writes; return its manifest.

        The undisturbed run has the same inputs and goes to another output without a proxy. ``batchscore check`` is to
        say the same. The model has met every order, or nothing was disturbed.
        """
        self.proxy.stop()
        assert self.orders_left() == [], self.orders_left()
        batch_id = keys.get("id", ID)
        expected = self._reference(batch_id, keys)
        found = self._outcome(batch_id, "out")
        if ".profile.json" in set(expected) - set(found):  # what kept it from being written failed no job
            assert self.run(**keys)["reported_again"]
            found = self._outcome(batch_id, "out")
        assert set(found) | {".report.html"} == set(expected)
        for name, content in found.items():
            assert expected[name] == content, name
        output = OutputConfig.model_validate(
            {"output": f"s3://{self.bucket}/out", "s3": {"endpoint": self.proxy.upstream}}
        )
        assert check_job(batch_id, output).findings == []
        return json_of(self.s3, f"s3://{self.bucket}/out/batch-prediction/{batch_id}.manifest.json")

    def _reference(self, batch_id: str, keys: dict[str, Any]) -> Outcome:
        inputs = [(key, self.s3.head_object(Bucket=self.bucket, Key=key)["ETag"]) for key in self._inputs()]
        name = json.dumps([inputs, keys, self.model_uri], sort_keys=True)
        if name not in self.references:
            direct = {"output": f"s3://{self.bucket}/reference", "s3": {"endpoint": self.proxy.upstream}}
            run_job(JobConfig.model_validate(self.settings(**{**keys, **direct})), self.spark)
            self.references[name] = self._outcome(batch_id, "reference")
        return self.references[name]

    def _inputs(self) -> list[str]:
        return keys_below(self.s3, self.bucket, "in/")

    def _outcome(self, batch_id: str, output: str) -> Outcome:
        """Return all that a job left, by key: bytes of results; of records and manifests what is no attempt's own.

        Not what it left in progress: a task that outlives its driver or its twin may write a receipt after all.
        """
        folder = f"{output}/batch-prediction/"
        outcome: Outcome = {}
        for start in (f"{batch_id}.", f"result/{batch_id}-", f"rejected/{batch_id}-"):
            for key in keys_below(self.s3, self.bucket, folder + start):
                content = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
                name = key.removeprefix(f"{folder}{batch_id}").removeprefix(folder)
                outcome[name] = self._without_own(name, content, output)
        return outcome

    def _without_own(self, name: str, content: bytes, output: str) -> Any:
        if name in {".log", ".report.html"}:
            return None
        if name == ".json":
            record = json.loads(content)
            return {key: record[key] for key in ("Status", "Message", "TotalRecordCount", "InvalidRecordCount")}
        if name not in {".manifest", ".manifest.json"}:
            return content
        text = content.decode().replace(f"s3://{self.bucket}/{output}/", "s3://output/")
        manifest = json.loads(text.replace(f"s3://{self.bucket}/", "s3://bucket/"))
        return {key: value for key, value in manifest.items() if key not in _OWN}


def kill_sender(*, lands: bool) -> Script:
    """Kill the executor, worker and all, that sends a request, before or after the request reaches the server."""

    def script(forward: Forward) -> Answer:
        worker = owner_of_port(forward.client_port)
        if lands:
            forward()
        kill(executor_of(worker), worker)
        raise ConnectionDroppedError

    return script


def in_soak(*cases: Any) -> tuple[Any, ...]:
    """Return the cases of a parametrized test that run in a soak alone."""
    return cases if SOAK_SEEDS else ()
