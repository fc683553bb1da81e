"""What a job tells of executors that the cluster kills for their memory."""

import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql import SparkSession

from batchscore.errors import ScoringError
from batchscore.process import StopRequested
from batchscore.spark import lost_executors
from batchscore.spark.action import what_ended
from batchscore.spark.lost_executors import LostExecutors, over_memory

# As Spark's YarnAllocator says it, with what YARN adds.
KILLED_BY_YARN = (
    "Container killed by YARN for exceeding physical memory limits. [2026-11-26 05:20:11.1]Container "
    "[pid=4711,containerID=container_1_0001_01_000002] is running 1048576B beyond the 'PHYSICAL' memory limit. Current "
    "usage: 1.1 GB of 1 GB physical memory used; 3.2 GB of 2.1 GB virtual memory used. Killing container.\n"
    "Dump of the process-tree for container_1_0001_01_000002 :\n\t|- 4711 4709 java -Dtoken=secret\n"
    ". Consider boosting spark.executor.memoryOverhead."
)
KILLED_BY_KUBERNETES = "The executor with id 3 exited with exit code 137(SIGKILL, possible container OOM)."
REMOVED_WHEN_IDLE = "Container container_1_0001_01_000002 exited from explicit termination request."


class Option:
    """A Scala Option."""

    def __init__(self, value: str | None) -> None:
        self.value = value

    def isDefined(self) -> bool:  # noqa: N802 - Scala's name
        return self.value is not None

    def get(self) -> str | None:
        return self.value


class Executors(list[Any]):
    """A Scala Seq of executors, and the driver: their reasons of removal by their ids."""

    def __init__(self, reasons: dict[str, str | None]) -> None:
        super().__init__(
            SimpleNamespace(id=lambda name=name: name, removeReason=lambda reason=reason: Option(reason))
            for name, reason in reasons.items()
        )

    def size(self) -> int:
        return len(self)

    def apply(self, number: int) -> Any:
        return self[number]


def session(master: str, reasons: dict[str, str | None]) -> SparkSession:
    """Return what stands for a session whose status store knows the executors."""

    def executor_list(active_only: bool) -> Executors:
        return Executors({name: reason for name, reason in reasons.items() if not (active_only and reason)})

    store = SimpleNamespace(executorList=executor_list)
    java = SimpleNamespace(sc=lambda: SimpleNamespace(statusStore=lambda: store))
    return cast(SparkSession, SimpleNamespace(sparkContext=SimpleNamespace(master=master, _jsc=java)))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_executors, "_LOOK_SECONDS", 0)


def test_an_executor_over_its_memory_is_told_with_the_amounts_and_without_what_ran_in_it() -> None:
    assert over_memory(KILLED_BY_YARN) == (
        "an executor that was killed for more memory than its container has (1.1 GB of 1 GB physical memory used)"
    )
    assert over_memory(KILLED_BY_KUBERNETES) == "an executor that was killed for more memory than its container has"


def test_an_executor_that_went_for_another_reason_is_not_said_to_have_used_too_much_memory() -> None:
    assert over_memory(REMOVED_WHEN_IDLE) is None
    assert over_memory("Executor heartbeat timed out after 123456 ms") is None


def test_each_executor_over_its_memory_is_warned_of_once_with_the_setting(caplog: pytest.LogCaptureFixture) -> None:
    reasons: dict[str, str | None] = {"driver": None, "1": None, "2": REMOVED_WHEN_IDLE}
    lost = LostExecutors(session("yarn", reasons))
    with caplog.at_level(logging.WARNING, "batchscore"):
        lost.look()
        assert (caplog.messages, lost.over_memory) == ([], None)
        reasons["1"] = KILLED_BY_YARN
        lost.look()
        lost.look()
        reasons["3"] = KILLED_BY_YARN
        lost.look()

    assert [message.partition(", an")[0] for message in caplog.messages] == [
        "Spark: lost executor 1",
        "Spark: lost executor 3",
    ]
    assert all("spark.executor.memoryOverhead" in message for message in caplog.messages)
    assert "secret" not in caplog.text


def test_a_cluster_manager_that_limits_no_container_is_not_asked(caplog: pytest.LogCaptureFixture) -> None:
    lost = LostExecutors(session("local[2]", {"1": KILLED_BY_YARN}))
    lost.look()
    assert (caplog.messages, lost.over_memory) == ([], None)


STOPPED = StopRequested("stopped by SIGTERM; run it again with id=job to go on")
LOST = "an executor that was killed for more memory than its container has (1.1 GB of 1 GB physical memory used)"


def test_a_driver_that_yarn_ends_after_executors_over_their_memory_names_the_setting() -> None:
    told = what_ended(STOPPED, None, LOST)
    assert isinstance(told, ScoringError)
    assert str(told) == (
        f"stopped by SIGTERM; run it again with id=job to go on; before that Spark lost {LOST}: "
        "raise spark.executor.memoryOverhead, in which Python workers live"
    )


def test_a_driver_that_is_stopped_without_such_executors_says_that_it_was_stopped() -> None:
    assert what_ended(STOPPED, None, None) is STOPPED


def test_a_task_that_failed_of_containers_over_their_memory_names_the_setting_and_repeats_no_command_line() -> None:
    failed = RuntimeError(
        f"Job aborted due to stage failure: Task 1 failed 4 times: ExecutorLostFailure {KILLED_BY_YARN}"
    )
    assert str(what_ended(failed, None, None)) == (
        f"Spark: expected every task to finish, got {LOST}: "
        "raise spark.executor.memoryOverhead, in which Python workers live; see the log of Spark"
    )


def test_an_error_of_ours_is_told_as_it_is() -> None:
    error = ScoringError("task 1: expected to finish, got RuntimeError")
    assert what_ended(error, None, LOST) is error
