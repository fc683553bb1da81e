"""Jobs that fail at every stage, with marked credentials and records: the marks are looked for in all that is left."""

import gzip
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import pyspark
import pytest

from tests.processes import SHORT_LIVED_EXECUTORS, without_spark
from tests.registry import Registry, columns
from tests.s3 import leaky
from tests.s3.loans import content_of, keys_below
from tests.s3.proxy import Answer, Forward, Proxy, running_proxy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REPOSITORY = Path(__file__).parents[2]
# No text of a record and no secret may hold these by chance.
PASSWORD = "Marked-Password-5519"
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAMARKEDKEY5519",
    "AWS_SECRET_ACCESS_KEY": "Marked/Secret+5519",
    "AWS_SESSION_TOKEN": "Marked-Session-5519",
    "MLFLOW_TRACKING_TOKEN": "Marked-Token-5519",
    "MLFLOW_TRACKING_USERNAME": "Marked-User-5519",
    "MLFLOW_TRACKING_PASSWORD": PASSWORD,
}
OUTPUTS = ("out/", "new/")
RECORD = "Marked-Record-5519"
MARKS = [*SECRETS.values(), RECORD, *(str(int(mark)) for mark in (leaky.RAISES, leaky.EXHAUSTS, leaky.HANGS))]
SCHEMA = {
    "rowId": "id",
    "dataFileContainsHeader": True,
    "attributes": [
        {"attributeName": "id", "attributeType": "CATEGORICAL"},
        {"attributeName": "age", "attributeType": "NUMERIC"},
        {"attributeName": "amount", "attributeType": "NUMERIC"},
        {"attributeName": "note", "attributeType": "TEXT"},
    ],
    "excludedAttributeNames": ["note"],
}
HEADER = "id,age,amount,note\n"
GOOD = f"{RECORD}-tag,30,5,{RECORD}\n"
MALFORMED = f'{RECORD},"30,5,{RECORD}\n{RECORD}-x,{RECORD},5,\n,,,,{RECORD}\n'
INPUTS = {
    "good": HEADER + GOOD * 20,
    "malformed": HEADER + GOOD + MALFORMED + GOOD,
    "raises": HEADER + GOOD + f"{RECORD},30,{leaky.RAISES},{RECORD}\n" + GOOD,
    "raises-always": HEADER + f"{RECORD},30,{leaky.RAISES},{RECORD}\n" * 150,
    "exhausts": HEADER + GOOD + f"{RECORD},30,{leaky.EXHAUSTS},{RECORD}\n",
    "hangs": HEADER + GOOD + f"{RECORD},30,{leaky.HANGS},{RECORD}\n",
    "no-header": GOOD * 3,
    "twice": "id,age,amount,age\n" + f"{RECORD}-tag,30,5,40\n" * 20,
}
REFUSED = b"<Error><Code>AccessDenied</Code><Message>%s may not, with %s</Message></Error>" % (
    SECRETS["AWS_ACCESS_KEY_ID"].encode(),
    SECRETS["AWS_SESSION_TOKEN"].encode(),
)


def refuse_in_many_words(_: Forward) -> Answer:
    return Answer(403, {"Content-Type": "application/xml"}, REFUSED)


@dataclass
class Left:
    """All that is left of the jobs."""

    codes: dict[str, int] = field(default_factory=dict)
    local: dict[str, bytes] = field(default_factory=dict)
    """Streams and files of this machine by what they are."""
    objects: dict[str, bytes] = field(default_factory=dict)
    """Objects below the outputs by key, decompressed."""
    temporary: list[str] = field(default_factory=list)
    """What lies in temporary folders afterwards."""


