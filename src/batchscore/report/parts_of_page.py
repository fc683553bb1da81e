"""What sections are made of: headings, facts, tables in a box of their own, and things to copy (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batchscore.report.drawing import percent
from batchscore.report.figures import share
from batchscore.report.markup import Content, Markup, element

_NARROW = 4
"""Columns of a table that looks lost at full width, where all but the first are numbers."""


@dataclass(frozen=True)
class Section:
    """A section: its anchor, its title, its content."""

    anchor: str
    title: str
    content: Content

    @property
    def html(self) -> Markup:
        """The section itself."""
        heading = element("h2", self.title, id=f"{self.anchor}-title")
        return element("section", heading, self.content, id=self.anchor, aria_labelledby=f"{self.anchor}-title")


def note(*content: Content) -> Markup:
    """Return a remark in small letters."""
    return element("p", *content, class_="note")


def facts(*pairs: tuple[str, Content] | None) -> Markup:
    """Return names with their values."""
    rows = [element("div", element("dt", title), element("dd", value)) for title, value in filter(None, pairs) if value]
    return element("dl", rows, class_="facts")


def tiles(*tiles: tuple[str, str, Content] | None) -> Markup:
    """Return the few numbers that matter: of each what it is, the number, and a remark."""
    shown = [
        element("div", element("dt", title), element("dd", number, class_="big"), element("dd", remark))
        for title, number, remark in filter(None, tiles)
    ]
    return element("dl", shown, class_="tiles")


@dataclass(frozen=True)
class Title:
    """The title of a column; numbers stand to the right."""

    text: str
    is_number: bool = False


def number(text: str) -> Title:
    """Return the title of a column of numbers."""
    return Title(text, is_number=True)


def words(text: str) -> Title:
    """Return the title of a column of words."""
    return Title(text)


def table(
    titles: Sequence[Title], rows: Sequence[Sequence[Content]], caption: str, foot: Sequence[Content] = ()
) -> Markup:
    """Return a table in a box that scrolls by itself; the first cell of a row is its title."""
    head = element(
        "tr", [element("th", title.text, scope="col", class_="n" if title.is_number else None) for title in titles]
    )
    body = [_row(titles, row) for row in rows]
    is_narrow = len(titles) <= _NARROW and all(title.is_number for title in titles[1:])
    inner = element(
        "table",
        element("caption", caption),
        element("thead", head),
        element("tbody", body),
        element("tfoot", _row(titles, foot)) if foot else None,
        class_="narrow" if is_narrow else None,
    )
    return element("div", inner, class_="wide", tabindex="0", role="region", aria_label=caption)


def _row(titles: Sequence[Title], cells: Sequence[Content]) -> Markup:
    shown = [
        element("td" if place else "th", cell, scope=None if place else "row", class_="n" if title.is_number else None)
        for place, (title, cell) in enumerate(zip(titles, cells, strict=True))
    ]
    return element("tr", shown)


def folded(summary: str, *content: Content, is_open: bool = False) -> Markup:
    """Return content that a click shows."""
    return element("details", element("summary", summary), *content, open=is_open)


def command(text: str) -> Markup:
    """Return a command to paste."""
    return element("pre", element("code", text), class_="command", tabindex="0")


def bar(part: float, whole: float) -> Markup:
    """Return a bar beside a number: how much of the whole it is."""
    width = percent(part / whole if whole else 0)
    return element(
        "svg", element("rect", width=width, height="100%"), class_="bar", width="100%", height="8", aria_hidden="true"
    )


def with_share(part: int, whole: int) -> Content:
    """Return a count with its share, both plain: nothing is a dash."""
    if not part:
        return element("span", "0", class_="none")
    return [f"{part:,} ", element("span", share(part, whole), class_="share")]
