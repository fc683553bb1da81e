"""The end of the JVM that this process has started for Spark."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import Any

_ENDS_SECONDS = 30


def jvm_is_there() -> bool:
    """Tell whether there is one."""
    return "pyspark" in sys.modules and sys.modules["pyspark"].SparkContext._gateway is not None


def stop_jvm(seconds: float = _ENDS_SECONDS) -> int:
    """End Spark's JVM and return its exit code: another job of this process starts one with its own settings.

    One that takes longer is killed, as is one whose end is not waited for; raises subprocess.TimeoutExpired.
    """
    from pyspark import SparkContext

    gateway: Any = SparkContext._gateway
    SparkContext._gateway = SparkContext._jvm = None
    gateway.shutdown()
    gateway.proc.stdin.close()
    try:
        code: int = gateway.proc.wait(seconds)
    except BaseException:
        gateway.proc.kill()
        gateway.proc.wait()
        raise
    return code


def kill_jvm() -> None:
    """End Spark's JVM at once, if this process has started one."""
    if jvm_is_there():
        with suppress(subprocess.TimeoutExpired):
            stop_jvm(0)
