"""How well scores rank the two labels of a binary model, from counts in buckets, and how far off that can be (pure)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from batchscore.profile.buckets import FloatArray, IntArray


@dataclass(frozen=True)
class Bounded:
    """A measure, and how far at most the one of the scores themselves can be from it."""

    value: float
    error_bound: float


def area_under_roc(negative: IntArray, positive: IntArray) -> Bounded | None:
    """Return the part of the pairs of both labels in which label 1 has the higher score, half for those of one bucket.

    Within a bucket all of its pairs may be right, or none. None where one of the labels is not there.
    """
    pairs = int(negative.sum()) * int(positive.sum())
    if pairs == 0:
        return None
    # Whole numbers of Python: a thousand million records of each label make more pairs than 64 bits hold.
    below = np.cumsum(negative) - negative
    right = sum(left * count for left, count in zip(below.tolist(), positive.tolist(), strict=True))
    equal = sum(left * count for left, count in zip(negative.tolist(), positive.tolist(), strict=True))
    return Bounded((2 * right + equal) / (2 * pairs), equal / (2 * pairs))


def average_precision(negative: IntArray, positive: IntArray) -> Bounded | None:
    """Return the sum of precision times gain of recall over the buckets from the top; None without label 1.

    Within a bucket each record of label 1 has at best the precision of all of them before any of label 0, at worst that
    of a place in the row of them after all of label 0: of that the sum is taken by its integral, which is less.
    """
    total = int(positive.sum())
    if total == 0:
        return None
    gained, other = positive[::-1].astype(np.float64), negative[::-1].astype(np.float64)
    filled = gained > 0
    hits, misses = np.cumsum(gained)[filled], np.cumsum(other)[filled]
    gained, other = gained[filled], other[filled]
    value = np.sum(gained * hits / (hits + misses)) / total
    best = np.sum(gained * hits / (hits + misses - other)) / total
    before = np.maximum(hits - gained + misses, 1e-300)  # where nothing came before there is no miss either
    worst = np.sum(gained - misses * np.log1p(gained / before)) / total
    return Bounded(float(value), float(max(best - value, value - worst, 0.0)))


def rates(negative: IntArray, positive: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return precision, recall and false positive rate, were the lower edge of each bucket the threshold.

    NaN for a quotient of nothing.
    """
    hits, alarms = np.cumsum(positive[::-1])[::-1], np.cumsum(negative[::-1])[::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return hits / (hits + alarms), hits / positive.sum(), alarms / negative.sum()


def calibration_groups(counts: IntArray, wanted: int) -> list[tuple[int, int]]:
    """Return stretches [first, last) of buckets, of about as many records each, and of at least one."""
    reached = np.cumsum(counts)
    targets = reached[-1] * np.arange(1, wanted + 1) / wanted if len(reached) else []
    ends = np.unique(np.searchsorted(reached, targets) + 1)
    return list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)) if len(ends) else []
