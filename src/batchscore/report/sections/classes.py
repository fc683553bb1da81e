"""The classes of a multiclass model: how often each was answered, and for which labels (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest
from operator import itemgetter
from typing import Any

from batchscore.report.figures import count, counted, measure, share
from batchscore.report.job_report import Report
from batchscore.report.markup import Content, Markup, element, join, name, shortened
from batchscore.report.parts_of_page import bar, boxed, folded, more, note, number, table, words

_SHOWN = 30
_MATRIX = 12
_CONFUSED = 20
_SHADES = 5
_TWO = 2
_LONGEST = 60

Confusion = Sequence[Sequence[int]]


def class_counts(report: Report) -> Content:
    """Return how often each class is the most probable one, the most frequent first."""
    answers = report.profile.best_answers if report.profile else {}
    ordered = sorted(answers, key=lambda label: -answers[label])
    total = sum(answers.values())
    titles = [words("Class"), number("Records"), number("Share"), words("")]
    most = max(answers.values(), default=0)

    def row(title: Content, records: int) -> list[Content]:
        return [title, count(records), share(records, total), bar(records, most)]

    def told(labels: Sequence[str], caption: str) -> Markup:
        def rest(place: int) -> Sequence[Content]:
            left = [answers[label] for label in labels[place:]]
            return [*row(more(len(left), report.profile_file), sum(left))[:-1], None] if left else ()

        return table(titles, (row(name(label, _LONGEST), answers[label]) for label in labels), caption, rest)

    shown = told(ordered[:_SHOWN], "Most probable class of each record")
    others = ordered[_SHOWN:]
    records = sum(answers[label] for label in others)
    summary = f"{len(others):,} more classes, with {counted(records, 'record')}"
    return [shown, folded(summary, told(others, "The other classes")) if others else None]


def confusion(labels: Sequence[str], counts: Confusion) -> Content:
    """Return the confusion matrix.

    Of many classes it has the most frequent labels, the others together, and a list of what is mistaken.
    """
    by_label = sorted(range(len(labels)), key=lambda place: -sum(counts[place]))
    shown = by_label if len(labels) <= _MATRIX + 1 else by_label[:_MATRIX]
    shown = sorted(shown)
    others = sorted(set(by_label) - set(shown))
    matrix = _matrix([labels[place] for place in shown], _gathered(counts, shown, others), len(others))
    return [matrix, _mistaken(labels, counts) if others else None]


def _gathered(counts: Confusion, shown: Sequence[int], others: Sequence[int]) -> list[list[int]]:
    """Return the counts with all other classes as one more row and column."""
    rows = [_of_row(counts[place], shown) for place in shown]
    if others:
        rows.append([sum(column) for column in zip(*(_of_row(counts[place], shown) for place in others), strict=True)])
    return rows if others else [row[:-1] for row in rows]


def _of_row(row: Sequence[int], shown: Sequence[int]) -> list[int]:
    """Return some counts of a row, and the sum of the others."""
    found = [row[place] for place in shown]
    return [*found, sum(row) - sum(found)]


def _matrix(labels: Sequence[str], counts: Confusion, other_count: int) -> Markup:
    texts = [*labels, f"{other_count:,} others"] if other_count else list(labels)
    titles = [shortened(text, 24) for text in texts]
    corner = element("th", "Label \u2193 \u00b7 answer \u2192", scope="col")
    head = element("tr", corner, [element("th", name(title), scope="col", class_="n") for title in titles])
    body = []
    for place, (title, row) in enumerate(zip(titles, counts, strict=True)):
        cells = [_cell(value, sum(row), titles[at], is_right=place == at) for at, value in enumerate(row)]
        body.append(element("tr", element("th", name(title), scope="row"), cells))
    stacks = " stacks" if len(titles) > _TWO else ""
    parts = [element("caption", "Confusion"), element("thead", head), element("tbody", body)]
    inner = element("table", parts, class_=f"matrix{stacks}")
    return join(
        boxed(inner, "Confusion matrix"),
        note("A row for each label: its records by the class that was answered. Right answers are framed."),
    )


def _cell(value: int, total: int, answer: str, *, is_right: bool) -> Markup:
    shade = min(_SHADES - 1, int(_SHADES * value / total)) if total and value else 0
    return element("td", count(value), class_=f"n shade{shade}{' right' if is_right else ''}", data_label=answer)


def _mistaken(labels: Sequence[str], counts: Confusion) -> Markup:
    pairs = (
        (value, at, to)
        for at, row in enumerate(counts)
        if any(row)
        for to, value in enumerate(row)
        if value and at != to
    )
    most = nlargest(_CONFUSED, pairs, key=itemgetter(0))
    rows: list[list[Content]] = [
        [name(labels[at], _LONGEST), name(labels[to], _LONGEST), count(value), share(value, sum(counts[at]))]
        for value, at, to in most
    ]
    titles = [words("Label"), words("Answered"), number("Records"), number("Of the label")]
    if not rows:
        return note("No class is taken for another.")
    return table(titles, rows, f"The {len(rows)} most frequent mistakes")


def by_class(quality: Mapping[str, Any], file: str) -> Content:
    """Return precision, recall and F1 of each class; all of them are in a file."""
    classes = quality.get("classes")
    if not isinstance(classes, Mapping):
        return None
    titles = [words("Class"), number("Labels"), number("Precision"), number("Recall"), number("F1")]
    rows: Iterable[list[Content]] = (
        [
            name(label, _LONGEST),
            count(found.get("count", 0)),
            *(measure(found.get(key)) for key in ("precision", "recall", "f1")),
        ]
        for label, found in classes.items()
    )

    def rest(place: int) -> Sequence[Content]:
        left = [found.get("count", 0) for found in list(classes.values())[place:]]
        return [more(len(left), file), count(sum(left)), None, None, None] if left else ()

    shown = table(titles, rows, "Quality by class", rest)
    return shown if len(classes) <= _SHOWN else folded(f"Quality by class, of {len(classes):,} classes", shown)
