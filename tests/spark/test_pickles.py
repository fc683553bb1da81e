"""What can hold credentials is in nothing that Spark pickles, and so on no executor's disk: looked for in the bytes."""

import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from pyspark.core.broadcast import Broadcast
from pyspark.serializers import CloudPickleSerializer
from pyspark.sql import SparkSession
from pyspark.sql.functions import struct
from sklearn.linear_model import LogisticRegression

from batchscore.commands import job as job_module
from batchscore.errors import CommitError
from batchscore.preflight import first_look
from batchscore.udf import predict_udf
from tests.registry import Registry, columns
from tests.spark.conftest import Runner

SECRET = "Marked-Secret-5519"
KEYS: dict[str, Any] = {"spark": {"spark.hadoop.fs.s3a.secret.key": SECRET}}
PEOPLE = pd.DataFrame({"age": [20.0, 60.0]})


@pytest.fixture(scope="module")
def model_uri(registry: Registry) -> str:
    return registry.register(LogisticRegression().fit(PEOPLE, [0, 1]), signature=columns("age:double"))


@pytest.fixture
def pickles(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[bytes]]:
    """All that PySpark has pickled, at the boundary itself: values of broadcasts, and functions with their closures."""
    seen: dict[str, list[bytes]] = {"broadcasts": [], "closures": []}
    dump, dumps = Broadcast.dump, cast("Callable[[Any, Any], bytes]", CloudPickleSerializer.dumps)

    def dump_seen(self: Any, value: Any, file: Any) -> None:
        dump(self, value, file)
        seen["broadcasts"].append(Path(file.name).read_bytes())

    def dumps_seen(self: Any, value: Any) -> bytes:
        seen["closures"].append(dumps(self, value))
        return seen["closures"][-1]

    monkeypatch.setattr(Broadcast, "dump", dump_seen)
    monkeypatch.setattr(CloudPickleSerializer, "dumps", dumps_seen)
    return seen


def unpacked(content: bytes) -> Iterator[bytes]:
    """Yield a pickle, and what is compressed within."""
    yield content
    for match in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", content):
        with suppress(zlib.error):
            yield zlib.decompressobj().decompress(content[match.start() :])


def few_inputs(run: Runner, model_uri: str, _: pytest.MonkeyPatch) -> int:
    write_inputs(run.folder, 3)
    run(model_uri, input=f"{run.folder}/in/", **KEYS)
    return 1


def many_inputs(run: Runner, model_uri: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(first_look, "FEW_LOCAL_INPUTS", 0)
    write_inputs(run.folder, 257)
    run(model_uri, input=f"{run.folder}/in/", **KEYS)
    return 2


def joined(run: Runner, model_uri: str, _: pytest.MonkeyPatch) -> int:
    write_inputs(run.folder, 2)
    run(model_uri, input=f"{run.folder}/in/", layout="amazon", split_bytes=20, **KEYS)
    return 2


def resumed(run: Runner, model_uri: str, monkeypatch: pytest.MonkeyPatch) -> int:
    def refuse(*_: Any) -> None:
        raise CommitError("output: refused")

    write_inputs(run.folder, 3)
    with monkeypatch.context() as patch:
        patch.setattr(job_module, "commit_manifest", refuse)
        with pytest.raises(CommitError, match="refused"):
            run(model_uri, input=f"{run.folder}/in/", **KEYS)
    summary = run.summary(model_uri, input=f"{run.folder}/in/", **KEYS)
    assert summary["reused_part_count"] == 3
    return 2


def udf(run: Runner, model_uri: str, _: pytest.MonkeyPatch) -> int:
    score = predict_udf(run.spark, model_uri, tracking_uri=run.registry.uri)
    frame = run.spark.createDataFrame([(20.0,), (60.0,)], "age double")
    assert [row[0] < 0.5 for row in frame.select(score(struct("age"))).collect()] == [True, False]
    return 1


def write_inputs(folder: Path, count: int) -> None:
    (folder / "in").mkdir()
    for number in range(count):
        (folder / "in" / f"{number:03d}.csv").write_text("age\n20\n60\n20\n60\n20\n60\n20\n60\n")


@pytest.mark.parametrize("work", [few_inputs, many_inputs, joined, resumed, udf])
def test_no_broadcast_and_no_closure_holds_what_can_hold_credentials(
    work: Callable[[Runner, str, pytest.MonkeyPatch], int],
    model_uri: str,
    run: Runner,
    pickles: dict[str, list[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = work(run, model_uri, monkeypatch)

    assert len(pickles["broadcasts"]) == expected
    assert len(pickles["closures"]) >= expected
    for content in [*pickles["broadcasts"], *pickles["closures"]]:
        for piece in unpacked(content):
            assert SECRET.encode() not in piece
            assert run.registry.uri.encode() not in piece


def test_a_configuration_that_somebody_else_broadcasts_or_captures_is_pickled_without_it_too(
    spark: SparkSession, registry: Registry, pickles: dict[str, list[bytes]]
) -> None:
    config = registry.config("models:/m/1", **KEYS)

    held = spark.sparkContext.broadcast({"job": [config]})
    seen = spark.sparkContext.parallelize([1], 1).map(lambda _: (repr(held.value), repr(config))).collect()

    assert SECRET not in repr(seen) + repr(config)
    assert registry.uri not in repr(config)
    assert "models:/m/1" in seen[0][0]
    assert all(SECRET.encode() not in content for content in [*pickles["broadcasts"], *pickles["closures"]])
    assert pickles["broadcasts"] != []
