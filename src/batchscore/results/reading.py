"""What is asked of results, and their records as batches of that: in record order, a chunk of a part at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from batchscore.commit.committed_results import CommittedResults, ResultColumn
from batchscore.config.job_config import S3Settings
from batchscore.errors import ConfigError
from batchscore.input.header_names import first_names, near_name
from batchscore.output.result_text import BEST_ANSWER, SCORE
from batchscore.results.condition import Condition
from batchscore.results.parsing import ARROW_TYPES
from batchscore.results.parts import LocatedPart, Rows, read_parts
from batchscore.results.threshold import Threshold, new_threshold

INPUT, ROW = "input", "row"
POSITIONS = {INPUT: pa.string(), ROW: pa.int64()}
"""The columns of where a record stands: the URI of its input, and its number there, from 1."""


@dataclass(frozen=True)
class Reading:
    """A way to read results: their columns, those that are given, and what of them is left out or made anew."""

    file_columns: tuple[ResultColumn, ...]
    names: tuple[str, ...]
    all_types: pa.Schema
    condition: Condition | None
    threshold: Threshold | None
    s3: S3Settings

    @property
    def schema(self) -> pa.Schema:
        """The columns that are given."""
        return pa.schema([self.all_types.field(name) for name in self.names])

    def batches(self, parts: Iterable[LocatedPart]) -> Generator[pa.RecordBatch]:
        """Yield the records of parts, in order; raises InputError, or ConfigError for a threshold that cannot be told.

        The latter when all are read: until then nobody knows of how many.
        """
        unsure = 0
        for rows in read_parts(tuple(parts), self.file_columns, self._parsed_names(), self.s3):
            columns = self._columns(rows)
            if self.threshold is not None:
                columns[BEST_ANSWER], count = self.threshold.answers(columns[SCORE], columns[BEST_ANSWER])
                unsure += count
            batch = pa.RecordBatch.from_arrays([columns[name] for name in self.names], schema=self.schema)
            if self.condition is not None:
                batch = batch.filter(self.condition.holds(columns))
            if len(batch):
                yield batch
        if self.threshold is not None:
            self.threshold.check(unsure)

    @property
    def _needed(self) -> set[str]:
        of_condition = self.condition.names if self.condition else ()
        return {*self.names, *of_condition, *((BEST_ANSWER, SCORE) if self.threshold else ())}

    def _parsed_names(self) -> list[str]:
        return [column.name for column in self.file_columns if column.name in self._needed]

    def _columns(self, rows: Rows) -> dict[str, pa.Array]:
        columns = dict(rows.columns)
        asked = self._needed - columns.keys()  # of a job without such columns these are where records stand
        if INPUT in asked:
            columns[INPUT] = pa.repeat(pa.scalar(rows.input, pa.string()), rows.count)
        if ROW in asked:
            columns[ROW] = pa.array(np.arange(rows.first_row, rows.first_row + rows.count), pa.int64())
        return columns


def plan_reading(
    results: CommittedResults,
    s3: S3Settings,
    columns: Sequence[str] | None = None,
    where: str | None = None,
    threshold: float | None = None,
    positions: bool = False,
) -> Reading:
    """Return how results are read for what is asked; raises ConfigError, before any part is looked at."""
    told = results.typed_columns
    types = pa.schema([(column.name, ARROW_TYPES[column.kind]) for column in told])
    if positions:
        types = _with_positions(types)
    names = tuple(types.names if columns is None else _chosen(columns, types.names, positions))
    condition = None if where is None else Condition(where, types)
    return Reading(told, names, types, condition, new_threshold(threshold, results), s3)


def _with_positions(types: pa.Schema) -> pa.Schema:
    taken = [name for name in POSITIONS if name in types.names]
    if taken:
        raise ConfigError(
            f"positions: expected results without a column {taken[0]}, got one; score with another name for it (rename)"
        )
    return pa.schema([*POSITIONS.items(), *types])


def _chosen(columns: Iterable[str], names: Sequence[str], positions: bool) -> Sequence[str]:
    columns = columns if isinstance(columns, str) else list(columns)
    if isinstance(columns, str) or not columns or len(set(columns)) < len(columns):
        raise ConfigError(f"columns: expected a list of names, each once, got {columns!r}")
    for name in columns:
        if name not in names:
            raise ConfigError(
                f"column {name}: expected a column of the results, got another; {_hint(name, names, positions)}"
            )
    return columns


def _hint(name: Any, names: Sequence[str], positions: bool) -> str:
    if name in POSITIONS and not positions:
        return "positions adds input and row"
    near = near_name(str(name), names)
    return f"did you mean {near}?" if near else f"there are {first_names(names)}"
