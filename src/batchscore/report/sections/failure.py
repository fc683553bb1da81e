"""What went wrong in a job that failed, and what helps (pure)."""

from __future__ import annotations

import operator
import re

from batchscore.report.figures import counted
from batchscore.report.job_report import Report
from batchscore.report.markup import Content, Markup, code, element, name, shortened
from batchscore.report.parts_of_page import command, folded, note

# What describe_without_content of batchscore.errors makes of a foreign error.
_FOREIGN = re.compile(r"^\w+(?: of [\w.]+)? in \S+ \(\S+:\d+\)")

_LONGEST_LINE = 500


def failure(report: Report) -> Content:
    """Return the message of the record, what to do, and the end of the log."""
    message = report.record.Message or "The record has no message."
    return [
        element("div", element("p", name(message, 10_240)), class_="wrong"),
        element("h3", "What helps"),
        element("ul", [element("li", item) for item in _advice(message)]),
        command(f"batchscore run --config job.yaml id={report.id}"),
        _log(report),
    ]


def _advice(message: str) -> list[Content]:
    foreign = (
        "This is an error that batchscore did not foresee. Its own text is not shown, since it can hold records: "
        "the message tells its kind and where it was raised, and stderr of the driver has the lines around it."
    )
    return [
        foreign if _FOREIGN.match(message) else "The message tells what was expected, what was found, and what to do.",
        "Mend the cause, then run the same id again: the job goes on from the parts that are scored. "
        "If inputs, model or keys that bind the id have changed, choose another id.",
        ["Before that, ", code("batchscore verify --config job.yaml"), " tells whether the job would get through."],
    ]


def _log(report: Report) -> Markup:
    if not report.log_lines:
        return note("There is no log to show.")
    shown = [shortened(line, _LONGEST_LINE) for line in report.log_lines]
    lines = element("pre", element("code", "\n".join(shown)), class_="log", tabindex="0", dir="auto")
    title = f"The last {counted(len(shown), 'line')} of the log"
    cut = "Of long lines both ends are shown. " if any(map(operator.ne, shown, report.log_lines)) else None
    where = code(report.record.LogUri or report.outputs.log, _LONGEST_LINE)
    return folded(title, lines, note(cut, "The whole log: ", where), is_open=True)
