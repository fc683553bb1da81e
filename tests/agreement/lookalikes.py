"""Look-alikes of public files and of what tools write, made by chance with a fixed seed, each as its tool spells it.

Each has the keys that docs/dialects.md names for it, and pandas' own reading of its valid records, which is the oracle.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder


@dataclass(frozen=True)
class LookAlike:
    """Files by name, the keys that read them, and how pandas reads one: ``options`` are those of ``read_csv``.

    ``numbers``, ``texts`` and ``dates`` are the columns that the model takes.
    """

    files: Mapping[str, bytes]
    keys: Mapping[str, Any]
    options: Mapping[str, Any]
    numbers: Sequence[str]
    texts: Sequence[str] = ()
    dates: Mapping[str, str] = field(default_factory=dict)

    def read(self, content: bytes, *, as_text: bool) -> pd.DataFrame:
        """Return pandas' reading of a file."""
        options: dict[str, Any] = {"float_precision": "round_trip", "skip_blank_lines": False} | dict(self.options)
        if as_text:
            options = {key: value for key, value in options.items() if key not in ("na_values", "thousands", "decimal")}
            texts: pd.DataFrame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, **options)
            return texts
        options["dtype"] = dict.fromkeys([*self.texts, *self.dates], str)
        frame: pd.DataFrame = pd.read_csv(io.BytesIO(content), **options)
        for name, form in self.dates.items():
            frame[name] = pd.to_datetime(frame[name], format=form)
        return frame

    def frame(self, *, as_text: bool = False) -> pd.DataFrame:
        """Return pandas' reading of all files in the order of their names, in their types or as the texts they are."""
        frames = [self.read(self.files[name], as_text=as_text) for name in self.data_files]
        return pd.concat(frames, ignore_index=True)

    @property
    def data_files(self) -> list[str]:
        """The files that hold records."""
        return [name for name in sorted(self.files) if name[0] not in "._" and not name.endswith(".schema")]


def days(frame: pd.DataFrame) -> Any:
    """Return dates as days since 2000."""
    return frame.apply(lambda column: (column - pd.Timestamp("2000-01-01")).dt.days)


def model_of(like: LookAlike) -> Any:
    """Return a model, as a notebook makes it, whose answer shows every value of the columns that it takes."""
    frame = like.frame()[[*like.numbers, *like.texts, *like.dates]]
    texts = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"), OneHotEncoder(handle_unknown="ignore")
    )
    steps = [(SimpleImputer(), list(like.numbers)), (texts, list(like.texts))]
    steps += [(FunctionTransformer(days), list(like.dates))] if like.dates else []
    model = make_pipeline(make_column_transformer(*steps, sparse_threshold=0), LinearRegression())
    return model.fit(frame, np.random.default_rng(5).random(len(frame)))


def _rows(table: Sequence[Sequence[str]], mark: str = ",", end: str = "\n") -> str:
    return "".join(mark.join(row) + end for row in table)


_ADULT = [
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
]
_ADULT_TEXTS = {
    "workclass": ["Private", "Self-emp-not-inc", "Local-gov", "State-gov", "?"],
    "education": ["Bachelors", "HS-grad", "11th", "Some-college"],
    "marital-status": ["Never-married", "Married-civ-spouse", "Divorced"],
    "occupation": ["Tech-support", "Craft-repair", "Adm-clerical", "?"],
    "relationship": ["Wife", "Own-child", "Not-in-family"],
    "race": ["White", "Black", "Asian-Pac-Islander"],
    "sex": ["Female", "Male"],
    "native-country": ["United-States", "Mexico", "Trinadad&Tobago", "?"],
}


def _adult_rows(count: int, seed: int, labels: Sequence[str]) -> str:
    rng = np.random.default_rng(seed)
    ranges = {"age": 90, "fnlwgt": 900_000, "education-num": 16, "hours-per-week": 99}
    columns: dict[str, Any] = {name: rng.integers(1, most, count).astype(str) for name, most in ranges.items()}
    columns |= {name: np.where(rng.random(count) < 0.9, "0", "2174") for name in ("capital-gain", "capital-loss")}
    columns |= {name: rng.choice(words, count) for name, words in _ADULT_TEXTS.items()}
    columns["income"] = rng.choice(labels, count)
    return _rows(list(zip(*(columns[name] for name in _ADULT), strict=True)), ", ") + "\n"


