"""The counts of buckets on a scale: bars of one width for a picture, and quantiles (pure)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from batchscore.report.figures import plain
from batchscore.report.stored import Buckets

_FARTHEST = 16.0  # in log-odds: 1 in 10 million; what lies beyond stands at the end of the scale
_LEAST_SPAN = 4.0
_ROOM = 0.02
_WIDEST = 4e307  # so that a span is a float64


@dataclass(frozen=True)
class Scale:
    """A range of transformed values that a picture shows, each as a fraction of it."""

    low: float
    high: float
    transform: Callable[[float], float]

    def place(self, value: float) -> float:
        """Return where a value stands, from 0 to 1; those beyond stand at the ends."""
        return min(1.0, max(0.0, (self.transform(value) - self.low) / (self.high - self.low)))


def log_odds(score: float) -> float:
    """Return the logarithm of the odds of a probability, infinite at the ends."""
    if score <= 0:
        return -math.inf
    return math.inf if score >= 1 else math.log(score / (1 - score))


def log_odds_scale(buckets: Buckets, threshold: float) -> Scale:
    """Return a scale for scores from 0 to 1 that has room for all of them and for the threshold."""
    values = [log_odds(edge) for lower, upper, _ in buckets for edge in (lower, upper)] + [log_odds(threshold)]
    near = [max(-_FARTHEST, min(_FARTHEST, value)) for value in values if math.isfinite(value)] or [0.0]
    low, high = min(near), max(near)
    short = max(0.0, _LEAST_SPAN - (high - low)) / 2
    room = _ROOM * (high - low + 2 * short)
    return Scale(low - short - room, high + short + room, log_odds)


def log_odds_ticks(scale: Scale, least: float) -> list[tuple[float, str]]:
    """Return probabilities to write below a scale, with their texts; the rounder one has the place of two."""
    decades = [(10.0**-power, plain(10.0**-power)) for power in range(1, 8)]
    ends = [(1 - 10.0**-power, f"{1 - 10.0**-power:.{power}f}") for power in range(1, 8)]
    far = [tick for pair in zip(decades, ends, strict=True) for tick in pair]
    near = [(value, f"{value:g}") for value in (0.2, 0.8, 0.3, 0.7, 0.05, 0.95, 0.4, 0.6, 0.02, 0.98)]
    return spaced([(0.5, "0.5"), *far, *near], scale, least)


def spaced(ticks: Sequence[tuple[float, str]], scale: Scale, least: float) -> list[tuple[float, str]]:
    """Return the ticks within a scale that have room, the first ones first, in rising order."""
    kept: list[tuple[float, str]] = []
    for tick in ticks:
        place = scale.place(tick[0])
        if 0 < place < 1 and all(abs(place - scale.place(other[0])) >= least for other in kept):
            kept.append(tick)
    return sorted(kept)


def linear_scale(low: float, high: float) -> Scale:
    """Return a scale of numbers as they are; what is beyond its widest stands at the ends."""
    low, high = max(low, -_WIDEST), min(high, _WIDEST)
    if not high > low:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    return Scale(low, high, lambda value: value)


def linear_ticks(scale: Scale, wanted: int = 6) -> list[float]:
    """Return round numbers that divide a linear scale."""
    rough = (scale.high - scale.low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first = math.ceil(scale.low / step)
    return [number * step for number in range(first, math.floor(scale.high / step) + 1)]


def bars(buckets: Buckets, scale: Scale, number: int) -> list[float]:
    """Return the counts of bars of one width: a bucket that lies in several is shared out by its width."""
    heights = [0.0] * number
    for lower, upper, count in buckets:
        start, stop = scale.place(lower) * number, scale.place(upper) * number
        first, last = min(int(start), number - 1), min(int(stop), number - 1)
        if first == last or stop - start <= 0:
            heights[first] += count
            continue
        for place in range(first, last + 1):
            overlap = min(stop, place + 1) - max(start, place)
            heights[place] += count * overlap / (stop - start)
    return heights


def quantile(buckets: Buckets, fraction: float) -> float:
    """Return the number below which a fraction lies, within the bucket that holds it."""
    wanted = fraction * sum(count for _, _, count in buckets)
    below = 0
    for lower, upper, count in buckets:
        if below + count >= wanted:
            within = (wanted - below) / count if count else 0.0
            return lower + (upper - lower) * within if math.isfinite(upper - lower) else lower
        below += count
    return buckets[-1][1]


def middle_range(buckets: Buckets) -> tuple[float, float, int]:
    """Return the range to show of numbers, and how many lie outside.

    A few that are far off shall not flatten the rest.
    """
    low, high = buckets[0][0], buckets[-1][1]
    inner_low, inner_high = quantile(buckets, 0.005), quantile(buckets, 0.995)
    if high - low <= 8 * (inner_high - inner_low) or inner_high <= inner_low:
        return low, high, 0
    outside = sum(count for lower, upper, count in buckets if upper <= inner_low or lower >= inner_high)
    return inner_low, inner_high, outside
