"""The beginnings of inputs, read many at a time: their headers, what is wrong with their records, and complete ones.

One reading serves three ends: the header tells where the columns are, the counts tell whether the file is what the job
expects, and of the complete records a few are the job's sample, on which the model is tried.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from batchscore.errors import BatchScoreError
from batchscore.input.columns import Column
from batchscore.input.csv_lines import IntArray
from batchscore.input.diagnosis.findings import JUDGED_ALONE, FaultKind, Finding, same_fault
from batchscore.input.files import InputFile
from batchscore.input.parsed_block import ParsedBlock
from batchscore.input.reader import Reader, UnparsedBlock
from batchscore.input.small_blocks import parsed_as_one
from batchscore.model.frames import ModelRecords
from batchscore.plan import JobSpec
from batchscore.preflight.column_looks import ColumnLooks, ColumnTotals, look_at_columns

_THREADS = 16
_INPUTS_TOGETHER = 256
_RECORDS_TOGETHER = 16 * 1024  # what is made of an invalid one takes hundreds of bytes, in each thread
_SMALL_BYTES = 64 * 1024


@dataclass(frozen=True)
class Scope:
    """What is looked at: for which job, how its inputs are read, and how much of each."""

    spec: JobSpec
    reader: Reader
    first_bytes: int


@dataclass(frozen=True)
class Looked:
    """What a look at inputs gives, in their order: a finding for each, None where the input has a fault of its own.

    ``headers`` are those that were read, by URI; inputs that share one share the object. ``heads`` is what was kept of
    the reading, by URI. ``columns`` is what the model's columns hold, over all inputs.
    """

    findings: list[Finding | None] = field(default_factory=list)
    headers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    faults: dict[int, BatchScoreError] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    columns: ColumnLooks = field(default_factory=dict)


@dataclass(frozen=True)
class Head:
    """The beginning of one input, its blocks without records left out; ``is_whole``: there is nothing after it."""

    source: InputFile
    names: tuple[str, ...] | None
    blocks: list[UnparsedBlock]
    is_whole: bool

    @property
    def record_count(self) -> int:
        """The records that were read."""
        return sum(block.record_count for block in self.blocks)

    @property
    def size_in_bytes(self) -> int:
        """The bytes of those records."""
        return sum(block.size_in_bytes for block in self.blocks)

    @property
    def is_small(self) -> bool:
        """Tell whether to parse it together with others is worth the while."""
        return self.is_whole and self.size_in_bytes <= _SMALL_BYTES and self.record_count < JUDGED_ALONE

    def parsed(self) -> Iterator[ParsedBlock]:
        """Yield its records, parsed."""
        for block in self.blocks:
            yield from block.parse(_RECORDS_TOGETHER)

    def found_columns(self) -> list[bool]:
        """Return which of the model's columns it has itself."""
        return [place is not None for place in self.blocks[0].binding.positions]

    def complete_rows(self, parsed: ParsedBlock, spec: JobSpec) -> IntArray:
        """Return which of its valid records have a value in every column that it has itself."""
        absent = ModelRecords(parsed.inputs, spec.columns.inputs).absent()
        return np.flatnonzero(~absent[:, self.found_columns()].any(axis=1))


class _Keeper:
    """Keeps what was read, up to a number of bytes: which of many inputs depends on chance, and no result on which."""

    def __init__(self, room_in_bytes: int) -> None:
        self.heads: dict[str, Head] = {}
        self._room_in_bytes = room_in_bytes
        self._lock = threading.Lock()

    def keep(self, head: Head) -> None:
        with self._lock:
            if head.size_in_bytes <= self._room_in_bytes:
                self._room_in_bytes -= head.size_in_bytes
                self.heads[head.source.source.uri] = head


def look_at(inputs: Sequence[InputFile], scope: Scope, keep_bytes: int) -> Looked:
    """Read the first bytes of each input and hold its header and its records against the columns of the job.

    Small inputs are parsed together, as long as nothing is wrong with them: to begin takes longer than to parse them.
    So many bytes of what was read are kept for the sample.
    """
    keeper, columns = _Keeper(keep_bytes), ColumnTotals()
    looked = Looked(heads=keeper.heads, columns=columns.looks)
    distinct: dict[tuple[str, ...], tuple[str, ...]] = {}

    def look(source: InputFile) -> tuple[Head | None, Finding | None, BatchScoreError | None]:
        try:
            return *_look(source, scope, keeper, columns), None
        except BatchScoreError as error:
            return None, None, error

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="first-look") as pool:
        for start in range(0, len(inputs), _INPUTS_TOGETHER):
            small: dict[int, Head] = {}
            for place, (head, finding, fault) in enumerate(pool.map(look, inputs[start : start + _INPUTS_TOGETHER])):
                looked.findings.append(finding or (None if fault else Finding()))
                if fault:
                    looked.faults[start + place] = fault
                if head and head.names is not None:
                    looked.headers[head.source.source.uri] = distinct.setdefault(head.names, head.names)
                if head and finding is None and head.record_count:
                    small[start + place] = head
            for place, found in _find_small(small, scope, columns):
                looked.findings[place] = found
    return looked