def commands(bucket: str, endpoint: str, models: dict[str, str]) -> dict[str, tuple[int, list[str]]]:
    """Return the arguments of each command, with the exit code that it must have."""
    settings = {
        "model": models["leaky"],
        "output": f"s3://{bucket}/out",
        "schema": f"s3://{bucket}/schema",
        "s3.endpoint": endpoint,
        "spark.hadoop.fs.s3a.secret.key": PASSWORD,
    }

    def job(code: int, name: str, **keys: Any) -> tuple[int, list[str]]:
        given = settings | {"input": f"s3://{bucket}/in/{name}.csv"} | keys
        return code, ["run", *(f"{key}={value}" for key, value in given.items())]

    def alter(batch_id: str, old: str, new: str) -> tuple[int, list[str]]:
        return 0, ["alter", bucket, f"out/batch-prediction/{batch_id}.manifest.json", old, new]

    secret = SECRETS["AWS_SECRET_ACCESS_KEY"]
    with_credentials = f"s3://{SECRETS['AWS_ACCESS_KEY_ID']}:{secret}@{bucket}/in/"
    http = f"http://{SECRETS['MLFLOW_TRACKING_USERNAME']}:{PASSWORD}@127.0.0.1:9"
    return {
        "configuration": job(2, "good", input=with_credentials, output=with_credentials, schema=with_credentials),
        "endpoint": job(2, "good", **{"s3.endpoint": f"http://{PASSWORD}@127.0.0.1:9"}),
        "unknown key": job(2, "good", **{"s3.secret_key": secret, "password": PASSWORD}),
        "argument": (2, ["run", with_credentials]),
        "configuration file": (2, ["run", "--config", with_credentials]),
        "registry with credentials": job(2, "good", tracking_uri=http, registry_uri=http),
        "model unknown": job(4, "good", model="models:/unknown/1"),
        "model that cannot be loaded": job(4, "good", model=models["unloadable"]),
        "model that workers cannot load": job(4, "good", id="unloadable", model=models["unloadable by workers"]),
        "input unknown": job(3, "unknown"),
        "header of a record": job(3, "no-header", id="no-header", schema=""),
        "header twice": job(0, "twice", id="twice", schema=""),
        "planning refused": job(3, "good", schema=f"s3://{bucket}/refused-schema"),
        "verify": (0, ["verify", "--full", *job(0, "malformed", id="verify")[1][1:]]),
        "parse": job(5, "malformed", id="parse", max_invalid_records="0"),
        "model": job(5, "raises", id="model", max_invalid_records="0"),
        "model always": job(4, "raises-always", id="always"),
        "model out of memory": job(5, "exhausts", id="exhausts"),
        "model hangs": job(5, "hangs", id="hangs", batch_timeout_seconds="1"),
        "looking refused": job(3, "good", id="looking", input=f"s3://{bucket}/in/unseen.csv"),
        "reading refused": job(3, "good", id="reading", input=f"s3://{bucket}/in/refused.csv"),
        "write": job(6, "good", id="write"),
        "join": job(6, "good", id="join", layout="amazon", split_bytes="200"),
        "commit": job(6, "good", id="commit"),
        "record": job(6, "good", id="record"),
        "invalid records": job(0, "malformed", id="invalid"),
        "model with one": job(0, "raises", id="one", invalid_records="keep_tag"),
        "to be altered": job(0, "raises", id="altered"),
        "done": job(0, "good", id="done"),
        "many inputs": job(0, "good", id="many", input=f"s3://{bucket}/many/"),
        "new inputs": job(0, "malformed", id="new", mode="new_inputs", output=f"s3://{bucket}/new"),
        "check": (0, ["check", "invalid", *job(0, "good")[1][1:]]),
        "a result altered": alter("invalid", f"{RECORD}-tag,", f"{RECORD}-{RECORD},"),
        "check of an altered result": (8, ["check", "invalid", "--json", *job(0, "good")[1][1:]]),
        "a rejected file altered": alter("altered", "model_error", RECORD),
        "check of an altered rejected file": (8, ["check", "altered", *job(0, "good")[1][1:]]),
        "check of what failed": (3, ["check", "model", *job(0, "good")[1][1:]]),
        "clean": (0, ["clean", *job(0, "good")[1][1:]]),
        "describe": (0, ["describe", "done", *job(0, "good")[1][1:]]),
        "list": (0, ["list", *job(0, "good")[1][1:]]),
        # The last ones: MLflow keeps the address of one command for the next of the same process.
        "registry": job(4, "good", tracking_uri="http://127.0.0.1:9", id="registry"),
        "registry scheme": job(4, "good", tracking_uri="nonsense://127.0.0.1:9", id="scheme"),
    }


