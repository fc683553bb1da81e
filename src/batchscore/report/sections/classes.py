"""The classes of a multiclass model: how often each was answered, and for which labels (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from batchscore.report.figures import count, measure, share
from batchscore.report.job_report import Report
from batchscore.report.markup import Content, Markup, element, join, name
from batchscore.report.parts_of_page import bar, folded, note, number, table, words

_SHOWN = 30
_MATRIX = 12
_CONFUSED = 20
_SHADES = 5
_LONGEST = 60

Confusion = Sequence[Sequence[int]]


def class_counts(report: Report) -> Content:
    """Return how often each class is the most probable one, the most frequent first."""
    answers = report.profile.best_answers if report.profile else {}
    ordered = sorted(answers, key=lambda label: -answers[label])
    total = sum(answers.values())
    titles = [words("Class"), number("Records"), number("Share"), words("")]
    most = max(answers.values(), default=0)

    def rows(labels: Sequence[str]) -> list[list[Content]]:
        return [
            [name(label, _LONGEST), count(answers[label]), share(answers[label], total), bar(answers[label], most)]
            for label in labels
        ]

    caption = "Most probable class of each record"
    shown = table(titles, rows(ordered[:_SHOWN]), caption)
    rest = ordered[_SHOWN:]
    if not rest:
        return shown
    records = sum(answers[label] for label in rest)
    folded_rest = folded(
        f"{len(rest):,} more classes, with {count(records)} records", table(titles, rows(rest), "The other classes")
    )
    return [shown, folded_rest]


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
    groups = [[place] for place in shown] + ([list(others)] if others else [])
    return [[sum(counts[row][column] for row in rows for column in columns) for columns in groups] for rows in groups]


def _matrix(labels: Sequence[str], counts: Confusion, other_count: int) -> Markup:
    texts = [*labels, f"{other_count} others"] if other_count else list(labels)
    names: list[Content] = [name(text, 24) for text in texts]
    head = element(
        "tr",
        element("th", "Label \u2193 \u00b7 answer \u2192", scope="col"),
        [element("th", text, scope="col", class_="n") for text in names],
    )
    body = []
    for place, (title, row) in enumerate(zip(names, counts, strict=True)):
        cells = [_cell(value, sum(row), is_right=place == at) for at, value in enumerate(row)]
        body.append(element("tr", element("th", title, scope="row"), cells))
    inner = element(
        "table", element("caption", "Confusion"), element("thead", head), element("tbody", body), class_="matrix"
    )
    box = element("div", inner, class_="wide", tabindex="0", role="region", aria_label="Confusion matrix")
    return join(
        box, note("A row for each label: its records by the class that was answered. Right answers are framed.")
    )


def _cell(value: int, total: int, *, is_right: bool) -> Markup:
    shade = min(_SHADES - 1, int(_SHADES * value / total)) if total and value else 0
    return element("td", count(value), class_=f"n shade{shade}{' right' if is_right else ''}")


def _mistaken(labels: Sequence[str], counts: Confusion) -> Markup:
    pairs = [
        (value, sum(row), labels[at], labels[to])
        for at, row in enumerate(counts)
        for to, value in enumerate(row)
        if value and at != to
    ]
    most = sorted(pairs, key=lambda pair: -pair[0])[:_CONFUSED]
    rows: list[list[Content]] = [
        [name(label, _LONGEST), name(answer, _LONGEST), count(value), share(value, total)]
        for value, total, label, answer in most
    ]
    titles = [words("Label"), words("Answered"), number("Records"), number("Of the label")]
    if not rows:
        return note("No class is taken for another.")
    return table(titles, rows, f"The {len(rows)} most frequent mistakes")


def by_class(quality: Mapping[str, Any]) -> Content:
    """Return precision, recall and F1 of each class."""
    classes = quality.get("classes")
    if not isinstance(classes, Mapping):
        return None
    titles = [words("Class"), number("Labels"), number("Precision"), number("Recall"), number("F1")]
    rows: list[list[Content]] = [
        [
            name(label, _LONGEST),
            count(found.get("count", 0)),
            *(measure(found.get(key)) for key in ("precision", "recall", "f1")),
        ]
        for label, found in classes.items()
    ]
    shown = table(titles, rows, "Quality by class")
    return shown if len(rows) <= _SHOWN else folded(f"Quality of each of {len(rows)} classes", shown)
