"""``python -m tests.models.threads_used FILE``: what else than its own thread a worker keeps busy with a model.

The file is a pickled ``{name: (folder, model version, settings, frame)}``. Prints JSON: for each name the predictions,
how many milliseconds other threads worked, and how many threads and processes were started, meanwhile.
"""

import json
import pickle
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from batchscore.model.predictor import load_predictor
from batchscore.spark.worker_environment import limit_threads


def seconds_elsewhere() -> float:
    """CPU seconds of this process's other threads so far: of some readings the one that least came between."""
    readings = []
    for _ in range(20):
        before, all_threads, after = time.thread_time(), time.process_time(), time.thread_time()
        readings.append((after - before, all_threads - after))
    return min(readings)[1]


def measure(predict: Any, frame: Any) -> dict[str, Any]:
    """Predict and return the predictions, and who else worked."""
    started: list[str] = []
    start = threading.Thread.start

    def counted(thread: threading.Thread) -> None:
        started.append(thread.name)
        start(thread)

    threading.Thread.start = counted  # type: ignore[assignment,method-assign]
    process = psutil.Process()
    children, threads = len(process.children(recursive=True)), process.num_threads()
    before = seconds_elsewhere()
    predictions = predict(frame)
    elsewhere = seconds_elsewhere() - before
    threading.Thread.start = start  # type: ignore[method-assign]
    return {
        "predictions": predictions.tolist(),
        "milliseconds": elsewhere * 1000,
        "threads": max(len(started), process.num_threads() - threads),  # Python's that have ended, and a library's own
        "processes": len(process.children(recursive=True)) - children,
    }


def _main(file: str) -> dict[str, Any]:
    limit_threads()
    found = {}
    for name, (folder, version, settings, frame) in pickle.loads(Path(file).read_bytes()).items():
        found[name] = measure(load_predictor(folder, version, settings).predict, frame)
    return found


if __name__ == "__main__":
    json.dump(_main(sys.argv[1]), sys.stdout)
