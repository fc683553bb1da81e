"""Application masters, executors and nodes that are lost, and a job that is killed: nothing is lost or done twice."""

import threading
from pathlib import Path

import pytest

from tests.faults.bench import kill_sender, register_orderly
from tests.processes import kill, wait_until
from tests.registry import Registry
from tests.s3.loans import put_people
from tests.s3.proxy import HeldUpload, after
from tests.yarn.cluster import Submission
from tests.yarn.jobs import ONE_ATTEMPT, TWO_EXECUTORS, Jobs

A_PART = "/result/job-customers-1.csv/part-00002"
ANOTHER_PART = "/result/job-customers-2.csv/part-00002"
COMMIT = "/job.manifest.json"
STOP_SECONDS = 10


def commits(jobs: Jobs) -> int:
    """Return how many create-only writes of the extended manifest there were."""
    return len(jobs.gate.seen("PUT", COMMIT))


def test_executor_containers_lost_before_and_after_the_put_of_their_part_are_replaced_and_the_tasks_done_again(
    jobs: Jobs,
) -> None:
    jobs.gate.play("PUT", A_PART, kill_sender(lands=False), times=1)
    jobs.gate.play("PUT", ANOTHER_PART, kill_sender(lands=True), times=1)

    submission = jobs.submit("job", **TWO_EXECUTORS)

    jobs.complete(submission)
    assert jobs.gate.unplayed() == []
    assert len(jobs.gate.seen("PUT", A_PART)) >= 2
    assert len(jobs.gate.seen("PUT", ANOTHER_PART)) >= 2
    assert jobs.yarn.attempts(submission.application()) == 1
    assert commits(jobs) == 1
    jobs.prove("job")


def test_the_second_application_master_goes_on_where_the_first_was_killed_and_commits_once(jobs: Jobs) -> None:
    submissions: list[Submission] = []
    submitted = threading.Event()

    def kill_master() -> None:
        submitted.wait()
        kill(jobs.yarn.application_master(submissions[0].application()))

    jobs.gate.play("PUT", A_PART, after(kill_master), times=1)

    submissions.append(jobs.submit("job"))
    submitted.set()

    jobs.complete(submissions[0])
    assert jobs.gate.unplayed() == []
    assert jobs.yarn.attempts(submissions[0].application()) == 2
    assert jobs.went_on("job")
    assert commits(jobs) == 1
    jobs.prove("job")


def test_a_job_whose_application_is_killed_ends_in_ten_seconds_and_its_id_goes_on(jobs: Jobs) -> None:
    upload = HeldUpload()
    jobs.gate.play("PUT", A_PART, upload, times=1)
    with upload:
        submission = jobs.submit("job")
        application = submission.application()
        jobs.wait_for(upload, submission)

        jobs.yarn.kill_application(application)

        wait_until(lambda: not jobs.yarn.processes(application), "its processes to be gone", STOP_SECONDS)
        assert jobs.status("job") in {"FAILED", "INPROGRESS"}
        assert jobs.manifests("job") == []
    assert submission.end() == 1
    assert jobs.yarn.application(application)["finalStatus"] == "KILLED"

    jobs.complete(jobs.submit("job"))

    assert jobs.went_on("job")
    assert commits(jobs) == 1
    jobs.prove("job")


@pytest.mark.parametrize("with_containers", [True, False], ids=["with_its_containers", "alone"])
def test_the_node_of_the_application_master_is_lost_and_the_job_completes(with_containers: bool, jobs: Jobs) -> None:
    submissions: list[Submission] = []
    submitted = threading.Event()

    def lose_node() -> None:
        submitted.wait()
        master = jobs.yarn.application_master(submissions[0].application())
        jobs.yarn.lose_node(jobs.yarn.node_of(master), with_containers=with_containers)

    jobs.gate.play("PUT", A_PART, after(lose_node), times=1)

    submissions.append(jobs.submit("job", **TWO_EXECUTORS))
    submitted.set()

    jobs.complete(submissions[0])
    assert jobs.gate.unplayed() == []
    assert len(jobs.yarn.lost_nodes()) == 1
    jobs.prove("job")
    application = submissions[0].application()
    wait_until(lambda: not jobs.yarn.processes(application), "no process of a master that nobody ends")


def test_containers_over_their_memory_fail_the_job_with_the_name_of_the_setting_and_its_id_goes_on(
    jobs: Jobs, registry: Registry, tmp_path: Path
) -> None:
    model = register_orderly(registry, tmp_path)
    put_people(jobs.s3, jobs.bucket, "people/a.csv", 200, seed=2)
    keys = [f"model={model}", f"tracking_uri={registry.uri}", f"input=s3://{jobs.bucket}/people/"]
    keys += ["row_id=id", "split_bytes=1500"]
    for number in range(40):
        (tmp_path / f"{number:02d}.hoard").touch()

    submission = jobs.submit("job", *keys, **ONE_ATTEMPT, spark__task__maxFailures="2")

    assert submission.end() == 1
    told = jobs.yarn.application(submission.application())
    assert (told["finalStatus"], told["diagnostics"]) == ("FAILED", "User application exited with status 5")
    record = jobs.record("job")
    assert record["Status"] == "FAILED"
    assert "an executor that was killed for more memory than its container has" in record["Message"]
    assert "raise spark.executor.memoryOverhead" in record["Message"]
    assert "WARNING Spark: lost executor 1, an executor that was killed for more memory" in jobs.log("job")
    assert jobs.manifests("job") == []
    for order in tmp_path.iterdir():
        order.unlink()
    jobs.complete(jobs.submit("job", *keys))
    jobs.check("job")


def test_of_two_submissions_of_one_id_one_commits_and_the_other_says_that_its_result_stands(jobs: Jobs) -> None:
    first = _overtaken(jobs, **ONE_ATTEMPT)

    assert first.end() == 1
    told = jobs.yarn.application(first.application())
    assert (told["finalStatus"], told["diagnostics"]) == ("FAILED", "User application exited with status 7")
    assert "its result stands" in jobs.yarn.logs(first.application())
    jobs.prove("job")


def test_the_second_attempt_of_the_other_reports_the_result_that_stands(jobs: Jobs) -> None:
    first = _overtaken(jobs)

    jobs.complete(first)

    logs = jobs.yarn.logs(first.application())
    assert "AlreadyCommittedError" in logs
    assert "is finished: its result stands" in logs
    jobs.prove("job")


def _overtaken(jobs: Jobs, **settings: str) -> Submission:
    """Submit a job that is about to commit when another submission of its id does."""
    upload = HeldUpload()
    jobs.gate.play("PUT", COMMIT, upload, times=1)
    with upload:
        first = jobs.submit("job", **settings)
        jobs.wait_for(upload, first)
        jobs.complete(jobs.submit("job", **ONE_ATTEMPT))
    assert upload.landed(60) == 412
    return first
