"""The archive of Spark's classes: made by ``warm`` alone, used if it is ours alone, and never a job's failure."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from batchscore.commands.warm import warm
from batchscore.errors import ConfigError, ScoringError
from batchscore.spark.class_archive import archive_options, archive_place, keep, make_folder
from tests.processes import wait_until, without_spark

STARTED = """
import os, sys
from batchscore.config.job_config import JobConfig
from batchscore.spark.session import start_spark
job = {"model": "models:/none/1", "input": "none", "output": "none", "spark": {"spark.ui.enabled": "false"}}
spark = start_spark(JobConfig.model_validate(job), "job")
assert spark.range(3).count() == 3
maps = open(f"/proc/{spark.sparkContext._gateway.proc.pid}/maps").read()
print(sum("spark-classes-" in line for line in maps.splitlines()) > 0)
"""


def started_with_archive(cache: Path) -> bool:
    """Start a session; tell whether its JVM has mapped an archive."""
    environment = without_spark() | {"XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-c", STARTED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "shared" not in done.stderr
    return done.stdout.splitlines()[-1] == "True"


@pytest.mark.skipif(sys.platform != "linux", reason="what a JVM has mapped is read from /proc")
def test_a_session_uses_what_warm_has_written_and_one_that_is_broken_is_passed_over_in_silence(tmp_path: Path) -> None:
    environment = without_spark() | {"XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "batchscore.cli", "warm", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    path = Path(json.loads(done.stdout)["classes"])
    assert [path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777] == [0o700, 0o600]
    assert list(path.parent.iterdir()) == [path]
    assert started_with_archive(tmp_path)
    path.write_bytes(b"#" * path.stat().st_size)
    assert not started_with_archive(tmp_path)
    path.write_bytes(b"no archive")
    assert not started_with_archive(tmp_path)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = archive_place()
    assert place is not None
    place.parent.mkdir(mode=0o700)
    path = place.with_name(f"{place.name}-7.jsa")
    path.write_bytes(b"classes")
    path.chmod(0o600)
    return path


def _linked(path: Path) -> None:
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)


@pytest.mark.parametrize(
    "change",
    [
        Path.unlink,
        _linked,
        lambda path: path.write_bytes(b"classe"),
        lambda path: path.chmod(0o620),
        lambda path: path.chmod(0o602),
        lambda path: path.parent.chmod(0o770),
        lambda path: path.parent.chmod(0o707),
    ],
)
def test_an_archive_that_is_not_whole_or_that_another_user_could_have_written_is_not_used(
    archive: Path, change: Callable[[Path], None]
) -> None:
    assert str(archive) in archive_options()
    change(archive)
    assert archive_options() == ""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_an_archive_of_another_user_is_not_used(archive: Path) -> None:
    os.chown(archive, 65534, -1)
    assert archive_options() == ""


def test_another_java_or_spark_has_another_archive_and_no_folder_for_caches_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    ours = archive_place()
    for name in ("a", "b"):
        jars = tmp_path / name / "jars"
        jars.mkdir(parents=True)
        (jars / "spark.jar").write_bytes(name.encode())
        java = tmp_path / name / "bin" / "java"
        java.parent.mkdir()
        java.write_text("#!/bin/sh")
        java.chmod(0o755)
    found = [ours]
    for variables in ({"SPARK_HOME": "a"}, {"SPARK_HOME": "b"}, {"JAVA_HOME": "a"}, {"JAVA_HOME": "b"}):
        with monkeypatch.context() as changed:
            for variable, name in variables.items():
                changed.setenv(variable, str(tmp_path / name))
            found.append(archive_place())
    assert None not in found
    assert len(set(found)) == 5
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "with spaces"))
    assert archive_place() is None


def test_two_archives_are_kept_the_one_that_was_written_last_and_the_youngest_of_others(archive: Path) -> None:
    for age, name in enumerate(("spark-classes-new.jsa", "spark-classes-old.jsa", "spark-classes-oldest.jsa", "else")):
        other = archive.with_name(name)
        other.touch()
        os.utime(other, (1_000_000 - age, 1_000_000 - age))
    written = archive.with_name("written")
    written.write_bytes(b"new classes")

    place = archive_place()
    assert place is not None
    kept = keep(written, place)

    assert kept.read_bytes() == b"new classes"
    assert str(kept) in archive_options()
    assert {path.name for path in archive.parent.iterdir()} == {"else", kept.name, "spark-classes-new.jsa"}


def test_one_that_is_written_anew_takes_the_place_of_the_one_of_its_key(archive: Path) -> None:
    """An older one of another size may be of another base archive of the same Java, which refuses it."""
    place = archive_place()
    assert place is not None
    written = archive.with_name("written")
    written.write_bytes(b"new classes")

    kept = keep(written, place)

    assert list(archive.parent.iterdir()) == [kept]
    assert str(kept) in archive_options()


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_that_others_may_write_is_refused_before_java_is_started(
    archive: Path, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.parent.chmod(mode)
    monkeypatch.setattr("batchscore.commands.warm.start_spark", None)

    with pytest.raises(ConfigError, match=r"expected a folder of yours that nobody else may write.*chmod go-w"):
        warm()


def test_what_a_process_that_was_killed_has_left_is_removed_an_hour_later(archive: Path) -> None:
    for name, age_seconds in (("writing-left", 3700), ("writing-now", 60)):
        folder = archive.with_name(name)
        folder.mkdir()
        (folder / "classes.jsa").touch()
        os.utime(folder, (time.time() - age_seconds,) * 2)

    make_folder(archive)

    assert {path.name for path in archive.parent.iterdir()} == {archive.name, "writing-now"}


@pytest.mark.parametrize(("code", "told"), [(-signal.SIGKILL, "got exit code -9; Java 17"), (0, "got none; Java 17")])
def test_half_an_archive_or_none_is_told_and_not_kept(
    archive: Path, code: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(written: Path) -> int:
        if code:
            written.write_bytes(b"half of an archive")
        return code

    monkeypatch.setattr("batchscore.commands.warm._start_and_end", ended)

    with pytest.raises(ScoringError, match=told):
        warm()
    assert list(archive.parent.iterdir()) == [archive]


def test_beside_files_of_settings_java_writes_none_which_is_told_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spark-defaults.conf").touch()
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.setattr("batchscore.commands.warm._start_and_end", None)

    with pytest.raises(ConfigError, match=r"expected no files.*got some; set SPARK_CONF_DIR to an empty folder"):
        warm()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 5), (signal.SIGINT, 130)])
def test_a_command_that_is_stopped_leaves_neither_a_folder_nor_a_jvm(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    environment = without_spark() | {"XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "batchscore.cli", "warm"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: any(map(_is_java, psutil.Process(process.pid).children())), "its JVM", 60)
        [jvm] = filter(_is_java, psutil.Process(process.pid).children())
        process.send_signal(number)
        _, told = process.communicate(timeout=60)

    assert process.returncode == code, told
    assert "run it again" in told
    assert not jvm.is_running()
    assert list((tmp_path / "batchscore").iterdir()) == []


def _is_java(process: psutil.Process) -> bool:
    return "SparkSubmit" in " ".join(process.cmdline())
