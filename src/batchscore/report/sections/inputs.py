"""The inputs with their counts: the first of them, and the others summed (pure)."""

from __future__ import annotations

from batchscore.report.figures import count, size
from batchscore.report.job_report import Report
from batchscore.report.markup import Content, code, element, name
from batchscore.report.parts_of_page import note, number, table, with_share, words
from batchscore.report.stored import InputTold


def inputs(report: Report) -> Content:
    """Return a row for each input."""
    manifest = report.manifest
    if manifest is None:
        asked = [element("li", code(uri, 500)) for uri in report.record.InputDataLocationS3.split(",")[:100]]
        return [note("Nothing is committed, so there are no counts. What was asked for:"), element("ul", asked)]
    if not manifest.shown:
        return note("There were no inputs to score.")
    titles = [words("Input"), number("Size"), number("Parts"), number("Records"), number("Invalid")]
    rows = [_row(item) for item in manifest.shown]
    foot: list[Content] = []
    if manifest.rest_count:
        foot = [f"and {count(manifest.rest_count)} more", *_counts(manifest.rest)]
    caption = f"{'The first ' if foot else ''}{count(len(rows))} of {count(manifest.input_count)} inputs"
    return table(titles, rows, caption, foot)


def _row(item: InputTold) -> list[Content]:
    lacking = [name(column, 60) for column in item.missing_columns[:5]]
    without = element("span", "lacks ", [[column, " "] for column in lacking], class_="share") if lacking else None
    return [[code(item.uri, 300), without], *_counts(item)]


def _counts(item: InputTold) -> list[Content]:
    invalid = with_share(item.invalid_record_count, item.record_count)
    return [size(item.size_in_bytes), count(item.part_count), count(item.record_count), invalid]
