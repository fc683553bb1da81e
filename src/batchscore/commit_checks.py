"""What parts must meet before they are committed (pure): each split answered once, few enough invalid records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from batchscore.errors import ScoringError, TooManyInvalidRecordsError
from batchscore.manifest import Counts, PartFile
from batchscore.plan import JobSpec, Plan


def checked_parts(plan: Plan, parts: Sequence[PartFile]) -> Iterator[PartFile]:
    """Yield the parts; raises ScoringError unless every split is answered exactly once, in the order of the splits."""
    if len(parts) != len(plan.splits):
        raise _not_answered_once(plan, parts)
    for index, part in enumerate(parts):
        if part.split_index != index:
            raise _not_answered_once(plan, parts)
        yield part


def _not_answered_once(plan: Plan, parts: Sequence[PartFile]) -> ScoringError:
    answers = Counter(part.split_index for part in parts)
    wrong = [index for index in range(len(plan.splits)) if answers[index] != 1]
    return ScoringError(
        f"job {plan.spec.id}: expected one part for each of {len(plan.splits)} splits, in their order, got "
        f"{len(parts)} parts; splits not answered once: {wrong[:10]}"
    )


def check_limits(spec: JobSpec, counts: Counts) -> None:
    """Hold a job to its limits of invalid records; raises TooManyInvalidRecordsError."""
    config = spec.config
    reasons = ", ".join(f"{reason} {number}" for reason, number in counts.invalid_reasons.items())
    if counts.invalid_record_count > config.max_invalid_records:
        raise TooManyInvalidRecordsError(
            f"job {spec.id}: expected at most {config.max_invalid_records} invalid records, got "
            f"{counts.invalid_record_count} ({reasons}); see the rejected files, or raise max_invalid_records"
        )
    allowed = config.max_invalid_fraction
    if allowed is not None and counts.invalid_record_count > allowed * counts.record_count:
        raise TooManyInvalidRecordsError(
            f"job {spec.id}: expected at most a fraction {allowed} of invalid records, got "
            f"{counts.invalid_record_count} of {counts.record_count} ({reasons})"
        )
