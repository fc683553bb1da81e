"""Files in other dialects: a job answers what the library answers to pandas' reading with the same options."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tests.agreement.files import PANDAS_SPELLINGS, Spelt, table
from tests.agreement.judge import score
from tests.agreement.models import Trained, fingerprint, load, trained
from tests.agreement.oracle import predict_by_pattern, read_as_pandas, types_of

pytestmark = pytest.mark.filterwarnings("ignore")  # hints for those who train in earnest


@dataclass(frozen=True)
class Dialect:
    """How a file spells its values: by the job's keys, which are pandas' options but for ``trim`` and dates."""

    delimiter: str = ","
    decimal: str = "."
    thousands: str | None = None
    trim: bool = False
    datetime_format: str = "ISO8601"

    @property
    def keys(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if value is not None}

    @property
    def options(self) -> dict[str, Any]:
        spelt = {"sep": self.delimiter, "decimal": self.decimal, "thousands": self.thousands}
        return spelt | {"skipinitialspace": self.trim}


@dataclass(frozen=True)
class Words:
    keys: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    spellings: Sequence[str] = PANDAS_SPELLINGS


DIALECTS = {
    "German": Dialect(";", ",", "."),
    "French": Dialect(";", ",", " ", datetime_format="%d/%m/%Y %H:%M"),
    "Swiss": Dialect(",", ".", "'"),
    "English, thousands in quotes": Dialect(",", ".", ","),
    "decimal commas in quotes": Dialect(",", ","),
    "trimmed": Dialect(trim=True),
    "trimmed tabs": Dialect("\t", ".", None, trim=True),
    "trimmed German": Dialect(";", ",", ".", trim=True, datetime_format="%d.%m.%Y %H:%M"),
}
WORDS = {
    "the default": Words(),
    "a word of one's own": Words({"null_values": ["?"]}, {"keep_default_na": False, "na_values": ["", "?"]}, ("", "?")),
    "a number": Words({"null_values": ["pandas", "-2000"]}, {"na_values": ["-2000"]}, ("", "NA", "-2000")),
}


PAIRS = [("imputers and encoders", "the default"), ("lightgbm with categories", "a number")]
PAIRS += [("fingerprint", words) for words in WORDS]


class Speller:
    """Writes one table in a dialect: as a job gets it, and as pandas is to read it."""

    def __init__(self, dialect: Dialect, spellings: Sequence[str], seed: int) -> None:
        self.dialect, self.spellings, self.rng = dialect, spellings, np.random.default_rng(seed)

    def number(self, value: Any) -> str:
        """Return a number in the dialect, whole ones with a fraction of zero now and then."""
        whole = float(value).is_integer()
        text = f"{int(value):,d}" if whole else f"{value:,.5f}"
        text += ".00" if whole and self.rng.random() < 0.2 else ""
        if self.dialect.thousands is None or self.rng.random() < 0.3:
            text = text.replace(",", "")
        whole_part, point, fraction = text.partition(".")
        whole_part = whole_part.replace(",", self.dialect.thousands or "")
        return whole_part + (self.dialect.decimal if point else "") + fraction

    def cell(self, value: Any, is_number: bool) -> str:
        """Return the text of a value; a number that means missing is spelt as numbers are in their columns."""
        if value is None or value != value:
            word = str(self.rng.choice(list(self.spellings)))
            return self.number(int(word)) if is_number and word.startswith("-2") else word
        if isinstance(value, pd.Timestamp):
            return value.strftime("%Y-%m-%dT%H:%M" if self.dialect.datetime_format == "ISO8601" else self.form)
        return str(value) if isinstance(value, bool | str) else self.number(value)

    @property
    def form(self) -> str:
        return self.dialect.datetime_format

    def written(self, text: str) -> tuple[str, str, str]:
        """Return a cell as it is written, as pandas is to read it, and as it is echoed."""
        quoted = any(mark in text for mark in f'"{self.dialect.delimiter}') or self.rng.random() < 0.2
        told = '"' + text.replace('"', '""') + '"' if quoted else text
        if not self.dialect.trim:
            return told, told, text
        blanks = ["", " ", "  "] if self.dialect.delimiter == "\t" else ["", " ", "\t", " \t "]
        before, after = str(self.rng.choice(blanks)), str(self.rng.choice(blanks))
        # pandas keeps what is after a value: "a" and a are its values when those spaces are taken away.
        return before + told + after, before.replace("\t", " ") + told, text if quoted else before + text + after


def spell(frame: pd.DataFrame, speller: Speller) -> tuple[Spelt, str]:
    """Return the file of a job with one line in twenty at fault, and pandas' text of the valid ones."""
    names = [str(name) for name in speller.rng.permutation([*frame.columns, "id"])]
    mark, numbers = speller.dialect.delimiter, [name for name in "dfli" if name in frame]
    wrong = {".": "1,5", ",": "1.5"}[speller.dialect.decimal]
    wrong = f"1{speller.dialect.thousands}{speller.dialect.thousands}5" if speller.dialect.thousands else wrong
    lines, valid, tags, faults = [], [mark.join(names)], [], []
    for place, record in enumerate(frame.to_dict("records")):
        cells = {name: speller.cell(value, name in numbers) for name, value in record.items()}
        cells["id"] = f"r {place:04d}"
        fault = "invalid_value" if speller.rng.random() < 0.05 else ""
        if fault:
            cells[str(speller.rng.choice(numbers))] = wrong
        written = {name: speller.written(cells[name]) for name in names}
        lines.append(mark.join(written[name][0] for name in names))
        if not fault:
            valid.append(mark.join(written[name][1] for name in names))
        tags.append(written["id"][2])
        faults.append(fault)
    header = mark.join(f" {name} " if speller.dialect.trim else name for name in names)
    return Spelt(header, lines, tags, faults), "\n".join(valid) + "\n"


