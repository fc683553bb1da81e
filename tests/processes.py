"""Processes of the job: commands of the CLI, Spark clusters, and what Spark starts, found by what it does."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pyspark

from batchscore.spark.local_session import jvm_options

SPARK_HOME = str(Path(pyspark.__file__).parent)
SHORT_LIVED = jvm_options()
"""For a JVM that is there for seconds: what Java compiles for later and proves of Spark's classes would be lost.

With the archive of Spark's classes that `make test` has made, where the JVM has no other classes before Spark's.
"""
SHORT_LIVED_EXECUTORS = {"spark.executor.extraJavaOptions": SHORT_LIVED}
START_SECONDS = 120
END_SECONDS = 900
_STOP_SECONDS = 30
_LOOPBACK = "127.0.0.1"


def wait_until(true: Callable[[], object], what: str, seconds: float = END_SECONDS) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"expected {what} within {seconds} s"
        time.sleep(0.1)


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


def free_port(host: str = _LOOPBACK) -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def wait_for_port(process: subprocess.Popen[Any], port: int, host: str = _LOOPBACK) -> None:
    """Wait until a process that was just started listens."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        assert process.poll() is None, f"{process.args!r}: expected it to listen, got its end"
        assert time.monotonic() < deadline, f"{process.args!r}: expected it to listen within {START_SECONDS} s"
        time.sleep(0.2)


@contextmanager
def spark_cluster(folder: Path, environment: dict[str, str], workers: Sequence[str], options: str) -> Iterator[str]:
    """Run a standalone master, and a worker with ``options`` on each loopback address; gives the master's URL.

    Each is a process of its own, gone at the end of the block with all that it started.
    """
    with ExitStack() as stack:
        port = stack.enter_context(_spark_daemon(folder, environment, "master.Master", _LOOPBACK))
        url = f"spark://{_LOOPBACK}:{port}"
        for host in workers:
            arguments = [*options.split(), "--work-dir", str(folder), url]
            stack.enter_context(_spark_daemon(folder, environment, "worker.Worker", host, *arguments))
        yield url


@contextmanager
def _spark_daemon(folder: Path, environment: dict[str, str], name: str, host: str, *arguments: str) -> Iterator[int]:
    port = free_port(host)
    command = [f"{SPARK_HOME}/bin/spark-class", f"org.apache.spark.deploy.{name}", "--host", host, "--port", str(port)]
    variables = environment | {"SPARK_HOME": SPARK_HOME, "SPARK_LOCAL_IP": host, "SPARK_DAEMON_JAVA_OPTS": SHORT_LIVED}
    with (folder / f"{name}-{host}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--webui-port", "0", *arguments], env=variables, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for_port(process, port, host)
        yield port
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
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
