"""What is told of the columns of a file that is read though not all is as usual (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from batchscore.input.attributes import named_twice
from batchscore.input.binding import Binding
from batchscore.input.columns import Columns


def missing_columns(columns: Columns, binding: Binding) -> list[str]:
    """Return the inputs of the model that a file lacks, and may lack."""
    pairs = zip(columns.inputs, binding.positions, strict=True)
    return [column.name for column, place in pairs if place is None]


def repeated_columns(columns: Columns, header: Sequence[str]) -> dict[str, list[int]]:
    """Return the places, from 1, of the columns of a name that the job reads: the first of them is the one."""
    used = columns.sources.union(() if columns.by_position else (column.name for column in columns.inputs))
    twice = [name for name in named_twice(header) if name in used]
    return {name: [place for place, found in enumerate(header, 1) if found == name] for name in twice}
