"""Dialect by header by place: whatever a file looks like and wherever it lies, its answers are the library's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from batchscore.config.job_config import JobConfig
from batchscore.preflight.planner import LoadedModel
from tests.agreement.files import table
from tests.agreement.models import load, signature_of, trained
from tests.agreement.oracle import Types, predict_by_pattern, read_as_pandas, types_of
from tests.agreement.test_dialects import Speller
from tests.agreement.whole import score_all

pytestmark = pytest.mark.filterwarnings("ignore")  # hints for those who train in earnest

NAME = "fingerprint of values and types"
COLUMNS = list("dflibst")
FILES = 3


@dataclass(frozen=True)
class Dialect:
    """How files spell records: ``mark`` is a byte-order mark, ``told`` a first line of ``sep=``, ``end`` ends lines."""

    delimiter: str = ","
    decimal: str = "."
    thousands: str | None = None
    trim: bool = False
    escape: str | None = None
    multiline: bool = False
    word: str = ""
    mark: bool = False
    told: bool = False
    end: str = "\n"
    datetime_format: str = "ISO8601"

    @property
    def keys(self) -> dict[str, Any]:
        """Those of the job."""
        given = ("delimiter", "decimal", "thousands", "trim", "escape", "multiline")
        keys: dict[str, Any] = {key: getattr(self, key) for key in given if getattr(self, key) is not None}
        return keys | ({"null_values": ["pandas", self.word]} if self.word else {})

    @property
    def options(self) -> dict[str, Any]:
        """Those of ``pandas.read_csv``."""
        options: dict[str, Any] = {"sep": self.delimiter, "decimal": self.decimal, "thousands": self.thousands}
        options |= {"skipinitialspace": self.trim, "na_values": [self.word] if self.word else None}
        return options | ({"escapechar": self.escape, "doublequote": False} if self.escape else {})


DIALECTS = {
    "comma": Dialect(),
    "semicolon": Dialect(";"),
    "tab": Dialect("\t"),
    "pipe": Dialect("|"),
    "decimal comma": Dialect(";", ","),
    "decimal comma in quotes": Dialect(",", ","),
    "thousands": Dialect(";", ",", "."),
    "thousands in quotes": Dialect(thousands=","),
    "trim": Dialect(trim=True),
    "escape": Dialect(escape="\\"),
    "multiline": Dialect(multiline=True),
    "byte-order mark": Dialect(mark=True),
    "sep=": Dialect(";", told=True),
    "CRLF": Dialect(end="\r\n"),
    "missing words": Dialect(word="?"),
    "Excel in Europe": Dialect(";", ",", multiline=True, mark=True, told=True, end="\r\n"),
    "trimmed, thousands, CRLF": Dialect(";", ",", ".", trim=True, word="-", end="\r\n"),
    "Spark with semicolons": Dialect(";", escape="\\", word="null"),
    "trim and escape": Dialect("|", trim=True, escape="\\"),
}
HEADERS = ("header", "names", "names for a header", "none", "odd")
PLACES = ("one file", "Spark's folder", "glob", "bare folder")
SPLITS = (10_000_000, 700, 90, 9)


@dataclass
class Written:
    """The files of a job, pandas' text of their valid records, and of each record its tag and whether it is valid."""

    files: list[str] = field(default_factory=list)
    text: str = ""
    tags: list[str] = field(default_factory=list)
    valid: list[bool] = field(default_factory=list)


def written(dialect: Dialect, header: str, seed: int) -> tuple[Written, dict[str, Any], dict[str, Any]]:
    """Write a table as several files; return them, and the keys and options that tell their columns."""
    frame = _texts(table(36, seed, missing=0.06), dialect)
    speller = Speller(dialect, ["", "NA", dialect.word], seed)  # type: ignore[arg-type] # it asks for what both have
    names = COLUMNS if header == "none" else [str(n) for n in speller.rng.permutation([*COLUMNS, "id", "unread"])]
    lines, keys, options = _heads(header, names, dialect)
    made = Written(text=lines[1] + "\n" if lines[1] else "")
    for number, part in enumerate(np.array_split(np.arange(len(frame)), FILES)):
        records = []
        for place in part.tolist():
            cells = {name: speller.cell(frame[name][place], name in "dfli") for name in COLUMNS}
            cells |= {"id": f"r{place:03d}", "unread": "x"}
            told = [_cell(cells[name], dialect, speller.rng) for name in names]
            told += [("u", "u"), ("", "")] if header == "odd" else []
            records.append(dialect.delimiter.join(job for job, _ in told))
            made.text += dialect.delimiter.join(pandas for _, pandas in told) + "\n"
            made.tags.append("" if header == "none" else cells["id"])
            made.valid.append(True)
        records.insert(1, records[0] + dialect.delimiter + "1")
        made.tags.insert(len(made.tags) - len(part) + 1, "")
        made.valid.insert(len(made.valid) - len(part) + 1, False)
        first = ["sep=" + dialect.delimiter] if dialect.told else []
        first += [lines[0]] if lines[0] else []
        ends = dialect.end if number % 2 else ""  # a last line may end, or not
        made.files.append(("\ufeff" if dialect.mark else "") + dialect.end.join([*first, *records]) + ends)
    return made, keys | dialect.keys, options | dialect.options


