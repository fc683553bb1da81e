"""One thread for each task: Spark gives a task one core."""

from __future__ import annotations

import os

import pyarrow as pa

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def limit_threads() -> None:
    """Keep BLAS, OpenMP and Arrow of this process to one thread: a task has one core."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    try:
        import threadpoolctl
    except ImportError:  # not a dependency: comes with scikit-learn, without which there is little to limit
        return
    threadpoolctl.threadpool_limits(1)
