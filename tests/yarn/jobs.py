"""Jobs on YARN: what they are told, what they leave, and what the model itself says of the same records."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from batchscore.commands.check import check_job
from batchscore.config.job_config import OutputConfig
from batchscore.spark.local_session import local_settings
from tests.e2e.demo import REPOSITORY, expected_lines
from tests.processes import wait_until
from tests.s3.loans import content_of, joined_text, json_of, keys_below
from tests.s3.proxy import HeldUpload, Proxy
from tests.yarn.cluster import Submission, Yarn

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

INPUTS = ("customers-1.csv", "customers-2.csv")
RECORDS = 600
TWO_EXECUTORS = {"spark__executor__instances": "2"}
ONE_ATTEMPT = {"spark__yarn__maxAppAttempts": "1"}
# Four splits of each input, on one or two executors of a core: when the third is scored, another one is done.
SPLIT_BYTES = 7000


@dataclass
class Jobs:
    """Jobs over one bucket, whose inputs are the demo's customers."""

    yarn: Yarn
    gate: Proxy
    s3: S3Client
    bucket: str
    demo: Path
    registry: str

    def put_inputs(self) -> None:
        """Write the inputs and ``job.yaml``."""
        for name in INPUTS:
            self.s3.upload_file(f"{self.demo}/input/{name}", self.bucket, f"in/{name}")
        self.put_configuration(f"s3://{self.bucket}/job.yaml")

    def put_configuration(self, uri: str, **keys: Any) -> None:
        """Write a configuration."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        settings = {
            "model": "models:/bank-marketing@champion",
            "tracking_uri": self.registry,
            "input": f"s3://{self.bucket}/in/",
            "output": self.output,
            "row_id": "customerId",
            "split_bytes": SPLIT_BYTES,
        }
        self.s3.put_object(Bucket=bucket, Key=key, Body=yaml.safe_dump(settings | keys).encode())

    @property
    def output(self) -> str:
        """Where the results are."""
        return f"s3://{self.bucket}/out"

    def submit(self, batch_id: str, *keys: str, entry: str = "jobs/batch_predict.py", **settings: str) -> Submission:
        """Submit a job, with settings of Spark whose dots are written as two underscores.

        It runs in this environment, which lies at the same place on all nodes: an archive that each unpacks for each
        job would take most of the time.
        """
        here = {"spark__pyspark__python": sys.executable, "spark__yarn__appMasterEnv__PYSPARK_PYTHON": sys.executable}
        given = local_settings({}) | here | settings  # its JVM is as short-lived as a local session's
        options = [f"--conf={name.replace('__', '.')}={value}" for name, value in given.items()]
        program = [entry, "--config", f"s3://{self.bucket}/job.yaml", f"id={batch_id}", *keys]
        command = ["spark-submit", "--master", "yarn", "--deploy-mode", "cluster", *options, *program]
        return self.yarn.submit(*command, PYTHONPATH=f"{REPOSITORY}/src")

    def complete(self, submission: Submission) -> None:
        """Wait for a job that is to complete."""
        code = submission.end()
        assert code == 0, submission.said()[-3000:] + self.yarn.logs(submission.application())[-12000:]

    def wait_for(self, upload: HeldUpload, submission: Submission) -> None:
        """Wait until a job's upload is held; one that ends before that is told with what it said."""

        def is_held() -> bool:
            assert submission.process.poll() is None, submission.said()[-3000:]
            return upload.wait(0)

        wait_until(is_held, "the upload")

    def result(self, batch_id: str, ending: str) -> str:
        """Return the URI of what a job leaves beside its results."""
        return f"{self.output}/batch-prediction/{batch_id}{ending}"

    def record(self, batch_id: str) -> dict[str, Any]:
        """Return a job's record."""
        return json_of(self.s3, self.result(batch_id, ".json"))

    def status(self, batch_id: str) -> str | None:
        """Return the status of a job's record, if there is one."""
        key = f"out/batch-prediction/{batch_id}.json"
        return self.record(batch_id)["Status"] if key in keys_below(self.s3, self.bucket, key) else None

    def manifests(self, batch_id: str) -> list[str]:
        """Return the manifests that are there, by their endings."""
        start = f"out/batch-prediction/{batch_id}.manifest"
        return [key.removeprefix(start) for key in keys_below(self.s3, self.bucket, start)]

    def manifest(self, batch_id: str) -> dict[str, Any]:
        """Return the extended manifest of a job."""
        return json_of(self.s3, self.result(batch_id, ".manifest.json"))

    def log(self, batch_id: str) -> str:
        """Return a job's log."""
        return content_of(self.s3, self.result(batch_id, ".log")).decode()

    def went_on(self, batch_id: str) -> bool:
        """Tell whether a job says that some of its parts were there when it began."""
        return re.search(r" [1-9]\d* of \d+ parts were there already", self.log(batch_id)) is not None

    def prove(self, batch_id: str) -> None:
        """Hold a result to what the model says when it is called directly, and to ``batchscore check``."""
        assert self.record(batch_id)["Status"] == "COMPLETED"
        assert self.record(batch_id)["TotalRecordCount"] == RECORDS
        for item, name in zip(self.manifest(batch_id)["inputs"], INPUTS, strict=True):
            text = joined_text(self.s3, [part["uri"] for part in item["parts"]])
            assert text.splitlines()[1:] == expected_lines(self.demo)[name]
        self.check(batch_id)
        assert keys_below(self.s3, self.bucket, f"out/batch-prediction/in-progress/{batch_id}/") == []
        classic = json.loads(content_of(self.s3, self.result(batch_id, ".manifest")))
        assert set(classic) == {f"s3://{self.bucket}/in/{name}" for name in INPUTS}

    def check(self, batch_id: str) -> None:
        """Hold a result to ``batchscore check``."""
        output = OutputConfig.model_validate({"output": self.output, "s3": {"endpoint": self.gate.upstream}})
        assert check_job(batch_id, output).findings == []
