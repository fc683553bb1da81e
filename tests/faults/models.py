"""A classifier that misbehaves on order: each file in its folder of orders makes one call of it do what its name says.

It is pickled by value, so that workers need none of the tests' modules.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
from pyspark import TaskContext
from sklearn.linear_model import LogisticRegression

HANG_SECONDS = 600.0
HOARD_SECONDS = 20.0


class OrderlyClassifier(LogisticRegression):  # type: ignore[misc] # its library has no types
    """Predicts as its base class does, after it has done, in a task of Spark, what it was ordered to."""

    orders: str

    def predict_proba(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
        for order in sorted(Path(self.orders).iterdir()) if TaskContext.get() else ():  # the driver tries it too
            try:
                order.unlink()  # one process alone succeeds: it takes the order
            except FileNotFoundError:
                continue
            obey(order.suffix)
            break
        return super().predict_proba(X)


def obey(order: str) -> None:
    """Do what an order says; some do not return."""
    if order == ".raise":
        raise RuntimeError("on order, of a record that must not be shown: 4711")
    if order == ".memory":
        np.empty(1 << 50)  # more than an address can tell; of 1 << 60 numpy says ValueError
    if order == ".hoard":  # takes more than the container has, and waits for whoever limits it to see that
        hoard = np.ones(1 << 27)
        time.sleep(HOARD_SECONDS)
        del hoard
    if order == ".exit":
        os._exit(3)
    if order == ".segv":
        ctypes.string_at(0)
    if order == ".killed":  # what the kernel does where memory runs out
        os.kill(os.getpid(), signal.SIGKILL)
    if order == ".hang":
        time.sleep(HANG_SECONDS)
    if order == ".hang-in-c":  # holds the interpreter's lock: no other thread and no signal handler runs
        ctypes.PyDLL(None).sleep(int(HANG_SECONDS))
    if order == ".full-disk":  # every later write of the process fails beyond so many bytes of a file
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
