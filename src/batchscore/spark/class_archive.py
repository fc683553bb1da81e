"""The classes of Spark's JVM, kept ready to be mapped into memory: half of a local session's start is to load them.

A JVM writes such an archive when it ends, which takes seconds: ``batchscore warm`` has one do so, never a job. What
keeps an archive from being used is no fault of a job, which then starts as without one.
Source: https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html, "Dynamic CDS Archive".
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from batchscore.errors import ConfigError
from batchscore.spark.home import java_command, spark_home

_KEPT = 2  # of this many Sparks or Javas: an archive has 150 MB
_UNFINISHED_SECONDS = 3600  # no archive takes as long to write
_QUIET = "-Xlog:cds=off -Xlog:cds+dynamic=off"  # a JVM that cannot use an archive does without, and need not say so


def archive_options() -> str:
    """Return the options of a JVM that uses the archive; none where none is there."""
    place = archive_place()
    found = [path for path in place.parent.glob(f"{place.name}-*.jsa") if _is_whole_and_ours(path)] if place else []
    return f"-XX:SharedArchiveFile={found[0]} {_QUIET}" if found else ""


def writing_options(path: Path) -> str:
    """Return the options of a JVM that writes an archive when it ends."""
    return f"-XX:ArchiveClassesAtExit={path} {_QUIET}"


def archive_place() -> Path | None:
    """Return where the archive of this Java and this Spark belongs, without the size that ends its name.

    None where there is no Java, no Spark of jars, or no folder for caches.
    """
    java, jars, cache = java_command(), spark_home() / "jars", _cache_folder()
    if not (java and jars.is_dir() and cache) or " " in str(cache):  # Spark cuts the options of its JVM at spaces
        return None
    own = (java, java.parents[1] / "release", java.parents[1] / "lib" / "server" / "classes.jsa")
    parts = map(_identity, (*own, *sorted(jars.glob("*.jar"))))
    return cache / f"spark-classes-{hashlib.sha256(''.join(parts).encode()).hexdigest()[:16]}"


def make_folder(place: Path) -> None:
    """Make the folder of an archive, or see that only this user may write it, as jobs ask for, and tidy it up.

    Raises ConfigError where others may, and OSError.
    """
    folder = place.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_ours(folder.stat()):
        raise ConfigError(
            f"cache of classes {folder}: expected a folder of yours that nobody else may write, got one of another "
            "user or that others may write; chmod go-w it, or set XDG_CACHE_HOME"
        )
    for unfinished in folder.glob("writing-*"):  # of a process that was killed
        with suppress(FileNotFoundError):  # another process removes it
            if time.time() - unfinished.lstat().st_mtime > _UNFINISHED_SECONDS:
                shutil.rmtree(unfinished, ignore_errors=True)


def writing_folder(place: Path) -> tempfile.TemporaryDirectory[str]:
    """Return a folder beside an archive, in which it is written."""
    return tempfile.TemporaryDirectory(prefix="writing-", dir=place.parent, ignore_cleanup_errors=True)


def keep(written: Path, place: Path) -> Path:
    """Put an archive in the place of those of its key, take away the oldest of others, and return its path.

    Raises OSError.
    """
    written.chmod(0o600)
    with written.open("rb") as file:
        os.fsync(file.fileno())
    path = place.with_name(f"{place.name}-{written.stat().st_size}.jsa")
    written.replace(path)
    of_key = {other for other in path.parent.glob(f"{place.name}-*.jsa") if other != path}
    of_others = set(path.parent.glob("spark-classes-*.jsa")) - of_key - {path}
    oldest_last = sorted(of_others, key=lambda item: item.stat().st_mtime, reverse=True)
    for other in (*of_key, *oldest_last[_KEPT - 1 :]):
        other.unlink(missing_ok=True)
    return path


def _cache_folder() -> Path | None:
    """Return the folder of this user's caches, by the rule of the XDG Base Directory Specification."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path's own raises where there is none
    caches = given if given.is_absolute() else home / ".cache"
    return caches / "batchscore" if caches.is_absolute() else None


def _identity(path: Path) -> str:
    """Tell a file from another one of its name; a file that is not there is one too."""
    try:
        found = path.stat()
    except OSError:
        return f"{path}\n"
    return f"{path} {found.st_size} {found.st_mtime_ns}\n"


def _is_whole_and_ours(path: Path) -> bool:
    """Tell whether only this user can have written an archive, whose classes are code, and it has all its bytes.

    Without the last of them a JVM does not start.
    """
    try:
        file, folder = path.lstat(), path.parent.stat()
    except OSError:
        return False
    is_whole = stat.S_ISREG(file.st_mode) and path.stem.endswith(f"-{file.st_size}")
    return is_whole and _is_ours(file) and _is_ours(folder)


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022
