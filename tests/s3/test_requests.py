"""Every request of a job's life, seen on its way to S3: what it carries, and which rights it needs."""

import gzip
import json
import logging
import re
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
import yaml

import batchscore
from batchscore.cli import main
from batchscore.commands.clean import find_orphan_files, remove_orphan_files
from batchscore.commands.run import run_job
from batchscore.config.job_config import S3Settings, load_config, load_output_config
from batchscore.errors import BatchScoreError
from batchscore.storage import s3 as s3_module
from batchscore.storage.s3 import S3Storage
from batchscore.storage.s3_client import client_for
from tests.s3.loans import SCHEMA, keys_below, put_people, register_loans
from tests.s3.proxy import Answer, Forward, Proxy, Request, refuse, running_proxy
from tests.s3.test_s3_storage import MIB, stream

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession

OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"
# The buckets and the key of docs/operating.md.
DATA, MODELS, RESULTS, CODE = "example-data", "example-models", "example-predictions", "example-code"
OWNER = "111122223333"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/EXAMPLE"
KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"
FOLDER = f"/{RESULTS}/campaign/batch-prediction/"
DAY_SECONDS = 24 * 3600
Call = tuple[str, str]  # an action of IAM and the ARN that it is for


@dataclass
class Life:
    """All requests of batch predictions from verify to clean, and the keys that were removed."""

    requests: list[Request] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    cleaned: list[str] = field(default_factory=list)
    """Those of ``removed`` that batchscore clean has removed."""
    before_clean: int = 0
    """How many of ``requests`` came before batchscore clean was run to remove anything."""

    def seen(self, methods: str, part: str = "") -> list[Request]:
        return [request for request in self.requests if request.method in methods.split() and part in request.target]


class _Runner:
    def __init__(self, proxy: Proxy, s3: "S3Client", spark: "SparkSession", registry_uri: str) -> None:
        self.proxy, self.s3, self.spark = proxy, s3, spark
        self.registry_uri = registry_uri

    def settings(self, **keys: Any) -> dict[str, Any]:
        s3 = {"endpoint": self.proxy.endpoint, "region": "us-east-1", "kms_key_id": KEY}
        where = {"input": f"s3://{DATA}/campaign/input/", "output": f"s3://{RESULTS}/campaign"}
        model = {"model": "models:/loans/1", "tracking_uri": self.registry_uri}
        return {**model, **where, **keys, "s3": {**s3, "expected_bucket_owner": OWNER, "requester_pays": True}}

    def put_config(self, **keys: Any) -> list[str]:
        """Write a configuration to S3 and return the arguments that read it by way of the proxy."""
        text = yaml.safe_dump(self.settings(**keys))
        self.s3.put_object(Bucket=CODE, Key="batchscore/job.yaml", Body=text.encode())
        here = f"s3.endpoint={self.proxy.endpoint}"
        s3 = [f"s3.expected_bucket_owner={OWNER}", "s3.requester_pays=true"]
        return ["--config", f"s3://{CODE}/batchscore/job.yaml", here, *s3]

    def run(self, **keys: Any) -> None:
        run_job(load_config(yaml.safe_dump(self.settings(**keys))), self.spark)

    def run_until_the_commit_fails(self, **keys: Any) -> None:
        self.proxy.play("PUT", f"{keys['id']}.manifest.json", refuse(403, "AccessDenied"), times=1)
        with suppress(BatchScoreError):
            self.run(**keys)

    def run_new_inputs(self) -> None:
        put_people(self.s3, DATA, "campaign/input/c.csv", 20, seed=2)
        self.run(id="bp-5", mode="new_inputs")

    def clean(self) -> list[str]:
        """Remove what a failed job has left behind, two days later, and return its keys."""
        config = load_output_config(yaml.safe_dump(self.settings()))
        orphan_files = find_orphan_files(config, DAY_SECONDS, time.time() + 2 * DAY_SECONDS)
        return [item.uri.removeprefix(f"s3://{RESULTS}/") for item in remove_orphan_files(config, orphan_files)]

    def break_an_upload_off(self) -> None:
        """What a worker sends when a large upload fails half-way."""
        storage = S3Storage(S3Settings.model_validate(self.settings()["s3"]))
        broken = stream([b"x" * MIB] * 8, BatchScoreError("broken"))
        with pytest.raises(BatchScoreError, match="broken"):
            storage.put(f"s3://{RESULTS}/campaign/batch-prediction/result/long/part-00000.csv.gz", broken)


