"""Which lines could mean another thing to pyarrow than to the contract, found with numpy (pure)."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
UTF8_MARK = b"\xef\xbb\xbf"
_NEWLINE = 10
_CARRIAGE_RETURN = 13
_QUOTE = 34
_LINES_TOGETHER = 64


def undecodable_lines(data: bytes, starts: IntArray, encoding: str) -> list[int]:
    """Find the lines that are not of the encoding: by stretches of lines, since most hold none."""
    if decodes(data, encoding):
        return []
    found: list[int] = []
    for first in range(0, len(starts) - 1, _LINES_TOGETHER):
        last = min(first + _LINES_TOGETHER, len(starts) - 1)
        if not decodes(data[starts[first] : starts[last]], encoding):
            lines = range(first, last)
            found += [line for line in lines if not decodes(data[starts[line] : starts[line + 1]], encoding)]
    return found


def decodes(data: bytes, encoding: str) -> bool:
    """Tell whether bytes are of an encoding."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def starts_with_mark(data: bytes, starts: IntArray) -> BoolArray:
    """Find the lines that begin with a byte-order mark: pyarrow drops it from the first line that it is given."""
    found: BoolArray = np.frombuffer(data, np.uint8)[starts[:-1]] == UTF8_MARK[0]
    lines = np.flatnonzero(found)
    found[lines] = [data.startswith(UTF8_MARK, start) for start in starts[lines].tolist()]
    return found


def holds_mark(data: bytes, starts: IntArray) -> BoolArray:
    """Find the lines that hold a byte-order mark, with which they could begin when blanks are dropped."""
    return _lines_holding(np.array([mark.start() for mark in re.finditer(UTF8_MARK, data)], np.int64), starts)


def has_lone_return(data: bytes, starts: IntArray) -> BoolArray:
    """Find the lines that hold a carriage return before their end."""
    text = np.frombuffer(data, np.uint8)
    returns = np.flatnonzero(text == _CARRIAGE_RETURN)
    lone = returns[text[returns + 1] != _NEWLINE]  # data ends in a newline, so there is a next byte
    return _lines_holding(lone, starts)


def _lines_holding(places: IntArray, starts: IntArray) -> BoolArray:
    """Find the lines that bytes at some places are of: for each the last line that starts at it or before."""
    found = np.zeros(len(starts) - 1, bool)
    found[np.searchsorted(starts, places, side="right") - 1] = True
    return found


class Quoting(NamedTuple):
    """What stands beside quotes: the delimiter and perhaps ``blanks``; and within them perhaps an ``escape``."""

    delimiter: str
    blanks: str = ""
    escape: str | None = None


def has_quote_out_of_place(data: bytes, starts: IntArray, quoting: Quoting) -> BoolArray:
    """Find the lines whose quotes are not all of well-formed quoted values, and those with quotes and escapes.

    Every quote switches between outside and inside. In a well-formed line the number is even, a quote that switches
    to inside stands at the start of a value or right after another quote, and one that switches to outside stands at
    the end of a value or right before another quote. Between it and the end of the value blanks may stand.
    """
    content = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(content == _QUOTE)
    counts = np.searchsorted(quotes, starts)  # quotes before each line, and before the end
    odd = (np.diff(counts) % 2).astype(bool)
    # From here on arrays have an item for each quote: its line, whether it is an even one of the line, counted from 0.
    line_of_quote = np.searchsorted(starts, quotes, side="right") - 1
    opens = (np.arange(len(quotes)) - counts[line_of_quote]) % 2 == 0
    misplaced = _misplaced(content, quotes, opens, quoting)
    found = odd.copy()
    found[line_of_quote[misplaced]] = True
    if quoting.escape and quoting.escape.encode() in data:
        found |= _lines_holding(np.flatnonzero(content == ord(quoting.escape)), starts) & (np.diff(counts) > 0)
    return found


def quotes_in_place(data: bytes, quoting: Quoting) -> IntArray | None:
    """Return where the quotes of a text stand that begins with a record, if each is of a well-formed quoted value."""
    if quoting.escape and quoting.escape.encode() in data:
        return None
    content = np.frombuffer(data + b"\n", np.uint8)
    quotes = np.flatnonzero(content == _QUOTE)
    misplaced = _misplaced(content, quotes, np.arange(len(quotes)) % 2 == 0, quoting)
    return None if misplaced.any() else quotes


def _misplaced(content: npt.NDArray[np.uint8], quotes: IntArray, opens: BoolArray, quoting: Quoting) -> BoolArray:
    """Tell which quotes do not stand at the bound of a value, by whether they would begin or end one."""
    before = np.where(quotes == 0, _NEWLINE, content[np.maximum(quotes - 1, 0)])
    after = content[quotes + 1]
    # Which bytes may stand beside a quote, as tables by the byte's value: looked up, not compared one by one.
    bounds = np.zeros(256, bool)
    bounds[[ord(quoting.delimiter), _NEWLINE]] = True
    bounds[_QUOTE] = quoting.escape is None  # a doubled one ends a value and begins it again
    ends = bounds.copy()
    ends[_CARRIAGE_RETURN] = True
    misplaced = np.where(opens, ~bounds[before], ~ends[after])
    if quoting.blanks:
        bounds[_QUOTE] = ends[_QUOTE] = False
        wrong = np.flatnonzero(misplaced)
        begins = opens[wrong]
        reached = _past_blanks(content, quotes[wrong], np.where(begins, -1, 1), quoting.blanks)
        misplaced[wrong] = np.where(begins, ~bounds[reached], ~ends[reached])
    return misplaced


def _past_blanks(content: npt.NDArray[np.uint8], places: IntArray, steps: IntArray, blanks: str) -> IntArray:
    """Return what stands beside some places, to the left or right, when blanks are passed over."""
    is_blank = np.isin(np.arange(256), list(blanks.encode()))
    reached = places + steps
    going = np.arange(len(places))
    while len(going := going[(reached[going] >= 0) & is_blank[content[reached[going]]]]):
        reached[going] += steps[going]
    return np.where(reached < 0, _NEWLINE, content[reached])


def has_blanks_alone(data: bytes, starts: IntArray, blanks: str) -> BoolArray:
    """Find the lines of blanks alone, which would be empty without them."""
    is_blank = np.isin(np.arange(256), list(blanks.encode()))
    is_end = is_blank | (np.arange(256) == _CARRIAGE_RETURN)
    content = np.frombuffer(data, np.uint8)
    lines = np.flatnonzero(is_blank[content[starts[:-1]]] & is_end[content[np.maximum(starts[1:] - 2, 0)]])
    reached = _past_blanks(content, starts[lines] - 1, np.ones(len(lines), np.int64), blanks)
    found = np.zeros(len(starts) - 1, bool)
    found[lines] = (reached == _NEWLINE) | (reached == _CARRIAGE_RETURN)
    return found
