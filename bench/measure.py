"""Runs a command as a whole process and measures it with everything that it started."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.5
SAMPLER_SHARE = 0.02  # of one core, at most: reading the memory of 2 GB of pages takes 40 ms
LINGER_SECONDS = 10.0
_PR_SET_CHILD_SUBREAPER = 36


class WayError(Exception):
    """A way of the benchmark failed."""


@dataclass(frozen=True)
class Measurement:
    """What a run took: wall-clock seconds, CPU seconds and peak memory of the whole process tree."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def in_turn(ways: list[str], number: int) -> list[str]:
    """Return the ways in the order of a round: another one is first in each."""
    first = number % len(ways)
    return ways[first:] + ways[:first]


def peak_bytes_of(process: int | str = "self") -> int:
    """Return the most memory that a process has held; getrusage would have that of whoever started it, too."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans, so that it can see and wait for them all."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def use_cores(count: int) -> None:
    """Hold this process and all that it starts to some of the machine's cores; raises ValueError if it has fewer."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < count:
        raise ValueError(f"cores: expected at most {len(cores)}, which this machine has, got {count}")
    os.sched_setaffinity(0, cores[:count])


class _Sampler:
    """Looks at all processes below this one every half second or so, for peak memory and for CPU seconds.

    A process whose parent ignores SIGCHLD, as Ray's raylet does, adds nothing to RUSAGE_CHILDREN: its CPU seconds are
    those of the last look.
    """

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._cpu_seconds: dict[tuple[int, float], float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler")

    @property
    def cpu_seconds(self) -> float:
        return sum(self._cpu_seconds.values())

    def __enter__(self) -> _Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        wait_seconds = SAMPLE_SECONDS
        while not self._stop.wait(wait_seconds):
            started = time.thread_time()
            processes = psutil.Process().children(recursive=True)
            self.peak_bytes = max(self.peak_bytes, sum(map(self._look, processes)))
            wait_seconds = max(SAMPLE_SECONDS, (time.thread_time() - started) / SAMPLER_SHARE)

    def _look(self, process: psutil.Process) -> int:
        """Note a process's CPU seconds and return its memory in bytes; shared pages are divided among their users."""
        try:
            times = process.cpu_times()
            self._cpu_seconds[process.pid, process.create_time()] = times.user + times.system
            return int(process.memory_full_info().pss)
        except psutil.AccessDenied:
            return int(process.memory_info().rss)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):  # it ended meanwhile
            return 0


def measure(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Measurement:
    """Run a command to its end and return what it took; its output goes to ``log``.

    A command whose last line of output is a JSON object may put ``seconds`` and ``cpu_seconds`` of its own in place of
    those of the process. Raises WayError if it fails. `adopt_orphans` must have been called.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    before = _children_cpu_seconds()
    with log.open("wb") as output, _Sampler() as sampler:
        started = time.monotonic()
        code = subprocess.run(command, env=environment, stdout=output, stderr=output, check=False).returncode
        seconds = time.monotonic() - started
        _reap_orphans()
    if code:
        raise WayError(f"{command}: expected exit code 0, got {code}; its output is in {log}")
    cpu_seconds = max(_children_cpu_seconds() - before, sampler.cpu_seconds)
    own = _own_figures(log)
    return Measurement(own.get("seconds", seconds), own.get("cpu_seconds", cpu_seconds), sampler.peak_bytes)


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _reap_orphans() -> None:
    """Wait for what a command left behind, and kill what does not end by itself."""
    _, alive = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=LINGER_SECONDS)
    for process in alive:
        process.kill()
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _own_figures(log: Path) -> dict[str, float]:
    lines = log.read_text(errors="replace").splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else {}
    except json.JSONDecodeError:
        return {}
    return {name: float(answer[name]) for name in ("seconds", "cpu_seconds") if isinstance(answer.get(name), float)}
