"""What it costs to count unknown texts beside reading and predicting the bank set."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from batchscore.config.missing_values import PANDAS_WORDS, Vocabulary
from batchscore.input.columns import Column, Columns
from batchscore.input.unseen_texts import count_texts
from batchscore.model.encoders import encode_distinct_values
from batchscore.model.facts import estimator_facts
from batchscore.model.frames import ModelRecords
from bench.data import DATA_SETS, ID, make_piece
from bench.reading import read_file

TURNS = 9
BANK = DATA_SETS["bank"]


def _table(kind: str) -> pa.Table:
    """Return records of the bank set, of whose texts some are new to the model, or missing."""
    table = make_piece(BANK, 1, BANK.records_per_piece)
    if kind == "clean":
        return table
    word, every = {"new": ("brand-new", 100), "missing": ("", 20)}[kind]
    for place, (name, values) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if pa.types.is_string(values.type) and name != ID:
            chosen = pa.array([(row + place) % every == 0 for row in range(len(table))])
            table = table.set_column(place, name, pc.if_else(chosen, word, values.combine_chunks()))
    return table


@dataclass(frozen=True)
class Scoring:
    """A model, and what a job would know of it."""

    model: Any
    columns: Columns
    vocabularies: Mapping[str, Vocabulary]
    categorical: frozenset[str]


def make_scoring() -> Scoring:
    """Return logistic regression on the bank set."""
    frame: pd.DataFrame = make_piece(BANK, 0, BANK.records_per_piece // 5).to_pandas().drop(columns=ID)
    texts = [str(name) for name in frame if frame[name].dtype == object]
    numbers = [str(name) for name in frame if name not in texts]
    steps = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), texts))
    model = make_pipeline(steps, LogisticRegression(max_iter=1000)).fit(frame, frame["duration"] > 2000)
    inputs = tuple(Column(str(name), "string" if name in texts else "double") for name in frame)
    columns = Columns(inputs, (), None, has_header=True)
    known = estimator_facts(model).vocabularies
    known = {name: replace(vocabulary, words=PANDAS_WORDS) for name, vocabulary in known.items()}
    return Scoring(model, columns, known, encode_distinct_values(model))


class Counting(NamedTuple):
    """The CPU seconds of a million records: of reading and parsing, of predicting, and of counting."""

    reading: float
    predicting: float
    counting: float

    @property
    def share(self) -> float:
        """Counting as a share of reading and predicting together."""
        return self.counting / (self.reading + self.predicting)


def _seconds(path: Path, scoring: Scoring) -> Counting:
    parsed, reading = read_file(path, scoring.columns)
    spent, records = [reading, 0.0, 0.0], 0
    for part in parsed:
        records += part.record_count
        started = time.process_time()
        for _, group in ModelRecords(part.inputs, scoring.columns.inputs, None, scoring.categorical).groups():
            scoring.model.predict_proba(group)
        spent[1] += time.process_time() - started
        started = time.process_time()
        count_texts(part.inputs, scoring.vocabularies)
        spent[2] += time.process_time() - started
    return Counting(*(seconds / records * 1e6 for seconds in spent))


def unseen_turns(work: Path) -> Iterator[tuple[str, list[Counting]]]:
    """Yield for each kind of records what it cost, turn by turn."""
    folder = work / "data" / "unseen"
    folder.mkdir(parents=True, exist_ok=True)
    scoring = make_scoring()
    for kind in ("clean", "new", "missing"):
        csv.write_csv(_table(kind), folder / f"{kind}.csv", csv.WriteOptions(quoting_style="none"))
        yield kind, [_seconds(folder / f"{kind}.csv", scoring) for _ in range(TURNS)]
