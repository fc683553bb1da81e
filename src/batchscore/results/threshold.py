"""Another threshold: what ``bestAnswer`` would be, where the score as written can tell (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from batchscore.commit.committed_results import CommittedResults
from batchscore.errors import ConfigError
from batchscore.output.result_text import format_scientific


@dataclass(frozen=True)
class Threshold:
    """The threshold that is asked for and that of the job; ``is_exact``: scores were written in full."""

    value: float
    of_job: float
    is_exact: bool

    def answers(self, scores: pa.DoubleArray, written: pa.Int8Array) -> tuple[pa.Int8Array, int]:
        """Return ``bestAnswer`` for each score, null where there is none, and for how many nobody can tell.

        Rounding keeps the order: a written score that is not that of the threshold is on its side of it. One that is
        can be of either side, unless the threshold is the least number that is written so, or the answer for the job's
        own threshold tells.
        """
        values = scores.to_numpy(zero_copy_only=False)
        above = values >= self.value
        unsure = np.zeros(len(values), bool)
        if not self.is_exact:
            near = values == _as_written(self.value)
            before = written.cast(pa.float64()).to_numpy(zero_copy_only=False)
            least = _as_written(math.nextafter(self.value, -math.inf)) != _as_written(self.value)
            known_above = near & ((before == 1) & (self.of_job >= self.value) | least)
            known_below = near & (before == 0) & (self.of_job <= self.value) & ~known_above
            above = (above & ~near) | known_above
            unsure = near & ~known_above & ~known_below
        missing = scores.is_null().to_numpy(zero_copy_only=False)
        return pa.array(above.astype(np.int8), mask=missing), int(unsure.sum())

    def check(self, unsure_count: int) -> None:
        """Raise ConfigError if there are records of which nobody can tell."""
        if unsure_count:
            raise ConfigError(
                f"threshold {self.value!r}: expected scores that are above or below it, got {unsure_count:,} of which "
                "the seven digits that were written cannot tell; take another threshold, or score with precision: full"
            )


def new_threshold(value: float | None, results: CommittedResults) -> Threshold | None:
    """Return the threshold that is asked for; raises ConfigError where there is no such thing."""
    if value is None:
        return None
    if (
        isinstance(value, bool) or not isinstance(value, int | float | np.floating) or not 0 <= value <= 1
    ):  # NaN is neither
        raise ConfigError(f"threshold: expected a number from 0 to 1, got {value!r}")
    if results.model.type != "binary" or results.threshold is None:
        raise ConfigError(
            f"threshold: expected results of a binary model, got those of a {results.model.type} one, "
            "which have no bestAnswer"
        )
    return Threshold(float(value), results.threshold, results.precision == "full")


def _as_written(value: float) -> float:
    """Return a number as it reads back from the seven digits that it is written with."""
    return float(format_scientific(np.array([value]))[0].as_py())