# What a user does with batchscore; a new command belongs in here, and what it asks of S3 in docs/operating.md.
USES: dict[str, Callable[[_Runner], object]] = {
    "verify": lambda runner: main(["verify", "--json", *runner.put_config(id="bp-1")]),
    "run": lambda runner: runner.run(id="bp-1"),
    "run again": lambda runner: runner.run(id="bp-1"),
    "run with one object for each input": lambda runner: runner.run(id="bp-2", layout="amazon", split_bytes=2000),
    "run a single file": lambda runner: runner.run(id="bp-3", input=f"s3://{DATA}/campaign/input/a.csv"),
    "run until the commit fails": lambda runner: runner.run_until_the_commit_fails(id="bp-4", split_bytes=2000),
    "go on": lambda runner: runner.run(id="bp-4", split_bytes=2000),
    "break an upload off": _Runner.break_an_upload_off,
    "run new inputs": _Runner.run_new_inputs,
    "check": lambda runner: main(["check", "bp-1", *runner.put_config()]),
    "check one object for each input": lambda runner: main(["check", "bp-2", "--sample", "1", *runner.put_config()]),
    "list what can be cleaned": lambda runner: main(["clean", *runner.put_config()]),
    "make the page": lambda runner: main(["report", "bp-1", *runner.put_config()]),
    "describe": lambda runner: main(["describe", "bp-1", *runner.put_config()]),
    "list": lambda runner: main(["list", *runner.put_config()]),
}


@pytest.fixture(scope="module")
def life(
    server: str, s3: "S3Client", spark: "SparkSession", tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Life]:
    """Use batchscore in every way, all of it through a proxy."""
    for bucket in (DATA, MODELS, RESULTS, CODE):
        s3.create_bucket(Bucket=bucket)
    loans = register_loans(tmp_path_factory.mktemp("registry"), f"s3://{MODELS}/artifacts")
    put_people(s3, DATA, "campaign/input/a.csv", 200, seed=1)
    s3.put_object(Bucket=DATA, Key="campaign/input/b.csv.gz", Body=gzip.compress(b"id,age,amount\n1,2,x\n2,\n"))
    for name in (".schema", "a.csv.schema"):
        s3.put_object(Bucket=DATA, Key=f"campaign/input/{name}", Body=SCHEMA)
    with running_proxy(server) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", proxy.endpoint)
        patch.delenv("MLFLOW_S3_EXPECTED_BUCKET_OWNER", raising=False)
        patch.setattr(s3_module, "_SINGLE_PUT_BYTES", 5 * MIB)
        patch.setattr(s3_module, "_UPLOAD_PART_BYTES", 5 * MIB)
        found = Life(proxy.requests)

        def note_removed(forward: Forward) -> Answer:
            before = set(keys_below(s3, RESULTS))
            answer = forward()
            found.removed += sorted(before - set(keys_below(s3, RESULTS)))
            return answer

        proxy.play("POST", "?delete", note_removed)
        runner = _Runner(proxy, s3, spark, loans.tracking_uri)
        for use in USES.values():
            assert use(runner) in (None, 0)
        runner.run_until_the_commit_fails(id="bp-6", split_bytes=2000)
        found.before_clean = len(proxy.requests)
        found.cleaned = runner.clean()
        yield found
    logger = logging.getLogger("batchscore")
    logger.handlers.clear()
    logger.propagate = True


