"""Where the time went (pure)."""

from __future__ import annotations

from batchscore.report.figures import count, duration
from batchscore.report.job_report import Report, Times
from batchscore.report.markup import Content, Markup, name
from batchscore.report.parts_of_page import bar, facts, note, number, table, words

_STEPS = {
    "load_model": "load the model",
    "plan": "find the inputs and plan",
    "preflight": "look at inputs and model",
    "start_spark": "wait for Spark",
    "score": "score",
    "join": "concatenate parts",
    "commit": "commit",
}


def times(report: Report) -> Content:
    """Return steps of the job, stages of its tasks, and what it comes to."""
    record = report.record
    cpu = record.ComputeTime
    took = report.took_seconds
    scored = record.TotalRecordCount or 0
    told = facts(
        ("Took", duration(took)) if took is not None else None,
        ("CPU of all tasks", duration(cpu / 1000)) if cpu is not None else None,
        ("Records per second of CPU", count(round(scored / (cpu / 1000)))) if cpu and scored else None,
        ("Records per second while scoring", count(report.times.records_per_second))
        if report.times and report.times.records_per_second
        else None,
    )
    if report.times is None:
        return [told, note("The log has no times of steps and stages.")]
    return [told, _steps(report.times), _stages(report.times)]


def _steps(found: Times) -> Markup | None:
    steps = {step: seconds for step, seconds in found.seconds.items() if step != "total"}
    longest = max(steps.values(), default=0.0)
    rows: list[list[Content]] = [
        [_STEPS.get(step) or name(step, 60), duration(seconds), bar(seconds, longest)]
        for step, seconds in steps.items()
    ]
    return (
        table([words("Step"), number("Time"), words("")], rows, "Steps of the job, some at the same time")
        if rows
        else None
    )


def _stages(found: Times) -> Markup | None:
    longest = max((stage.seconds for stage in found.stages.values()), default=0.0)
    rows: list[list[Content]] = [
        [name(stage, 60), duration(told.seconds), count(told.records_per_second), bar(told.seconds, longest)]
        for stage, told in found.stages.items()
    ]
    titles = [words("Stage"), number("Time"), number("Records/s"), words("")]
    return table(titles, rows, "Stages within the tasks, all tasks together") if rows else None
