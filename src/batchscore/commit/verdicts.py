"""Whether enough was scored to call a job a success (pure): nothing scored is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batchscore.input.diagnosis.findings import JUDGED_ALONE

FRACTION_JUDGED_IN_JOB = 100
FRACTION_JUDGED_IN_INPUT = 1000
"""Records from which the default of ``max_invalid_fraction`` holds; one that was set holds for any job."""


@dataclass(frozen=True)
class Tally:
    """How many records an input has, or some inputs have, and for how many there is no prediction."""

    uri: str
    record_count: int
    invalid_record_count: int

    @property
    def is_unscored(self) -> bool:
        """Tell whether there are records and no prediction."""
        return 0 < self.record_count == self.invalid_record_count

    def exceeds(self, fraction: float) -> bool:
        """Tell whether a larger fraction of the records is invalid."""
        return self.record_count > 0 and self.invalid_record_count / self.record_count > fraction


@dataclass(frozen=True)
class Limit:
    """The largest fraction of invalid records, and whether the user has set it."""

    fraction: float
    is_set: bool


@dataclass(frozen=True)
class Verdict:
    """Why a job is no success. ``worst`` are the inputs to blame, ``left_out`` those without which it would be one.

    ``is_of_fraction`` tells that another limit would make it one.
    """

    what: str
    is_of_fraction: bool
    worst: tuple[Tally, ...]
    left_out: frozenset[str]


def judge(tallies: Sequence[Tally], limit: Limit) -> Verdict | None:
    """Return why a job is no success, None if it is one. The order of the inputs does not matter."""
    job = _total(tallies)
    unscored = _unscored(tallies)
    over = [] if limit.is_set else [item for item in tallies if _is_over(item, limit, FRACTION_JUDGED_IN_INPUT)]
    if job.is_unscored:
        what = f"expected predictions, got none for any of {job.record_count} records"
    elif _is_over(job, limit, FRACTION_JUDGED_IN_JOB):
        counts = f"{job.invalid_record_count} of {job.record_count}"
        what = f"expected at most a fraction {limit.fraction:g} of invalid records, got {counts}"
    elif unscored:
        what = f"expected predictions in each input, got none in {len(unscored)} of {len(tallies)}"
    elif over:
        what = f"expected at most a fraction {limit.fraction:g} of invalid records in an input, got more in {len(over)}"
    else:
        return None
    left_out = _left_out(tallies, {item.uri for item in (*unscored, *over)}, limit)
    blamed = [item for item in tallies if item.uri in left_out] or [item for item in tallies if _has_invalid(item)]
    return Verdict(what, not unscored and not job.is_unscored, tuple(sorted(blamed, key=_badness)), left_out)


def _unscored(tallies: Sequence[Tally]) -> list[Tally]:
    """Return the inputs of which nothing was scored; small ones are judged together, as one input would be."""
    small = [item for item in tallies if 0 < item.record_count < JUDGED_ALONE]
    found = [item for item in tallies if item.record_count >= JUDGED_ALONE and item.is_unscored]
    together = _total(small)
    return [*found, *small] if together.is_unscored and together.record_count >= JUDGED_ALONE else found


def _is_over(item: Tally, limit: Limit, judged_from: int) -> bool:
    return (limit.is_set or item.record_count >= judged_from) and item.exceeds(limit.fraction)


def _left_out(tallies: Sequence[Tally], bad: set[str], limit: Limit) -> frozenset[str]:
    """Return the inputs without which the job would succeed: the bad ones, and the worst others as far as needed.

    None at all if nothing would be left that has a prediction.
    """
    rest = sorted((item for item in tallies if item.uri not in bad), key=_badness)
    job = _total(rest)
    for worst in rest:
        if not (job.is_unscored or _is_over(job, limit, FRACTION_JUDGED_IN_JOB)):
            break
        bad.add(worst.uri)
        job = Tally("", job.record_count - worst.record_count, job.invalid_record_count - worst.invalid_record_count)
    return frozenset(bad) if job.record_count > job.invalid_record_count else frozenset()


def _badness(item: Tally) -> tuple[float, int, str]:
    fraction = item.invalid_record_count / item.record_count if item.record_count else 0.0
    return -fraction, -item.invalid_record_count, item.uri


def _has_invalid(item: Tally) -> bool:
    return item.invalid_record_count > 0


def _total(tallies: Sequence[Tally]) -> Tally:
    return Tally("", sum(item.record_count for item in tallies), sum(item.invalid_record_count for item in tallies))
