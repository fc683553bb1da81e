"""What a sample shows that costs single records or values, in words with counts (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from batchscore.input.columns import Columns
from batchscore.input.diagnosis.explanation import ESCAPE_READS_THEM
from batchscore.input.diagnosis.findings import are_nearly_all
from batchscore.input.diagnosis.reasons import remedy_of, what_empty_cells_become, words_of

_OF_COLUMNS = {"invalid_value", "missing_value"}


class SampleCounts(Protocol):
    """What is counted in a sample of an input."""

    @property
    def uri(self) -> str:
        """The input's URI."""

    @property
    def record_count(self) -> int:
        """The records read."""

    @property
    def invalid_reasons(self) -> Mapping[str, int]:
        """The invalid records by reason."""

    @property
    def invalid_values(self) -> Mapping[str, int]:
        """The values that cannot be read by column."""

    @property
    def mended_by_escape(self) -> Mapping[str, int]:
        """Those of them that the key ``escape`` would read."""

    @property
    def value_hints(self) -> Mapping[str, str]:
        """Which keys read those of a column, where some do."""

    @property
    def missing_values(self) -> Mapping[str, int]:
        """The records without a value that they must have, by column."""

    @property
    def empty_values(self) -> Mapping[str, int]:
        """The empty cells that the model is given, by column."""


@dataclass(frozen=True)
class SampleWarning:
    """What ``count`` of ``of`` records have, and what helps."""

    what: str
    column: str | None
    count: int
    of: int
    reason: str
    remedy: str
    fatal: bool = False


def warnings_of(samples: Sequence[SampleCounts], columns: Columns) -> list[SampleWarning]:
    """Return what all samples show together: by column, then by reason."""
    return [*_of_columns(samples, columns), *_of_records(samples)]


def _of_columns(samples: Sequence[SampleCounts], columns: Columns) -> Iterator[SampleWarning]:
    """Yield what is wrong with the values of each column, in the order of the model's."""
    of = sum(item.record_count for item in samples)
    for column in columns.inputs:
        fate = (
            "the model gets them as missing" if column.missing.invalid_is_missing else "their records get no prediction"
        )
        kinds: list[tuple[str, Callable[[SampleCounts], Mapping[str, int]], str, str]] = [
            ("invalid_value", lambda item: item.invalid_values, "cannot be read", fate),
            ("missing_value", lambda item: item.missing_values, "empty", "their records get no prediction"),
            ("empty", lambda item: item.empty_values, "empty", what_empty_cells_become(column)),
        ]
        for reason, counts, words, becomes in kinds:
            found = Counter({item.uri: counts(item).get(column.name, 0) for item in samples})
            if number := found.total():
                remedy = (_hint(samples, found, column.name) if reason == "invalid_value" else "") or remedy_of(reason)
                what = f"{column.name}: {number} of {of} {words}; {becomes}; {remedy} ({_where(found)})"
                yield SampleWarning(what, column.name, number, of, reason, remedy)


def _hint(samples: Sequence[SampleCounts], found: Counter[str], column: str) -> str:
    """Return what reads the values of a column in the input that holds most of them."""
    [(uri, _)] = found.most_common(1)
    return next((hint for item in samples if item.uri == uri and (hint := item.value_hints.get(column))), "")


def _of_records(samples: Sequence[SampleCounts]) -> Iterator[SampleWarning]:
    """Yield what is wrong with whole records."""
    of = sum(item.record_count for item in samples)
    reasons = {reason for item in samples for reason in item.invalid_reasons} - _OF_COLUMNS
    for reason in sorted(reasons):
        found = Counter({item.uri: item.invalid_reasons.get(reason, 0) for item in samples})
        mended = sum(item.mended_by_escape.get(reason, 0) for item in samples)
        remedy = ESCAPE_READS_THEM if are_nearly_all(mended, found.total()) else remedy_of(reason)
        what = f"{found.total()} of {of} are {words_of(reason)} ({reason}); {remedy} ({_where(found)})"
        yield SampleWarning(what, None, found.total(), of, reason, remedy)


def _where(found: Counter[str]) -> str:
    """Say in which inputs something was found."""
    [(uri, _)] = found.most_common(1)
    holding = sum(1 for number in found.values() if number)
    return f"in {uri}" if holding == 1 else f"in {holding} inputs, most in {uri}"
