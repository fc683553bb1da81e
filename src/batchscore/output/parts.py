"""What a split leaves: its files, its record, and the totals of many (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from batchscore.input.unseen_texts import NO_TEXTS, TextCounts, TextTotals
from batchscore.storage.stored_json import typed


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """An object that a job wrote; ``etag`` is the store's, ``sha256`` ours."""

    uri: str
    file_size_in_bytes: int
    sha256: str
    etag: str


@dataclass(frozen=True, slots=True)
class PartFile:
    """The record of a finished split: what its task wrote, counted and spent.

    The input's first split tells of its columns: ``extra_columns`` the job does not read, ``missing_columns`` the model
    takes and the input lacks, ``repeated_columns`` are read and there more than once, at these places from 1.

    ``seconds`` are wall-clock by stage; ``compute_milliseconds`` is CPU time. ``texts`` counts the texts that the model
    does not know. ``profile`` are a SplitProfile's counts as text; receipts hold them, answers of tasks do not.
    """

    split_index: int
    file: WrittenFile
    record_count: int
    invalid_record_count: int
    invalid_values: Mapping[str, int]
    invalid_reasons: Mapping[str, int]
    rejected: WrittenFile | None
    extra_columns: Sequence[str] = ()
    compute_milliseconds: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    reused: bool = False
    missing_columns: tuple[str, ...] = ()
    repeated_columns: Mapping[str, Sequence[int]] = field(default_factory=dict)
    texts: TextCounts = NO_TEXTS
    profile: str | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> PartFile:
        """Read a record back; raises ValueError if it is none."""
        return typed(cls, raw)


@dataclass(frozen=True)
class Counts:
    """The totals of a job.

    ``scored_record_count`` and ``seconds`` by stage are those of the parts that this run scored, and did not reuse.
    """

    record_count: int
    invalid_record_count: int
    invalid_reasons: Mapping[str, int]
    invalid_values: Mapping[str, int]
    part_count: int = 0
    reused_part_count: int = 0
    scored_record_count: int = 0
    compute_milliseconds: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    texts: TextCounts = NO_TEXTS


def count(parts: Iterable[PartFile]) -> Counts:
    """Add up the counts of parts, in one walk over them."""
    reasons, values, texts = Counter[str](), Counter[str](), TextTotals()
    seconds: dict[str, float] = {}
    part_count = records = invalid = reused = scored = milliseconds = 0
    for part in parts:
        part_count += 1
        records += part.record_count
        invalid += part.invalid_record_count
        milliseconds += part.compute_milliseconds
        reasons.update(part.invalid_reasons)
        values.update(part.invalid_values)
        texts.add(part.texts)
        if part.reused:
            reused += 1
        else:
            scored += part.record_count
            for stage, value in part.seconds.items():
                seconds[stage] = seconds.get(stage, 0.0) + value
    return Counts(
        record_count=records,
        invalid_record_count=invalid,
        invalid_reasons=dict(sorted(reasons.items())),
        invalid_values=dict(sorted(values.items())),
        part_count=part_count,
        reused_part_count=reused,
        scored_record_count=scored,
        compute_milliseconds=milliseconds,
        seconds=seconds,
        texts=texts.sum(),
    )
