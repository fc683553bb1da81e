"""Drivers that are killed or told to stop, at every point where it could matter."""

import os
import signal
from dataclasses import dataclass
from subprocess import Popen
from threading import Event

import pytest

from tests.faults.bench import Bench, in_soak
from tests.s3.loans import keys_below
from tests.s3.proxy import Answer, ConnectionDroppedError, Forward, HeldUpload

STOP_SECONDS = 10


@dataclass(frozen=True)
class Point:
    """Where a job is, told by the request that it makes there; ``lands``: the server gets the request all the same."""

    method: str
    target: str
    skip: int = 0
    lands: bool = True


PLANNING = Point("GET", "list-type=2")
SCORING = Point("PUT", "/result/", skip=2)
BEFORE_COMMIT = Point("PUT", "job.manifest.json?", lands=False)
AFTER_COMMIT = Point("PUT", "job.manifest.json?")
BETWEEN_MANIFESTS = Point("PUT", "job.manifest?", lands=False)
BEFORE_COMPLETED = Point("PUT", "job.json?", skip=2, lands=False)


def send_at(point: Point, number: signal.Signals, driver: Popen[bytes], bench: Bench) -> Event:
    """Send a signal to the driver when it comes to a point, once; the event tells that it was sent."""
    sent = Event()

    def script(forward: Forward) -> Answer:
        answer = forward() if point.lands else None
        os.kill(driver.pid, number)
        sent.set()
        if answer is None:
            raise ConnectionDroppedError
        return answer

    bench.proxy.play(point.method, point.target, script, skip=point.skip, times=1)
    return sent


KILLED_AT = [
    pytest.param(SCORING, [], "INPROGRESS", id="while_it_scores"),
    pytest.param(BEFORE_COMMIT, [], "INPROGRESS", id="between_the_last_part_and_the_commit"),
    pytest.param(BETWEEN_MANIFESTS, [".json"], "INPROGRESS", id="between_the_two_manifests"),
    *in_soak(
        pytest.param(PLANNING, [], None, id="before_planning_ends"),
        pytest.param(AFTER_COMMIT, [".json"], "INPROGRESS", id="as_the_commit_lands"),
        pytest.param(BEFORE_COMPLETED, ["", ".json"], "INPROGRESS", id="before_the_record_says_completed"),
    ),
]
STOPPED_AT = [
    pytest.param(SCORING, "FAILED", id="while_it_scores"),
    *in_soak(
        pytest.param(PLANNING, None, id="before_planning_ends"),
        pytest.param(BEFORE_COMMIT, "FAILED", id="between_the_last_part_and_the_commit"),
    ),
]


def check_left(bench: Bench, status: str | None) -> None:
    """Check that the record tells a status, or that nothing at all is written."""
    if status:
        assert bench.record()["Status"] == status
    else:
        assert keys_below(bench.s3, bench.bucket, "out/") == []


@pytest.mark.parametrize(("point", "manifests", "status"), KILLED_AT)
def test_a_killed_driver_leaves_no_half_result_and_its_id_goes_on(
    point: Point, manifests: list[str], status: str | None, bench: Bench
) -> None:
    with bench.driver() as driver:
        send_at(point, signal.SIGKILL, driver, bench)
        assert bench.end(driver) == -signal.SIGKILL, bench.errors()

    assert sorted(bench.manifests()) == manifests
    check_left(bench, status)
    summary = bench.run()
    if ".json" in manifests:
        assert summary["reported_again"]
    elif status:
        assert summary["reused_part_count"] >= 2
    bench.prove()


def test_a_part_that_an_executor_stores_when_its_killed_driver_s_job_is_done_by_another_changes_nothing(
    bench: Bench,
) -> None:
    upload = HeldUpload()
    bench.proxy.play("PUT", "/result/job-b.csv.gz/part-00000", upload, times=1)

    with upload, bench.driver(master="local-cluster[2,1,1024]") as driver:
        assert upload.wait(timeout=120), bench.errors()
        os.kill(driver.pid, signal.SIGKILL)
        assert bench.end(driver) == -signal.SIGKILL
        bench.run()
        assert bench.manifests() == ["", ".json"]

    assert upload.landed(timeout=30) == 200
    bench.prove()


@pytest.mark.parametrize(("point", "status"), STOPPED_AT)
def test_a_driver_that_is_told_to_stop_ends_in_ten_seconds_and_its_id_goes_on(
    point: Point, status: str | None, bench: Bench
) -> None:
    with bench.driver() as driver:
        sent = send_at(point, signal.SIGTERM, driver, bench)
        while not sent.wait(timeout=0.1):
            assert driver.poll() is None, bench.errors()
        code = bench.end(driver, STOP_SECONDS)

    assert code == 5, bench.errors()
    assert "stopped by SIGTERM; run it again with id=" in bench.errors()
    check_left(bench, status)
    assert bench.manifests() == []
    bench.run()
    bench.prove()
