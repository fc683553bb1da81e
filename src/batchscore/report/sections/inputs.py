"""The inputs with their counts: the first of them, and the others summed (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from batchscore.report.figures import count, counted, size
from batchscore.report.job_report import Report
from batchscore.report.markup import Content, code, element, name
from batchscore.report.parts_of_page import listed, more, note, number, some, table, with_share, words
from batchscore.report.stored import InputTold

_ROOM = 50_000
_ASKED = 30
_LACKING = 5


def inputs(report: Report) -> Content:
    """Return a row for each input."""
    manifest = report.manifest
    if manifest is None:
        asked = some(report.inputs_asked_for, code, _ASKED, report.record_file)
        items = element("ul", [element("li", item) for item in asked])
        return [note("Nothing is committed, so there are no counts. What was asked for:"), items]
    if not manifest.shown:
        return note("There were no inputs to score.")
    titles = [words("Input"), number("Size"), number("Parts"), number("Records"), number("Invalid")]

    def rest(place: int) -> Sequence[Content]:
        left = manifest.input_count - place
        return [more(left, report.manifest_file), *_counts(manifest.rest_from(place))] if left else ()

    return table(titles, map(_row, manifest.shown), counted(manifest.input_count, "input"), rest, room=_ROOM)


def _row(item: InputTold) -> list[Content]:
    lacking = some(item.missing_columns, partial(name, longest=60), _LACKING)
    without = element("span", " lacks ", listed(lacking), class_="share") if lacking else None
    return [[code(item.uri, 300), without], *_counts(item)]


def _counts(item: InputTold) -> list[Content]:
    invalid = with_share(item.invalid_record_count, item.record_count)
    return [size(item.size_in_bytes), count(item.part_count), count(item.record_count), invalid]
