"""Globs: which URIs an entry with wildcards matches (pure).

``*``, ``?``, ``[...]``, and ``[!...]`` or ``[^...]`` match within a name, as in shells; ``**`` goes over ``/`` too, and
``**/`` may stand for no folder at all. A glob that ends in ``/`` means all that lies below the folders it matches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache

_ACROSS = "**"
_WILDCARD = re.compile(r"[*?\[]")
_CLASS = re.compile(r"\[[!^]?\]?[^\]]*\]")
_TOKEN = re.compile(rf"{_CLASS.pattern}|\*{{2,}}|.", re.DOTALL)
# {a,b}, of a brace also the half that is left of it where a list of arguments is cut at its commas.
_BRACES = re.compile(r"\{[^{}]*(,|$)|^[^{}]*\}")
NO_BRACES = "{a,b} is no pattern: give a list"

Names = tuple[str, ...]


def has_wildcards(entry: str) -> bool:
    """Tell whether an entry may be a glob; names may hold these characters too, so only what is there decides."""
    return _WILDCARD.search(entry) is not None


def has_braces(pattern: str) -> bool:
    """Tell whether a pattern holds alternatives in braces, as Hadoop and shells have them; names may hold them too."""
    return _BRACES.search(_CLASS.sub("", pattern)) is not None


def name_matches(pattern: str, name: str) -> bool:
    """Tell whether a pattern matches a name: fnmatch knows no ``[^a]``, which Hadoop and shells have for ``[!a]``."""
    return fnmatchcase(name, _of_fnmatch(pattern))


@lru_cache(maxsize=1024)
def _of_fnmatch(pattern: str) -> str:
    return _CLASS.sub(lambda found: re.sub(r"^\[\^", "[!", found[0]), pattern)


def folder_before_wildcards(entry: str) -> str:
    """Return the folder that a glob begins in, of an entry without wildcards its own; it ends in ``/``."""
    return _WILDCARD.split(entry, maxsplit=1)[0].rpartition("/")[0] + "/"


def spelt_names(entry: str) -> Names:
    """Return the patterns of the names below the folder that a glob begins in; none of an entry without wildcards."""
    return Glob(entry).names if has_wildcards(entry) else ()


@dataclass(frozen=True)
class Glob:
    """A canonical URI with wildcards."""

    text: str

    @cached_property
    def prefix(self) -> str:
        """What every match begins with."""
        return _WILDCARD.split(self.text, maxsplit=1)[0]

    @cached_property
    def folder(self) -> str:
        """The folder before the first wildcard, with its ``/``."""
        return folder_before_wildcards(self.text)

    @cached_property
    def names(self) -> Names:
        """The patterns of the names below the folder."""
        return tuple(self.text.removeprefix(self.folder).split("/"))

    @property
    def is_flat(self) -> bool:
        """Whether every match lies directly in the folder."""
        return len(self.names) == 1 and _ACROSS not in self.names[0]

    @cached_property
    def _patterns(self) -> tuple[Names, ...]:
        *names, last = self.names
        return tuple(_alternatives((*names, last) if last else (*names, _ACROSS, "*")))

    def matches(self, uri: str) -> bool:
        """Tell whether the glob matches an object's URI."""
        return any(len(patterns) in places for patterns, places in self._places(uri))

    def enters(self, folder: str) -> bool:
        """Tell whether the glob could match something below a folder, whose URI ends in ``/``."""
        if self.folder.startswith(folder):
            return True
        return any(places - {len(patterns)} for patterns, places in self._places(folder.removesuffix("/")))

    def _places(self, uri: str) -> Iterator[tuple[Names, set[int]]]:
        """Yield the patterns with the places in them that the names of a URI lead to."""
        if uri.startswith(self.folder):
            names = uri.removeprefix(self.folder).split("/")
            for patterns in self._patterns:
                yield patterns, _places_after(patterns, names)


def _alternatives(patterns: Names) -> Iterator[Names]:
    """Yield patterns in which ``**`` stands alone: ``a**b`` is ``a*b`` in one name, or ``a*/**/*b`` in several."""
    for index, pattern in enumerate(patterns):
        tokens = _TOKEN.findall(pattern)
        across = next((place for place, token in enumerate(tokens) if token.startswith(_ACROSS)), None)
        if across is None or pattern == _ACROSS:
            continue
        before, after = "".join(tokens[:across]), "".join(tokens[across + 1 :])
        for middle in ((f"{before}*{after}",), (f"{before}*", _ACROSS, f"*{after}")):
            yield from _alternatives((*patterns[:index], *middle, *patterns[index + 1 :]))
        return
    yield patterns


def _places_after(patterns: Names, names: Sequence[str]) -> set[int]:
    """Return how many patterns can be matched by the names; one of ``**`` matches any number of them, or none."""
    places = _with_none_across(patterns, {0})
    for name in names:
        stayed = {place for place in places if place < len(patterns) and patterns[place] == _ACROSS}
        moved = {
            place + 1 for place in places - stayed if place < len(patterns) and name_matches(patterns[place], name)
        }
        places = _with_none_across(patterns, stayed | moved)
    return places


def _with_none_across(patterns: Names, places: Iterable[int]) -> set[int]:
    found = set()
    for start in places:
        place = start
        found.add(place)
        while place < len(patterns) and patterns[place] == _ACROSS:
            place += 1
            found.add(place)
    return found