def kind_of(request: Request) -> str:
    """Tell what an object below the output is, by its name alone."""
    name = request.path.removeprefix(FOLDER)
    kinds = {
        r"bp-\d\.json": "record",
        r"bp-\d\.log": "log",
        r"bp-\d\.report\.html": "page",
        r"bp-\d\.manifest": "manifest",
        r"bp-\d\.manifest\.json": "extended manifest",
        r"bp-\d\.profile\.json": "profile",
        r"result/.+\.gz": "part",
        r"rejected/.+/part-\d+\.csv\.gz": "rejected records",
        r"in-progress/bp-\d/task-\d+\.json": "receipt",
        r"in-progress/bp-\d/inputs\.json": "chosen inputs",
        r"in-progress/bp-\d/.+/part-\d+\.csv\.gz": "part to be joined",
        r"in-progress/\.writePermissionCheck-[0-9a-f]{32}\.tmp": "check",
    }
    return next((kind for pattern, kind in kinds.items() if re.fullmatch(pattern, name)), request.target)


def test_every_request_carries_the_expected_bucket_owner(life: Life) -> None:
    without = [request for request in life.requests if request.headers.get("x-amz-expected-bucket-owner") != OWNER]

    assert [(request.method, request.target) for request in without] == []
    assert {request.method for request in life.requests} == {"GET", "HEAD", "PUT", "POST", "DELETE"}
    assert {request.path.split("/")[1] for request in life.requests} == {DATA, MODELS, RESULTS, CODE}


def test_every_object_that_is_written_is_encrypted_with_the_key(life: Life) -> None:
    creations = [request for request in life.seen("PUT") if "partNumber" not in request.query]
    creations += [request for request in life.seen("POST") if "uploads" in request.query]

    for request in creations:
        assert request.headers["x-amz-server-side-encryption"] == "aws:kms", request.target
        assert request.headers[KEY_HEADER] == KEY, request.target
    assert {kind_of(request) for request in creations} == {
        *("record", "log", "manifest", "extended manifest", "part", "rejected records", "receipt", "part to be joined"),
        *("check", "chosen inputs", "profile", "page"),
    }


def test_the_page_is_written_as_what_a_browser_shows_and_all_else_as_before(life: Life) -> None:
    types = {(kind_of(request), request.headers.get("content-type")) for request in life.seen("PUT")}
    assert {told for kind, told in types if kind == "page"} == {"text/html"}
    assert {told for kind, told in types if kind != "page"} <= {None, "binary/octet-stream"}


def test_every_read_pays_for_itself(life: Life) -> None:
    reads = life.seen("GET HEAD")

    assert [
        (request.method, request.target)
        for request in reads
        if request.headers.get("x-amz-request-payer") != "requester"
    ] == []
    parts = ("list-type=2", ".schema", "input/a.csv", "input/b.csv.gz", "in-progress/", ".manifest.json")
    for part in (*parts, f"{MODELS}?list-type=2", f"/{MODELS}/artifacts/", f"/{CODE}/batchscore/job.yaml"):
        assert any(part in request.target for request in reads), part


def test_what_a_job_removes_is_work_and_the_check_alone(life: Life) -> None:
    below = FOLDER.removeprefix(f"/{RESULTS}/")
    by_jobs = set(life.removed) - set(life.cleaned)
    assert by_jobs != set()
    for key in by_jobs:
        assert key.startswith((f"{below}in-progress/bp-", f"{below}in-progress/.writePermissionCheck-")), key


def test_what_clean_removes_is_of_the_failed_job_and_was_found_before(life: Life) -> None:
    kinds = {kind_of(Request("PUT", f"/{RESULTS}/{key}", "", {})) for key in life.cleaned}
    assert kinds == {"part", "rejected records", "receipt"}
    assert all("/bp-6" in key for key in life.cleaned)
    assert set(life.cleaned) <= set(life.removed)


# Rights


def calls_of(request: Request, removed: Collection[str], key_of_object: str | None) -> Iterator[Call]:
    """Yield what IAM is asked for a request; the key is the one that the object was or is being written with."""
    bucket, _, key = request.path.removeprefix("/").partition("/")
    place, query = f"arn:aws:s3:::{bucket}", parse_qs(request.query, keep_blank_values=True)
    if not key and request.method == "GET" and query.get("list-type") == ["2"]:
        yield "s3:ListBucket", place
    elif not key and request.method == "POST" and "delete" in query:
        yield from (("s3:DeleteObject", f"{place}/{name}") for name in removed)
    elif not key:
        raise AssertionError(f"unknown request: {request.method} {request.target}")
    elif request.method in ("GET", "HEAD"):
        yield "s3:GetObject", f"{place}/{key}"
        if key_of_object and request.method == "GET":
            yield "kms:Decrypt", key_of_object
    elif request.method in ("PUT", "POST"):
        yield "s3:PutObject", f"{place}/{key}"
        if KEY_HEADER in request.headers:
            yield "kms:GenerateDataKey", request.headers[KEY_HEADER]
        elif key_of_object:  # a part of an upload
            yield "kms:Decrypt", key_of_object
    else:
        yield "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject", f"{place}/{key}"


