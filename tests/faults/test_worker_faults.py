"""Workers and executors that die, hang, or are slow, on a cluster of two executors."""

from collections.abc import Callable

import pytest

from batchscore.errors import ScoringError
from tests.faults.bench import Bench, in_soak
from tests.faults.models import SLOW_SECONDS
from tests.processes import executor_of, kill, owner_of_port
from tests.s3.proxy import Answer, ConnectionDroppedError, Forward, Script, delay


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


def kill_sender(lands: bool) -> Script:
    """Kill the executor, worker and all, that sends a request, before or after the request reaches the server."""

    def script(forward: Forward) -> Answer:
        worker = owner_of_port(forward.client_port)
        if lands:
            forward()
        kill(executor_of(worker), worker)
        raise ConnectionDroppedError

    return script


@pytest.mark.parametrize("lands", [False, True], ids=["before_the_put_of_its_part", "after_the_put_of_its_part"])
def test_an_executor_that_is_lost_is_replaced_and_its_task_done_again(lands: bool, bench: Bench) -> None:
    bench.proxy.play("PUT", "/result/job-a.csv/part-00001", kill_sender(lands), times=1)

    bench.run()

    assert len(bench.proxy.seen("PUT", "/result/job-a.csv/part-00001")) >= 2
    bench.prove()


def test_an_executor_lost_while_it_joins_parts_is_replaced_and_the_join_done_again(bench: Bench) -> None:
    bench.proxy.play("PUT", "/result/job-a.csv.gz", kill_sender(lands=False), times=1)

    bench.run(layout="amazon")

    assert len(bench.proxy.seen("PUT", "/result/job-a.csv.gz")) >= 2
    bench.prove(layout="amazon")


def slow_model(bench: Bench) -> None:
    bench.order("slow")


def slow_put(bench: Bench) -> None:
    """The part lands when its twin has long been written: after the commit."""
    bench.proxy.play("PUT", "/result/job-b.csv.gz/part-00000", delay(SLOW_SECONDS), times=1)


@pytest.mark.parametrize("slow", [slow_model, slow_put])
def test_a_slow_task_gets_a_twin_and_the_part_is_in_the_manifest_once(
    slow: Callable[[Bench], None], bench: Bench
) -> None:
    slow(bench)

    bench.run()

    manifest = bench.prove()
    parts = [part["uri"] for item in manifest["inputs"] for part in item["parts"]]
    assert len(parts) == len(set(parts))
