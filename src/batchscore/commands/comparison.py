"""What came of comparing a result with its input, by proof: values that add up in the order of the records (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from batchscore.input.csv_lines import BoolArray


@dataclass(frozen=True)
class Failure:
    """What a comparison expected and got; ``record`` counts from 0 from the first one compared, if it is of one."""

    what: str
    record: int | None = None

    def __str__(self) -> str:
        """Tell the record as people count."""
        return self.what if self.record is None else f"record {self.record + 1}: {self.what}"

    def after(self, record_count: int) -> Failure:
        """Return the same where so many records were compared before."""
        return self if self.record is None else replace(self, record=self.record + record_count)


@dataclass(frozen=True)
class Comparison:
    """What was compared of some records: how often each proof was tried, how often it failed, and how it failed first.

    ``reasons`` counts the rejected rows by reason. The comparison of records and that of the ones after them add up.
    """

    tried: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    first: Mapping[str, Failure] = field(default_factory=dict)
    record_count: int = 0
    invalid_record_count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def __add__(self, following: Comparison) -> Comparison:
        """Return both together."""
        later = {proof: failure.after(self.record_count) for proof, failure in following.first.items()}
        new = {proof: failure for proof, failure in later.items() if proof not in self.first}
        return Comparison(
            tried=self.tried + following.tried,
            failed=self.failed + following.failed,
            first={**self.first, **new},
            record_count=self.record_count + following.record_count,
            invalid_record_count=self.invalid_record_count + following.invalid_record_count,
            reasons=self.reasons + following.reasons,
        )


def outcome(proof: str, tried: int, failed: int, what: str, record: int | None = None) -> Comparison:
    """Return what came of a proof; ``what`` and ``record`` tell of the first failure."""
    first = {proof: Failure(what, record)} if failed else {}
    return Comparison(Counter({proof: tried}), Counter({proof: failed}), first)


def outcome_by_record(proof: str, failed: BoolArray, what: str) -> Comparison:
    """Return what came of a proof that was tried on each record; ``failed`` tells of which it does not hold."""
    places = np.flatnonzero(failed)
    return outcome(proof, len(failed), len(places), what, int(places[0]) if len(places) else None)
