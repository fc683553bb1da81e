"""The cut-offs of a binary model: where the slider stops, and what follows from each (pure)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from batchscore.report.stored import Bucket, Buckets, ProfileTold

MOST_STOPS = 2000


@dataclass(frozen=True)
class Cutoffs:
    """What each threshold gives; ``in_force`` is the place of the one that the job had.

    Of ``record_count`` records ``above`` score at least so much. Of those with a known label, ``true_positives`` and
    ``false_positives`` do: empty where none is known.
    """

    thresholds: tuple[float, ...]
    in_force: int
    record_count: int
    above: tuple[int, ...]
    positive_count: int = 0
    negative_count: int = 0
    true_positives: tuple[int, ...] = ()
    false_positives: tuple[int, ...] = ()

    @property
    def has_labels(self) -> bool:
        """Whether any label is known."""
        return self.positive_count + self.negative_count > 0


def cutoffs(profile: ProfileTold, threshold: float) -> Cutoffs:
    """Return the stops of the slider: the edges of buckets, the threshold in force among them."""
    buckets = next(iter(profile.answers.values())).buckets if profile.answers else ()
    thresholds = _thinned(_edges(buckets, threshold), threshold)
    negative, positive = labelled(profile)
    known = bool(negative or positive)
    return Cutoffs(
        thresholds,
        thresholds.index(threshold),
        _total(buckets),
        _at_least(buckets, thresholds),
        _total(positive),
        _total(negative),
        _at_least(positive, thresholds) if known else (),
        _at_least(negative, thresholds) if known else (),
    )


def labelled(profile: ProfileTold) -> tuple[Buckets, Buckets]:
    """Return the buckets of the scores of negative and of positive records."""
    labels: Mapping[str, Buckets] = profile.labels.buckets if profile.labels else {}
    return labels.get("0", ()), labels.get("1", ())


def _edges(buckets: Buckets, threshold: float) -> list[float]:
    """Return where the counts change, and the threshold: each a number that a configuration takes."""
    edges = {lower for lower, _, _ in buckets} | {threshold}
    if buckets:
        edges.add(buckets[-1][1])
    return sorted(edge for edge in edges if 0 <= edge <= 1)


def _thinned(edges: Sequence[float], kept: float, most: int = MOST_STOPS) -> tuple[float, ...]:
    """Return at most so many of them, evenly: what lies between two is counted with the lower one."""
    if len(edges) <= most:
        return tuple(edges)
    places = {round(step * (len(edges) - 1) / (most - 2)) for step in range(most - 1)}
    return tuple(sorted({edges[place] for place in places} | {kept}))


def _total(buckets: Buckets) -> int:
    return sum(count for _, _, count in buckets)


def _at_least(buckets: Sequence[Bucket], thresholds: Sequence[float]) -> tuple[int, ...]:
    """Return how many numbers are at least each threshold, which is the edge of a bucket."""
    lowers = [lower for lower, _, _ in buckets]
    below = [0, *accumulate(count for _, _, count in buckets)]
    return tuple(below[-1] - below[bisect_left(lowers, threshold)] for threshold in thresholds)