def adult(part: str = "data") -> LookAlike:
    """UCI adult: no header, a space after each comma, ``?``, an empty last line; the test has a first line."""
    labels = ["<=50K", ">50K"] if part == "data" else ["<=50K.", ">50K."]
    first = "" if part == "data" else "|1x3 Cross validator\n"
    numbers = [name for name in _ADULT if name not in _ADULT_TEXTS and name != "income"]
    header: dict[str, Any] = {} if part == "data" else {"has_header": True}
    keys = {"names": _ADULT, "trim": True, "null_values": ["pandas", "?"], "target": "income"} | header
    options = {"names": _ADULT, "skipinitialspace": True, "na_values": "?", "header": 0 if header else None}
    options |= {"skip_blank_lines": True}  # the empty line after the last record is none
    text = first + _adult_rows(1200, len(part), labels)
    return LookAlike({f"adult.{part}": text.encode()}, keys, options, numbers, list(_ADULT_TEXTS))


_AIR = [
    *("CO(GT)", "PT08.S1(CO)", "NMHC(GT)", "C6H6(GT)", "PT08.S2(NMHC)", "NOx(GT)", "PT08.S3(NOx)", "NO2(GT)"),
    *("PT08.S4(NO2)", "PT08.S5(O3)", "T", "RH", "AH"),
]
_AIR_FRACTIONS = {"CO(GT)": 1, "C6H6(GT)": 1, "T": 1, "RH": 1, "AH": 4}


def air_quality() -> LookAlike:
    """UCI AirQuality: ``;``, decimal commas, two columns without a name, ``-200``, and delimiters alone."""
    rng = np.random.default_rng(3)
    lines = ["Date;Time;" + ";".join(_AIR) + ";;"]
    gaps = dict.fromkeys(_AIR, 0.04) | {"CO(GT)": 0.18, "NMHC(GT)": 0.9, "NOx(GT)": 0.17, "NO2(GT)": 0.17}
    for hour in range(1200):
        cells = [f"{hour // 24 % 28 + 1:02d}/03/2004", f"{hour % 24:02d}.00.00"]
        for name in _AIR:
            places = _AIR_FRACTIONS.get(name, 0)
            value = f"{rng.uniform(0, 60 if places else 2000):.{places}f}"
            cells.append(("-200" if rng.random() < gaps[name] else value).replace(".", ","))
        lines.append(";".join([*cells, "", ""]))
    text = "\r\n".join([*lines, *[";" * 16] * 15]) + "\r\n"
    keys = {"delimiter": ";", "decimal": ",", "null_values": ["pandas", "-200"], "row_id": "Date"}
    options = {"sep": ";", "decimal": ",", "na_values": "-200"}
    return LookAlike({"AirQualityUCI.csv": text.encode()}, keys, options, _AIR)


_NOTES = ["plain", 'the "big" one', "a, b", "semi; colon", '5" pipe', "é", "two words"]


def _customers(count: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": [f"c{number:04d}" for number in range(count)],
            "age": rng.integers(18, 90, count),
            "balance": np.round(rng.normal(1000, 5000, count), 2),
            "job": rng.choice(["admin.", "services", "blue-collar"], count),
            "note": rng.choice(_NOTES, count),
        }
    )
    frame["since"] = pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 3000, count), "D")
    return frame


