"""Workers and executors that die, hang, or are slow, on a cluster of two executors."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchscore.errors import ScoringError
from tests.faults.bench import Bench, in_soak, kill_sender
from tests.faults.models import HANG_SECONDS
from tests.processes import spark_cluster, without_spark
from tests.s3.proxy import HeldUpload


def one_task(bench: Bench) -> str:
    return f"s3://{bench.bucket}/in/c.csv"


@pytest.mark.parametrize(
    "faults",
    [
        *(["raise", "memory", "exit"], ["segv", "killed"]),
        *in_soak(*([order] for order in ("raise", "memory", "exit", "segv", "killed"))),
    ],
    ids="-".join,
)
def test_a_worker_that_fails_once_is_tried_again(faults: list[str], bench: Bench) -> None:
    bench.order(*faults)

    bench.run()

    bench.prove()


@pytest.mark.parametrize("order", ["hang", *in_soak("hang-in-c")])
def test_a_worker_whose_model_hangs_once_is_tried_again(order: str, bench: Bench) -> None:
    bench.order(order)

    bench.run(batch_timeout_seconds=3)

    bench.prove()


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ("killed", "expected every task to finish, got a Python worker that died"),
        *in_soak(
            ("hang", "expected predictions within batch_timeout_seconds, 1 s, got none"),
            ("memory", "MemoryError in"),
        ),
    ],
)
def test_a_worker_that_fails_every_time_fails_the_job_and_its_id_goes_on(
    order: str, message: str, bench: Bench
) -> None:
    bench.order(*[order] * 4)
    keys = {"input": one_task(bench), "schema": f"s3://{bench.bucket}/in/.schema", "batch_timeout_seconds": 1}

    with pytest.raises(ScoringError, match=message):
        bench.run(**keys)

    assert bench.record()["Status"] == "FAILED"
    assert message in bench.record()["Message"]
    assert bench.manifests() == []
    bench.run(**keys)
    bench.prove(**keys)


@pytest.mark.parametrize("lands", [False, True], ids=["before_the_put_of_its_part", "after_the_put_of_its_part"])
def test_an_executor_that_is_lost_is_replaced_and_its_task_done_again(lands: bool, bench: Bench) -> None:
    bench.proxy.play("PUT", "/result/job-a.csv/part-00001", kill_sender(lands=lands), times=1)

    bench.run()

    assert len(bench.proxy.seen("PUT", "/result/job-a.csv/part-00001")) >= 2
    bench.prove()


def test_an_executor_lost_while_it_joins_parts_is_replaced_and_the_join_done_again(bench: Bench) -> None:
    bench.proxy.play("PUT", "/result/job-a.csv.gz", kill_sender(lands=False), times=1)

    bench.run(layout="amazon")

    assert len(bench.proxy.seen("PUT", "/result/job-a.csv.gz")) >= 2
    bench.prove(layout="amazon")


# Slow tasks: Spark starts no twin on a host that runs the task already


@pytest.fixture(scope="module")
def two_hosts(
    tmp_path_factory: pytest.TempPathFactory,
    aws_variables: dict[str, str],  # noqa: ARG001 - the executors inherit the environment
) -> Iterator[str]:
    """A master with two workers of one core, on two hosts."""
    hosts = ["127.0.0.1", "127.0.0.2"]
    folder = tmp_path_factory.mktemp("two_hosts")
    with spark_cluster(folder, without_spark(), hosts, "--cores 1 --memory 1g") as url:
        yield url


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Where Spark logs what it does."""
    folder = tmp_path / "events"
    folder.mkdir()
    return folder


def with_twins(events: Path) -> dict[str, str]:
    """Return Spark's settings for a twin of each task that takes more than 2 s."""
    return {
        "spark.driver.host": "127.0.0.1",
        "spark.executor.memory": "512m",
        "spark.speculation": "true",
        "spark.speculation.interval": "200ms",
        "spark.speculation.quantile": "0.5",
        "spark.speculation.multiplier": "0.1",  # the first tasks load the model: what they took is no measure
        "spark.speculation.minTaskRuntime": "2s",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": str(events),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
    }


def ends_of_twins(events: Path) -> list[str]:
    """Return how the twins of tasks ended, in Spark's words."""
    (log,) = events.iterdir()
    ends = [event for event in map(json.loads, log.read_text().splitlines()) if "Task End Reason" in event]
    return [end["Task End Reason"]["Reason"] for end in ends if end["Task Info"]["Speculative"]]


def prove_each_part_once(bench: Bench) -> None:
    parts = [part["uri"] for item in bench.prove()["inputs"] for part in item["parts"]]
    assert len(parts) == len(set(parts))


def test_a_part_that_lands_after_its_twin_was_committed_changes_nothing(
    bench: Bench, two_hosts: str, events: Path
) -> None:
    part = "/result/job-b.csv.gz/part-00000"
    upload = HeldUpload()
    bench.proxy.play("PUT", part, upload, times=1)

    with upload:
        with bench.driver(master=two_hosts, spark=with_twins(events)) as driver:
            assert bench.end(driver) == 0, bench.errors()
        assert bench.manifests() == ["", ".json"]
        assert len(bench.proxy.seen("PUT", part)) >= 2

    assert upload.landed(timeout=30) == 200
    assert "Success" in ends_of_twins(events)
    prove_each_part_once(bench)


def test_a_task_whose_model_hangs_without_a_limit_of_time_is_done_by_its_twin(
    bench: Bench, two_hosts: str, events: Path
) -> None:
    bench.order("hang")

    with bench.driver(master=two_hosts, spark=with_twins(events)) as driver:
        assert bench.end(driver, HANG_SECONDS / 5) == 0, bench.errors()

    assert "Success" in ends_of_twins(events)
    prove_each_part_once(bench)
