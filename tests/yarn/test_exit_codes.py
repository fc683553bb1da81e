"""What YARN and spark-submit show of each exit code: 1 for all, and the code in the application's diagnostics.

5 and 7 are those of jobs in test_faults.py.
"""

import re

from tests.yarn.jobs import ONE_ATTEMPT, Jobs

_STATUS = re.compile(r"User application exited with status (\d+)")

# Exit code: what is wrong.
CASES = {
    2: "threshold=2",
    3: "input=s3://{bucket}/none/",
    4: "model=models:/none/1",
    6: "output=s3://{bucket}-none/out",
}


def test_spark_submit_ends_with_1_and_the_diagnostics_tell_the_exit_code(jobs: Jobs) -> None:
    submissions = {
        code: jobs.submit(f"code-{code}", wrong.format(bucket=jobs.bucket), **ONE_ATTEMPT)
        for code, wrong in CASES.items()
    }

    assert {code: submission.end() for code, submission in submissions.items()} == dict.fromkeys(CASES, 1)

    shown = {code: jobs.yarn.application(submission.application()) for code, submission in submissions.items()}
    assert {code: told["finalStatus"] for code, told in shown.items()} == dict.fromkeys(CASES, "FAILED")
    assert {code: set(_STATUS.findall(told["diagnostics"])) for code, told in shown.items()} == {
        code: {str(code)} for code in CASES
    }
    # A driver that ends before Spark has started is none to YARN, which gives it a code of its own.
    assert shown[2]["state"] == "FAILED"
    assert "exitCode: 13" in shown[2]["diagnostics"]
