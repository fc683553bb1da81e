"""Where the columns of a job stand in one file: columns x header (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

from batchscore.errors import InputError
from batchscore.input.attributes import named_twice
from batchscore.input.columns import Columns
from batchscore.input.header_names import are_numbers, near_names, pandas_names

_FEWEST_NEIGHBOURS = 8  # where fewer columns stand in the records is found no faster than each of them is read


class Neighbours(NamedTuple):
    """``width`` echoed columns, from the one at ``place`` of their list on, that stand so in the records too.

    ``position`` is where the first of them stands there.
    """

    place: int
    width: int
    position: int


@dataclass(frozen=True)
class Binding:
    """The place of each column in the records of one file, counted from 0.

    ``positions`` are those of the model's inputs, ``echo_positions`` those of the echoed columns, each in its list's
    order; None where the file lacks a column that it may lack.
    """

    column_count: int
    positions: tuple[int | None, ...]
    echo_positions: tuple[int | None, ...]

    @property
    def input_places(self) -> tuple[int, ...]:
        """The places of those of the model's inputs that the file has, in the order of the inputs."""
        return tuple(place for place in self.positions if place is not None)

    @property
    def text_positions(self) -> list[int]:
        """The places that are read as text, since they are echoed, each once."""
        return list(dict.fromkeys(place for place in self.echo_positions if place is not None))

    @cached_property
    def neighbours(self) -> tuple[Neighbours, ...]:
        """The echoed columns, many together, that follow each other in the records as they do in the results."""
        return tuple(found for found in _neighbours(self.echo_positions) if found.width >= _FEWEST_NEIGHBOURS)

    def without(self, neighbours: Sequence[Neighbours]) -> Self:
        """Return the binding that reads none of these as text."""
        positions = list(self.echo_positions)
        for place, width, _ in neighbours:
            positions[place : place + width] = [None] * width
        return replace(self, echo_positions=tuple(positions))


def _neighbours(positions: Sequence[int | None]) -> Iterator[Neighbours]:
    """Yield the stretches of positions that go up by one."""
    begin = 0
    for end in range(1, len(positions) + 1):
        before = positions[end - 1]
        if before is None:
            begin = end
        elif end == len(positions) or positions[end] != before + 1:
            width = end - begin
            yield Neighbours(begin, width, before - width + 1)
            begin = end


def bind(columns: Columns, header: Sequence[str] | None, uri: str) -> Binding:
    """Return where the columns stand in the records of one file.

    ``header`` is the file's header record, None for a file without one. Raises InputError with every difference.
    """
    names: Sequence[str] | None = columns.names
    if header is not None:
        names = named_as_wanted(columns, header, uri)
        _check_is_header(columns, header, names, uri)
    named = [column.name for column in columns.inputs]
    if names is None:
        names = named
    elif columns.by_position:
        named = _in_order(columns, names, uri)
    return _bind_names(columns, named, names, uri)


def named_as_wanted(columns: Columns, header: Sequence[str], uri: str = "") -> list[str]:
    """Return the names that pandas gives a header; one that differs from the job's by spaces around it is the job's.

    Raises InputError where two could be meant.
    """
    names = pandas_names(header)
    wanted = [column.name for column in columns.inputs if not columns.by_position] + sorted(columns.sources)
    exact, there = set(wanted), set(names)
    absent = {name.strip(): name for name in wanted if name not in there}
    found = [name if name in exact else absent.get(name.strip(), name) for name in names]
    if twice := named_twice(found):
        raise InputError(
            f"header of {uri}: expected each column once, got two that differ by spaces around their names, neither of "
            f"them the exact name: {', '.join(twice)}"
        )
    return found


def _check_is_header(columns: Columns, header: Sequence[str], names: Sequence[str], uri: str) -> None:
    """Refuse a record in place of a header where the columns' order alone binds and nobody said that there is one."""
    if not columns.by_position or columns.header_is_told:
        return
    if are_numbers(header, may_have_gaps=columns.sources.isdisjoint(names)):
        raise InputError(
            f"header of {uri}: expected names, got numbers; has_header: false reads them as a record, has_header: true "
            "as names"
        )


def _in_order(columns: Columns, names: Sequence[str], uri: str) -> list[str]:
    """Return the names of the columns that inputs without names take; raises InputError if they are too many or few.

    What else is echoed is no reason to leave a column out: echoing never changes what reaches the model.
    """
    named = [name for name in names if name not in {columns.row_id, columns.target}]
    if len(named) != len(columns.inputs) and set(columns.required_sources) <= set(names):
        beside = " beside row_id and target" if columns.row_id or columns.target else ""
        raise InputError(f"header of {uri}: expected {len(columns.inputs)} columns{beside}, got {len(named)}")
    return named


def _bind_names(columns: Columns, inputs: Sequence[str], names: Sequence[str], uri: str) -> Binding:
    places = _places(names, inputs, columns.sources)
    needed = [name for name, column in zip(inputs, columns.inputs, strict=False) if not column.may_be_absent]
    missing = [name for name in dict.fromkeys([*needed, *columns.required_sources]) if name not in places]
    if missing:
        near = near_names(missing, names)
        raise InputError(f"header of {uri}: expected columns that are not there: {', '.join(missing)}{near}")
    positions = tuple(places.get(name) for name in inputs)
    if positions and not any(place is not None for place in positions):
        raise InputError(
            f"header of {uri}: expected some of the model's inputs, got none of {', '.join(inputs)}"
            f"{near_names(inputs, names)}"
        )
    return Binding(
        column_count=len(names),
        positions=positions,
        echo_positions=tuple(places.get(column.source) for column in columns.echoed),
    )


def _places(names: Sequence[str], inputs: Sequence[str], sources: Collection[str]) -> dict[str, int]:
    """Return where each name stands. What is echoed may be spelt with other spaces around it than an input there."""
    places = {name: place for place, name in enumerate(names)}
    counts = Counter(name.strip() for name in names)
    alone = {name.strip(): name for name in names if counts[name.strip()] == 1}
    found = {name: alone[name.strip()] for name in {*inputs, *sources} if name.strip() in alone}
    shared = {name: places[other] for name, other in found.items() if name in sources or other not in inputs}
    return shared | places


def extra_columns(columns: Columns, header: Sequence[str]) -> list[str]:
    """Return the columns of a header that the job does not read."""
    if columns.by_position:
        return []
    used = {column.name for column in columns.inputs} | columns.sources
    named = zip(pandas_names(header), named_as_wanted(columns, header), strict=True)
    return [name for name, meant in named if meant not in used]