def dated(count: int, seed: int, missing: float = 0.0) -> pd.DataFrame:
    """Return a table with large numbers and a column of times."""
    frame = table(count, seed, missing)
    frame["l"], frame["d"] = frame["l"] * 1_234_567, frame["d"] * 1000
    minutes = np.random.default_rng(seed).integers(-10_000_000, 30_000_000, count)
    when = pd.Series(pd.Timestamp("2000-01-01") + pd.to_timedelta(minutes, "min"))
    frame["w"] = when.mask(np.arange(count) % 7 == 6) if missing else when
    return frame


def _model(name: str) -> Trained:
    if name != "fingerprint":
        return trained(name)
    data = dated(300, seed=1)
    model = make_pipeline(FunctionTransformer(fingerprint), LinearRegression())
    return Trained(model.fit(data, np.arange(300)), [*map(str, data)])


def _pandas_reading(text: str, types: Mapping[str, str], dialect: Dialect, words: Words) -> pd.DataFrame:
    texts = {name: "string" if kind == "datetime" else kind for name, kind in types.items()}
    frame = read_as_pandas(text, texts, **dialect.options, **words.options)
    for name in [name for name, kind in types.items() if kind == "datetime"]:
        frame[name] = pd.to_datetime(frame[name], format=dialect.datetime_format)
    return frame


@pytest.mark.parametrize(("name", "words"), PAIRS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_job_answers_what_the_library_answers_to_pandas_reading_of_the_dialect(
    dialect: str, name: str, words: str, tmp_path: Path
) -> None:
    model, form, meant = _model(name), DIALECTS[dialect], WORDS[words]
    signature = infer_signature(dated(5, seed=1)[list(model.columns)])
    types = types_of(signature)
    seed = zlib.crc32(f"{dialect} {name} {words}".encode())
    file, valid_text = spell(dated(60, seed, missing=0.06)[list(model.columns)], Speller(form, meant.spellings, seed))
    frame = _pandas_reading(valid_text, types, form, meant)
    expected, raised = predict_by_pattern(frame, types, model.predict, model.missing_text)

    files = load(model, signature, tmp_path / "model")
    scored = score(file.text, files, tmp_path, row_id="id", split_bytes=1_500, **form.keys, **meant.keys)

    valid = np.array([not fault for fault in file.faults])
    predictions: npt.NDArray[Any] = np.full((len(valid), expected.shape[1]), np.nan)
    predictions[valid] = expected
    assert scored.tags == file.tags
    assert scored.reasons == file.faults
    assert not raised.any()
    assert len(frame) == valid.sum() > 40
    np.testing.assert_allclose(scored.predictions, predictions, rtol=model.tolerance)
