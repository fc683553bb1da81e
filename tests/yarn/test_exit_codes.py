"""What YARN and spark-submit show of each exit code: 1 for all, and the code in the application's diagnostics.

5 and 7 are those of jobs in test_faults.py.
"""

import re
from pathlib import Path

from tests.yarn.jobs import ONE_ATTEMPT, Jobs

_STATUS = re.compile(r"User application exited with status (\d+)")

# Exit code: what is wrong.
CASES = {
    2: "threshold=2",
    3: "input=s3://{bucket}/none/",
    4: "model=models:/none/1",
    6: "output=s3://{bucket}-none/out",
}
# A program whose job meets what nobody has foreseen.
UNFORESEEN = """
import sys
import batchscore.commands.job as job
from batchscore.cli import main
job.make_plan = None
sys.exit(main(["run", *sys.argv[1:]]))
"""


def test_spark_submit_ends_with_1_and_the_diagnostics_tell_the_exit_code(jobs: Jobs, tmp_path: Path) -> None:
    entry = tmp_path / "unforeseen.py"
    entry.write_text(UNFORESEEN)
    submissions = {
        code: jobs.submit(f"code-{code}", wrong.format(bucket=jobs.bucket), **ONE_ATTEMPT)
        for code, wrong in CASES.items()
    }
    submissions[1] = jobs.submit("code-1", entry=str(entry), **ONE_ATTEMPT)

    assert {code: submission.end() for code, submission in submissions.items()} == dict.fromkeys(submissions, 1)

    shown = {code: jobs.yarn.application(submission.application()) for code, submission in submissions.items()}
    assert {code: told["finalStatus"] for code, told in shown.items()} == dict.fromkeys(submissions, "FAILED")
    assert {code: set(_STATUS.findall(told["diagnostics"])) for code, told in shown.items()} == {
        code: {str(code)} for code in submissions
    }
    assert "unforeseen TypeError" in jobs.yarn.logs(submissions[1].application())
    # A driver that ends before Spark has started is none to YARN, which gives it a code of its own.
    assert shown[2]["state"] == "FAILED"
    assert "exitCode: 13" in shown[2]["diagnostics"]


def test_a_job_that_finds_nothing_new_succeeds(jobs: Jobs) -> None:
    jobs.complete(jobs.submit("first", "mode=new_inputs", **ONE_ATTEMPT))
    jobs.complete(jobs.submit("second", "mode=new_inputs", **ONE_ATTEMPT))

    assert (jobs.record("second")["Status"], jobs.record("second")["TotalRecordCount"]) == ("COMPLETED", 0)
    jobs.prove("first")