def spark_written(header: bool = True) -> LookAlike:
    """Spark's ``write.csv``: several parts, quotes with a backslash before them, markers; null is empty."""
    files: dict[str, bytes] = {"_SUCCESS": b"", "._SUCCESS.crc": b"crc"}
    rng = np.random.default_rng(9)
    names = ["id", "age", "balance", "job", "note"]
    for part in range(3):
        lines = [",".join(names)] if header else []
        for row in _customers(250, part).to_dict("records"):
            note = str(row["note"])
            if '"' in note or "," in note:
                note = '"' + note.replace("\\", "\\\\").replace('"', '\\"') + '"'
            cells = [row["id"], str(row["age"]), str(row["balance"]), row["job"], note]
            if rng.random() < 0.1:
                cells[int(rng.integers(1, 5))] = ""
            if rng.random() < 0.05:
                cells[3] = '""'
            lines.append(",".join(map(str, cells)))
        name = f"part-{part:05d}-11111111-2222-3333-4444-555555555555-c000.csv"
        files[name] = ("\n".join(lines) + "\n").encode()
        files[f".{name}.crc"] = b"crc"
    keys = {"escape": "\\", "row_id": "id"} | ({"has_header": True} if header else {"names": names})
    options = {"escapechar": "\\", "doublequote": False} | ({} if header else {"names": names})
    return LookAlike(files, keys, options, ["age", "balance"], ["job", "note"])


def _r_cell(value: Any) -> str:
    return '"' + value.replace('"', '""') + '"' if isinstance(value, str) else str(value)


def r_written(function: str = "write.csv") -> LookAlike:
    """R's ``write.csv`` or ``write.csv2``: texts in quotes, row names in a column without a name, ``NA``."""
    mark, decimal = (",", ".") if function == "write.csv" else (";", ",")
    rng = np.random.default_rng(4)
    names = ["id", "age", "balance", "job", "note"]
    table = [['""', *(f'"{name}"' for name in names)]]
    for number, row in enumerate(_customers(600, 7).to_dict("records"), 1):
        cells = [_r_cell(row[name]) for name in names]
        cells[2] = cells[2].replace(".", decimal)
        if rng.random() < 0.15:
            cells[int(rng.integers(1, 5))] = "NA"
        table.append([f'"{number}"', *cells])
    keys = {"row_id": "Unnamed: 0"} | ({"delimiter": ";", "decimal": ","} if mark == ";" else {})
    options = {"sep": mark, "decimal": decimal}
    return LookAlike({"people.csv": _rows(table, mark).encode()}, keys, options, ["age", "balance"], ["job", "note"])


def excel_written(kind: str = "UTF-8") -> LookAlike:
    """Excel's CSV: CRLF, line feeds within quotes; with a byte-order mark, with ``sep=;``, or of a European system."""
    european = kind != "UTF-8"
    mark, decimal = (";", ",") if european else (",", ".")
    encoding = {"UTF-8": "utf-8-sig", "sep": "utf-8-sig", "European": "cp1252"}[kind]
    rng = np.random.default_rng(6)
    names = ["id", "age", "balance", "job", "note"]
    table = [names]
    for row in _customers(600, 8).to_dict("records"):
        note = "two\nlines, and \n more" if rng.random() < 0.1 else row["note"]
        cells = [row["id"], str(row["age"]), str(row["balance"]).replace(".", decimal), row["job"], note]
        if rng.random() < 0.1:
            cells[int(rng.integers(1, 5))] = str(rng.choice(["", "#N/A"]))
        quoted = ['"' + cell.replace('"', '""') + '"' if set(cell) & set(f'{mark}"\n') else cell for cell in cells]
        table.append(quoted)
    first = "sep=;\r\n" if kind == "sep" else ""
    text = first + _rows(table, mark, "\r\n")
    keys: dict[str, Any] = {"multiline": True, "row_id": "id"}
    keys |= {"delimiter": ";", "decimal": ","} if european else {}
    keys |= {"encoding": "cp1252"} if kind == "European" else {}
    options = {"sep": mark, "decimal": decimal, "encoding": encoding, "skiprows": 1 if first else 0}
    return LookAlike({"people.csv": text.encode(encoding)}, keys, options, ["age", "balance"], ["job", "note"])


