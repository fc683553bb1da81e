"""``batchscore results``: records of a finished job, chosen, ordered and written out."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa

from batchscore.commands.readable import SHOWN
from batchscore.commands.result_table import render_rows
from batchscore.commands.terminal import StdoutFile, is_terminal, tell
from batchscore.commit.committed_results import CommittedResults
from batchscore.config.job_config import OutputConfig
from batchscore.errors import ConfigError
from batchscore.process import signals_as_errors
from batchscore.results.files import FileKind, target_of, write_file, write_to
from batchscore.results.finding import committed_results
from batchscore.results.highest import Order, highest, order_by
from batchscore.results.parts import located_parts
from batchscore.results.reading import Reading, plan_reading

_SHOWN_MATCHES = 1000
"""Rows that a terminal is shown of those that a condition holds of; a pipe or a file has all."""
_ASKED = ("where", "columns", "threshold", "positions", "top", "bottom", "by")


@dataclass(frozen=True)
class Asked:
    """What is asked of results: the options of the command."""

    where: str | None = None
    columns: Sequence[str] | None = None
    threshold: float | None = None
    positions: bool = False
    top: int | None = None
    bottom: int | None = None
    by: str | None = None

    @property
    def has_order(self) -> bool:
        """Whether the highest or lowest are asked for."""
        return self.top is not None or self.bottom is not None


@dataclass(frozen=True)
class Chosen:
    """The records that are asked for, to be read as often as one likes."""

    results: CommittedResults
    reading: Reading
    schema: pa.Schema
    asked: Asked
    order: Order | None

    def batches(self) -> Generator[pa.RecordBatch]:
        """Yield them, in record order, or the highest first."""
        with closing(self.reading.batches(located_parts(self.results))) as batches:
            if self.order is None:
                yield from batches
            else:
                yield from highest(batches, self.reading.schema, self.order).select(self.schema.names).to_batches()

    def check_threshold(self) -> None:
        """Raise ConfigError, before anything is given, if there are scores of which nobody can tell."""
        if self.reading.threshold is not None and not self.reading.threshold.is_exact:
            for _ in self.batches():
                pass

    def shown(self) -> tuple[pa.Table, int]:
        """Return the rows that a terminal is shown, and how many there are in all."""
        limit = None if self.order else _SHOWN_MATCHES if self.asked.where is not None else SHOWN
        taken: list[pa.RecordBatch] = []
        count = 0
        with closing(self.batches()) as batches:
            for batch in batches:
                if limit is None or count < limit:
                    taken.append(batch.slice(0, None if limit is None else limit - count))
                count += len(batch)
                if count >= SHOWN and self._is_plain:
                    count = self.results.record_count
                    break
        return pa.Table.from_batches(taken, self.schema), count

    @property
    def _is_plain(self) -> bool:
        """Whether the manifest tells how many there are, so that none beyond those shown is read."""
        return self.order is None and self.asked.where is None and self.asked.threshold is None


def choose_results(batch_id: str, config: OutputConfig, asked: Asked) -> Chosen:
    """Return the records that are asked for of a finished job; raises ConfigError or InputError."""
    results = committed_results(config, batch_id)
    order = _order(results, asked)
    wanted = asked.columns

    def planned(columns: Sequence[str] | None) -> Reading:
        return plan_reading(results, config.s3, columns, asked.where, asked.threshold, asked.positions)

    reading = planned(wanted)
    schema = reading.schema
    if order is not None and not {*order.columns} <= {*schema.names}:
        reading = planned([*schema.names, *(name for name in order.columns if name not in schema.names)])
    return Chosen(results, reading, schema, asked, order)


def _order(results: CommittedResults, asked: Asked) -> Order | None:
    if not asked.has_order:
        if asked.by is not None:
            raise ConfigError("argument --by: expected --top or --bottom with it, got neither")
        return None
    if asked.top is not None and asked.bottom is not None:
        raise ConfigError("argument --bottom: expected --top or --bottom, got both")
    count = asked.top if asked.bottom is None else asked.bottom
    return order_by(results, count or 0, asked.by, lowest=asked.bottom is not None)


def tell_results(batch_id: str, config: OutputConfig, options: Namespace) -> None:
    """Do what the options ask for: write a file, print all records, or show some on a terminal."""
    kind = _format(options)
    target = target_of(options.to, kind, config) if options.to else None
    chosen = choose_results(batch_id, config, Asked(**{name: getattr(options, name) for name in _ASKED}))
    if target is not None:
        with signals_as_errors():  # what was begun is taken away
            count = write_file(target, chosen.schema, chosen.batches(), config.s3)
        told = {"id": chosen.results.id, "record_count": count, "uri": target.uri}
        tell(json.dumps(told) if options.json else f"{count:,} records of job {chosen.results.id} in {target.uri}")
    elif kind is None and is_terminal():
        tell(render_shown(chosen))
    else:
        _print_results(chosen, kind or "csv")


def _format(options: Namespace) -> FileKind | None:
    """Return the format that is asked for; ``--json`` is JSON lines, or with ``--to`` about what is told alone."""
    given: FileKind | None = options.format
    if not options.json or options.to:
        return given
    if given not in (None, "json"):
        raise ConfigError(f"argument --format {given}: expected json with --json, got another; leave one out")
    return "json"


def _print_results(chosen: Chosen, kind: FileKind) -> None:
    """Write the records to stdout, all of them; raises ReaderGoneError, or CommitError if it takes no more."""
    if kind == "parquet" and is_terminal():
        raise ConfigError("argument --format parquet: expected a pipe or --to FILE, got a terminal")
    chosen.check_threshold()
    out = StdoutFile()
    write_to(out, kind, chosen.schema, chosen.batches())
    out.flush()


def render_shown(chosen: Chosen) -> str:
    """Return the table that a terminal is shown, and how many more records there are."""
    rows, count = chosen.shown()
    lines = [f"job {chosen.results.id}", "", *render_rows(rows, shutil.get_terminal_size().columns)]
    if count > len(rows):
        lines += ["", f"{len(rows):,} of {count:,} records; --to FILE.csv writes all, and so does a pipe"]
    return "\n".join(lines) if count else f"job {chosen.results.id}: no such records"
