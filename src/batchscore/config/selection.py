"""Which files below an entry are inputs: neither markers nor hidden files, by ``include`` and ``exclude`` (pure).

What is hidden, Spark's own readers skip (HadoopFSUtils.shouldFilterOutPathName for folders,
PartitioningAwareFileIndex.isDataPath for files), and so do Hadoop's:
https://github.com/apache/spark/blob/v4.0.0/core/src/main/scala/org/apache/spark/util/HadoopFSUtils.scala
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from batchscore.config.globs import name_matches

SCHEMA_ENDING = ".schema"
FOLDER_MARKER = "folder marker"
_COPYING = "._COPYING_"
_FOLDER_ENDING = "_$folder$"  # of Hadoop's older file systems, and of EMR's
_READ_FOLDERS = ("_metadata", "_common_metadata")  # a column may be called so


@dataclass(frozen=True)
class Selection:
    """The patterns that choose among the files below an entry; ``glob`` are the names that the entry itself spells."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    glob: tuple[str, ...] = ()

    def skip_reason(self, uri: str, folder: str, size_in_bytes: int) -> str | None:
        """Return why a file is no input, None for one that is; its path counts from the entry's ``folder``."""
        if uri.endswith("/") and size_in_bytes == 0:
            return FOLDER_MARKER
        path = uri.removeprefix(folder) or _last_name(uri)
        if path.endswith(SCHEMA_ENDING):
            return "schema"
        excluded = next((pattern for pattern in self.exclude if matches(pattern, path)), None)
        if excluded is not None:
            return f"excluded by {excluded}"
        hidden = self.hidden_by(path)
        if hidden is not None and hidden.endswith(_FOLDER_ENDING):
            return FOLDER_MARKER
        if hidden is not None:
            return f"hidden by its name {hidden}" if hidden == _last_name(path) else f"hidden in {hidden}/"
        if self.include and not any(matches(pattern, path) for pattern in self.include):
            return "not in include"
        return None

    def hidden_by(self, path: str) -> str | None:
        """Return the first name that hides a path, None where there is none but those that patterns spell out."""
        return next((name for name in hidden_names(path) if not self._spells(name)), None)

    def _spells(self, name: str) -> bool:
        patterns = (*self.glob, *(part for pattern in self.include for part in pattern.split("/")))
        return any(_spells(pattern, name) for pattern in patterns)


def matches(pattern: str, path: str) -> bool:
    """Tell whether a pattern of ``include`` or ``exclude`` matches a path or its last name; ``*`` matches ``/`` too."""
    return name_matches(pattern, path) or name_matches(pattern, _last_name(path))


def _last_name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def hidden_names(path: str) -> Iterator[str]:
    """Yield the names of a path that hide it, from its folders to the file."""
    *folders, name = path.split("/")
    yield from (folder for folder in folders if _is_hidden(folder) and not folder.startswith(_READ_FOLDERS))
    if _is_hidden(name) or name.endswith(_FOLDER_ENDING):
        yield name


def is_hidden(path: str) -> bool:
    """Tell whether a path is hidden unless patterns spell that out; that of a folder ends in ``/``."""
    return any(True for _ in hidden_names(path))


def _is_hidden(name: str) -> bool:
    """Tell whether a name is of what Spark's readers skip; ``_a=1`` is a folder of a partition."""
    if name in {".", ".."}:  # in keys alone
        return False
    return name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith(_COPYING)


def _spells(pattern: str, name: str) -> bool:
    """Tell whether a pattern matches a name by what hides it written out, not by a wildcard in its place."""
    ending = next((ending for ending in (_COPYING, _FOLDER_ENDING) if name.endswith(ending)), None)
    written = pattern.endswith(ending) if ending else not pattern.startswith(("*", "?", "[!", "[^"))
    return written and name_matches(pattern, name)


def excludes_all(pattern: str, folder: str) -> bool:
    """Tell whether a pattern of ``exclude`` matches whatever may come to lie below a path ending in ``/``.

    It does if it matches the path and ends in ``*``, which matches ``/`` too. That patterns of single files
    (``*.gz``) match all that a job writes cannot be told.
    """
    return pattern.endswith("*") and name_matches(pattern, folder)


def excluded(patterns: Iterable[str], path: str) -> bool:
    """Tell whether a file, or all below a path ending in ``/``, is excluded whole by one pattern."""
    test = excludes_all if path.endswith("/") else matches
    return any(test(pattern, path) for pattern in patterns)
