"""What a notebook shows of a job or a review: small HTML that needs nothing else (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_CELL = "text-align: left; vertical-align: top; white-space: pre-wrap"


def facts_table(title: str, facts: Iterable[tuple[str, str]]) -> str:
    """Return a title, and below it a row for each name with its value."""
    rows = "".join(f'<tr><th style="{_CELL}">{escape(name)}</th>{_cell(value)}</tr>' for name, value in facts)
    return f"<p><strong>{escape(title)}</strong></p><table><tbody>{rows}</tbody></table>"


def rows_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with titles."""
    head = "".join(f'<th style="{_CELL}">{escape(title)}</th>' for title in titles)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def folded(title: str, text: str) -> str:
    """Return a text as it stands, to be unfolded."""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"


def _cell(text: str) -> str:
    return f'<td style="{_CELL}">{escape(text)}</td>'
