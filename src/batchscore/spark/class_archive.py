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
from pathlib import Path

_KEPT = 2  # of this many Sparks or Javas: an archive has 150 MB
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
    java, spark, cache = java_command(), _spark_jars(), _cache_folder()
    if not (java and spark and cache) or " " in str(cache):  # Spark cuts the options of its JVM at spaces
        return None
    parts = [*map(_identity, (java, java.parents[1] / "release")), *map(_identity, sorted(spark.glob("*.jar")))]
    return cache / f"spark-classes-{hashlib.sha256(''.join(parts).encode()).hexdigest()[:16]}"


def keep(written: Path, place: Path) -> Path:
    """Put an archive in its place, take away the oldest of others, and return its path; raises OSError."""
    written.chmod(0o600)
    with written.open("rb") as file:
        os.fsync(file.fileno())
    path = place.with_name(f"{place.name}-{written.stat().st_size}.jsa")
    written.replace(path)
    others = [other for other in path.parent.glob("spark-classes-*.jsa") if other != path]
    of_others = sorted(others, key=lambda item: (item.name.startswith(place.name), -item.stat().st_mtime))
    for other in of_others[_KEPT - 1 :]:
        other.unlink(missing_ok=True)
    return path


def java_command() -> Path | None:
    """Return the java that Spark starts, if there is one."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(f"{home}/bin/java" if home else "java")
    return Path(found).resolve() if found else None


def _spark_jars() -> Path | None:
    from pyspark.find_spark_home import _find_spark_home

    jars = Path(_find_spark_home(), "jars")
    return jars if jars.is_dir() else None


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
    is_ours = all(item.st_uid == os.geteuid() and not item.st_mode & 0o022 for item in (file, folder))
    return is_ours and stat.S_ISREG(file.st_mode) and path.stem.endswith(f"-{file.st_size}")
