"""What would make known texts of those that a model does not know, tried text by text (pure).

Each remedy is a rule from a text to whether it helps. ``helping_remedies`` names those that help one text, so that they
can be counted; ``best_remedy`` finds in such counts which help most, and says them in the words of a configuration.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from batchscore.config.missing_values import PANDAS, PANDAS_WORDS, Vocabulary
from batchscore.input.diagnosis.cell_diagnosis import NULL_MARKERS
from batchscore.input.typed_values import BINARY_WORDS

_SPACES = " \t"
_TRIM, _SPACED, _CASE, _NUMBER, _WORD = "trim", "spaced", "case", "number", "word"
_NULL, _ENCODING, _REWRITTEN, _THEN = "null ", "encoding ", "rewritten ", "trim+"
_KINDS = (_TRIM, _SPACED, _CASE, _ENCODING.strip(), _REWRITTEN.strip(), _NUMBER, _WORD)
_ENCODINGS = ("utf-8", "cp1252", "iso8859-1", "cp1250", "cp1251", "iso8859-2", "iso8859-15")
_IS_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
_MEANINGS = BINARY_WORDS | {"1.0": True, "0.0": False}
_NEGLIGIBLE = 100
"""A remedy that adds less than one of so many is not told."""


@dataclass(frozen=True)
class Reading:
    """How a job reads texts now, as far as remedies would change it."""

    encoding: str = "utf-8"
    trim: bool = False
    null_values: tuple[str, ...] = (PANDAS,)


@dataclass(frozen=True)
class _Forms:
    """What a model knows, in the forms in which texts are compared."""

    texts: frozenset[str]
    stripped: frozenset[str]
    folded: frozenset[str]
    numbers: frozenset[float]
    meanings: frozenset[bool]


@lru_cache(maxsize=1024)
def _forms(texts: frozenset[str]) -> _Forms:
    meanings = {_MEANINGS.get(text.lower()) for text in texts}
    return _Forms(
        texts,
        frozenset(text.strip(_SPACES) for text in texts),
        frozenset(text.casefold() for text in texts),
        frozenset(_number(text) for text in texts if _IS_NUMBER.fullmatch(text)),
        # Only where all are such words: of F and M none means false.
        frozenset(meaning for meaning in meanings if meaning is not None and None not in meanings),
    )


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def helping_remedies(text: str, vocabulary: Vocabulary, encoding: str) -> Iterator[str]:
    """Yield the names of the remedies that help a text which is not known: of each alone, and after spaces are gone."""
    forms = _forms(vocabulary.texts)
    bare = text.strip(_SPACES)
    if bare in forms.texts or (bare != text and bare in vocabulary.words and vocabulary.holds_missing):
        yield _TRIM
    elif bare in forms.stripped:
        yield _SPACED
    if text != bare:
        yield from (_THEN + name for name in _helping(bare, vocabulary, forms, encoding))
    yield from _helping(text, vocabulary, forms, encoding)


def _helping(text: str, vocabulary: Vocabulary, forms: _Forms, encoding: str) -> Iterator[str]:
    if (text in NULL_MARKERS or not text) and vocabulary.holds_missing:
        yield _NULL + text
    if text.casefold() in forms.folded:
        yield _CASE
    if not text.isascii():
        yield from (name for name in _other_encodings(encoding) if _in_encoding(text, name, encoding) in forms.texts)
    if _IS_NUMBER.fullmatch(text) and _number(text) in forms.numbers:
        yield _NUMBER
    if _MEANINGS.get(text.lower()) in forms.meanings:
        yield _WORD


def _other_encodings(encoding: str) -> Iterator[str]:
    for name in _ENCODINGS:
        if name != encoding:
            yield _ENCODING + name
            yield _REWRITTEN + name


def _in_encoding(text: str, remedy: str, encoding: str) -> str | None:
    """Return a text as another encoding reads its bytes, or as it was before one misread it; None where it cannot."""
    kind, other = remedy.split()
    written, read = (encoding, other) if kind == _ENCODING.strip() else (other, encoding)
    try:
        return text.encode(written).decode(read)
    except UnicodeError:
        return None


@dataclass(frozen=True)
class Remedy:
    """What helps, in words, and how many of the texts it was tried on would be known.

    ``is_of_reading``: the job reads the texts otherwise than training did; the other remedies change the texts.
    """

    words: str
    helped: int
    is_of_reading: bool = False


def best_remedy(counts: Mapping[str, int], vocabulary: Vocabulary, reading: Reading) -> Remedy | None:
    """Return what makes most of some texts known; None where nothing helps any.

    ``counts`` are the records by the names of all that helps their text, as ``joined`` gives them. One remedy goes
    before two that do not help clearly more; markers of missing values are told beside, where there are any.
    """
    negligible = sum(counts.values()) // _NEGLIGIBLE
    helps = {frozenset(names.split("|")): number for names, number in counts.items() if names}
    names = {name.removeprefix(_THEN) for some in helps for name in some}
    markers = {name for name in names if name.startswith(_NULL)}
    best, helped = frozenset[str](), 0
    for chosen in _combinations(names - markers):
        number = _helped(helps, chosen | markers)
        if number > helped + (negligible if helped else 0):
            best, helped = chosen, number
    if not helped:
        return None
    used = {name for some in helps for name in some if _applies(name, best | markers)}
    words = [_words(name, vocabulary, reading) for name in sorted(best, key=_order)]
    words += _null_values({name.removeprefix(_THEN) for name in used} & markers, reading)
    is_of_reading = all(name == _TRIM or name.startswith(_ENCODING) for name in best)
    return Remedy(" and ".join(words), helped, is_of_reading) if words else None


def _combinations(names: set[str]) -> list[frozenset[str]]:
    """Return what may be tried together, as few as can be first: spaces gone, and one remedy beside."""
    spaces = [[], *([name] for name in (_TRIM, _SPACED))]
    mains = [[], *([name] for name in sorted(names - {_TRIM, _SPACED}, key=_order))]
    return sorted((frozenset(space + main) for space, main in product(spaces, mains)), key=len)


def joined(names: Iterator[str]) -> str:
    """Return the names of all that helps a text as one."""
    return "|".join(sorted(set(names)))


def _helped(helps: Mapping[frozenset[str], int], chosen: frozenset[str]) -> int:
    return sum(number for names, number in helps.items() if any(_applies(name, chosen) for name in names))


def _applies(name: str, chosen: frozenset[str]) -> bool:
    bare = name.removeprefix(_THEN)
    return bare in chosen and (bare == name or _TRIM in chosen)


def _order(name: str) -> tuple[int, int]:
    kind, _, encoding = name.partition(" ")
    return _KINDS.index(kind), _ENCODINGS.index(encoding) if encoding else 0


def _words(name: str, vocabulary: Vocabulary, reading: Reading) -> str:
    kind, _, other = name.partition(" ")
    sayings: dict[str, Callable[[], str]] = {
        _TRIM: lambda: "remove the spaces within the quotes" if reading.trim else "`trim: true`",
        _SPACED: lambda: "no `trim`" if reading.trim else "write them with the spaces around them that training had",
        _CASE: lambda: f"write them {_letters(vocabulary.texts)}",
        _NUMBER: lambda: f"write the numbers {_spelling(vocabulary.texts)}",
        _WORD: lambda: f"write the words that the model knows, {' and '.join(sorted(vocabulary.texts))}",
        "encoding": lambda: f"`encoding: {other}`",
        "rewritten": lambda: f"write the files anew, whose texts were read as {other} once and are not",
    }
    return sayings[kind]().replace("iso8859-1`", "latin-1`")


def _letters(known: frozenset[str]) -> str:
    if all(text == text.lower() for text in known):
        return "in lower case, as the model knows them"
    if all(text == text.upper() for text in known):
        return "in upper case, as the model knows them"
    return "in the upper and lower case of training"


def _spelling(known: frozenset[str]) -> str:
    numbers = [text for text in known if _IS_NUMBER.fullmatch(text)]
    if any(text[0] == "0" and text.isdigit() and text != "0" for text in numbers):
        return "with the zeros that training had before them, such as 01 for 1"
    if all("." in text for text in numbers):
        return "as the model knows them, such as 1.0 for 1"
    return "as the model knows them, such as 1 for 1.0"


def _null_values(markers: set[str], reading: Reading) -> list[str]:
    """Return the key that makes markers missing, if one is needed: the empty text is missing without it."""
    words = sorted(name.removeprefix(_NULL) for name in markers)
    held = PANDAS_WORDS.union(reading.null_values)
    listed = [*reading.null_values, *(word for word in words if word not in held)]
    if PANDAS not in listed and any(word in PANDAS_WORDS for word in words if word):
        listed.insert(0, PANDAS)
    if len(listed) == len(reading.null_values):
        return []
    return [f"`null_values: [{', '.join(word if word.isalnum() else json.dumps(word) for word in listed)}]`"]
