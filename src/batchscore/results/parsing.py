"""Lines of a result -> typed columns (pure).

Texts are text: an empty cell of one is an empty text, and NA is NA. Predictions are null where there is none. A blank
line is a record all the same: all of its columns are null.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from batchscore.commit.committed_results import Kind, ResultColumn
from batchscore.input.arrow_csv import read_csv
from batchscore.input.csv_lines import BoolArray, line_starts
from batchscore.output.result_text import SCORE

ARROW_TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "label": pa.string(),
    "answer": pa.int8(),
    "score": pa.float64(),
}
"""What a column of each kind is read as."""


class WrongLinesError(ValueError):
    """Lines that are none of a result of these columns; no message of it holds what they are."""


def parse_lines(data: bytes, columns: Sequence[ResultColumn], wanted: Sequence[str]) -> tuple[int, list[pa.Array]]:
    """Return how many records whole lines are, and the wanted columns of them; raises WrongLinesError."""
    if not data.endswith(b"\n"):
        raise WrongLinesError
    starts = line_starts(data)
    count = len(starts) - 1
    blank = np.diff(starts) == 1
    if not wanted or not count:
        kinds = {column.name: column.kind for column in columns}
        return count, [pa.array([], ARROW_TYPES[kinds[name]]) for name in wanted]
    if not blank.any():
        return count, _parsed(data, columns, wanted)
    # pyarrow either drops an empty line or finds fault with it: the others are read, and laid out between nulls.
    filled = np.delete(np.frombuffer(data, np.uint8), starts[:-1][blank]).tobytes()
    return count, [_between_nulls(array, blank) for array in _parsed(filled, columns, wanted)]


def _parsed(data: bytes, columns: Sequence[ResultColumn], wanted: Sequence[str]) -> list[pa.Array]:
    """Return columns of lines of which none is blank; by number, since a name can be any."""
    places = {column.name: place for place, column in enumerate(columns)}
    labels = {name for name in wanted if columns[places[name]].kind == "label"}
    taken = [*wanted, *([SCORE] if labels and SCORE not in wanted else [])]
    if not data:
        return [pa.array([], ARROW_TYPES[columns[places[name]].kind]) for name in wanted]
    try:
        table = read_csv(
            data,
            pyarrow.csv.ReadOptions(
                use_threads=False, block_size=len(data) + 1, column_names=[str(place) for place in range(len(columns))]
            ),
            convert=pyarrow.csv.ConvertOptions(
                column_types={str(places[name]): ARROW_TYPES[columns[places[name]].kind] for name in taken},
                include_columns=[str(places[name]) for name in taken],
                null_values=[""],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise WrongLinesError from error
    if len(table) != data.count(b"\n"):
        raise WrongLinesError
    found = {name: column.combine_chunks() for name, column in zip(taken, table.columns, strict=True)}
    for name in labels:  # a record without a score has no class either
        found[name] = pc.if_else(found[SCORE].is_valid(), found[name], pa.scalar(None, pa.string()))
    return [found[name] for name in wanted]


def _between_nulls(array: pa.Array, blank: BoolArray) -> pa.Array:
    places = np.cumsum(~blank) - 1
    return array.take(pa.array(places, pa.int64(), mask=blank))
