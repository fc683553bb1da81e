"""The process that the workers of the shared sessions are forked from: Spark's own, with libraries imported before.

Spark ends a worker whose task raises, as many tests have it, and the next one would take seconds to import them anew.
What workers import by themselves is the matter of the tests whose jobs start a Spark of their own.
"""

import gc
import runpy
import sys
from importlib import import_module

from batchscore.environment import QUIET_MLFLOW, set_defaults
from batchscore.spark.worker_daemon import without_archives

WORKERS_WITH_LIBRARIES = {"spark.python.daemon.module": "tests.worker_daemon"}
_LIBRARIES = ("batchscore.spark.tasks", "mlflow.pyfunc", "sklearn.compose", "sklearn.ensemble", "sklearn.pipeline")

if __name__ == "__main__":
    sys.path[:] = without_archives(sys.path)
    set_defaults(QUIET_MLFLOW)
    for name in _LIBRARIES:
        import_module(name)
    gc.freeze()
    runpy.run_module("pyspark.daemon", run_name="__main__", alter_sys=True)
