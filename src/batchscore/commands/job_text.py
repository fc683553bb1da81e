"""What run, describe and list say of jobs to people; machines get the records as JSON (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from batchscore.commands.readable import fields, local_time, table
from batchscore.commit.job_record import BatchPrediction
from batchscore.output.paths import Outputs
from batchscore.report.figures import duration

_TIMES = ("CreatedAt", "LastUpdatedAt", "StartedAt", "FinishedAt")
_LISTED = ("BatchPredictionId", "Status", "CreatedAt", "took", "TotalRecordCount", "InvalidRecordCount", "MLModelId")
_TOOK = "took"
_MEASURES_TOLD = 5


def render_record(record: BatchPrediction) -> str:
    """Return the record of a job, a line for each field."""
    return "\n".join(fields(list(_readable(record.to_dict()).items())))


def render_records(records: Sequence[BatchPrediction]) -> str:
    """Return a table of jobs."""
    if not records:
        return "no jobs"
    rows = [_readable(record.to_dict()) for record in records]
    return "\n".join(table(_LISTED, [[row.get(title, "") for title in _LISTED] for row in rows]))


def _readable(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record with times and durations as people read them."""
    shown = {name: local_time(value) if name in _TIMES else value for name, value in record.items()}
    if "ComputeTime" in shown:
        shown["ComputeTime"] = f"{duration(record['ComputeTime'] / 1000)} of CPU"
    took = _took(record)
    return shown if took is None else shown | {_TOOK: took}


def _took(record: Mapping[str, Any]) -> str | None:
    if "StartedAt" not in record or "FinishedAt" not in record:
        return None
    return duration(record["FinishedAt"] - record["StartedAt"])


def completed_facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what people want to know of a job that is done."""
    again = " (it was done before: its result stands)" if summary.get("reported_again") else ""
    return [
        ("status", f"{summary['Status']}{again}"),
        ("records", _records(summary)),
        ("results", f"{_beside(summary, 'result')}, listed in {summary['manifest']}"),
        *_quality(summary),
        ("page", _page(summary)),
        ("time", _time(summary)),
    ]


def render_completed(summary: Mapping[str, Any], check: str) -> str:
    """Return six lines on a job that is done, and one of its quality; ``check`` is the command that proves it."""
    return "\n".join(fields([*completed_facts(summary), ("next", check)]))


def render_failed(record: Mapping[str, Any], describe: str) -> str:
    """Return six lines on a job that failed, whose error is told on stderr."""
    batch_id = record["BatchPredictionId"]
    return "\n".join(
        fields(
            [
                ("status", record["Status"]),
                ("records", "none that count: nothing is committed"),
                ("results", "none; the parts that are scored are kept"),
                ("page", _page(record)),
                ("time", _took(record) or "unknown"),
                ("next", f"mend the cause and run it again with id={batch_id}; {describe} shows the record"),
            ]
        )
    )


def _records(summary: Mapping[str, Any]) -> str:
    total, invalid = summary.get("TotalRecordCount", 0), summary.get("InvalidRecordCount", 0)
    if not total:
        return str(summary.get("Message", "0"))
    if not invalid:
        return f"{total:,}, none of them invalid"
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in summary.get("invalid_reasons", {}).items())
    why = f" ({reasons})" if reasons else ""
    return f"{total:,}, {invalid:,} of them invalid{why}: see {_beside(summary, 'rejected')}"


def _page(summary: Mapping[str, Any]) -> str:
    return Outputs(summary["OutputUri"], summary["BatchPredictionId"], "parts").report


def _quality(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the first measures of a job whose labels are known."""
    told = [f"{name} {value:.4g}" for name, value in summary.get("quality", {}).items() if value is not None]
    return [("quality", ", ".join(told[:_MEASURES_TOLD]))] if told else []


def _beside(summary: Mapping[str, Any], folder: str) -> str:
    batch_id = summary["BatchPredictionId"]
    return f"{Outputs(summary['OutputUri'], batch_id, 'parts').folder}/{folder}/{batch_id}-*"


def _time(summary: Mapping[str, Any]) -> str:
    if "seconds" not in summary:
        return f"{_took(summary)}, until {local_time(summary['FinishedAt'])}"
    rate = summary["records_per_second"]
    scoring = f"; {rate:,} records/s while scoring" if rate else ""
    return f"{duration(summary['seconds']['total'])}{scoring}"
