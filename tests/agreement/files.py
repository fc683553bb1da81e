"""Generated tables with gaps, and their CSV with missing values, quotes and faults spelt in many ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

PANDAS_SPELLINGS = ("", "NA", "NaN", "None", "null", "#N/A", "<NA>", "n/a", "-nan", "1.#IND")
_WORDS = ["red", "green", "blue", "", "two words", 'say "so"', "a, b"]


def table(count: int, seed: int, missing: float = 0.0) -> pd.DataFrame:
    """Return a table with a column of each type; in all but the first five records values are missing by chance."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "d": np.round(rng.normal(0, 10, count), 5),
            "f": rng.normal(0, 10, count).astype(np.float32),
            "l": rng.integers(-3, 4, count),
            "i": rng.integers(0, 4, count).astype(np.int32),
            "b": rng.random(count) < 0.5,
            "s": rng.choice(["S", "C", "Q"], count).astype(object),
            "t": rng.choice([word for word in _WORDS if word], count).astype(object),
        }
    )
    return with_gaps(frame, rng, missing) if missing else frame


def with_gaps(frame: pd.DataFrame, rng: np.random.Generator, missing: float) -> pd.DataFrame:
    """Return a table with gaps, each column's type as pandas would have it."""
    gaps = rng.random(frame.shape) < missing
    gaps[:5] = False
    return frame.astype({"b": object} if "b" in frame else {}).mask(gaps)


def target(frame: pd.DataFrame, classes: int) -> Any:
    """Return a class for each record that depends on several columns."""
    total = frame["d"].fillna(3) + 4 * frame["l"].fillna(0).astype(float) + 9 * (frame["s"] == "S")
    return (np.floor(total / 5) % classes).astype(int)


@dataclass(frozen=True)
class Spelt:
    """A file: its lines without the header, and for each the reason for which a job must refuse it, or nothing."""

    header: str
    lines: list[str]
    tags: list[str]
    faults: list[str]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join([self.header, *self.lines]) + "\n"

    @property
    def valid_text(self) -> str:
        """Without the lines that are no valid records."""
        kept = [line for line, fault in zip(self.lines, self.faults, strict=True) if not fault]
        return "\n".join([self.header, *kept]) + "\n"


def spell(
    frame: pd.DataFrame,
    seed: int,
    spellings: Sequence[str] = PANDAS_SPELLINGS,
    faulty: float = 0.05,
    added: Sequence[str] = ("id", "unread"),
) -> Spelt:
    """Write a table, its columns in any order, values in any spelling, and among them lines with faults.

    ``added`` are columns beside those of the table: an id, which is the tag, and one that nobody reads.
    """
    rng = np.random.default_rng(seed)
    names = [str(name) for name in rng.permutation([*frame.columns, *added])]
    lines, tags, faults = [], [], []
    numeric = [name for name in frame.columns if frame[name].dtype != object]
    for place, record in enumerate(frame.to_dict("records")):
        tag = f"r{place:05d}"
        cells = {name: _spelt(value, rng, spellings) for name, value in record.items()}
        cells |= {"id": tag, "unread": str(rng.choice(["x", "", "NA"]))}
        fault = str(rng.choice(["", "invalid_value", "column_count", "blank"], p=[1 - faulty, *[faulty / 3] * 3]))
        if place == len(frame) - 1 or (fault == "invalid_value" and not numeric):
            fault = ""  # an empty line after the last record would be none
        if fault == "invalid_value":
            cells[str(rng.choice(numeric))] = str(rng.choice(["abc", "inf", "1,5", "--1", "0x10"]))
        line = ",".join(_quoted(cells[name], rng) for name in names)
        if fault == "column_count":
            line += ",1"
        lines.append("" if fault == "blank" else line)
        tags.append("" if fault in ("blank", "column_count") else tag)
        faults.append(fault)
    return Spelt(",".join(names), lines, tags, faults)


def _spelt(value: Any, rng: np.random.Generator, spellings: Sequence[str]) -> str:
    if value is None or value != value:
        return str(rng.choice(list(spellings)))
    if isinstance(value, bool | np.bool_):
        return str(rng.choice([str(bool(value)), str(bool(value)).lower(), str(bool(value)).upper()]))
    if isinstance(value, str):
        return value
    if float(value).is_integer() and rng.random() < 0.3:
        return str(rng.choice([f"{int(value)}.0", f"{int(value):+d}", f"{int(value)}e0"]))
    if isinstance(value, int | np.integer) or float(value).is_integer():
        return str(int(value))
    return repr(float(value))


def _quoted(text: str, rng: np.random.Generator) -> str:
    if any(mark in text for mark in ',"') or rng.random() < 0.2:
        return '"' + text.replace('"', '""') + '"'
    return text
