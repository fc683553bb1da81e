"""What a session that a job starts on this machine does without, so that the job begins seconds sooner.

Such a session runs one query: a range of numbers and a pandas UDF on it. Spark and its JVM are made for more; each of
these leaves out something that this query does not use, by measurement (docs/performance.md, "Start-up").
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from batchscore.spark.class_archive import archive_options
from batchscore.spark.home import names_in_defaults
from batchscore.spark.settings import is_local
from batchscore.spark.sockets import socket_settings

if TYPE_CHECKING:
    from pyspark import SparkContext

# Spark's JVM only schedules here, the work is in Python: its optimising compiler and parallel collector would take more
# of a small machine's cores, and of a job's first seconds, than they give back. The classes of Spark's own jars need
# no proof that they are well formed. The options are those of Java 17; a Java that lacks one is to start all the same.
_LIGHT = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+IgnoreUnrecognizedVMOptions"
JVM_OPTIONS = f"{_LIGHT} -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
# Where others' classes may come from: settings, and variables that Spark's scripts read.
_SETTINGS_OF_CLASSES = frozenset({"spark.jars", "spark.jars.packages", "spark.driver.extraClassPath"})
_VARIABLES_OF_CLASSES = ("PYSPARK_SUBMIT_ARGS", "SPARK_DIST_CLASSPATH")

_QUERY_SETTINGS = {
    # Code is generated and compiled for a query whose one row a task is the number of the task.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",  # it plans what follows a shuffle, and there is none
    # With it the workers of a pandas UDF have a variable more than those of an RDD, and are not the same ones.
    "spark.sql.execution.pyspark.udf.simplifiedTraceback.enabled": "false",
}


def jvm_options(chosen: Set[str] = frozenset()) -> str:
    """Return the options of a JVM whose session has these settings chosen, without regard to their values.

    They have the archive of Spark's classes where there is one. It was written without proof of them, so a JVM that
    proves its classes, as it does where others' are among them, does not take it.
    """
    has_others = chosen & _SETTINGS_OF_CLASSES or any(map(os.environ.get, _VARIABLES_OF_CLASSES))
    return _LIGHT if has_others else f"{JVM_OPTIONS} {archive_options()}".strip()


def local_settings(given: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a session whose JVM this process starts, with those that are given.

    These go before ours, and so do those that spark-defaults.conf has.
    """
    in_defaults = names_in_defaults()
    options = {"spark.driver.extraJavaOptions": jvm_options(given.keys() | in_defaults)}
    settings = _QUERY_SETTINGS | options
    if is_local(given.get("spark.master", "")):
        settings["spark.ui.enabled"] = "false"  # the job tells its progress itself
        settings |= socket_settings()
        if os.environ.get("PYSPARK_PYTHON") == sys.executable and "spark.pyspark.python" not in given:
            settings["spark.python.daemon.module"] = "batchscore.spark.worker_daemon"
    return {name: value for name, value in settings.items() if name not in in_defaults} | dict(given)


def launcher_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Spark's scripts are started with."""
    # A JVM of its own tells spark-submit how to start the JVM.
    variables = {"SPARK_LAUNCHER_OPTS": JVM_OPTIONS}
    # Bound to the loopback unless told otherwise: a laptop's host name often does not resolve.
    return variables | ({"SPARK_LOCAL_IP": "127.0.0.1"} if is_local(settings.get("spark.master", "")) else {})


def make_without_extensions(context: SparkContext) -> None:
    """Make the JVM's session of a context, which pyspark's builder takes, without SQL extensions found by Spark 4."""
    if not context.getConf().get("spark.sql.extensions") and int(context.version.split(".")[0]) >= 4:
        with _no_services(context) as jvm_builder:
            jvm_builder.getOrCreate()


@contextmanager
def _no_services(context: SparkContext) -> Iterator[Any]:
    """Let Spark find no service in its jars: the extension that MLlib is loads Scala's whole reflection.

    Services are looked up with the class loader of the JVM's thread, and that of the platform has none of Spark's.
    Py4J looks classes up with it too, so that the block can only call what it is given.
    """
    jvm: Any = context._jvm
    builder, thread = jvm.org.apache.spark.sql.classic.SparkSession.builder(), jvm.java.lang.Thread.currentThread()
    loader, platform = thread.getContextClassLoader(), jvm.java.lang.ClassLoader.getPlatformClassLoader()
    thread.setContextClassLoader(platform)
    try:
        yield builder
    finally:
        thread.setContextClassLoader(loader)