def calls_of_jobs_and_of_clean(life: Life) -> tuple[set[Call], set[Call]]:
    """Return what IAM was asked before clean was run to remove anything, and for that run."""
    keys: dict[str, str] = {}
    jobs: set[Call] = set()
    clean: set[Call] = set()
    by_jobs = set(life.removed) - set(life.cleaned)
    for number, request in enumerate(life.requests):
        if KEY_HEADER in request.headers:
            keys[request.path] = request.headers[KEY_HEADER]
        calls, removed = (jobs, by_jobs) if number < life.before_clean else (clean, life.cleaned)
        calls.update(calls_of(request, removed, keys.get(request.path)))
    return jobs, clean


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def documented_policies() -> tuple[list[Call], list[Call]]:
    """Return each action with each resource, of the policy in docs/operating.md and of what clean needs beside it."""
    texts = [text for text in re.findall(r"```json\n(.*?)```", OPERATING.read_text(), re.DOTALL) if "Sid" in text]
    policy, clean = map(json.loads, texts)
    assert {statement["Effect"] for statement in (*policy["Statement"], clean)} == {"Allow"}
    return calls_in(policy["Statement"]), calls_in([clean])


def calls_in(statements: list[dict[str, Any]]) -> list[Call]:
    return [
        (action, resource)
        for statement in statements
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    ]


def covers(allowed: Call, call: Call) -> bool:
    return allowed[0] == call[0] and fnmatchcase(call[1], allowed[1])


def refused(calls: set[Call], policy: list[Call]) -> list[Call]:
    return sorted(call for call in calls if not any(covers(allowed, call) for allowed in policy))


def unused(calls: set[Call], policy: list[Call]) -> list[Call]:
    return sorted(allowed for allowed in policy if not any(covers(allowed, call) for call in calls))


def test_the_documented_policy_allows_every_call_but_those_of_clean_and_no_more(life: Life) -> None:
    calls, _ = calls_of_jobs_and_of_clean(life)
    policy, _ = documented_policies()
    assert refused(calls, policy) == []
    assert unused(calls, policy) == []
    assert not any("*" in action for action, _ in policy)


def test_clean_needs_the_rights_to_list_and_read_and_its_own_statement_and_no_more(life: Life) -> None:
    _, calls = calls_of_jobs_and_of_clean(life)
    policy, statement = documented_policies()
    reading = [allowed for allowed in policy if allowed[0] in {"s3:ListBucket", "s3:GetObject", "kms:Decrypt"}]
    assert refused(calls, [*reading, *statement]) == []
    assert unused(calls, statement) == []
    assert refused(calls, policy) != []


# TLS


def test_tls_is_verified_and_no_line_turns_it_off(server: str, aws_variables: dict[str, str]) -> None:  # noqa: ARG001
    for endpoint in (None, server):
        client = client_for(S3Settings(endpoint=endpoint, region="us-east-1"))
        session: Any = client._endpoint.http_session  # type: ignore[attr-defined] # botocore has no other way to ask
        assert session._verify, "True, or where the authorities' certificates are"
    off = re.compile(r"verify\s*=\s*(False|0)|CERT_NONE|_create_unverified_context|check_hostname\s*=\s*False|use_ssl")
    sources = [*Path(batchscore.__file__).parent.rglob("*.py"), *(OPERATING.parents[1] / "jobs").glob("*.py")]
    assert [path.name for path in sources if off.search(path.read_text())] == []
    assert len(sources) > 30


def test_an_endpoint_of_aws_is_reached_by_https(aws_variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    assert client_for(S3Settings(region="eu-west-3")).meta.endpoint_url == "https://s3.eu-west-3.amazonaws.com"