def play_faults(proxy: Proxy) -> None:
    for method, part, skip in (
        ("GET", "refused-schema", 0),
        ("GET", "in/unseen.csv", 0),
        ("GET", "in/refused.csv", 1),  # the first is the driver's
        ("PUT", "/result/write-", 0),
        ("PUT", "/result/join-", 0),
        ("PUT", "/commit.manifest.json", 0),
        ("PUT", "/record.json", 0),
    ):
        proxy.play(method, part, refuse_in_many_words, skip=skip)


@pytest.fixture(scope="module")
def left(server: str, s3: "S3Client", aws_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Run all commands on a cluster with one executor and gather what they leave."""
    folder, bucket = tmp_path_factory.mktemp("left"), "bucket-of-marked-records"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="schema", Body=json.dumps(SCHEMA).encode())
    for name, text in (INPUTS | {"refused": INPUTS["good"], "unseen": INPUTS["good"]}).items():
        s3.put_object(Bucket=bucket, Key=f"in/{name}.csv", Body=text.encode())
    for number in range(257):  # more than the driver looks at
        s3.put_object(Bucket=bucket, Key=f"many/{number:03d}.csv", Body=(HEADER + GOOD).encode())
    registry = Registry(tmp_path_factory.mktemp("registry"))
    cloudpickle.register_pickle_by_value(leaky)
    models = {
        name: registry.register(model, signature=columns("age:double", "amount:double"))
        for name, model in {
            "leaky": leaky.fitted(leaky.LeakyClassifier()),
            "unloadable": leaky.unloadable(by_workers_alone=False),
            "unloadable by workers": leaky.unloadable(by_workers_alone=True),
        }.items()
    }
    for name in ("temporary", "spark", "home/work", "events", "elsewhere"):
        (folder / name).mkdir(parents=True)
    for path in Path(pyspark.__file__).parent.iterdir():  # a Spark of our own, since executors log below it
        if path.name != "work":
            (folder / "home" / path.name).symlink_to(path)
    spark = {
        "spark.master": "local-cluster[1,2,1024]",
        "spark.ui.enabled": "false",
        "spark.log.level": "INFO",
        "spark.local.dir": str(folder / "spark"),
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": (folder / "events").as_uri(),
        "spark.eventLog.compress": "false",
        "spark.task.maxFailures": "2",
        **SHORT_LIVED_EXECUTORS,
    }
    database = registry.uri.removeprefix("sqlite:///")
    with running_proxy(server) as proxy:
        play_faults(proxy)
        given = commands(bucket, proxy.endpoint, models)
        path = folder / "commands.json"
        path.write_text(json.dumps({"spark": spark, "commands": {name: item[1] for name, item in given.items()}}))
        done = subprocess.run(
            [sys.executable, "-m", "tests.s3.commands", str(path)],
            cwd=folder / "elsewhere",  # MLflow takes the database's URI for a path, and makes its folder here
            env=without_spark()
            | aws_variables
            | SECRETS
            | {
                "MLFLOW_TRACKING_URI": f"sqlite:///file:{database}?uri=true&password={PASSWORD}",
                "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]),
                "TMPDIR": str(folder / "temporary"),
                "SPARK_HOME": str(folder / "home"),
                "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            },
            capture_output=True,
            check=False,
        )
    path.unlink()
    assert done.returncode == 0, done.stderr.decode()[-8000:]
    left = Left(json.loads(Path(f"{path}.codes").read_text()))
    left.local = {"stdout": without_tags_of_verify(done.stdout), "stderr": done.stderr}
    for name in ("home/work", "events", "temporary", "spark"):
        left.local |= {
            str(file.relative_to(folder)): file.read_bytes() for file in (folder / name).rglob("*") if file.is_file()
        }
    left.temporary = [
        str(file.relative_to(folder)) for name in ("temporary", "spark") for file in (folder / name).iterdir()
    ]
    for key in chain.from_iterable(keys_below(s3, bucket, output) for output in OUTPUTS):
        content = content_of(s3, f"s3://{bucket}/{key}")
        left.objects[key] = gzip.decompress(content) if key.endswith(".gz") else content
    assert left.codes == {name: code for name, (code, _) in given.items()}, done.stderr.decode()[-8000:]
    return left


def without_tags_of_verify(printed: bytes) -> bytes:
    """Return what was printed but for the tags beside the predictions that verify shows: they are there to be seen."""
    before, title, rest = printed.partition(b"== verify\n")
    report, following, others = rest.partition(b"\n== ")
    assert report.count(f"{RECORD}-tag".encode()) == 4  # the first three and the highest of two records
    return before + title + report.replace(f"{RECORD}-tag".encode(), b"") + following + others


def holding(mark: str, contents: dict[str, bytes]) -> list[str]:
    return [name for name, content in contents.items() if mark.encode() in content]


@pytest.mark.parametrize("mark", MARKS)
def test_no_secret_and_no_record_is_printed_or_logged_or_left_on_a_disk(mark: str, left: Left) -> None:
    assert holding(mark, left.local) == []
    for name in ("stdout", "stderr"):
        assert left.local[name] != b""
    assert any(b"SparkListenerTaskEnd" in content for name, content in left.local.items() if name.startswith("events/"))
    assert any(name.startswith("home/work/") and name.endswith("stderr") for name in left.local)


@pytest.mark.parametrize("mark", SECRETS.values())
def test_no_secret_is_in_anything_that_a_job_writes(mark: str, left: Left) -> None:
    assert holding(mark, left.objects) == []
    names = {key.removeprefix("out/batch-prediction/") for key in left.objects}
    assert {f"done.{ending}" for ending in ("json", "log", "manifest", "manifest.json")} <= names
    assert {
        f"{stage}.{ending}"
        for stage in ("write", "join", "commit", "model", "unloadable", "hangs", "reading")
        for ending in ("json", "log")
    } <= names
    assert any(name.startswith("in-progress/join/") for name in names), "the job failed before its parts were joined"
    assert "new/batch-prediction/new.manifest.json" in left.objects


def test_records_are_in_results_as_tags_and_in_rejected_files_alone(left: Left) -> None:
    found = [key for mark in MARKS for key in holding(mark, left.objects)]
    assert {key.split("/")[2] for key in found if "/in-progress/join/parts-" not in key} == {"result", "rejected"}
    for key, content in left.objects.items():
        if "/result/" in key:
            cells = [line.split(",") for line in content.decode().splitlines() if line]
            assert all(RECORD not in cell for row in cells for cell in row[1:]), key


def test_of_a_record_that_made_the_model_raise_the_reason_is_told_and_no_word_of_the_model(left: Left) -> None:
    (rows,) = [content.decode().splitlines() for key, content in left.objects.items() if "/rejected/one-raises" in key]
    assert [row.split(",")[4:6] for row in rows[1:]] == [["model", "model_error"]]
    for content in [*left.objects.values(), *left.local.values()]:
        assert leaky.WORDS.encode() not in content


def test_of_a_model_that_raises_when_it_is_loaded_and_of_one_that_hangs_the_kind_of_error_is_told(left: Left) -> None:
    told = "expected to load it as sklearn, got RuntimeError in __setstate__ ("
    assert left.local["stderr"].decode().count(f"batchscore: ModelError: model models:/model-2/1: {told}") == 1
    messages = {
        key.removeprefix("out/batch-prediction/"): json.loads(content)["Message"]
        for key, content in left.objects.items()
        if key in {f"out/batch-prediction/{name}.json" for name in ("unloadable", "hangs")}
    }
    assert told in messages["unloadable.json"]
    assert "expected predictions within batch_timeout_seconds, 1 s, got none" in messages["hangs.json"]


def test_a_check_of_altered_records_tells_the_proof_that_fails(left: Left) -> None:
    printed = left.local["stdout"].decode().split("== ")
    outputs = dict(output.split("\n", 1) for output in printed if "\n" in output)
    (finding,) = json.loads(outputs["check of an altered result"])["findings"]
    assert finding["proof"] == "tags"
    assert finding["what"] == "record 1: expected the tag and label of the input, got others (2 in all)"
    assert "invalid records" in outputs["check of an altered rejected file"].rpartition("what is wrong")[2]


def test_nothing_is_left_in_temporary_folders(left: Left) -> None:
    assert left.temporary == []
