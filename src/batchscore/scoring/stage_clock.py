"""Wall-clock seconds by stage."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class StageClock:
    """Wall-clock seconds by stage."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time inside to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started  # type: ignore[assignment] # a Counter of float

    def each(self, stage: str, items: Iterator[Item]) -> Iterator[Item]:
        """Yield the same items; add the time that getting them takes to a stage."""
        while True:
            with self(stage):
                item = next(items, None)
            if item is None:
                return
            yield item
