"""The process that Spark's workers on this machine are forked from: Spark's own, with modules that are compiled.

Spark has its workers import pyspark from an archive of sources, which each compiles anew: a second of its start. Where
the archive lies within the pyspark that is installed, its modules are those of the folder around it.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def without_archives(path: list[str]) -> list[str]:
    """Return a module search path with pyspark's folder in the place of the archives within it."""
    return list(dict.fromkeys(map(_around, path)))


def _around(entry: str) -> str:
    """Return the folder of the installed pyspark that an archive lies within; an entry of another kind is itself."""
    lib = Path(entry).parent
    is_within = entry.endswith(".zip") and lib.parts[-3:] == ("pyspark", "python", "lib")
    return str(lib.parents[2]) if is_within and (lib.parents[1] / "__init__.py").is_file() else entry


if __name__ == "__main__":
    sys.path[:] = without_archives(sys.path)
    runpy.run_module("pyspark.daemon", run_name="__main__", alter_sys=True)
