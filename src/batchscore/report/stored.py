"""What the page reads of an extended manifest and of a profile: what it shows, all of it optional but a few (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import islice
from typing import Any

from batchscore.commit.manifest import stored_manifest
from batchscore.errors import InputError
from batchscore.profile.document import stored_profile
from batchscore.storage.stored_json import read_json, typed

SHOWN_INPUTS = 100

Bucket = tuple[float, float, int]
"""A count of the numbers from a lower edge to below an upper one."""
Buckets = tuple[Bucket, ...]


@dataclass(frozen=True)
class ModelTold:
    """The model, as the manifest has it."""

    name: str | None = None
    version: str | None = None
    alias: str | None = None
    pinned_uri: str = ""
    sha256: str = ""
    type: str = ""
    classes: tuple[str, ...] = ()
    positive_label: str | None = None
    score: str | None = None


@dataclass(frozen=True)
class _Part:
    record_count: int
    invalid_record_count: int


@dataclass(frozen=True)
class _Input:
    uri: str
    file_size_in_bytes: int
    parts: tuple[_Part, ...]
    missing_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class InputTold:
    """An input with the counts of its parts, or several of them summed."""

    uri: str
    size_in_bytes: int
    part_count: int
    record_count: int
    invalid_record_count: int
    missing_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class ManifestTold:
    """What the page shows of an extended manifest; ``inputs`` are the first, ``rest`` is the sum of ``rest_count``."""

    id: str
    record_count: int
    invalid_record_count: int
    invalid_reasons: dict[str, int]
    invalid_values: dict[str, int]
    parameters: dict[str, str]
    commit_id: str = ""
    model: ModelTold = ModelTold()
    threshold: float | None = None
    unseen_values: dict[str, int | None] = field(default_factory=dict)
    compute_milliseconds: int = 0
    software: dict[str, str] = field(default_factory=dict)
    input_format: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    mode: str = "all"
    layout: str = "parts"
    invalid_records: str = ""
    precision: str = ""
    skipped_count: dict[str, int] = field(default_factory=dict)
    shown: tuple[InputTold, ...] = ()
    rest: InputTold = InputTold("", 0, 0, 0, 0)
    rest_count: int = 0

    @property
    def input_count(self) -> int:
        """The number of all inputs."""
        return len(self.shown) + self.rest_count

    def rest_from(self, place: int) -> InputTold:
        """Return the sum of the inputs from a place on."""
        return reduce(_added, self.shown[place:], self.rest)


def manifest_told(content: bytes, uri: str) -> ManifestTold:
    """Return what the page shows of an extended manifest; raises InputError.

    Inputs are read a line at a time, as the manifest has them: of hundreds of thousands no more is held than is shown.
    """
    whole, lines = _taken_apart(content)
    told = stored_manifest(ManifestTold, whole, uri)
    try:
        inputs = (_summed(typed(_Input, read_json(line))) for line in lines)
        shown = tuple(islice(inputs, SHOWN_INPUTS))
        rest_count, rest = 0, told.rest
        for item in inputs:
            rest_count, rest = rest_count + 1, _added(rest, item)
    except ValueError as error:
        raise InputError(f"manifest {uri}: expected inputs with their parts, got something else") from error
    return replace(told, shown=shown, rest=rest, rest_count=rest_count)


_BEGIN = re.compile(rb'\n "inputs": \[\n')
_END = b"\n ]"


def _taken_apart(content: bytes) -> tuple[bytes, Iterable[bytes]]:
    """Return a manifest without its inputs, and a line for each of them."""
    begin = _BEGIN.search(content)
    end = content.find(_END, begin.end() - 1) if begin else -1
    if begin is None or end < 0:
        return _taken_apart_whole(content)
    # The first line of inputs that go over several each, as batchscore 0.1 wrote them, is no JSON.
    first = content[begin.end() : content.find(b"\n", begin.end())].strip(b" ,")
    if first == b"{":
        return _taken_apart_whole(content)
    return content[: begin.end() - 1] + content[end:], _lines(content, begin.end(), end)


def _lines(content: bytes, start: int, stop: int) -> Iterator[bytes]:
    while start < stop:
        end = content.find(b"\n", start, stop)
        end = stop if end < 0 else end
        if line := content[start:end].strip(b" ,"):
            yield line
        start = end + 1


def _taken_apart_whole(content: bytes) -> tuple[bytes, Iterable[bytes]]:
    try:
        raw = read_json(content)
        inputs = raw.pop("inputs", [])
    except (ValueError, AttributeError, TypeError):
        return content, ()
    return json.dumps(raw).encode(), (json.dumps(item).encode() for item in inputs)


def _summed(item: _Input) -> InputTold:
    records = sum(part.record_count for part in item.parts)
    invalid = sum(part.invalid_record_count for part in item.parts)
    return InputTold(item.uri, item.file_size_in_bytes, len(item.parts), records, invalid, item.missing_columns)


def _added(left: InputTold, right: InputTold) -> InputTold:
    return InputTold(
        "",
        left.size_in_bytes + right.size_in_bytes,
        left.part_count + right.part_count,
        left.record_count + right.record_count,
        left.invalid_record_count + right.invalid_record_count,
    )


@dataclass(frozen=True)
class Distribution:
    """The predictions that were written under one name."""

    buckets: Buckets = ()
    count: int = 0
    min: float | None = None
    max: float | None = None
    mean: float | None = None


@dataclass(frozen=True)
class ColumnTold:
    """What was seen of an input column; the fields after ``unseen`` are those of a full profile."""

    type: str = ""
    missing: int = 0
    invalid: int = 0
    unseen: int | None = None
    buckets: Buckets = ()
    min: int | float | str | None = None
    max: int | float | str | None = None
    mean: float | None = None
    values: tuple[tuple[str, int], ...] | None = None
    other: int = 0
    high_cardinality: bool = False


@dataclass(frozen=True)
class LabelsTold:
    """The labels: ``buckets`` are the scores of a binary model by label, ``residuals`` scores less labels.

    ``confusion`` has a row for each label, and in it the counts of the best answers.
    """

    target: str = ""
    known: int = 0
    empty: int = 0
    unknown: int = 0
    buckets: dict[str, Buckets] = field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = ()
    residuals: Distribution | Buckets = ()

    @property
    def errors(self) -> Buckets:
        """The buckets of scores less labels, which may stand by themselves or with their ends and their mean."""
        return self.residuals.buckets if isinstance(self.residuals, Distribution) else self.residuals


@dataclass(frozen=True)
class ProfileTold:
    """What the page shows of a profile."""

    format_version: int
    kind: str = "scores"
    model_type: str = ""
    threshold: float | None = None
    positive_label: str | None = None
    classes: tuple[str, ...] = ()
    record_count: int = 0
    invalid_record_count: int = 0
    invalid_reasons: dict[str, int] = field(default_factory=dict)
    answers: dict[str, Distribution] = field(default_factory=dict)
    best_answers: dict[str, int] = field(default_factory=dict)
    columns: dict[str, ColumnTold] = field(default_factory=dict)
    labels: LabelsTold | None = None
    quality: dict[str, Any] = field(default_factory=dict)


def profile_told(content: bytes, uri: str) -> ProfileTold:
    """Return what the page shows of a profile; raises InputError."""
    return stored_profile(ProfileTold, content, uri)
