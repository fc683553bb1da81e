"""The demo's model and customers, and the job run as a user runs it."""

import functools
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.processes import free_port, wait_for_port

REPOSITORY = Path(__file__).parents[2]
ARCHIVE = REPOSITORY / "dist" / "environment.tar.gz"


def clean_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without what a test runner or another Spark left there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_", "MLFLOW_"))}
    return kept | variables


def register_demo(folder: Path, records: int) -> None:
    """Train and register the demo's model and write customers below ``folder``."""
    command = [sys.executable, "jobs/register_demo_model.py", "--folder", str(folder), "--records", str(records)]
    subprocess.run(command, cwd=REPOSITORY, env=clean_environment(), check=True, capture_output=True)


def make_bare_python(folder: Path) -> str:
    """Make an interpreter with nothing installed below ``folder`` and return its path."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    bare = clean_environment(PYTHONPATH="")
    found = subprocess.run([python, "-c", "import batchscore"], env=bare, capture_output=True, check=False)
    assert found.returncode != 0
    return python


@contextmanager
def serve_registry(folder: Path) -> Iterator[str]:
    """Run a server before the demo's registry: the packed environment has mlflow-skinny, which knows no sqlite."""
    port = free_port()
    arguments = f"-m mlflow server --host 127.0.0.1 --port {port} --workers 1 --serve-artifacts".split()
    server = subprocess.Popen(
        [sys.executable, *arguments, "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"],
        env=clean_environment(MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(server, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def settings(folder: Path, output: str, **others: str) -> list[str]:
    """Return the ``key=value`` arguments of a job over the demo's customers."""
    keys = {
        "model": "models:/bank-marketing@champion",
        "tracking_uri": f"sqlite:///{folder}/mlflow.db",
        "input": f"{folder}/input/",
        "output": f"{folder}/{output}",
        "row_id": "customerId",
        "spark.ui.enabled": "false",
    }
    return [f"{key}={value}" for key, value in (keys | others).items()]


def run_batchscore(*arguments: str, expected_code: int = 0) -> Any:
    """Run a command of the CLI in a process of its own and return the JSON line it ends with."""
    command = [sys.executable, "-m", "batchscore.cli", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == expected_code, done.stderr[-4000:]
    last = done.stdout.splitlines()[-1] if done.stdout else "{}"
    return json.loads(last)


def result_files(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all results below an output, by their path."""
    results = folder / "batch-prediction" / "result"
    return {path.relative_to(results).as_posix(): path.read_bytes() for path in sorted(results.rglob("*.gz"))}


def result_lines(folder: Path, batch_id: str, name: str) -> list[str]:
    """Return the records of an input's result, headers left out."""
    parts = sorted((folder / "batch-prediction" / "result" / f"{batch_id}-{name}").glob("part-*.csv.gz"))
    return [line for part in parts for line in gzip.decompress(part.read_bytes()).decode().splitlines()[1:]]


# Run by the environment under test: the model called directly, on pandas' reading of the same files.
_ORACLE = """
import json, sys, mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.sklearn.load_model("models:/bank-marketing@champion")
lines = {}
for name in sys.argv[3:]:
    lines[name] = []
    frame = pd.read_csv(f"{sys.argv[2]}/{name}", dtype={"age": float, "campaign": float})
    for tag, score in zip(frame["customerId"], model.predict_proba(frame.drop(columns="customerId"))[:, 1]):
        m, e = f"{score:.6E}".split("E")
        lines[name].append(f"{tag},{int(score >= 0.4)},{m.rstrip('0').rstrip('.')}E{int(e)}")
print(json.dumps(lines))
"""


@functools.cache
def expected_lines(folder: Path) -> dict[str, list[str]]:
    """Return the records that the model gives for each input when it is called directly in one process."""
    names = sorted(path.name for path in (folder / "input").iterdir())
    command = [sys.executable, "-c", _ORACLE, f"sqlite:///{folder}/mlflow.db", f"{folder}/input", *names]
    done = subprocess.run(command, env=clean_environment(), check=True, capture_output=True, text=True)
    lines: dict[str, list[str]] = json.loads(done.stdout)
    return lines
