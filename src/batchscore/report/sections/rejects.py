"""The records without a prediction, by reason, with what helps; none of their content (pure)."""

from __future__ import annotations

from batchscore.report.figures import count, share
from batchscore.report.job_report import Report
from batchscore.report.markup import Content, Markup, code
from batchscore.report.parts_of_page import command, note, number, table, words

# Reason: what is wrong with the record, and the keys that help, or words where no key does.
REASONS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "blank": ("is an empty line", (), "leave them out where the file is made"),
    "too_long": ("is longer than a record may be", ("max_record_bytes",), ""),
    "encoding": ("holds bytes that are no text of the encoding", ("encoding",), ""),
    "unbalanced_quote": ("has a quote out of place", ("escape", "multiline"), "or mend the quotes"),
    "line_end_in_quotes": ("is a line of a value that goes over several", ("multiline: true",), ""),
    "column_count": (
        "has another number of values than there are columns",
        ("delimiter", "escape"),
        "or quote the values",
    ),
    "missing_value": (
        "lacks a value that the model requires",
        ("missing_values: auto",),
        "or make the column optional in the model's signature",
    ),
    "invalid_value": (
        "has a value that is not of its column's type",
        ("null_values", "decimal", "thousands", "datetime_format", "invalid_values: missing"),
        "",
    ),
    "model_error": ("makes the model raise", (), "see which values the model does not take, in its own code"),
    "non_finite_score": ("gets a prediction that is no finite number", (), "see the model"),
    "not_a_probability": ("gets a score that is no probability", ("model_type",), "or see the model"),
}


def rejects(report: Report) -> Content:
    """Return a row for each reason, where the records lie, and the command that shows more."""
    reasons = _reasons(report)
    total = report.record.TotalRecordCount or 0
    if not reasons:
        return note("No record was rejected.")
    rows = [_row(reason, number_of, total) for reason, number_of in sorted(reasons.items(), key=lambda item: -item[1])]
    titles = [words("Reason"), number("Records"), number("Share"), words("The record"), words("What helps")]
    where = f"{report.outputs.folder}/rejected/{report.id}-*"
    return [
        table(titles, rows, "Rejected records by reason"),
        note("Each rejected record, with its reason and its place, is in ", code(where), "."),
        note("This reads all records again and shows the first places of each fault:"),
        command("batchscore verify --full --config job.yaml"),
    ]


def _reasons(report: Report) -> dict[str, int]:
    if report.manifest is not None:
        return report.manifest.invalid_reasons
    return report.profile.invalid_reasons if report.profile else {}


def _row(reason: str, number_of: int, total: int) -> list[Content]:
    text, keys, words_of_help = REASONS.get(reason, ("", (), "see the rejected files"))
    return [code(reason), count(number_of), share(number_of, total), text, _help(keys, words_of_help)]


def _help(keys: tuple[str, ...], text: str) -> Content:
    shown: list[Markup | str] = []
    for key in keys:
        shown += [code(key), ", "]
    listed: Content = shown[:-1]
    return [listed, f" {text}" if keys else text] if text else listed