def _look(
    source: InputFile, scope: Scope, keeper: _Keeper, columns: ColumnTotals
) -> tuple[Head | None, Finding | None]:
    """Return the beginning of an input, and what it shows unless it is small enough to be parsed with others."""
    head = read_head(source, scope)
    if head is None:
        return None, None
    keeper.keep(head)
    if head.is_small:
        return head, None
    return replace(head, blocks=[]), _find(head, scope, columns)  # of many, a MiB each would be too much


def read_head(source: InputFile, scope: Scope) -> Head | None:
    """Return the beginning of an input, None where it is empty; raises InputError."""
    found = list(scope.reader.read_beginning(source, scope.first_bytes))
    if not found:
        return None
    size, end = scope.reader.content_bytes(source.source), found[-1].offset + found[-1].size_in_bytes
    is_whole = end < scope.first_bytes if size is None else size <= scope.first_bytes
    return Head(source, found[0].names, [block for block in found if block.size_in_bytes], is_whole)


def explain_input(source: InputFile, scope: Scope) -> str:
    """Return what was expected of an input of which nearly all records have the same fault, and what was seen.

    It takes a tenth of a second, so that it is for those few that are told. Raises InputError.
    """
    head = read_head(source, scope)
    if head is None:
        return ""
    finding = _find(head, scope, ColumnTotals())
    kind = same_fault(finding.faults, finding.record_count)
    return head.blocks[0].explain(kind, finding.faults[kind], finding.record_count) if kind else ""


def _find(head: Head, scope: Scope, columns: ColumnTotals) -> Finding:
    faults = Counter[FaultKind]()
    records = invalid = complete = unread = 0
    for parsed in head.parsed():
        records += parsed.record_count
        invalid += len(parsed.invalid)
        complete += len(head.complete_rows(parsed, scope.spec))
        columns.add(look_at_columns(parsed.inputs, head.found_columns(), scope.spec))
        faults.update(_faults(parsed, scope.spec.columns.inputs))
        unread += sum(1 for record in parsed.invalid if record.reason == "invalid_value")
    if unread > max((number for (reason, _), number in faults.items() if reason == "invalid_value"), default=unread):
        faults[("invalid_value", None)] = unread  # in one column or another
    is_large = records >= JUDGED_ALONE or (not head.is_whole and _has_many(head.source, scope.reader))
    return Finding(records, invalid, complete, is_large, dict(faults))


def _faults(parsed: ParsedBlock, columns: Sequence[Column]) -> Counter[FaultKind]:
    """Count records by fault; a value that cannot be read counts in its column, whatever else its record has."""
    others = (record for record in parsed.invalid if record.reason != "invalid_value")
    faults = Counter[FaultKind]((record.reason, record.attribute) for record in others)
    judged = [column.name for column in columns if not column.missing.invalid_is_missing]
    faults.update({("invalid_value", name): parsed.invalid_values[name] for name in judged})
    return +faults


def _has_many(source: InputFile, reader: Reader) -> bool:
    """Tell whether an input has JUDGED_ALONE records, where its beginning holds fewer, each of many KB."""
    records = 0
    for block in reader.read_beginning(source, None):
        records += block.record_count
        if records >= JUDGED_ALONE:
            return True
    return False


def _find_small(heads: Mapping[int, Head], scope: Scope, columns: ColumnTotals) -> Iterator[tuple[int, Finding]]:
    """Yield the findings of small inputs, by place; those of the same columns are parsed at once."""
    for binding in {head.blocks[0].binding for head in heads.values()}:
        some = {place: head for place, head in heads.items() if head.blocks[0].binding == binding}
        together = _clean_findings(list(some.values()), scope.spec, columns) if len(some) > 1 else None
        yield from zip(some, together or [_find(head, scope, columns) for head in some.values()], strict=True)


def _clean_findings(heads: Sequence[Head], spec: JobSpec, columns: ColumnTotals) -> list[Finding] | None:
    """Return the findings of inputs parsed as one, or None if any of their records has a fault."""
    parsed = parsed_as_one([block for head in heads for block in head.blocks])
    if parsed is None:
        return None
    columns.add(look_at_columns(parsed.inputs, heads[0].found_columns(), spec))
    counts = np.array([head.record_count for head in heads])
    firsts = np.cumsum(counts) - counts
    complete = np.zeros(len(parsed.lines), np.int64)
    complete[heads[0].complete_rows(parsed, spec)] = 1
    complete = np.add.reduceat(complete, firsts).tolist()
    return [Finding(head.record_count, 0, number) for head, number in zip(heads, complete, strict=True)]
