"""The columns that the model reads: what was missing, invalid and unseen, and what a full profile has (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from batchscore.report.bins import bars, linear_scale, middle_range
from batchscore.report.drawing import outline
from batchscore.report.figures import count, counted, measure, share
from batchscore.report.job_report import Report
from batchscore.report.markup import Content, Markup, element, name, shortened
from batchscore.report.parts_of_page import Title, folded, more, note, number, table, with_share, word, words
from batchscore.report.stored import ColumnTold

_SHOWN = 30
_TEXTS = 5
_BARS = 16
_SPARK_WIDTH = 96
_SPARK_HEIGHT = 24
_LONGEST = 80
_LARGEST = 1e15  # whole numbers from here on are shown in four digits and a power of ten


def columns(report: Report, room: int) -> Content:
    """Return a table of the columns, those of which something is told first, as far as they have room."""
    told = _told(report)
    if not told:
        return note("Nothing is told of columns: the job has no profile, and none of its columns had an invalid value.")
    total = report.profile.record_count if report.profile else (report.record.TotalRecordCount or 0)
    ordered = sorted(told.items(), key=lambda item: -_weight(item[1]))
    noted = sum(1 for column in told.values() if _weight(column))
    quiet = len(told) - noted
    is_full = any(_is_full(column) for column in told.values())
    titles = [words("Column"), word("Type"), number("Missing"), number("Invalid"), number("Unseen")]
    titles += [words("Values")] if is_full else []
    file = report.profile_file if report.profile else report.manifest_file
    caption = "Columns, those with the most missing, invalid or unseen values first"
    shown = _table(ordered[:_SHOWN], titles, total, caption, file, room)
    others, left = ordered[_SHOWN:], room - len(shown.encode())
    more_columns = _table(others, titles, total, "The other columns", file, left) if others else None
    summary = f"Of {counted(len(told), 'column')}, {count(quiet)} without a missing, invalid or unseen value."
    unseen = note(
        "Unseen: a text that the model does not know. A dash: the model does not show what it knows, or the column is "
        "no text."
    )
    return [note(summary), shown, folded(f"{len(others):,} more columns", more_columns) if others else None, unseen]


def _told(report: Report) -> Mapping[str, ColumnTold]:
    if report.profile and report.profile.columns:
        return report.profile.columns
    if report.manifest is None:
        return {}
    manifest = report.manifest
    names = list(dict.fromkeys([*manifest.invalid_values, *manifest.unseen_values]))
    return {
        title: ColumnTold(
            invalid=manifest.invalid_values.get(title, 0), unseen=manifest.unseen_values.get(title), missing=-1
        )
        for title in names
    }


def _weight(column: ColumnTold) -> int:
    return max(0, column.missing) + column.invalid + (column.unseen or 0)


def _is_full(column: ColumnTold) -> bool:
    return bool(column.buckets or column.values is not None or column.high_cardinality or column.min is not None)


def _table(
    items: Sequence[tuple[str, ColumnTold]], titles: Sequence[Title], total: int, caption: str, file: str, room: int
) -> Markup:
    def rest(place: int) -> Sequence[Content]:
        return _rest([column for _, column in items[place:]], len(titles), file)

    rows = (_row(title, column, total, len(titles)) for title, column in items)
    return table(titles, rows, caption, rest, room=room)


def _rest(left: Sequence[ColumnTold], width: int, file: str) -> Sequence[Content]:
    """Return the sums of columns that are left out."""
    if not left:
        return ()
    sums = [
        sum(max(0, column.missing) for column in left),
        sum(column.invalid for column in left),
        sum(column.unseen or 0 for column in left),
    ]
    return [more(len(left), file), None, *map(count, sums), *[None] * (width - 5)]


def _row(title: str, column: ColumnTold, total: int, width: int) -> list[Content]:
    dash = element("span", "\u2013", class_="none")
    row: list[Content] = [
        name(title, _LONGEST),
        shortened(column.type, 20) or dash,
        with_share(column.missing, total) if column.missing >= 0 else dash,
        with_share(column.invalid, total),
        with_share(column.unseen, total) if column.unseen is not None else dash,
    ]
    return [*row, _values(column)] if len(row) < width else row


def _values(column: ColumnTold) -> Content:
    if column.high_cardinality:
        return element("span", "more than 1,000 different ones, not listed", class_="share")
    if column.values is not None:
        return _texts(column.values, column.other)
    if column.buckets:
        return [_spark(column), _range(column)]
    return _range(column) if column.min is not None else None


def _texts(values: Sequence[tuple[str, int]], other: int) -> Content:
    total = sum(number for _, number in values) + other
    shown: list[Content] = []
    for text, number_of in values[:_TEXTS]:
        shown += [name(text, 40), element("span", f" {share(number_of, total)}", class_="share"), ", "]
    rest = sum(number_of for _, number_of in values[_TEXTS:]) + other
    if rest:
        return [shown, f"others {share(rest, total)}"]
    return shown[:-1] or "none"


def _spark(column: ColumnTold) -> Markup:
    low, high, _ = middle_range(column.buckets)
    scale = linear_scale(low, high)
    inside = tuple(bucket for bucket in column.buckets if bucket[1] > scale.low and bucket[0] < scale.high)
    line = outline(bars(inside or column.buckets, scale, _BARS), _SPARK_WIDTH, _SPARK_HEIGHT)
    return element("svg", line, class_="spark", width=_SPARK_WIDTH, height=_SPARK_HEIGHT, aria_hidden="true")


def _range(column: ColumnTold) -> Markup:
    ends = [shortened(value, 40) if isinstance(value, str) else _end(value) for value in (column.min, column.max)]
    mean = f", mean {measure(column.mean)}" if column.mean is not None else ""
    return element("span", f"{ends[0]} to {ends[1]}{mean}", class_="share")


def _end(value: int | float | None) -> str:
    if isinstance(value, int):
        return shortened(count(value), 40)
    if value is None or value % 1 or abs(value) >= _LARGEST:
        return measure(value)
    return count(int(value))
