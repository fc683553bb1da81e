"""Executors that the cluster kills for their memory: told while Spark still can, since it may end with them."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from batchscore.spark.settings import has_containers

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2
# Spark's YarnAllocator and its ExecutorPodsLifecycleManager. What YARN adds, the command lines of all processes, is not
# repeated.
_OVER_MEMORY = re.compile(r"exceeding (?:physical|virtual) memory limits|possible container OOM")
_USED = re.compile(r"[\d.]+ ?[KMGT]?B of [\d.]+ ?[KMGT]?B (?:physical|virtual) memory used")
REMEDY = "raise spark.executor.memoryOverhead, in which Python workers live"


def over_memory(reason: str) -> str | None:
    """Say that a container used more memory than it has, if that is why an executor was lost (pure)."""
    if not _OVER_MEMORY.search(reason):
        return None
    used = _USED.search(reason)
    return f"an executor that was killed for more memory than its container has{f' ({used[0]})' if used else ''}"


class LostExecutors:
    """What Spark tells of the executors that it has lost, asked every few seconds: few calls, and no row is touched."""

    def __init__(self, spark: SparkSession) -> None:
        context: Any = spark.sparkContext
        self._store: Any = context._jsc.sc().statusStore() if has_containers(context.master) else None
        self._known = set[str]()
        self._lost_before = 0
        self._next_look = 0.0
        self.over_memory: str | None = None
        """What is told of the last executor that was killed for its memory."""

    def look(self) -> None:
        """Warn of each executor that was killed for its memory since the last look."""
        now = time.monotonic()
        if self._store is None or now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        lost = self._store.executorList(False).size() - self._store.executorList(True).size()
        if lost == self._lost_before:
            return
        self._lost_before = lost
        for name, reason in self._reasons():
            if name not in self._known and (told := over_memory(reason)):
                log.warning("Spark: lost executor %s, %s: %s", name, told, REMEDY)
                self.over_memory = told
            self._known.add(name)

    def _reasons(self) -> Iterator[tuple[str, str]]:
        executors = self._store.executorList(False)
        for number in range(executors.size()):
            executor = executors.apply(number)
            if executor.removeReason().isDefined():
                yield executor.id(), executor.removeReason().get()
