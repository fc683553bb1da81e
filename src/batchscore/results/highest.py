"""The records of the highest or lowest scores of a stream: memory for those and a chunk (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.commit.committed_results import CommittedResults
from batchscore.errors import ConfigError
from batchscore.input.header_names import first_names, near_name
from batchscore.output.result_text import PREDICTED_LABEL, SCORE


@dataclass(frozen=True)
class Order:
    """By which column, from which end, and how many; ``label``: of the records of that predicted class alone."""

    count: int
    column: str
    lowest: bool = False
    label: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """What must be read for it."""
        return (self.column,) if self.label is None else (self.column, PREDICTED_LABEL)


def order_by(results: CommittedResults, count: int, by: str | None, lowest: bool) -> Order:
    """Return what is meant by the highest; raises ConfigError where nothing or another thing tells."""
    if count < 1:
        raise ConfigError(f"{'bottom' if lowest else 'top'}: expected a number of records from 1, got {count}")
    scores = [column.name for column in results.typed_columns if column.kind == "score"]
    if results.predicts_label:
        written = results.written_labels
        classes = tuple(dict.fromkeys([*written, *written.values()]))  # as the model has them, or as results do
        chosen = _chosen("class", by, classes, required=True)
        return Order(count, SCORE, lowest, written.get(chosen, chosen))
    kind = "class" if results.model.type == "multiclass" else "score"
    return Order(count, _chosen(kind, by, scores, required=len(scores) > 1), lowest)


def _chosen(kind: str, by: str | None, names: Sequence[str], *, required: bool) -> str:
    if by is not None and by in names:
        return by
    if by is None and not required:
        return names[0]
    shown = first_names(names)
    if by is None:
        raise ConfigError(f"by: expected the {kind} to go by, got none; give one of {shown} with --by")
    near = near_name(by, names)
    hint = f"did you mean {near}?" if near else f"there are {shown}"
    raise ConfigError(f"by {by}: expected a {kind} of the results, got another; {hint}")


def highest(batches: Iterable[pa.RecordBatch], schema: pa.Schema, order: Order) -> pa.Table:
    """Return the records of the highest scores, those first, equal ones in record order; none without a score."""
    best = schema.empty_table()
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        if order.label is not None:
            batch = batch.filter(pc.equal(batch.column(PREDICTED_LABEL), order.label).fill_null(False))
        waiting.append(batch.filter(_contenders(batch.column(order.column), best, order)))
        if sum(len(item) for item in waiting) > order.count:
            best, waiting = _best([best, *waiting], schema, order), []
    return _best([best, *waiting], schema, order)


def _contenders(scores: pa.DoubleArray, best: pa.Table, order: Order) -> pa.BooleanArray:
    """Tell which scores can be among the highest: of equal ones those that came before go first."""
    if len(best) < order.count:
        return scores.is_valid()
    last = best.column(order.column)[-1]
    return (pc.less if order.lowest else pc.greater)(scores, last).fill_null(False)


def _best(pieces: list[pa.Table | pa.RecordBatch], schema: pa.Schema, order: Order) -> pa.Table:
    tables = [piece if isinstance(piece, pa.Table) else pa.Table.from_batches([piece]) for piece in pieces]
    together = pa.concat_tables([schema.empty_table(), *tables]).combine_chunks()
    scores = together.column(order.column).to_numpy()
    places = np.argsort(scores if order.lowest else -scores, kind="stable")[: order.count]
    return together.take(pa.array(places, pa.int64())).combine_chunks()
