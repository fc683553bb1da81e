"""Some numbers in buckets, with their least, largest and sum (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchscore.profile.buckets import FloatArray, Grid, Histogram, Tally

INFINITE = math.inf


@dataclass(frozen=True, slots=True)
class Distribution:
    """Numbers as they are added up: of none ``minimum`` and ``maximum`` are infinite, of whole ones they are whole."""

    histogram: Histogram
    minimum: int | float
    maximum: int | float
    total: float


class DistributionTotals:
    """The sum of many; whole numbers in any order, ``total`` in the order in which they are added."""

    def __init__(self, grid: Grid, rows: int = 1) -> None:
        self.grid = grid
        self.tally = Tally(rows)
        self.minimum: int | float = INFINITE
        self.maximum: int | float = -INFINITE
        self.total = 0.0

    def count(
        self,
        values: FloatArray,
        rows: npt.NDArray[np.integer] | None = None,
        exact: npt.NDArray[np.integer | np.floating] | None = None,
    ) -> None:
        """Count finite numbers, each in its row of the counts; ``exact`` are the same where they are no float64."""
        if len(values) == 0:
            return
        self.tally.count(self.grid.keys(values), rows)
        with np.errstate(over="ignore"):  # numbers near the largest one: their sum is none, and written as null
            ends = values if exact is None else exact
            self._add(ends.min().item(), ends.max().item(), float(np.add.reduce(values)))

    def add(self, other: Distribution) -> None:
        """Add what a split gave."""
        self.tally.add_histogram(other.histogram)
        self._add(other.minimum, other.maximum, other.total)

    def _add(self, minimum: int | float, maximum: int | float, total: float) -> None:
        self.minimum, self.maximum = min(self.minimum, minimum), max(self.maximum, maximum)
        self.total += total

    def sum(self) -> Distribution:
        """Return what was added up."""
        return Distribution(self.tally.histogram(), self.minimum, self.maximum, self.total)
