"""What `make yarn` fetches by Maven, and where it says in a line that it does not run."""

import os
import time
from pathlib import Path

import pytest
from tests.yarn import jars
from tests.yarn.jars import UnreachableError, fetch

# Maven's own words, without the plugin's and the server's names.
OFFLINE = (
    "[ERROR] Failed to execute goal: Could not transfer artifact x:y:pom:1 from/to central: unknown host: Unknown host"
)
MISSING = "[ERROR] Failed to execute goal: Could not find artifact org.apache.hadoop:hadoop-client-minicluster:jar:99.9"


@pytest.fixture
def pom(tmp_path: Path) -> Path:
    path = tmp_path / "pom.xml"
    path.write_text("<project/>")
    return path


def maven(folder: Path, script: str) -> tuple[str]:
    """Return a command that stands for Maven; it is given the folder of the jars as DIRECTORY."""
    path = folder / "mvn"
    find = 'for a in "$@"; do case $a in -DoutputDirectory=*) DIRECTORY=${a#*=};; esac; done'
    path.write_text(f"#!/bin/sh\n{find}\necho called >> {folder}/calls\n{script}\n")
    path.chmod(0o755)
    return (str(path),)


def calls(folder: Path) -> int:
    return len((folder / "calls").read_text().splitlines())


def test_jars_are_fetched_once_and_again_when_the_pom_has_changed(tmp_path: Path, pom: Path) -> None:
    command = maven(tmp_path, 'mkdir -p "$DIRECTORY" && touch "$DIRECTORY/a.jar"')
    folder = tmp_path / "servers-3.5.0"

    fetch(pom, "3.5.0", folder, command)
    fetch(pom, "3.5.0", folder, command)
    assert (calls(tmp_path), [path.name for path in folder.iterdir()]) == (1, ["a.jar"])

    later = time.time() + 60
    os.utime(pom, (later, later))
    fetch(pom, "3.5.0", folder, command)
    assert calls(tmp_path) == 2


def test_a_fetch_that_breaks_off_leaves_nothing_that_is_taken_for_the_jars(tmp_path: Path, pom: Path) -> None:
    command = maven(tmp_path, f'mkdir -p "$DIRECTORY"; touch "$DIRECTORY/a.jar"; echo "{OFFLINE}"; exit 1')
    folder = tmp_path / "servers-3.5.0"

    with pytest.raises(UnreachableError, match="Maven Central cannot be reached"):
        fetch(pom, "3.5.0", folder, command)

    assert not folder.exists()


def test_an_artifact_that_is_not_there_is_an_error_with_its_name(tmp_path: Path, pom: Path) -> None:
    command = maven(tmp_path, f'echo "{MISSING}"; exit 1')
    with pytest.raises(RuntimeError, match=r"hadoop-client-minicluster:jar:99\.9"):
        fetch(pom, "99.9", tmp_path / "servers-99.9", command)


def test_a_server_that_never_answers_is_given_up(tmp_path: Path, pom: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "FETCH_SECONDS", 0.5)
    with pytest.raises(UnreachableError, match=r"took more than 0\.5 s"):
        fetch(pom, "3.5.0", tmp_path / "servers-3.5.0", maven(tmp_path, "exec sleep 60"))


def test_without_maven_a_line_says_so_and_nothing_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(jars, "FETCHED", tmp_path / "fetched")
    monkeypatch.setattr(jars, "COMPLETE", tmp_path / "fetched/complete")
    monkeypatch.setattr(jars, "homes", lambda: [tmp_path])
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars/hadoop-client-api-3.5.0.jar").touch()

    assert jars.main() == 0

    assert capsys.readouterr().out == "YARN: skipped, mvn is not here\n"
    assert not jars.COMPLETE.exists()
