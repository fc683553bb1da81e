"""What sections are made of: headings, facts, tables in a box of their own, and things to copy (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from batchscore.report.drawing import percent
from batchscore.report.figures import share
from batchscore.report.markup import Content, Markup, code, element

_NARROW = 4
"""Columns of a table that looks lost at full width, where all but the first are numbers."""
_MOST_ACROSS = 3
"""Columns that stand side by side on the narrowest screen."""
ROOM = 24_000
"""Bytes of the rows of a table: more rows are left out, and counted in a last one."""


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
    """The title of a column; numbers stand to the right, and on a narrow screen one word can beside that of the row."""

    text: str
    is_number: bool = False
    is_beside: bool = False

    @property
    def class_(self) -> str | None:
        """The class of the cells."""
        return "n" if self.is_number else "beside" if self.is_beside else None


def number(text: str) -> Title:
    """Return the title of a column of numbers."""
    return Title(text, is_number=True)


def words(text: str) -> Title:
    """Return the title of a column of words."""
    return Title(text)


def word(text: str) -> Title:
    """Return the title of a column of one word, which needs no line of its own where rows are blocks."""
    return Title(text, is_beside=True)


def more(number_of: int, file: str | None = None) -> Content:
    """Return how many are left out, and where all of them are."""
    return [f"and {number_of:,} more", ["; all are in ", code(file)] if file else None]


def some(texts: Sequence[str], shown: Callable[[str], Content], most: int, file: str | None = None) -> list[Content]:
    """Return the first of some texts as they are shown, and how many more there are."""
    left = len(texts) - most
    return [*map(shown, texts[:most]), *([more(left, file)] if left > 0 else [])]


def listed(items: Sequence[Content], between: str = ", ") -> Content:
    """Return items with a comma between them, or something else."""
    return [[between if place else None, item] for place, item in enumerate(items)]


def table(
    titles: Sequence[Title],
    rows: Iterable[Sequence[Content]],
    caption: str,
    rest: Callable[[int], Sequence[Content]] | None = None,
    *,
    room: int = ROOM,
) -> Markup:
    """Return a table; the first cell of a row is its title.

    Rows beyond ``room`` bytes are left out. ``rest`` gives the cells of a last row that tells of them, or none, from
    the place of the first that is not shown.
    """
    stacks = len(titles) > _MOST_ACROSS
    left = iter(rows)
    shown = _fitting((_row(titles, row, stacks=stacks) for row in left), room)
    foot = rest(len(shown)) if rest else _left_out(titles, sum(1 for _ in left))
    is_narrow = len(titles) <= _NARROW and all(title.is_number for title in titles[1:])
    inner = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", [_head(title) for title in titles])),
        element("tbody", shown),
        element("tfoot", _row(titles, foot, stacks=stacks)) if foot else None,
        class_=" ".join(["narrow"] * is_narrow + ["stacks"] * stacks) or None,
    )
    return boxed(inner, caption)


def boxed(content: Markup, label: str) -> Markup:
    """Return a table in a box that scrolls by itself."""
    return element("div", content, class_="wide", tabindex="0", role="region", aria_label=label)


def _fitting(rows: Iterable[Markup], room: int) -> list[Markup]:
    """Return the first rows, as far as they have room."""
    kept: list[Markup] = []
    for row in rows:
        room -= len(row.encode())
        if room < 0:
            break
        kept.append(row)
    return kept


def _left_out(titles: Sequence[Title], number_of: int) -> Sequence[Content]:
    return [more(number_of), *[None] * (len(titles) - 1)] if number_of else ()


def _head(title: Title) -> Markup:
    return element("th", title.text, scope="col", class_=title.class_)


def _row(titles: Sequence[Title], cells: Sequence[Content], *, stacks: bool) -> Markup:
    """Return a row; where its cells can stand one below the other each has the title of its column."""
    pairs = list(zip(titles, cells, strict=True))
    others = [
        element("td", cell, class_=title.class_, data_label=title.text or None if stacks else None)
        for title, cell in pairs[1:]
    ]
    return element("tr", element("th", cells[0], scope="row", class_=titles[0].class_), others)


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