def european() -> LookAlike:
    """An export of a European system: ``1.234.567,8``, ``31.12.2024``, ``-`` for missing, in cp1252."""
    rng = np.random.default_rng(7)
    lines = ["Kundennr;Alter;Umsatz;Stück;Größe;Seit"]
    for number in range(800):
        amount = f"{rng.normal(0, 2_000_000):,.2f}".translate(str.maketrans(",.", ".,"))
        count = f"{rng.integers(0, 90_000):,d}".replace(",", ".")
        when = pd.Timestamp("2015-01-01") + pd.Timedelta(int(rng.integers(0, 3000)), "D")
        cells = [
            f"{number:05d}",
            str(rng.integers(18, 90)),
            amount,
            count,
            str(rng.choice(["groß", "klein", "mittel"])),
        ]
        cells.append(when.strftime("%d.%m.%Y"))
        if rng.random() < 0.1:
            cells[int(rng.integers(1, 4))] = "-"
        lines.append(";".join(cells))
    keys = {"delimiter": ";", "decimal": ",", "thousands": ".", "encoding": "cp1252", "null_values": ["pandas", "-"]}
    keys |= {"datetime_format": "%d.%m.%Y", "row_id": "Kundennr"}
    options = {"sep": ";", "decimal": ",", "thousands": ".", "encoding": "cp1252", "na_values": "-"}
    text = "\r\n".join(lines) + "\r\n"
    numbers = ["Alter", "Umsatz", "Stück"]
    dates = {"Seit": "%d.%m.%Y"}
    return LookAlike({"kunden.csv": text.encode("cp1252")}, keys, options, numbers, ["Größe"], dates)


_BANKING = [
    *("age", "job", "marital", "education", "default", "housing", "loan", "contact", "month", "day_of_week"),
    *("duration", "campaign", "pdays", "previous", "poutcome"),
    *("emp_var_rate", "cons_price_idx", "cons_conf_idx", "euribor3m", "nr_employed"),
]
_BANKING_TEXTS = {
    "job": ["admin.", "blue-collar", "unknown", "self-employed"],
    "marital": ["married", "single", "unknown"],
    "education": ["basic.4y", "university.degree", "unknown"],
    "default": ["no", "unknown", "yes"],
    "housing": ["no", "yes", "unknown"],
    "loan": ["no", "yes", "unknown"],
    "contact": ["cellular", "telephone"],
    "month": ["may", "jun", "oct"],
    "day_of_week": ["mon", "tue", "fri"],
    "poutcome": ["nonexistent", "failure", "success"],
}


def banking() -> LookAlike:
    """AWS's banking sample with its schema file, which calls ``previous`` BINARY although it has values from 0 to 7."""
    rng = np.random.default_rng(8)
    count = 900
    columns: dict[str, Any] = {name: rng.choice(words, count) for name, words in _BANKING_TEXTS.items()}
    columns |= {name: rng.integers(1, 90, count).astype(str) for name in ("age", "duration", "campaign")}
    columns["pdays"] = np.where(rng.random(count) < 0.9, "999", "6")
    columns["previous"] = np.where(rng.random(count) < 0.86, 0, rng.integers(1, 8, count)).astype(str)
    columns |= {name: np.round(rng.normal(0, 50, count), 3).astype(str) for name in _BANKING[15:]}
    table = [_BANKING, *zip(*(columns[name] for name in _BANKING), strict=True)]
    numbers = [name for name in _BANKING if name not in _BANKING_TEXTS]
    kinds = dict.fromkeys(numbers, "NUMERIC") | dict.fromkeys(_BANKING_TEXTS, "CATEGORICAL") | {"previous": "BINARY"}
    attributes = [{"attributeName": name, "attributeType": kinds[name]} for name in _BANKING]
    schema = {"version": "1.0", "dataFormat": "CSV", "dataFileContainsHeader": True, "attributes": attributes}
    files = {"banking-batch.csv": _rows(table).encode(), "banking-batch.csv.schema": json.dumps(schema).encode()}
    return LookAlike(files, {}, {}, numbers, list(_BANKING_TEXTS))


LIKES: dict[str, Callable[[], LookAlike]] = {
    "adult.data": adult,
    "adult.test": lambda: adult("test"),
    "AirQuality": air_quality,
    "Spark, header": spark_written,
    "Spark, no header": lambda: spark_written(header=False),
    "R write.csv": r_written,
    "R write.csv2": lambda: r_written("write.csv2"),
    "Excel, UTF-8": excel_written,
    "Excel, sep=": lambda: excel_written("sep"),
    "Excel, European": lambda: excel_written("European"),
    "European": european,
    "AWS banking": banking,
}
