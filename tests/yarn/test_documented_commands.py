"""The commands of docs/operating.md and conf/emr, word for word, on nodes whose interpreter has no batchscore."""

import json
import shlex
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

from tests.e2e.demo import REPOSITORY
from tests.yarn.jobs import Jobs

CODE = "example-code"


def documented_command() -> list[str]:
    """Return the command of docs/operating.md that runs on YARN."""
    text = (REPOSITORY / "docs/operating.md").read_text()
    [command] = [block for block in text.split("```") if block.startswith("\nspark-submit --master yarn")]
    return shlex.split(command.replace("\\\n", ""))


def test_the_documented_command_scores_as_the_model_called_directly(jobs: Jobs) -> None:
    jobs.s3.create_bucket(Bucket=CODE)
    jobs.put_configuration(f"s3://{CODE}/batchscore/job.yaml")

    submission = jobs.yarn.submit(*documented_command(), PYTHONPATH="")

    jobs.complete(submission)
    jobs.prove("campaign-2026-47")
    assert jobs.yarn.application(submission.application())["finalStatus"] == "SUCCEEDED"


def small_archive(folder: Path) -> Path:
    """Pack an environment that links to this one: the command above has the real one, a minute's work for a node."""
    environment, archive = folder / "environment", folder / "environment.tar.gz"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(environment)], check=True)
    [packages] = environment.glob("lib/python3.*/site-packages")
    (packages / "here.pth").write_text(f"{REPOSITORY}/src\n{sysconfig.get_path('purelib')}\n")
    with tarfile.open(archive, "w:gz") as file:
        file.add(environment, ".")
    return archive


def test_the_arguments_of_the_step_on_emr_score_as_the_model_called_directly(jobs: Jobs, tmp_path: Path) -> None:
    [step] = json.loads((REPOSITORY / "conf/emr/steps.json").read_text())
    jobs.s3.create_bucket(Bucket=CODE)  # again: S3 takes that from its owner
    jobs.s3.upload_file(str(small_archive(tmp_path)), CODE, "batchscore/environment.tar.gz")
    jobs.s3.upload_file(str(REPOSITORY / "jobs/batch_predict.py"), CODE, "batchscore/batch_predict.py")
    jobs.put_configuration(f"s3://{CODE}/batchscore/emr.yaml")

    submission = jobs.yarn.submit(*step["Args"], PYTHONPATH="")

    jobs.complete(submission)
    jobs.prove("campaign-2026-47")
