"""Where Spark and its Java lie on this machine, and which settings its own file has."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

# java.util.Properties, as Spark reads the file: a key ends at a space, = or :, and # or ! begin a comment.
_NAME = re.compile(r"^[ \t\f]*([^#!\s=:][^\s=:]*)", re.MULTILINE)


def spark_home() -> Path:
    """Return the folder of the Spark that PySpark starts."""
    from pyspark.find_spark_home import _find_spark_home

    return Path(_find_spark_home())


def conf_folder() -> Path:
    """Return the folder of Spark's settings, which need not be there; Spark's scripts look for it in this way."""
    return Path(os.environ.get("SPARK_CONF_DIR") or spark_home() / "conf")


def names_in_defaults() -> frozenset[str]:
    """Return the settings that spark-defaults.conf has, which somebody chose for all Spark of this machine."""
    try:
        text = (conf_folder() / "spark-defaults.conf").read_text(encoding="utf-8", errors="replace")
    except OSError:  # there is none, or Spark will say what is wrong with it
        return frozenset()
    return frozenset(_NAME.findall(text))


def java_command() -> Path | None:
    """Return the java that Spark starts, if there is one."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(f"{home}/bin/java" if home else "java")
    return Path(found).resolve() if found else None
