"""What it costs to count what a job sees, beside reading and predicting the bank set.

``python -m bench.profile FOLDER`` prints a row for each kind as JSON: it is run in the environment of a worker process.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from batchscore.config.missing_values import AS_PANDAS
from batchscore.input.columns import Column
from batchscore.input.csv_lines import PLAIN
from batchscore.input.echo_columns import echo_columns
from batchscore.input.parsed_block import ParsedBlock
from batchscore.input.roles import Roles
from batchscore.model.frames import ModelRecords
from batchscore.profile.format import ProfileFormat
from batchscore.profile.split_profile import ProfileTotals
from bench.data import DATA_SETS, make_piece
from bench.reading import read_file
from bench.unseen import TURNS, Counting, Scoring, make_scoring

BANK = DATA_SETS["bank"]
LABEL, VALUE = "y", "amount"
PIECES = 4  # 52 MB: about a split


def _table() -> pa.Table:
    """Return records of the bank set with a label of each kind."""
    pieces = range(1, 1 + PIECES)
    table = pa.concat_tables([make_piece(BANK, number, BANK.records_per_piece) for number in pieces])
    long = pc.greater(table["duration"], 2000)
    values = np.round(np.random.default_rng(0).normal(100, 30, len(table)), 2)
    return table.append_column(LABEL, pc.if_else(long, "1", "0")).append_column(VALUE, pa.array(values))


def _form(scoring: Scoring, target: str | None, **changed: Any) -> ProfileFormat:
    form = ProfileFormat(
        kind="scores",
        model_type="binary",
        classes=("0", "1"),
        positive_label="1",
        threshold=0.5,
        value_names=(),
        meaning=None,
        columns=replace(scoring.columns, echoed=echo_columns(Roles(None, target))),
        label=Column(target, "double", missing=AS_PANDAS) if target else None,
        text=PLAIN,
        vocabularies=scoring.vocabularies,
        lists_texts=True,
    )
    return replace(form, **changed)


def _cases(scoring: Scoring) -> Iterator[tuple[str, ProfileFormat]]:
    yield "`scores`, without labels", _form(scoring, None)
    yield "`scores`, with labels of two classes", _form(scoring, LABEL)
    yield "`scores`, with labels of a regression", _form(scoring, VALUE, model_type="regression", classes=())
    yield "`full`, without labels", _form(scoring, None, kind="full")
    yield "`full`, with labels of two classes", _form(scoring, LABEL, kind="full")


def _predictions(scoring: Scoring, part: ParsedBlock) -> Any:
    records = ModelRecords(part.inputs, scoring.columns.inputs, None, scoring.categorical)
    predictions = np.empty(len(records))
    for rows, group in records.groups():
        predictions[rows] = scoring.model.predict_proba(group)[:, 1]
    return predictions


def _seconds(path: Path, scoring: Scoring, form: ProfileFormat) -> Counting:
    parsed, reading = read_file(path, form.columns)
    spent, records, totals = [reading, 0.0, 0.0], 0, ProfileTotals(form)
    for part in parsed:
        records += part.record_count
        started = time.process_time()
        predictions = _predictions(scoring, part)
        spent[1] += time.process_time() - started
        started = time.process_time()
        totals.count(part, part.lines, predictions)
        spent[2] += time.process_time() - started
    started = time.process_time()
    totals.sum().to_json()
    spent[2] += time.process_time() - started
    return Counting(*(seconds / records * 1e6 for seconds in spent))


def profile_turns(work: Path) -> Iterator[tuple[str, list[Counting]]]:
    """Yield for each kind of profile what it cost, turn by turn."""
    folder = work / "data" / "profile"
    folder.mkdir(parents=True, exist_ok=True)
    csv.write_csv(_table(), folder / "labelled.csv", csv.WriteOptions(quoting_style="none"))
    scoring = make_scoring()
    for name, form in _cases(scoring):
        yield name, [_seconds(folder / "labelled.csv", scoring, form) for _ in range(TURNS)]


if __name__ == "__main__":
    for row in profile_turns(Path(sys.argv[1])):
        print(json.dumps(row), flush=True)
