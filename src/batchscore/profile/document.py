"""`<id>.profile.json` from counts (pure). docs/profile.md describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from batchscore.profile.buckets import Grid, Tally
from batchscore.profile.column_values import CountedColumn, NumberColumn, TextColumn, TimeColumn
from batchscore.profile.distribution import DistributionTotals
from batchscore.profile.format import ProfileFormat
from batchscore.profile.quality import binary_quality, multiclass_quality, ratio, regression_quality
from batchscore.profile.split_profile import ProfileTotals
from batchscore.storage.stored_json import read_versioned

Kind = TypeVar("Kind")
FORMAT_VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class JobTotals:
    """What the extended manifest tells as well; ``unseen_values`` is None of a column whose texts the model hides."""

    id: str
    record_count: int
    invalid_record_count: int
    invalid_reasons: Mapping[str, int]
    invalid_values: Mapping[str, int]
    unseen_values: Mapping[str, int | None]


def profile_document(totals: ProfileTotals, job: JobTotals) -> dict[str, Any]:
    """Return the profile of a job."""
    form = totals.form
    found: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "id": job.id,
        "kind": form.kind,
        "model_type": form.model_type,
        "threshold": form.threshold if form.model_type == "binary" else None,
        "positive_label": form.positive_label,
        "classes": list(form.classes),
        **({"score": form.meaning} if form.meaning else {}),
        "record_count": job.record_count,
        "invalid_record_count": job.invalid_record_count,
        "invalid_reasons": dict(job.invalid_reasons),
        "answers": dict(zip(form.answer_names, map(_answers, totals.answers), strict=True)),
    }
    if form.best_names:
        found["best_answers"] = dict(zip(form.best_names, totals.best_counts().tolist(), strict=True))
    found["columns"] = _columns(totals, job)
    if form.label is not None:
        found |= _labels_and_quality(totals, form.label.name)
    return found


def stored_profile(kind: type[Kind], content: bytes, uri: str) -> Kind:
    """Return what ``kind``, a dataclass, holds of a profile; raises InputError."""
    return read_versioned(kind, content, FORMAT_VERSION, f"profile {uri}", "the profile of a job")


def as_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a profile as it is stored: a line for each key."""
    lines = (f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in document.items())
    return ("{\n " + ",\n ".join(lines) + "\n}\n").encode()


def _answers(item: DistributionTotals) -> dict[str, Any]:
    return {"count": item.tally.total(), **_summary(item), "buckets": _buckets(item.grid, item.tally)}


def _summary(item: DistributionTotals) -> dict[str, int | float | None]:
    count = item.tally.total()
    ends = (item.minimum, item.maximum) if count else (None, None)
    return {"min": ends[0], "max": ends[1], "mean": ratio(item.total, count)}


def _buckets(grid: Grid, tally: Tally, row: int | None = None) -> list[list[float]]:
    counts = tally.counts.sum(axis=0) if row is None else tally.counts[row]
    filled = counts > 0
    edges = (item.tolist() for item in grid.edges(tally.keys[filled]))
    return [list(bucket) for bucket in zip(*edges, counts[filled].tolist(), strict=True)]


def _columns(totals: ProfileTotals, job: JobTotals) -> dict[str, Any]:
    columns = totals.form.columns.inputs
    values: list[CountedColumn | None] = [*totals.values] or [None] * len(columns)
    return {
        column.name: {
            "type": column.type,
            "missing": totals.missing[column.name],
            "invalid": job.invalid_values.get(column.name, 0),
            "unseen": job.unseen_values.get(column.name),
            **(_values(counted, totals.form) if counted else {}),
        }
        for column, counted in zip(columns, values, strict=True)
    }


def _values(counted: CountedColumn, form: ProfileFormat) -> dict[str, Any]:
    if isinstance(counted, NumberColumn):
        return {**_summary(counted), "buckets": _buckets(counted.grid, counted.tally)}
    if isinstance(counted, TimeColumn):
        found = counted.sum()
        return {"min": _iso(found.first), "max": _iso(found.last)}
    return _texts(counted, form)


def _texts(counted: TextColumn, form: ProfileFormat) -> dict[str, Any]:
    found = counted.sum()
    if found.has_many:
        return {"high_cardinality": True}
    if not form.lists_texts:
        return {}
    frequent = sorted(found.known.items(), key=lambda item: (-item[1], item[0]))
    return {"values": [list(item) for item in frequent], "other": found.other}


def _iso(nanoseconds: int | None) -> str | None:
    return None if nanoseconds is None else (_EPOCH + timedelta(microseconds=nanoseconds // 1000)).isoformat()


def _labels_and_quality(totals: ProfileTotals, target: str) -> dict[str, Any]:
    known = totals.answers[0].tally.total() - totals.empty_labels - totals.unknown_labels
    labels: dict[str, Any] = {
        "target": target,
        "known": known,
        "empty": totals.empty_labels,
        "unknown": totals.unknown_labels,
    }
    form, quality = totals.form, None
    if totals.is_classifier:
        confusion = totals.confusion_counts()
        if form.model_type == "binary":
            score = totals.answers[0]
            labels["buckets"] = {name: _buckets(score.grid, score.tally, place + 1) for place, name in enumerate("01")}
            filled = score.tally.counts[1:].any(axis=0)
            keys, counts = score.tally.keys[filled], score.tally.counts[1:, filled]
            quality = binary_quality(score.grid, keys, counts, confusion, totals.class_loss)
        else:
            quality = multiclass_quality(form.classes, confusion, totals.class_loss)
        labels["confusion"] = confusion.tolist()
    elif form.has_quality:
        labels["residuals"] = _answers(totals.residuals)
        quality = regression_quality(totals.number_loss)
    return {"labels": labels, **({"quality": quality} if quality and known else {})}
