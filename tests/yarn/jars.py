"""Fetch what the tests on YARN need from Maven Central, once: ``python -m tests.yarn.jars``.

Without Maven, or without a way to Maven Central, a line says so and nothing is fetched. What Maven Central does not
have, or Maven does not understand, is an error.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
FETCHED = REPOSITORY / ".yarn"
COMPLETE = FETCHED / "complete"
"""Is there if all was fetched: make asks for it."""
FETCH_SECONDS = 600
_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
# A server that does not answer is given up after so many seconds, not after Maven's own half hour.
_ANSWER_SECONDS = 20
_UNREACHABLE = re.compile(
    r"Could not transfer|Unknown host|UnknownHost|[Tt]imed out|Connection refused|[Uu]nreachable|No route|offline mode"
)


def spark_home(environment: str) -> Path | None:
    """Return the home of the PySpark of an environment of make, such as ``.venv``, if there is one."""
    return next((REPOSITORY / environment).glob("lib/python3.*/site-packages/pyspark"), None)


def hadoop_version(home: Path) -> str:
    """Return the version of the Hadoop client that a PySpark brings."""
    [jar] = home.glob("jars/hadoop-client-api-*.jar")
    return jar.stem.removeprefix("hadoop-client-api-")


def jars(name: str, version: str) -> Path:
    """Return the folder that the jars of ``<name>.xml`` are fetched to."""
    return FETCHED / f"{name}-{version}"


class UnreachableError(Exception):
    """Maven is not there, or Maven Central does not answer; the message says which."""


def fetch(pom: Path, version: str, folder: Path, maven: Sequence[str] = ("mvn",)) -> None:
    """Copy the jars of a pom into a folder, unless it has them.

    Raises UnreachableError if nothing can be fetched, RuntimeError with what Maven says if the pom is at fault.
    """
    if folder.exists() and folder.stat().st_mtime >= pom.stat().st_mtime:
        return
    command = [*maven, "--batch-mode", "--quiet", "--update-snapshots", "--file", str(pom)]
    limits = [f"-Daether.connector.{name}Timeout={_ANSWER_SECONDS * 1000}" for name in ("connect", "request")]
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    keys = [f"-Dhadoop.version={version}", f"-DoutputDirectory={partial}", "-Dmaven.wagon.http.retryHandler.count=1"]
    try:
        done = subprocess.run(
            [*command, *limits, *keys, _GOAL],
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise UnreachableError("mvn is not here") from error
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(f"Maven Central took more than {FETCH_SECONDS} s") from error
    if done.returncode:
        _raise(done.stdout + done.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _raise(output: str) -> None:
    faults = [line for line in output.splitlines() if "[ERROR]" in line]
    if any(_UNREACHABLE.search(line) for line in faults):
        raise UnreachableError("Maven Central cannot be reached")
    raise RuntimeError("\n".join(faults) or output)


def homes() -> list[Path]:
    """Return the PySparks that are here, the newest first."""
    return [home for name in (".venv", ".venv-spark35") if (home := spark_home(name))]


def main() -> int:
    """Fetch all, and return the exit code."""
    wanted = [("servers", home) for home in homes()]
    FETCHED.mkdir(exist_ok=True)
    COMPLETE.unlink(missing_ok=True)
    try:
        for name, home in [*wanted, ("s3a", wanted[0][1])]:
            version = hadoop_version(home)
            fetch(HERE / f"{name}.xml", version, jars(name, version))
        COMPLETE.touch()
    except UnreachableError as error:
        print(f"YARN: skipped, {error}")
    except RuntimeError as error:
        print(f"YARN: Maven cannot fetch what {HERE.name} needs:\n{error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
