"""Settings of Spark that change how tasks and workers run: they work on YARN, or are refused by name."""

from tests.yarn.jobs import ONE_ATTEMPT, Jobs


def test_tasks_of_two_cores_new_workers_limited_memory_dynamic_allocation_and_speculation_change_no_result(
    jobs: Jobs,
) -> None:
    submission = jobs.submit(
        "job",
        spark__task__cpus="2",
        spark__executor__cores="2",
        spark__python__worker__reuse="false",
        spark__executor__pyspark__memory="2g",
        spark__dynamicAllocation__enabled="true",
        spark__dynamicAllocation__maxExecutors="2",
        spark__speculation="true",
    )

    jobs.complete(submission)

    jobs.prove("job")


def test_a_task_of_more_cores_than_an_executor_has_is_refused_before_a_record_is_written(jobs: Jobs) -> None:
    submission = jobs.submit("job", **ONE_ATTEMPT, spark__task__cpus="2")

    assert submission.end() == 1

    told = submission.said() + jobs.yarn.logs(submission.application())
    assert "key spark.task.cpus: expected at most the 1 of spark.executor.cores, got 2" in told
    assert jobs.status("job") is None
