"""Processes of the job: commands of the CLI, and those that Spark starts, found by what they do."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def without_spark() -> dict[str, str]:
    """Return the environment without what a Spark of this process has put into it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}


@contextmanager
def running_cli(*arguments: str, errors: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of the CLI in a process group of its own, gone at the end of the block."""
    command = [sys.executable, "-m", "batchscore.cli", *arguments]
    with errors.open("wb") as file:
        process = subprocess.Popen(
            command, env=without_spark(), stdout=subprocess.DEVNULL, stderr=file, start_new_session=True
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def owner_of_port(port: int) -> int:
    """Return the process that holds a local TCP port of a connection."""
    sockets = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    inodes = {f"socket:[{fields[9]}]" for fields in sockets if int(fields[1].partition(":")[2], 16) == port}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # a process that ended meanwhile
            if str(descriptor.readlink()) in inodes and int(descriptor.parts[2]) != os.getpid():
                return int(descriptor.parts[2])
    raise LookupError(f"port {port}: expected a process of the job, got none")


def executor_of(worker: int) -> int:
    """Return the executor's JVM that started a Python worker."""
    process = worker
    while "CoarseGrainedExecutorBackend" not in Path(f"/proc/{process}/cmdline").read_text():
        parent = re.search(r"^PPid:\s*(\d+)", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
        if parent is None or int(parent[1]) <= 1:
            raise LookupError(f"process {worker}: expected one of an executor, got another")
        process = int(parent[1])
    return process


def kill(*processes: int) -> None:
    """Kill processes at once; those that are gone are no error."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
