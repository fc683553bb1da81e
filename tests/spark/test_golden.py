"""What jobs write is what version 0.1.0's last code wrote: moving code changes no byte of a result.

``golden/*.json`` was made by that code; ``BATCHSCORE_GOLDEN=make`` writes the files anew, for a change that is meant.
The compressed bytes are zlib's, so that digests are of the text.
"""

import gzip
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from batchscore.commands.run import run_job
from batchscore.config.job_config import load_config
from tests.registry import Registry, columns
from tests.spark.conftest import Runner
from tests.spark.results import write_schema

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
# Times, digests that hold a path or a pickle, and versions: of this run alone.
OF_A_RUN = {
    *("commit_id", "compute_milliseconds", "etag", "sha256", "file_size_in_bytes", "digest", "software", "parameters"),
    *("Parameters", "BatchPredictionDataSourceId"),
    *("model_id", "MLModelId", "CreatedAt", "LastUpdatedAt", "FinishedAt", "StartedAt", "ComputeTime"),
}
TYPES = {"id": "CATEGORICAL", "age": "NUMERIC", "visits": "NUMERIC", "label": "CATEGORICAL", "note": "TEXT"}
RECORDS = [
    *("a1,45.5,3,no,first", "a2,,3,yes,", '"a,3",20,7,"y""es",quoted', "=a4,61,1e0,no,x", "a5,abc,3,no,no number"),
    *("a6,5,2.5,no,no whole number", "a7,33,4", "a8,33,4,no,x,y", "", "a9,NA,5,,word", 'a10,3"3,4,no,quote'),
    *("a\u00e911,1e309,4,no,large", "-12,30,,no,no visits", "a13,-0.0,-1,+1,below", " a14 , 7 , 8 , no , spaces "),
    *(f"b{n},{20 + n / 4},{n % 7},{n % 2},plain" for n in range(60)),
]


def binary() -> Any:
    """Return a model of known coefficients: no solver, no chance."""
    model = LogisticRegression()
    model.classes_, model.n_features_in_ = np.array([0, 1]), 2
    model.coef_, model.intercept_ = np.array([[0.08, -0.7]]), np.array([-1.25])
    return model


def exact() -> Any:
    """Return one of which all products and sums are exact: where they are rounded is each processor's own matter."""
    model = binary()
    model.coef_ = np.array([[0.078125, -0.6875]])
    return model


def multiclass() -> Any:
    model = LogisticRegression()
    model.classes_, model.n_features_in_ = np.array(["low", "mid, or so", "high"]), 2
    model.coef_, model.intercept_ = np.array([[-0.05, 0.3], [0.0, 0.1], [0.06, -0.4]]), np.array([1.0, 0.0, -1.0])
    return model


def regression() -> Any:
    model = LinearRegression()
    model.coef_, model.intercept_, model.n_features_in_ = np.array([1.5, -2.25]), 0.125, 2
    return model


MODELS = {"binary": binary, "exact": exact, "multiclass": multiclass, "regression": regression}
LOOSE: dict[str, Any] = {"max_invalid_fraction": 1, "split_bytes": 300}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "parts": ("binary", {"schema": True}),
    "amazon": ("binary", {"schema": True, "layout": "amazon"}),
    "blank": ("binary", {"schema": True, "invalid_records": "blank", "escape_formulas": True}),
    "keys": ("exact", {"row_id": "id", "target": "label", "precision": "full", "redact": True}),
    "numeric_tag": ("binary", {"row_id": "age", "escape_formulas": True, "threshold": 0.25}),
    "lone_column": ("regression", {}),
    "lone_blank": ("regression", {"layout": "amazon"}),
    "target_alone": ("regression", {"target": "label", "missing_values": "reject"}),
    "classes": ("multiclass", {"schema": True}),
    "classes_alone": ("multiclass", {"null_values": ["pandas", 45.5]}),
    "latin": ("multiclass", {"row_id": "id", "delimiter": ";", "encoding": "latin-1"}),
}


def write_inputs(folder: Path, delimiter: str = ",", encoding: str = "utf-8") -> None:
    """Write a plain file of several splits, a gzip file, and one of records that are all fine."""
    folder.mkdir()
    header = "id,age,visits,label,note"
    text = "\r\n".join([header, *RECORDS]).replace(",", delimiter) + "\r\n"
    (folder / "people.csv").write_bytes(text.encode(encoding))
    (folder / "packed.csv.gz").write_bytes(gzip.compress(text.replace("\r\n", "\n").encode(encoding), mtime=0))
    clean = "\n".join([header, *RECORDS[-30:]]).replace(",", delimiter)
    (folder / "clean 1.csv").write_bytes(clean.encode(encoding))


def digest(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha256(gzip.decompress(content) if path.suffix == ".gz" else content).hexdigest()


def without_run(value: Any, folder: Path) -> Any:
    """Leave out what another run has otherwise, and spell the run's own folder the same."""
    if isinstance(value, dict):
        return {
            name.replace(str(folder), "<folder>"): without_run(item, folder)
            for name, item in value.items()
            if name not in OF_A_RUN
        }
    if isinstance(value, list):
        return [without_run(item, folder) for item in value]
    return value.replace(str(folder), "<folder>") if isinstance(value, str) else value


def told(output: Path, folder: Path) -> dict[str, Any]:
    """Return all that a job wrote: results and rejected files by digest, manifests and record by their keys."""
    written = output / "batch-prediction"
    found: dict[str, Any] = {}
    for path in sorted(written.rglob("*")):
        if path.is_file() and path.suffix not in {".log", ".html"}:
            name = str(path.relative_to(written))
            if name.endswith(".profile.json"):  # its numbers are those of the machine's algebra, to the last digit
                found[name] = list(json.loads(path.read_bytes()))
                continue
            is_json = name.endswith((".json", ".manifest"))
            found[name] = without_run(json.loads(path.read_bytes()), folder) if is_json else digest(path)
    return found


def check_golden(name: str, found: dict[str, Any]) -> None:
    path = GOLDEN / f"{name}.json"
    if os.environ.get("BATCHSCORE_GOLDEN") == "make":
        path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert found == json.loads(path.read_text())


@pytest.mark.parametrize("name", CASES)
def test_a_job_writes_the_golden_bytes(name: str, run: Runner, registry: Registry, tmp_path: Path) -> None:
    kind, keys = CASES[name]
    keys = dict(keys)
    write_inputs(tmp_path / "in", keys.get("delimiter", ","), keys.get("encoding", "utf-8"))
    if keys.pop("schema", False):
        write_schema(tmp_path / "in" / ".schema", TYPES, row_id="id", target="label")
    model = registry.register(MODELS[kind](), signature=columns("age:double", "visits:long?"), name=f"golden-{kind}")
    model = model.rpartition("/")[0] + "/1"

    job = run(model, input=f"{tmp_path}/in/", **LOOSE, **keys)

    check_golden(name, told(job.output, tmp_path))


def test_the_demo_writes_the_golden_bytes(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program = [sys.executable, str(ROOT / "jobs" / "register_demo_model.py"), "--records", "2000"]
    alone = {name: value for name, value in os.environ.items() if "MLFLOW" not in name}
    subprocess.run(program, env=alone, check=True)

    run_job(load_config((ROOT / "conf" / "local.yaml").read_text(), ["id=demo"]), run.spark)

    check_golden("demo", told(tmp_path / "demo" / "output", tmp_path))
