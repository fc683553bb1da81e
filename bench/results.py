"""The runs of a benchmark, as JSON lines: what has been measured stays if the benchmark breaks off."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

LIBRARIES = (*("mlflow", "numpy", "pandas", "pyarrow", "pyspark", "scikit-learn", "lightgbm", "ray", "polars"),)


@dataclass(frozen=True)
class Run:
    """One run of a way; ``record_count`` is what was scored, ``asked_count`` what the size is called by."""

    case: str
    way: str
    asked_count: int
    record_count: int
    round: int
    cores: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int

    @property
    def key(self) -> tuple[str, str, int, int, int]:
        """What tells a run from others."""
        return (self.case, self.way, self.asked_count, self.round, self.cores)


@dataclass(frozen=True)
class Environment:
    """Where and with what the runs were made."""

    date: str
    processor: str
    core_count: int
    memory_bytes: int
    system: str
    java: str
    versions: dict[str, str]

    def __str__(self) -> str:
        """Return it in a line."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        machine = f"{self.processor}, {self.core_count} cores, {self.memory_bytes / 2**30:.1f} GiB"
        return f"{self.date}: {machine}; {self.system}; {self.java}; {versions}"


class Results:
    """A file of JSON lines, to which each run is added as it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, item: Run | Environment) -> None:
        """Add a run, or the environment of those that follow."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps({"kind": type(item).__name__.lower()} | asdict(item)) + "\n")

    def runs(self) -> list[Run]:
        """Return the runs, in their order."""
        return [Run(**item) for item in self._items("run")]

    def environments(self) -> list[Environment]:
        """Return the environments, in their order."""
        return [Environment(**item) for item in self._items("environment")]

    def _items(self, kind: str) -> list[dict[str, Any]]:
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        items: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [item for item in items if item.pop("kind") == kind]


def this_environment() -> Environment:
    """Return what this machine is and has installed."""
    return Environment(
        datetime.now(UTC).date().isoformat(),
        _processor(),
        os.cpu_count() or 0,
        psutil.virtual_memory().total,
        f"Linux {platform.release()}",
        _java(),
        {"batchscore": _own_version(), "python": platform.python_version()} | _versions(LIBRARIES),
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    command = [f"{home}/bin/java" if home else "java", "-version"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()[0]
    except FileNotFoundError:
        return "no Java"


def _own_version() -> str:
    """Return the version, and the commit if this is a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    commit = f" at {done.stdout.strip()}" if done.returncode == 0 else ""
    return f"{version('batchscore')}{commit}"


def _versions(names: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a way that this environment does not have
            continue
    return found
