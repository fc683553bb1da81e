"""How good predictions are, from counts and sums of records whose label is known (pure). See docs/profile.md."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from batchscore.profile.buckets import FloatArray, Grid, IntArray
from batchscore.profile.losses import ClassLoss, NumberLoss
from batchscore.profile.ranking import (
    area_under_roc,
    average_precision,
    calibration_groups,
    rates,
)

CALIBRATION_ROWS = 10
MAIN_MEASURES = (
    *("BinaryAUC", "MulticlassAvgFScore", "RegressionRMSE", "average_precision", "accuracy", "precision", "recall"),
    *("f1", "log_loss", "brier", "mae", "r2", "bias"),
)
"""Those of one number: what a summary shows."""


def ratio(part: float, whole: float) -> float | None:
    """Return a quotient; None for one of nothing, and for one that is no number."""
    found = part / whole if whole else math.nan
    return found if math.isfinite(found) else None


def binary_quality(
    grid: Grid, keys: IntArray, counts: IntArray, confusion: IntArray, loss: ClassLoss
) -> dict[str, Any]:
    """Return the measures of a binary model; ``counts`` has a row for each label."""
    (right, alarms), (missed, hits) = confusion.tolist()
    known = right + alarms + missed + hits
    area, precision = area_under_roc(*counts), average_precision(*counts)
    return {
        "BinaryAUC": area and asdict(area),
        "average_precision": precision and asdict(precision),
        "accuracy": ratio(right + hits, known),
        "precision": ratio(hits, hits + alarms),
        "recall": ratio(hits, hits + missed),
        "f1": ratio(2 * hits, 2 * hits + alarms + missed),
        "false_positive_rate": ratio(alarms, alarms + right),
        "log_loss": ratio(loss.log_loss, known),
        "brier": ratio(loss.squared, known),
        "positive_fraction": ratio(hits + missed, known),
        "calibration": _calibration(grid, keys, counts),
        "thresholds": _thresholds(grid, keys, counts),
    }


def _calibration(grid: Grid, keys: IntArray, counts: IntArray) -> list[list[float]]:
    lower, upper = grid.edges(keys)
    middles, totals = _middles(lower, upper), counts.sum(axis=0)
    rows = []
    for first, last in calibration_groups(totals, CALIBRATION_ROWS):
        some = slice(first, last)
        count = int(totals[some].sum())
        mean = float((middles[some] * totals[some]).sum() / count)
        rows.append([float(lower[first]), float(upper[last - 1]), count, mean, int(counts[1, some].sum()) / count])
    return rows


def _middles(lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Return the middle of each bucket of a probability: none is above 1."""
    return (lower + np.minimum(upper, np.maximum(lower, 1))) / 2


def _thresholds(grid: Grid, keys: IntArray, counts: IntArray) -> list[list[float | None]]:
    """Return precision, recall and false positive rate at the lower edge of each bucket, and at the one in force."""
    lower, _ = grid.edges(keys)
    if grid.cut is not None and grid.cut not in lower:  # an edge that no score has: a bucket of nothing
        place = int(np.searchsorted(lower, grid.cut))
        lower, counts = np.insert(lower, place, grid.cut), np.insert(counts, place, 0, axis=1)
    return [
        [edge, *(value if math.isfinite(value) else None for value in values)]
        for edge, *values in np.column_stack([lower, *rates(*counts)]).tolist()
    ]


def multiclass_quality(classes: tuple[str, ...], confusion: IntArray, loss: ClassLoss) -> dict[str, Any]:
    """Return the measures of a multiclass model; means are over the classes that are there, as label or best answer."""
    hits, of_label, of_best = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    known, there = int(confusion.sum()), np.flatnonzero(of_label + of_best)
    told = zip(hits.tolist(), of_label.tolist(), of_best.tolist(), strict=True)
    by_class = [
        {
            "precision": ratio(hit, best),
            "recall": ratio(hit, label),
            "f1": ratio(2 * hit, label + best),
            "count": label,
        }
        for hit, label, best in told
    ]

    def mean(name: str) -> float | None:
        return ratio(math.fsum(by_class[place][name] or 0.0 for place in there), len(there))

    return {
        "MulticlassAvgFScore": mean("f1"),
        "accuracy": ratio(int(hits.sum()), known),
        "precision": mean("precision"),
        "recall": mean("recall"),
        "log_loss": ratio(loss.log_loss, known),
        "classes": dict(zip(classes, by_class, strict=True)),
    }


def regression_quality(loss: NumberLoss) -> dict[str, Any]:
    """Return the measures of a regression."""
    squared = ratio(loss.squared, loss.count_)
    explained = ratio(loss.squared, loss.deviations)
    return {
        "RegressionRMSE": None if squared is None else math.sqrt(squared),
        "mae": ratio(loss.absolute, loss.count_),
        "r2": None if explained is None else 1 - explained,
        "bias": ratio(loss.error, loss.count_),
    }


def main_measures(quality: dict[str, Any]) -> dict[str, float | None]:
    """Return the measures of one number, without what they can be off by."""
    told = {name: quality[name] for name in MAIN_MEASURES if name in quality}
    return {name: value["value"] if isinstance(value, dict) else value for name, value in told.items()}
