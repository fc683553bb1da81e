"""What the first MiB of an input shows, in counts (pure): no value of a record is in it.

Two places need the same answer: the driver, which judges the inputs before anything is written, and ``verify``, which
tells what it saw.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

JUDGED_ALONE = 100
"""Records of an input from which it is judged by itself; smaller ones are judged together."""

JUDGED_TOGETHER = 20
"""Records of all smaller inputs from which those are judged, before anything is scored."""

SAME_FAULT_PERCENT = 95

FaultKind = tuple[str, str | None]
"""A reason code, and the column, if it is of one."""


@dataclass(frozen=True)
class Finding:
    """What an input's first MiB shows.

    ``faults`` counts records by reason and column; values that are no number count in each column that has one, but
    for columns where they reach the model as missing. ``complete_count`` are the records without a fault and without a
    missing value. ``is_large`` tells of the whole input whether it has JUDGED_ALONE records.
    """

    record_count: int = 0
    invalid_count: int = 0
    complete_count: int = 0
    is_large: bool = False
    faults: Mapping[FaultKind, int] = field(default_factory=dict)


def same_fault(faults: Mapping[FaultKind, int], record_count: int) -> FaultKind | None:
    """Return the fault that nearly all records have, if there is one. A missing value is no fault of a file."""
    found = [(number, kind) for kind, number in faults.items() if kind[0] != "missing_value"]
    number, kind = max(found, key=lambda item: item[0], default=(0, None))
    return kind if are_nearly_all(number, record_count) else None


def are_nearly_all(number: int, record_count: int) -> bool:
    """Tell whether so many of the records are nearly all."""
    return number > 0 and 100 * number >= SAME_FAULT_PERCENT * record_count


def are_few(number: int, record_count: int) -> bool:
    """Tell whether so many of the records are what nearly all of them leave."""
    return 100 * number <= (100 - SAME_FAULT_PERCENT) * record_count


@dataclass(frozen=True)
class Misfits:
    """Inputs that are not what the job expects, the worst first; ``together`` says what small ones have in common."""

    places: tuple[int, ...] = ()
    together: str = ""


def find_misfits(findings: Sequence[Finding | None]) -> Misfits:
    """Return the inputs of which nearly all records have the same fault: large ones by themselves, small ones together.

    Inputs that could not be read have no finding.
    """
    large = [
        place for place, item in _present(findings) if item.is_large and same_fault(item.faults, item.record_count)
    ]
    small = [(place, item) for place, item in _present(findings) if not item.is_large]
    records = sum(item.record_count for _, item in small)
    faults = Counter[FaultKind]()
    for _, item in small:
        faults.update(item.faults)
    shared = same_fault(faults, records) if records >= JUDGED_TOGETHER else None
    if shared is None:
        return Misfits(_worst_first(large, findings))
    holders = [place for place, item in small if are_nearly_all(item.faults.get(shared, 0), item.record_count)]
    together = f"{faults[shared]} of the {records} records of {len(small)} inputs of fewer than {JUDGED_ALONE} each"
    return Misfits(_worst_first([*large, *holders], findings), together)


def _present(findings: Sequence[Finding | None]) -> list[tuple[int, Finding]]:
    return [(place, item) for place, item in enumerate(findings) if item is not None]


def _worst_first(places: Sequence[int], findings: Sequence[Finding | None]) -> tuple[int, ...]:
    def badness(place: int) -> tuple[int, int]:
        item = findings[place]
        return (-item.invalid_count if item else 0, place)

    return tuple(sorted(places, key=badness))


def finding_as_json(item: Finding | None) -> str:
    """Return a finding as a task answers it: its values without their names."""
    if item is None:
        return "null"
    faults = [[*kind, number] for kind, number in item.faults.items()]
    counts = [item.record_count, item.invalid_count, item.complete_count, item.is_large]
    return json.dumps([*counts, faults], separators=(",", ":"))


def finding_from_json(text: str) -> Finding | None:
    """Return the finding that a task answered."""
    raw = json.loads(text)
    if raw is None:
        return None
    records, invalid, complete, is_large, faults = raw
    by_kind = {(reason, column): number for reason, column, number in faults}
    return Finding(records, invalid, complete, is_large, by_kind)
