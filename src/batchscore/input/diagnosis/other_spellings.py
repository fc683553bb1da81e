"""Which keys read a column's values that the job's own cannot, found by reading the sample with them (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from batchscore.input.binding import Binding
from batchscore.input.blocks import Block
from batchscore.input.columns import Columns
from batchscore.input.csv_lines import TextFormat
from batchscore.input.diagnosis.findings import are_few
from batchscore.input.parsed_block import ParsedBlock, parse_blocks

_MARKS: list[tuple[str, str | None]] = [(".", None)]  # where a key was given that the files do not need
_MARKS += [(",", None), (".", ","), (",", "."), (".", "'"), (".", " "), (",", " "), (",", "'")]
_MARKS += [(decimal, mark) for mark in ("\u2019", "\u00a0", "\u202f") for decimal in ".,"]  # typographic ' and spaces
_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y")
_FORMATS = ("ISO8601", *_DATES, *(f"{date} {time}" for date in _DATES for time in ("%H:%M", "%H:%M:%S")))
_KEYS_TOLD = 3
_GROUPS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+")


@dataclass(frozen=True)
class Beginning:
    """The first lines of an input: ``names`` are its header's; ``first_line`` is its first, which may be the header."""

    names: Sequence[str] | None
    first_line: str
    lines: Sequence[str]
    binding: Binding
    columns: Columns
    text: TextFormat

    def place_of(self, column: str) -> int | None:
        """Return where one of the model's columns stands among the values of a line, None where it is not there."""
        return self.binding.positions[[item.name for item in self.columns.inputs].index(column)]


def read_again(start: Beginning, text: TextFormat) -> ParsedBlock:
    """Read the first lines as another format has them."""
    data = "\n".join(start.lines).encode(text.encoding, errors="replace") + b"\n"
    [parsed] = parse_blocks(Block(0, data), start.binding, start.columns, text, len(data))
    return parsed


def other_spelling(start: Beginning, column: str) -> str:
    """Return which keys read a column of which nearly all values are invalid, and no other column worse; or nothing.

    Where other columns then need keys of their own, those are told too.
    """
    fitting = _fitting(start, column)
    if not fitting:
        return ""
    others, _ = further_keys(replace(start, text=fitting[0]))
    return _first_told(start, column, fitting) + (f"; other columns need {' and '.join(others)}" if others else "")


def _first_told(start: Beginning, column: str, fitting: Sequence[TextFormat]) -> str:
    first, told = fitting[0], [_as_keys(text, start.text) for text in fitting]
    if _type_of(start, column) == "datetime" and not first.trim:
        return f"the dates are in another format: {' or '.join(told)} reads them"
    if _could_be_either(start, column, told):
        return f"the numbers have decimal commas or separators of thousands: {' or '.join(told[:2])} reads them"
    return f"{_seen(first, start.text)}: {told[0]} reads them"


def further_keys(start: Beginning) -> tuple[list[str], TextFormat]:
    """Return the keys that read what the format does not, found for one column after the other, and it with them."""
    told: list[str] = []
    now = start
    while fitting := next((found for column in _unread(now) if (found := _fitting(now, column))), None):
        told.append(_keys_told(now, fitting))
        now = replace(now, text=fitting[0])
        if len(told) == _KEYS_TOLD:
            break
    return told, now.text


def worst_column(start: Beginning) -> str | None:
    """Return the column of which most values cannot be read."""
    return next(iter(_unread(start)), None)


def _unread(start: Beginning) -> list[str]:
    """Return the columns of which more than one value in twenty cannot be read, the worst first."""
    parsed = read_again(start, start.text)
    return [name for name, count in parsed.invalid_values.most_common() if not are_few(count, parsed.record_count)]


def _keys_told(now: Beginning, fitting: Sequence[TextFormat]) -> str:
    """Return the keys of the first format that fits, of dates those of all: nothing tells day from month."""
    told = [_as_keys(text, now.text) for text in fitting]
    dates = fitting[0].datetime_format != now.text.datetime_format
    return " or ".join(told) if dates else told[0]


