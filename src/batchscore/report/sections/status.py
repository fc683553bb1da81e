"""How the job ended, in words (pure)."""

from __future__ import annotations

from batchscore.report.figures import count, counted, duration, moment, share, yaml_number
from batchscore.report.job_report import Report
from batchscore.report.markup import Content, Markup, code, element, join, name, shortened
from batchscore.report.parts_of_page import command, facts, listed, note, some, tiles

_INPUTS = 5
_REASONS = 5
_STATES = {
    "COMPLETED": ("\u2713", "Completed", "good"),
    "FAILED": ("\u2715", "Failed", "bad"),
    "INPROGRESS": ("\u2026", "In progress", "open"),
    "PENDING": ("\u2026", "Not started", "open"),
    "DELETED": ("\u2013", "Deleted", "open"),
}


def header(report: Report) -> Markup:
    """Return the head of the page: what it is of, how it ended, and a sentence that says it all."""
    sign, word, kind = _STATES[report.record.Status]
    badge = element("span", element("span", sign, aria_hidden="true"), f" {word}", class_=f"badge {kind}")
    return element(
        "header",
        element("p", "Batch prediction", badge, class_="eyebrow"),
        element("h1", name(report.id)),
        element("p", name(report.record.Name, 1024), class_="named") if report.record.Name else None,
        element("p", _sentence(report), class_="lead"),
    )


def _sentence(report: Report) -> Content:
    record = report.record
    took = report.took_seconds
    within = f" in {_unbroken(duration(took))}" if took else ""
    if record.Status == "COMPLETED":
        return _completed(report, within)
    if record.Status == "FAILED":
        after = f" after {_unbroken(duration(took))}" if took else ""
        at = _unbroken(moment(record.FinishedAt))
        return f"The job failed{after}, on {at}. Nothing is committed: use none of its files."
    since = f"Started on {moment(record.StartedAt)}. " if record.StartedAt else f"Made on {moment(record.CreatedAt)}. "
    return [since, "It has not ended, or its driver was killed; then run it again with the same id, and it goes on."]


def _unbroken(text: str) -> str:
    return text.replace(" ", "\u00a0").replace("-", "\u2011")


def _completed(report: Report, within: str) -> Content:
    total, invalid = report.record.TotalRecordCount or 0, report.record.InvalidRecordCount or 0
    if not total:
        return ["Nothing was scored: ", name(report.record.Message or "there were no records", 500), "."]
    inputs = f" of {counted(report.manifest.input_count, 'input')}" if report.manifest else ""
    some = f" {count(invalid)} of them ({share(invalid, total)}) are invalid and have no prediction."
    return [
        f"{counted(total, 'record')}{inputs} {'was' if total == 1 else 'were'} scored with ",
        _model(report),
        f"{within}.",
        some if invalid else " None of them is invalid.",
    ]


def _model(report: Report) -> Content:
    model = report.manifest.model if report.manifest else None
    if model is None or not model.name:
        return name(report.record.MLModelId)
    return [name(model.name), " version ", name(model.version or "?")]


def status(report: Report) -> Content:
    """Return the section: the few numbers that matter, then what, when and where."""
    return [_tiles(report), _facts(report), _next(report)]


def _tiles(report: Report) -> Markup | None:
    record, took = report.record, report.took_seconds
    total, invalid = record.TotalRecordCount, record.InvalidRecordCount or 0
    if total is None:
        return None
    rate = report.times.records_per_second if report.times else 0
    return tiles(
        ("Records", count(total), "read from the inputs"),
        ("Invalid", count(invalid), f"{share(invalid, total)} of the records" if total else "of none"),
        _answers(report),
        ("Took", duration(took), f"{count(rate)} records/s while scoring" if rate else "from start to end")
        if took is not None
        else None,
    )


def _answers(report: Report) -> tuple[str, str, Content] | None:
    answers = report.profile.best_answers if report.profile else {}
    if not answers:
        return None
    total = sum(answers.values())
    if report.model_type == "binary":
        return ("Answered 1", count(answers.get("1", 0)), [f"{share(answers.get('1', 0), total)} of the predictions"])
    most = max(answers, key=lambda label: answers[label])
    return ("Most frequent", share(answers[most], total), ["are ", name(most, 60)])


def _facts(report: Report) -> Markup:
    record, manifest = report.record, report.manifest
    return facts(
        ("Model", _model_in_full(report)),
        ("Kind", _kind(report)),
        ("Inputs", [element("div", item) for item in some(report.inputs_asked_for, code, _INPUTS)]),
        ("Results", [code(f"{report.outputs.folder}/result/{report.id}-*")] if manifest else None),
        ("Started", moment(record.StartedAt)),
        ("Finished", moment(record.FinishedAt) if record.FinishedAt else None),
        ("Skipped", _skipped(manifest.skipped_count) if manifest else None),
    )


def _model_in_full(report: Report) -> Content:
    model = report.manifest.model if report.manifest else None
    alias = [", then called ", name(model.alias)] if model and model.alias else None
    return [code(report.record.MLModelId), alias]


def _kind(report: Report) -> Content:
    profile, manifest = report.profile, report.manifest
    positive = (manifest.model.positive_label if manifest else None) or (profile.positive_label if profile else None)
    if report.model_type == "binary":
        threshold = f", the threshold is {yaml_number(report.threshold)}" if report.threshold is not None else ""
        return join("binary: 1 stands for ", name(positive or "1"), threshold)
    classes = manifest.model.classes if manifest else ()
    if report.model_type == "multiclass":
        return f"multiclass, {counted(len(classes), 'class', 'classes')}"
    if not report.model_type:
        return None
    meaning = manifest.model.score if manifest else None
    return [shortened(report.model_type, 40), ": " if meaning else None, name(meaning) if meaning else None]


def _skipped(counts: dict[str, int]) -> Content:
    def told(reason: str) -> Content:
        return [f"{counted(counts[reason], 'file')}: ", name(reason)]

    return listed(some(list(counts), told, _REASONS), "; ") if counts else None


def _next(report: Report) -> Content:
    if report.record.Status != "COMPLETED":
        return None
    return [
        note("To prove that the results are those of the inputs:"),
        command(f"batchscore check {report.id} --config job.yaml"),
    ]
