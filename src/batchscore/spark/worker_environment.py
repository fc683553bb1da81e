"""What a worker process is given: one thread, since Spark gives a task one core, and memory that it keeps."""

from __future__ import annotations

import os

# The last one is joblib's: how many cores there are for whoever asks for all of them.
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    *("NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT"),
)

# A block's arrays are tens of megabytes. glibc would hand each back to the system and have it zero fresh pages for the
# next, a third of the time of predicting. 32 MiB is the most that every glibc takes for the first.
_ALLOCATOR_VARIABLES = {
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(256 * 1024 * 1024),
}

WORKER_VARIABLES = dict.fromkeys(THREAD_VARIABLES, "1") | _ALLOCATOR_VARIABLES
"""The environment of a worker process, read when it starts."""


def limit_threads() -> None:
    """Keep BLAS, OpenMP and Arrow of this process to one thread: a task has one core."""
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    try:
        import threadpoolctl
    except ImportError:  # not a dependency: comes with scikit-learn, without which there is little to limit
        return
    threadpoolctl.threadpool_limits(1)
