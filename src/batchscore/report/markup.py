"""HTML and SVG, in which whatever is not markup already is escaped (pure)."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeAlias

_LONGEST_SHOWN = 240
_BYTES_A_LETTER = 3  # of UTF-8: names of any script fit whole; what takes more, as a quote does, has fewer letters
_VOID = frozenset({"br", "hr", "input", "link", "meta"})
# What an HTML file may not hold: controls become their pictures, halves of characters the sign for what is no text.
# What turns the direction of text is spelt out: no name from right to left needs it, and it makes gnp.txt of txt.png.
_PICTURES = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"} | {127: "\u2421"}
_TURNS = {code: f"[U+{code:X}]" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029)}
_NO_TEXT = re.compile("[\ud800-\udfff\x80-\x9f\ufffe\uffff]")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content: TypeAlias = "str | Iterable[Content] | None"
"""Of an element: markup, text that is to be escaped, nothing, or several of these."""


def escaped(text: str) -> Markup:
    """Return text as HTML that shows it and does nothing, in elements and in attributes."""
    return Markup(html.escape(_spelt(text), quote=True))


def _spelt(text: str) -> str:
    return _NO_TEXT.sub("\ufffd", text).translate(_PICTURES | _TURNS)


def join(*content: Content) -> Markup:
    """Return contents one after the other."""
    return Markup("".join(_texts(content)))


def _texts(content: Content) -> Iterable[str]:
    if content is None:
        return
    if isinstance(content, str):
        yield content if isinstance(content, Markup) else escaped(content)
        return
    for item in content:
        yield from _texts(item)


def element(tag: str, *content: Content, **attributes: object) -> Markup:
    """Return an element; ``class_`` is the attribute class, ``aria_label`` is aria-label, None and False are none."""
    told = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{told}>")
    return Markup(f"<{tag}{told}>{join(*content)}</{tag}>")


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    spelt = name.rstrip("_").replace("_", "-")
    return f" {spelt}" if value is True else f' {spelt}="{escaped(str(value))}"'


def name(text: str, longest: int = _LONGEST_SHOWN) -> Markup:
    """Return a name that others gave, apart from what stands around it: it may run from right to left."""
    return element("bdi", shortened(text, longest))


def code(text: str, longest: int = _LONGEST_SHOWN) -> Markup:
    """Return a name, URI or digest as it is spelt to machines."""
    return element("code", name(text, longest))


def shortened(text: str, longest: int) -> str:
    """Return a text of a bounded length: of a longer one both ends, since names of files differ at either.

    The length is that of what is shown, and so is a bound of its bytes in the page.
    """
    if len(text) <= longest and _is_within(spelt := _spelt(text), longest):
        return spelt
    half = (longest - 1) // 2
    return "".join([*_beginning(text, half), "\u2026", *reversed(_beginning(reversed(text), half))])


def _is_within(spelt: str, longest: int) -> bool:
    return len(spelt) <= longest and len(escaped(spelt).encode()) <= _BYTES_A_LETTER * longest


def _beginning(characters: Iterable[str], longest: int) -> list[str]:
    """Return the first characters, as they are spelt, as far as they have room."""
    kept: list[str] = []
    letters = size_in_bytes = 0
    for spelt, size in map(_letter, characters):
        letters += len(spelt)
        size_in_bytes += size
        if letters > longest or size_in_bytes > _BYTES_A_LETTER * longest:
            break
        kept.append(spelt)
    return kept


@lru_cache(4096)
def _letter(character: str) -> tuple[str, int]:
    """Return how a character is spelt, and its bytes in the page."""
    spelt = _spelt(character)
    return spelt, len(escaped(spelt).encode())


def json_in_script(value: Any) -> Markup:
    """Return JSON that no text in it can end the element of."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)  # ASCII: U+2028 and its kin are escaped
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
