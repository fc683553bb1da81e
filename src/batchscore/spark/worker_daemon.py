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
    found: list[str] = []
    for entry in path:
        package = Path(entry).parents[2] if entry.endswith(".zip") and len(Path(entry).parts) > 3 else None
        is_within = package and Path(entry).parent == package / "python" / "lib" and package.name == "pyspark"
        if package and is_within and (package / "__init__.py").is_file():
            found.append(str(package.parent))
        else:
            found.append(entry)
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    sys.path[:] = without_archives(sys.path)
    runpy.run_module("pyspark.daemon", run_name="__main__", alter_sys=True)