def _texts(frame: pd.DataFrame, dialect: Dialect) -> pd.DataFrame:
    frame["d"], frame["l"] = frame["d"] * 1000, frame["l"] * 1_234_567
    others = {"two words": "two\nlines, " if dialect.multiline else "two | words"}
    others |= {'say "so"': 'a\\b "c" \\'} if dialect.escape else {}
    frame["t"] = frame["t"].replace(others)
    return frame


def _heads(header: str, names: Sequence[str], dialect: Dialect) -> tuple[tuple[str, str], dict[str, Any], Any]:
    """Return the first lines, of the job's files and of pandas' text, and the keys and options that go with them."""
    line, tag = dialect.delimiter.join(names), {"row_id": "id"}
    if header == "header":
        return (line, line), tag, {}
    if header == "names":
        return ("", ""), tag | {"names": names}, {"names": names, "header": None}
    if header == "names for a header":
        title = dialect.delimiter.join(["Titel"] * 4)
        return (title, title), tag | {"names": names, "has_header": True}, {"names": names, "header": 0}
    if header == "none":
        return ("", ""), {"has_header": False}, {"names": names, "header": None}
    more = ["unread", ""]
    spaced = dialect.delimiter.join([f" {name} " for name in names] + more)
    return (spaced, dialect.delimiter.join([*names, *more])), tag, {}


def _cell(text: str, dialect: Dialect, rng: np.random.Generator) -> tuple[str, str]:
    """Return a cell as a job reads it, and as pandas is to read it."""
    quoted = bool(set(text) & {'"', "\n", "\\", dialect.delimiter}) or rng.random() < 0.2
    if quoted and dialect.escape:
        told = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        told = '"' + text.replace('"', '""') + '"' if quoted else text
    if not dialect.trim or text.startswith("r"):  # an echoed text keeps its spaces
        return told, told
    blanks = ["", " ", "\t", "  "]
    return str(rng.choice(blanks)) + told + str(rng.choice(blanks)), " " + told


def placed(files: Sequence[str], place: str, folder: Path) -> str:
    """Write files to a folder as others do, and return the entry of ``input`` that names them."""
    folder.mkdir(parents=True)
    for number, text in enumerate(files):
        (folder / f"part-{number:05d}-c000.csv").write_bytes(text.encode())
    if place == "Spark's folder":
        for name in ("_SUCCESS", "._SUCCESS.crc", ".part-00000-c000.csv.crc", "_committed_17"):
            (folder / name).write_bytes(b"x;y")
        (folder / "_temporary" / "0").mkdir(parents=True)
        (folder / "_temporary" / "0" / "part-00009-c000.csv").write_bytes(files[0].encode()[:40])
    if place == "glob":
        (folder / "notes.txt").write_bytes(b"no records")
        (folder / "sub").mkdir()
        (folder / "sub" / "other.csv").write_bytes(b"no records")
        return f"{folder}/*.csv"
    if place == "bare folder":
        folder.with_name(folder.name + "-other").mkdir()
        folder.with_name(folder.name + "-other").joinpath("a.csv").write_bytes(b"no records")
        return str(folder)
    return f"{folder}/" if place == "Spark's folder" else f"{folder}/part-00000-c000.csv"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadedModel, Types]:
    signature = signature_of("five rows", COLUMNS)
    assert signature is not None
    return load(trained(NAME), signature, tmp_path_factory.mktemp("model") / "files"), types_of(signature)


def check(dialect: str, header: str, place: str, splits: Sequence[int], folder: Path, loaded: Any) -> None:
    """Hold what a job makes of files against pandas' reading of their valid records."""
    model, types = loaded
    made, keys, options = written(DIALECTS[dialect], header, seed=len(dialect) * 7 + len(header))
    entry = placed(made.files, place, folder / "in" / "data")
    frame = read_as_pandas(made.text, types, **options)
    expected, raised = predict_by_pattern(frame, types, trained(NAME).predict)
    assert not raised.any()
    count = len(made.tags) // FILES if place == "one file" else len(made.tags)
    valid = np.array(made.valid[:count])
    predictions = np.full(count, np.nan)
    predictions[valid] = expected[: valid.sum(), 0]
    for split_bytes in splits:
        places = {"input": entry, "output": str(folder / f"out-{split_bytes}"), "split_bytes": split_bytes}
        whole = score_all(
            JobConfig.model_validate({"model": "models:/m/1", "precision": "full"} | places | keys), model
        )
        assert whole.tags == made.tags[:count]
        np.testing.assert_allclose(whole.predictions, predictions, rtol=1e-9)


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_files_of_any_dialect_and_header_have_the_library_s_answers_wherever_they_lie(
    dialect: str, header: str, model: tuple[LoadedModel, Types], tmp_path: Path
) -> None:
    turn = list(DIALECTS).index(dialect) + HEADERS.index(header)
    check(dialect, header, PLACES[turn % len(PLACES)], (SPLITS[0], SPLITS[1 + turn % 2]), tmp_path, model)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dialect", ["Excel in Europe", "trimmed, thousands, CRLF", "Spark with semicolons", "sep="])
def test_answers_do_not_depend_on_where_files_are_cut_down_to_a_few_bytes(
    dialect: str, place: str, model: tuple[LoadedModel, Types], tmp_path: Path
) -> None:
    check(dialect, "header", place, SPLITS if place == "one file" else SPLITS[:3], tmp_path, model)