def _fitting(start: Beginning, column: str) -> list[TextFormat]:
    """Return the formats that read a column, first those that leave the fewest values of all columns unread."""
    now = read_again(start, start.text).invalid_values
    found = []
    for text in _candidates(start.text, _type_of(start, column)):
        then = read_again(start, text).invalid_values
        fits = are_few(then[column], now[column]) and all(count <= now[name] for name, count in then.items())
        if fits and (text.thousands in (None, start.text.thousands) or _are_thousands(start, text)):
            found.append((then.total(), text))
    return [text for _, text in sorted(found, key=lambda pair: pair[0])]


def _type_of(start: Beginning, column: str) -> str:
    return next(item.type for item in start.columns.inputs if item.name == column)


def _could_be_either(start: Beginning, column: str, told: Sequence[str]) -> bool:
    """Tell whether commas could begin fractions as well as part thousands."""
    return told[:2] == ['`decimal: ","`', '`thousands: ","`'] and _are_groups(start, column)


def _seen(text: TextFormat, now: TextFormat) -> str:
    if text.trim != now.trim:
        return "there are spaces beside quotes or values"
    decimals = [f"decimal {'commas' if text.decimal == ',' else 'points'}"] if text.decimal != now.decimal else []
    groups = [f"{'' if text.thousands else 'no '}separators of thousands"] if text.thousands != now.thousands else []
    return f"the numbers have {' and '.join(decimals + groups)}"


def _candidates(text: TextFormat, kind: str) -> Iterator[TextFormat]:
    if not text.trim:
        yield replace(text, trim=True)
    if kind == "datetime":
        yield from (replace(text, datetime_format=form) for form in _FORMATS if form != text.datetime_format)
    elif kind != "boolean":
        others = (marks for marks in _MARKS if marks != (text.decimal, text.thousands))
        yield from (replace(text, decimal=decimal, thousands=thousands) for decimal, thousands in others)


def _as_keys(text: TextFormat, now: TextFormat) -> str:
    """Return the keys that differ, as a configuration has them."""
    if text.trim != now.trim:
        return "`trim: true`"
    keys = [key for key in ("decimal", "thousands", "datetime_format") if getattr(text, key) != getattr(now, key)]
    values = {key: getattr(text, key) for key in keys}
    shown = {key: value and value.encode("ascii", "backslashreplace").decode() for key, value in values.items()}
    return " and ".join(f'`{key}: "{value}"`' if value is not None else f"no `{key}`" for key, value in shown.items())


def _are_groups(start: Beginning, column: str) -> bool:
    """Tell whether the commas of a column stand where those of thousands would: nothing tells then what they are."""
    return all(_GROUPS.fullmatch(value) or "," not in value for value in _texts(start, column))


def _are_thousands(start: Beginning, text: TextFormat) -> bool:
    """Tell whether nearly all marks in columns of numbers have three digits after them: ``1234,56`` is no 123456."""
    mark, decimal = str(text.thousands), re.escape(text.decimal)
    groups = re.compile(f"[+-]?[0-9]{{1,3}}({re.escape(mark)}[0-9]{{3}})+({decimal}[0-9]*)?")
    numeric = [item.name for item in start.columns.inputs if item.type not in ("string", "datetime", "boolean")]
    marked = [value for name in numeric for value in _texts(start, name) if mark in value]
    return are_few(sum(1 for value in marked if not groups.fullmatch(value)), len(marked))


def _texts(start: Beginning, column: str) -> list[str]:
    """Return the values of a column as they are written, without spaces around them."""
    place = start.place_of(column)
    if place is None:
        return []
    texts = replace(start.columns, inputs=(replace(start.columns.inputs[0], name=column, type="string"),))
    cells = read_again(replace(start, columns=texts, binding=replace(start.binding, positions=(place,))), start.text)
    return [value.strip() for value in cells.inputs.column(0).to_pylist() if value]  # type: ignore[union-attr] # text
