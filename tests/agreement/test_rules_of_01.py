"""Three keys bring back the rules of version 0.1: results and rejected records are the bytes that its code wrote.

The golden bytes in ``golden_01`` are what ``result`` gave without KEYS under the code of commit 84143c6, whose columns
of optional text had ``empty_is_missing`` as its reading of signatures set it.
"""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batchscore.config.job_config import JobConfig
from batchscore.input.columns import Column
from batchscore.input.files import with_headers
from batchscore.model.predictor import Predictor
from batchscore.model.version import ModelVersion
from batchscore.preflight.planner import LoadedModel, make_plan
from tests.scored import score_split

GOLDEN = Path(__file__).parent / "golden_01"
KEYS = {"missing_values": "reject", "null_values": [], "invalid_values": "missing"}
KINDS = {"d": "double", "f": "float", "l": "long", "i": "integer", "b": "boolean", "s": "string"}
REQUIRED = [name.upper() for name in KINDS]
NAMES = [*REQUIRED, *KINDS]
PLAIN = ["1.5", "2.5", "7", "8", "true", "red"] * 2
CELLS = ["", '""', " ", "NA", "nan", "None", "inf", "abc", "5.0", "-5", " 6 ", "9007199254740993", "3e9", "1", '"1"']


def sample() -> str:
    """Return a file of which each record holds a cell of its own in one column, or lacks two."""
    records = [PLAIN]
    for place in range(len(NAMES)):
        cells = CELLS if place % len(KINDS) in (2, 4, 5) else CELLS[::2]
        records += [[*PLAIN[:place], cell, *PLAIN[place + 1 :]] for cell in cells]
    records += [["" if place in (one, 6 + one) else cell for place, cell in enumerate(PLAIN)] for one in range(6)]
    records += [["" if place in (7, 6 + one) else cell for place, cell in enumerate(PLAIN)] for one in range(6)]
    lines = [",".join(["id", *NAMES]), *(",".join([f"r{n}", *record]) for n, record in enumerate(records))]
    return "\n".join([*lines[:9], "short,1", *lines[9:]]) + "\n"


def answer(values: Any) -> Any:
    """Return a number that tells values and types: no other input would get the same."""
    if isinstance(values, np.ndarray):
        texts = [f"{values.dtype} {row.tolist()!r}" for row in values]
    else:
        columns = [[f"{type(cell).__name__} {cell!r}" for cell in values[name]] for name in values]
        kinds = ["" if str(kind) == "object" else str(kind) for kind in values.dtypes]
        texts = [repr((row, kinds)) for row in zip(*columns, strict=True)]
    return np.array([float(zlib.crc32(text.encode()) % 1_000_000) for text in texts])


def result(kind: str, folder: Path, **keys: Any) -> tuple[str, str]:
    """Score the sample by a signature of columns, by a schema alone or as an array; return results and rejected."""
    signature: Any = tuple(Column(name, KINDS[name.lower()], name in REQUIRED) for name in NAMES)  # type: ignore[arg-type]
    dtype = None
    names = NAMES
    if kind == "schema":
        signature = None
    elif kind.startswith("array"):
        dtype, names = kind.split()[1], ["D", "d", "L"]
        signature = len(names)
    types = {"b": "BINARY", "s": "CATEGORICAL"}
    ignored = [name for name in NAMES if name not in names]
    attributes = [{"attributeName": "id", "attributeType": "CATEGORICAL"}]
    attributes += [{"attributeName": name, "attributeType": types.get(name.lower(), "NUMERIC")} for name in NAMES]
    schema = {"version": "1.0", "rowId": "id", "dataFormat": "CSV", "dataFileContainsHeader": True}
    schema |= {"attributes": attributes, "excludedAttributeNames": ignored}
    (folder / "a.csv").write_text(sample())
    (folder / "a.csv.schema").write_text(json.dumps(schema))
    places = {"model": "models:/m/1", "input": str(folder / "a.csv"), "output": str(folder / "out")}
    config = JobConfig.model_validate(places | {"invalid_records": "blank", "split_bytes": "1GB"} | keys)
    version = ModelVersion("models:/m/1", "m", "1", None, "0", {}, {}, signature, dtype)
    model = LoadedModel(version, folder, Predictor("regression", (), None, answer), 0.5)
    plan = make_plan(config, model)
    inputs = with_headers(plan.inputs, {plan.inputs[0].source.uri: ("id", *NAMES)})
    part = score_split(plan.splits[0], inputs[0], plan.spec, model.predictor)
    assert part.rejected is not None
    return _text(part.file.uri), _text(part.rejected.uri)


def _text(uri: str) -> str:
    return gzip.decompress(Path(uri.removeprefix("file://")).read_bytes()).decode()


@pytest.mark.parametrize("kind", ["signature", "schema", "array float64"])
def test_three_keys_give_the_bytes_of_01(kind: str, tmp_path: Path) -> None:
    results, rejected = result(kind, tmp_path, **KEYS)
    name = kind.replace(" ", "_")
    assert results == (GOLDEN / f"{name}.csv").read_text()
    assert rejected == (GOLDEN / f"{name}.rejected.csv").read_text()


@pytest.mark.parametrize("key", KEYS)
def test_each_of_the_three_keys_is_needed_for_the_bytes_of_01(key: str, tmp_path: Path) -> None:
    rest = {name: value for name, value in KEYS.items() if name != key}
    assert result("signature", tmp_path, **rest)[0] != (GOLDEN / "signature.csv").read_text()
