"""Runs -> the figures of a report (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.results import Run

BASE = "batchscore"
WAYS = {
    "batchscore": "batchscore",
    "plain_spark": "plain Spark",
    "tuned_spark": "tuned Spark",
    "ray_data": "Ray Data",
    "polars_script": "Polars",
    "floor": "floor: processes without Spark",
    "limit": "limit: predict alone",
}


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, with the least and the greatest; ``f"{spread:.1f}"`` writes all three."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of some values, of which there is one at least."""
        return cls(median(values), min(values), max(values))

    def __format__(self, form: str) -> str:
        """Return the three numbers, each in a format of numbers."""
        return f"{self.median:{form}} ({self.least:{form}} to {self.greatest:{form}})"


@dataclass(frozen=True)
class Line:
    """Seconds = start-up + marginal x millions of records."""

    start_seconds: float
    seconds_per_million: float


@dataclass(frozen=True)
class WayFigures:
    """The figures of a way in a case; ``seconds`` are by size, memory and CPU are of the largest one.

    ``ratio``: its marginal seconds by batchscore's; ``ratio_by_round``: the same from the runs of each round alone.
    """

    way: str
    seconds: Mapping[int, Spread]
    line: Line | None
    ratio: float | None
    ratio_by_round: Spread | None
    peak_bytes: float
    cpu_seconds: float


def fit(points: Mapping[int, float]) -> Line | None:
    """Return the line through the seconds of the two largest record counts; None for fewer than two.

    A job of few records does not use all cores, and says nothing of what more of them cost.
    """
    if len(points) < 2:
        return None
    (less, early), (more, late) = sorted(points.items())[-2:]
    slope = (late - early) / (more - less)
    return Line(early - slope * less, slope * 1e6)


def figures_of(runs: Sequence[Run]) -> list[WayFigures]:
    """Return the figures of each way in the runs of one case."""
    ways = [way for way in WAYS if any(run.way == way for run in runs)]
    base = [run for run in runs if run.way == BASE]
    return [_figures(way, [run for run in runs if run.way == way], base) for way in ways]


def _figures(way: str, runs: Sequence[Run], base: Sequence[Run]) -> WayFigures:
    sizes = sorted({run.record_count for run in runs})
    largest = [run for run in runs if run.record_count == sizes[-1]]
    line, base_line = _median_line(runs), _median_line(base)
    ratios = _ratios_by_round(runs, base)
    return WayFigures(
        way,
        {size: Spread.of([run.seconds for run in runs if run.record_count == size]) for size in sizes},
        line,
        _ratio(line, base_line),
        Spread.of(ratios) if ratios else None,
        median(run.peak_bytes for run in largest),
        median(run.cpu_seconds for run in largest),
    )


def _median_line(runs: Sequence[Run]) -> Line | None:
    return fit(_by_size(runs, lambda run: run.seconds))


def _by_size(runs: Sequence[Run], value: Callable[[Run], float]) -> dict[int, float]:
    sizes = sorted({run.record_count for run in runs})
    return {size: median(value(run) for run in runs if run.record_count == size) for size in sizes}


def _ratio(line: Line | None, base: Line | None) -> float | None:
    if line is None or base is None or base.seconds_per_million <= 0:
        return None
    return line.seconds_per_million / base.seconds_per_million


def _ratios_by_round(runs: Sequence[Run], base: Sequence[Run]) -> list[float]:
    ratios = []
    for number in sorted({run.round for run in runs}):
        lines = [_median_line([run for run in items if run.round == number]) for items in (runs, base)]
        ratios.append(_ratio(*lines))
    return [ratio for ratio in ratios if ratio is not None]
