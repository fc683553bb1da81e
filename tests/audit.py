"""Hold what is installed against PyPI's list of known vulnerabilities, once a day: ``python -m tests.audit``.

Without a way to that list nothing is checked, and a line says so. pip and setuptools are the machine's, not ours.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

PROBE = "https://pypi.org/pypi/pip-audit/json"
PROBE_SECONDS = 10
FRESH_SECONDS = 24 * 3600
# What is known and does not touch batchscore, with the reason.
IGNORED: dict[str, str] = {}


def is_reachable() -> bool:
    """Tell whether PyPI answers as PyPI does."""
    try:
        with urllib.request.urlopen(PROBE, timeout=PROBE_SECONDS) as answer:
            return "vulnerabilities" in json.load(answer)
    except (OSError, ValueError):
        return False


def installed() -> str:
    """Return the packages of this environment with their versions, as requirements."""
    command = [sys.executable, "-m", "pip", "freeze", "--exclude-editable"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def audit(requirements: str) -> str:
    """Return pip-audit's report as JSON; raises RuntimeError with what it says if it gives none."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(requirements)
        file.flush()
        options = ["--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off"]
        command = [sys.executable, "-m", "pip_audit", "--requirement", file.name, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.startswith("{"):
        raise RuntimeError(done.stderr)
    return done.stdout


def findings(report: str, ignored: Sequence[str]) -> list[str]:
    """Return a line for each known vulnerability of a report that is not ignored."""
    return [
        f"{package['name']} {package['version']}: {fault['id']}, "
        f"mended in {', '.join(fault['fix_versions']) or 'no version yet'}"
        for package in json.loads(report)["dependencies"]
        for fault in package.get("vulns", [])
        if not {fault["id"], *fault.get("aliases", [])} & set(ignored)
    ]


def check(
    stamp: Path,
    requirements: str,
    reachable: Callable[[], bool] = is_reachable,
    report_on: Callable[[str], str] = audit,
    ignored: Sequence[str] = tuple(IGNORED),
) -> int:
    """Print what is known and return the exit code; ``stamp`` remembers what was found clean, and when."""
    digest = hashlib.sha256(requirements.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest and time.time() - stamp.stat().st_mtime < FRESH_SECONDS:
        print("pip-audit: no known vulnerability when these packages were checked, less than a day ago")
        return 0
    if not reachable():
        print("pip-audit: skipped, its database cannot be reached")
        return 0
    found = findings(report_on(requirements), ignored)
    if found:
        print("\n  ".join([f"pip-audit: {len(found)} known vulnerabilities:", *found]))
        return 1
    stamp.write_text(digest)
    print(f"pip-audit: no known vulnerability in {len(requirements.splitlines())} packages")
    return 0


if __name__ == "__main__":
    sys.exit(check(Path(sys.prefix) / "audited", installed()))
