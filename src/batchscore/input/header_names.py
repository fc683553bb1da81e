"""The names of a header's columns, as pandas gives them, and which of them may have been meant (pure)."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Sequence

from batchscore.config.missing_values import PLAIN_NUMBER

_NEAR = 0.8  # of 1: below it a name of the header is another one, or a value of a file without a header
_NAMED = 20


def pandas_names(header: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that ``pandas.read_csv`` has of a header record; each name is there once.

    A column without a name is ``Unnamed: 2``, by its place counted from 0. Of a repeated name the first column keeps
    it, the others are ``a.1``, ``a.2``, unless the header has such a name itself. Named columns go before unnamed ones.
    """
    if "" not in header and len(set(header)) == len(header):
        return tuple(header)
    names = [name or f"Unnamed: {place}" for place, name in enumerate(header)]
    present, numbers = Counter(names), Counter[str]()  # present: the names as they are by now, changed ones included
    for place in sorted(range(len(names)), key=lambda place: not header[place]):
        first = name = names[place]
        number = numbers[name]
        while number > 0:
            numbers[first] = number + 1
            name = f"{first}.{number}"
            number = number + 1 if present[name] else numbers[name]
        present[first] -= 1
        present[name] += 1
        names[place] = name
        numbers[name] = number + 1
    return tuple(names)


def are_numbers(header: Sequence[str], *, may_have_gaps: bool) -> bool:
    """Tell whether a header is a record of numbers, some of which may be missing.

    A name may also be empty since pandas writes an index so, which a job reads by the name that it gets.
    """
    numbers = [name for name in header if PLAIN_NUMBER.fullmatch(name.strip())]
    gaps = [name for name in header if not name.strip()] if may_have_gaps else []
    return bool(numbers) and len(numbers) + len(gaps) == len(header)


def first_names(names: Sequence[str]) -> str:
    """Return names for a message, the first 20 of many."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def near_names(missing: Sequence[str], names: Collection[str]) -> str:
    """Return, for a message, the names of a header that may have been meant by missing ones; nothing if none is near.

    Other names are not shown: of a file without a header they are values.
    """
    found = [(name, near) for name in missing if (near := near_name(name, names))]
    return "; did you mean " + ", ".join(f"{near} for {name}" for name, near in found) if found else ""


def near_name(missing: str, names: Collection[str]) -> str | None:
    """Return the name that may have been meant: the same without case, spaces and underscores, or nearly the same."""
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(_plain(name), name)
    wanted = _plain(missing)
    near = [wanted] if wanted in plain else difflib.get_close_matches(wanted, plain, n=1, cutoff=_NEAR)
    return plain[near[0]] if near else None


def _plain(name: str) -> str:
    """Return a name without what people mix up."""
    return "".join(character for character in name.casefold() if character.isalnum()) or name
