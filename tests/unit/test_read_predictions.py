"""``read_predictions``: what the manifest names, typed, in record order; and nothing that it does not."""

import csv
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from tests.committed import FinishedJob
from tests.result_files import LaidJob

from batchscore.errors import ConfigError, InputError, ObjectMissingError
from batchscore.results import parts as parts_module
from batchscore.results.predictions import read_predictions

LABEL = {"type": "multiclass", "classes": ["a", "NA", "b,c"]}


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table.to_pylist()]


def read(job: LaidJob, **asked: Any) -> pa.Table:
    return read_predictions(str(job.output), job.batch_id, "arrow", **asked)


CASES: dict[str, tuple[str, str, dict[str, Any], list[tuple[Any, ...]], list[str] | None]] = {
    "binary with passed columns and a status": (
        'tag,trueLabel,plan,"the, phone",bestAnswer,score,status',
        'C1,,gold,"+1 ""x""",1,9E-1,ok\nNA,null,,,,,missing_value\n',
        {"columns": ["tag", "trueLabel", "plan", "the, phone", "bestAnswer", "score", "status"], "status_column": True},
        [("C1", "", "gold", '+1 "x"', 1, 0.9, "ok"), ("NA", "null", "", "", None, None, "missing_value")],
        ["string", "string", "string", "string", "int8", "double", "string"],
    ),
    "regression": ("score", "-1.5E2\n", {"model": {"type": "regression"}}, [(-150.0,)], ["double"]),
    "lone scores, one empty in quotes and one blank": (
        "score",
        '1E0\n""\n\n2E0\n',
        {"model": {"type": "regression"}},
        [(1.0,), (None,), (None,), (2.0,)],
        ["double"],
    ),
    "several values": (
        "tag,score_low,score_0.5",
        "a,1E0,2E0\nb,,\n",
        {"model": {"type": "regression", "values": ["low", "0.5"]}},
        [("a", 1.0, 2.0), ("b", None, None)],
        ["string", "double", "double"],
    ),
    "classes of odd names": (
        '"b,c",x,NA,"say ""hi""",1',
        "1E-1,2E-1,3E-1,4E-1,0E0\n",
        {
            "model": {"type": "multiclass", "classes": ["b,c", "x", "NA", 'say "hi"', "1"]},
            "columns": ["b,c", "x", "NA", 'say "hi"', "1"],
        },
        [(0.1, 0.2, 0.3, 0.4, 0.0)],
        ["double"] * 5,
    ),
    "one class": ("only", "1E0\n", {"model": {"type": "multiclass", "classes": ["only"]}}, [(1.0,)], ["double"]),
    "labels": (
        "tag,predictedLabel,score",
        'a,"b,c",9E-1\nb,NA,4E-1\nc,,\n\n',
        {"model": LABEL, "multiclass_output": "label"},
        [("a", "b,c", 0.9), ("b", "NA", 0.4), ("c", None, None), (None, None, None)],
        ["string", "string", "double"],
    ),
    "blank lines alone": ("tag,bestAnswer,score", "\n\n", {}, [(None, None, None)] * 2, ["string", "int8", "double"]),
    "carriage returns and quotes in tags": (
        "tag,bestAnswer,score",
        '"a\rb",0,1E-1\n"""",1,1E0\n  x ,0,2E-1\n',
        {},
        [("a\rb", 0, 0.1), ('"', 1, 1.0), ("  x ", 0, 0.2)],
        ["string", "int8", "double"],
    ),
    "escaped formulas keep their apostrophe": ("tag,bestAnswer,score", "'=1+1,0,1E-1\n", {}, [("'=1+1", 0, 0.1)], None),
    "no records": ("tag,bestAnswer,score", "", {}, [], ["string", "int8", "double"]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_column_has_the_type_that_the_manifest_tells_and_texts_stay_text(case: str, tmp_path: Path) -> None:
    header, text, keys, expected, types = CASES[case]
    job = LaidJob(tmp_path, header, {"a.csv": [text]}, **keys)

    table = read(job)

    assert table.column_names == next(csv.reader([header]))
    assert rows(table) == expected
    assert types is None or [str(kind) for kind in table.schema.types] == types


def test_a_job_without_inputs_is_an_empty_table_with_its_columns(tmp_path: Path) -> None:
    frame = read_predictions(str(LaidJob(tmp_path, "tag,bestAnswer,score", {}).output), "bp-1")
    assert (list(frame.columns), len(frame)) == (["tag", "bestAnswer", "score"], 0)
    assert len(read_predictions(tmp_path / "output", "bp-1")) == 0
    assert [str(kind) for kind in frame.dtypes] == ["object", "Int8", "float64"]


def test_records_come_in_the_order_of_the_manifest_and_tell_where_they_stand(tmp_path: Path) -> None:
    inputs = {"z.csv": ["a,0,1E-1\nb,0,2E-1\n", "c,1,9E-1\n"], "a.csv": ["", "d,0,3E-1\n"]}
    job = LaidJob(tmp_path, "tag,bestAnswer,score", inputs)

    table = read(job, positions=True, columns=["tag", "row", "input"])

    z, a = "s3://in/z.csv", "s3://in/a.csv"
    assert rows(table) == [("a", 1, z), ("b", 2, z), ("c", 3, z), ("d", 1, a)]
    assert rows(read(job, positions=True, columns=["row"])) == [(1,), (2,), (3,), (1,)]
    assert read(job, positions=True).column_names == ["input", "row", "tag", "bestAnswer", "score"]


def test_a_stray_part_that_no_manifest_names_is_not_read(tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": ["a,0,1E-1\n"]})
    job.path("a.csv", 1).write_bytes(gzip.compress(b"tag,bestAnswer,score\nx,1,1E0\n"))
    assert rows(read(job)) == [("a", 0, 0.1)]


@pytest.mark.parametrize("chunk_bytes", [16, 100, 1 << 23])
@pytest.mark.parametrize("small_part_bytes", [0, 1 << 20])
def test_parts_of_any_size_give_what_pandas_reads_of_the_same_files(
    chunk_bytes: int, small_part_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchscore.input.blocks.CHUNK_BYTES", chunk_bytes)
    monkeypatch.setattr(parts_module, "_SMALL_PART_BYTES", small_part_bytes)
    people = b"".join(b'"C,%d",%d,x,%s\n' % (number, number, b"" if number % 3 else b"NA") for number in range(60))
    job = FinishedJob(
        tmp_path, {"a.csv": b"id,a,b,y\n" + people, "b.csv": b"id,a,b,y\nlast,word,x,1\n"}, split_bytes=200
    ).commit()

    frame = read_predictions(job.config.output)

    files = [part["uri"].removeprefix("file://") for item in job.manifest["inputs"] for part in item["parts"]]
    lines = [gzip.decompress(Path(name).read_bytes()).decode().partition("\n") for name in files]
    text = lines[0][0] + "\n" + "".join(rest for _, _, rest in lines)
    texts: Any = {"tag": str, "trueLabel": str}
    expected = pd.read_csv(io.StringIO(text), dtype=texts, keep_default_na=False, na_values={"score": [""]})
    pd.testing.assert_frame_equal(frame, expected, check_exact=True)
    assert len(files) > 5


@pytest.mark.parametrize("invalid_records", ["blank", "keep_tag"])
@pytest.mark.parametrize("tagged", [True, False])
def test_both_layouts_have_the_same_records(invalid_records: str, tagged: bool, tmp_path: Path) -> None:
    files = {"a.csv": b"id,a,b,y\nC1,1,x,0\nC2,,x,0\n\nC3,word,x,0\nC4,4,xx,1\n", "e.csv": b"id,a,b,y\n"}
    found = []
    for layout in ("parts", "amazon"):
        keys: dict[str, Any] = {
            "layout": layout,
            "invalid_records": invalid_records,
            "split_bytes": 12,
            "tagged": tagged,
        }
        job = FinishedJob(tmp_path / layout, files, **keys).commit()
        found.append(rows(read_predictions(job.config.output, engine="arrow")))
    assert found[0] == found[1]
    blank, kept = (None, None), [("C2", "0"), ("", ""), ("C3", "0")]
    beginnings = [("C1", "0"), *([blank] * 3 if invalid_records == "blank" else kept), ("C4", "1")]
    assert [row[:-1] for row in found[0]] == (beginnings if tagged else [()] * 5)
    assert [row[-1] is None for row in found[0]] == [False, True, True, True, False]


def spoilt(job: LaidJob, change: Callable[[bytes], bytes], **told: Any) -> None:
    """Change the second part of an input, and what the manifest tells of it."""
    path = job.path("a.csv", 1)
    path.write_bytes(change(path.read_bytes()))
    job.manifest["inputs"][0]["parts"][1] |= told
    job.write_manifest()


def with_digest(content: bytes) -> dict[str, Any]:
    return {"file_size_in_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


SHORT = gzip.compress(b"tag,bestAnswer,score\nb,1,9E-1\n")
OTHER_HEADER = gzip.compress(b"tag,score,bestAnswer\nb,9E-1,1\nc,9E-1,1\n")
TORN = gzip.compress(b"tag,bestAnswer,score\nb,1,9E-1\nc,1\n")
WORD = gzip.compress(b"tag,bestAnswer,score\nb,1,secret\nc,1,1E0\n")
NO_END = gzip.compress(b"tag,bestAnswer,score\nb,1,9E-1\nc,1,1E0")
FAULTS: dict[str, tuple[Callable[[bytes], bytes], dict[str, Any], str]] = {
    "cut short": (lambda content: content[:-9], {}, "bytes, got"),
    "another byte": (lambda content: content[:-1] + b"x", {}, "expected"),
    "another record, of the same size": (lambda content: content[:4] + b"\1" + content[5:], {}, "expected sha256"),
    "a record less": (lambda _: SHORT, with_digest(SHORT), "expected 2 records, got 1"),
    "another header": (
        lambda _: OTHER_HEADER,
        with_digest(OTHER_HEADER),
        "expected lines of 3 columns as the manifest",
    ),
    "a cell less": (lambda _: TORN, with_digest(TORN), "expected lines of 3 columns as the manifest"),
    "a word for a score": (lambda _: WORD, with_digest(WORD), "expected lines of 3 columns as the manifest"),
    "no line end": (lambda _: NO_END, with_digest(NO_END), "expected lines of 3 columns as the manifest"),
}


@pytest.mark.parametrize("small_part_bytes", [0, 1 << 20])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_part_that_is_not_what_was_committed_is_named_and_none_of_its_last_records_is_given(
    fault: str, small_part_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_module, "_SMALL_PART_BYTES", small_part_bytes)
    change, told, message = FAULTS[fault]
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": ["a,0,1E-1\n", "b,1,9E-1\nc,1,1E0\n"]})
    spoilt(job, change, **told)

    with pytest.raises(InputError, match=message) as error:
        read(job)

    assert str(job.path("a.csv", 1)) in str(error.value)
    assert "secret" not in str(error.value)


def test_a_part_that_is_gone_is_named(tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": ["a,0,1E-1\n"]})
    job.path("a.csv").unlink()
    with pytest.raises(ObjectMissingError, match=r"part-00000.csv.gz: expected a file, got none"):
        read(job)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"record_count": 3}, "expected parts of 3 records, got 1"),
        ({"id": "bp-2"}, "expected id bp-1, got bp-2"),
        ({"columns": ["tag", "score"]}, "expected the columns of a binary model, got others"),
        ({"columns": ["score", "bestAnswer", "score"]}, "expected the columns of a binary model, got others"),
        ({"model": {"type": "regression"}, "columns": ["bestAnswer", "x"]}, "expected the columns of a regression"),
        ({"format_version": 2}, "expected format 1, got 2"),
        ({"threshold": "x"}, "expected an extended manifest, got something else"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": ["a,0,1E-1\n"]})
    job.manifest |= changed
    job.write_manifest()
    with pytest.raises(InputError, match=message):
        read(job)


def test_parts_that_lie_elsewhere_or_are_named_twice_are_refused(tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": ["a,0,1E-1\n"]})
    [item] = job.manifest["inputs"]
    item["parts"] *= 2
    job.manifest["record_count"] = 2
    job.write_manifest()
    with pytest.raises(InputError, match="expected parts that are named once"):
        read(job)
    for uri in ("file:///etc/passwd", f"file://{job.folder}/result/bp-1-a/../../../x", f"file://{job.folder}/result/x"):
        item["parts"] = [item["parts"][0] | {"uri": uri}]
        job.manifest["record_count"] = 1
        job.write_manifest()
        with pytest.raises(InputError, match=r"expected parts below .*/result/bp-1-, got others"):
            read(job)


def test_manifests_of_batchscore_0_1_are_read(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": b"id,a,b,y\nC1,1,x,0\n"}, tagged=False).commit()
    path = job.path("bp-1.manifest.json")
    told = job.manifest
    for key in ("input_format", "mode", "missing", "skipped_count", "unseen_values"):
        del told[key]
    path.write_text(json.dumps(told))
    assert len(read_predictions(job.config.output, "bp-1")) == 1


def test_what_is_not_committed_is_refused_with_what_to_do(tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": ["a,0,1E-1\n"]})
    (job.folder / "bp-1.manifest.json").unlink()
    with pytest.raises(ObjectMissingError, match=r"job bp-1: expected a job of this id below .*, got none"):
        read(job)
    job.write_record("FAILED", None)
    with pytest.raises(InputError, match="a record that says FAILED; run it again with id=bp-1 to go on"):
        read(job)
    with pytest.raises(ObjectMissingError, match="job latest: expected a finished job below"):
        read_predictions(str(job.output))
    with pytest.raises(ObjectMissingError, match="expected a folder, got none; correct the key output"):
        read_predictions(str(tmp_path / "none"))


def test_latest_is_the_job_that_was_completed_last_and_has_a_manifest(tmp_path: Path) -> None:
    def lay(batch_id: str, finished_at: int | None, status: str = "COMPLETED") -> LaidJob:
        text = {"a.csv": [f"{batch_id},0,1E-1\n"]}
        job = LaidJob(tmp_path, "tag,bestAnswer,score", text, batch_id)
        job.write_record(status, finished_at)
        return job

    def latest() -> Any:
        return read_predictions(str(tmp_path / "output"), engine="arrow")["tag"].to_pylist()

    lay("old", 10)
    lay("z-older", 9)
    lay("failed", 30, "FAILED")
    (lay("bare", 40).folder / "bare.manifest.json").unlink()
    (lay("no-record", 50).folder / "no-record.json").unlink()
    (lay("broken", 60).folder / "broken.json").write_text("{")
    assert latest() == ["old"]
    second, first = lay("a-same-second", 20), lay("b-same-second", 20)
    os.utime(first.folder / "b-same-second.manifest.json", (1000, 1000))
    os.utime(second.folder / "a-same-second.manifest.json", (1000.5, 1000.5))
    assert latest() == ["a-same-second"]
    lay("latest", 1)
    assert latest() == ["latest"]


def test_each_engine_gives_its_own_frame_of_the_same_records(tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": ["a,0,1E-1\nb,,\n\nNA,1,9E-1\n"]})
    output = str(job.output)
    expected = [("a", 0, 0.1), ("b", None, None), (None, None, None), ("NA", 1, 0.9)]

    assert rows(read_predictions(output, "bp-1", "arrow")) == expected
    polars = read_predictions(output, "bp-1", "polars")
    assert (polars.schema, polars.rows()) == ({"tag": pl.String, "bestAnswer": pl.Int8, "score": pl.Float64}, expected)
    relation = read_predictions(output, "bp-1", "duckdb")
    assert ([str(kind) for kind in relation.types], relation.fetchall()) == (["VARCHAR", "TINYINT", "DOUBLE"], expected)
    frame = read_predictions(output, "bp-1")
    assert [str(kind) for kind in frame.dtypes] == ["object", "Int8", "float64"]
    assert frame.astype(object).where(frame.notna(), None).values.tolist() == [list(row) for row in expected]


def test_duckdb_reads_the_same_scores_of_the_parts_themselves(tmp_path: Path) -> None:
    people = b"".join(b"C%d,%d,x,%d\n" % (number, number * 7 % 100 - 50, number % 2) for number in range(500))
    job = FinishedJob(tmp_path, {"a.csv": b"id,a,b,y\n" + people}, split_bytes=2000, precision="full").commit()
    files = [part["uri"].removeprefix("file://") for item in job.manifest["inputs"] for part in item["parts"]]
    types = "{'tag': 'VARCHAR', 'trueLabel': 'VARCHAR', 'score': 'DOUBLE'}"
    expected = duckdb.execute(f"SELECT * FROM read_csv({files}, header=true, columns={types})").fetchall()
    assert rows(read_predictions(job.config.output, engine="arrow")) == expected


@pytest.mark.parametrize("columns", [pd.Index(["score", "tag"]), iter(["score", "tag"]), np.array(["score", "tag"])])
def test_columns_may_be_any_names_one_after_another(columns: Any, tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": ["a,1,9E-1\n"]})
    assert rows(read(job, columns=columns)) == [(0.9, "a")]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"engine": "panda"}, "engine: expected one of pandas, arrow, polars, duckdb, spark, got panda; did you mean"),
        ({"columns": ["tga"]}, "column tga: expected a column of the results, got another; there are tag, bestAnswer"),
        ({"columns": ["Score"]}, "column Score: .*; did you mean score?"),
        ({"columns": ["row"]}, "column row: .*; positions adds input and row"),
        ({"columns": []}, "columns: expected a list of names, each once"),
        ({"columns": ["tag", "tag"]}, "columns: expected a list of names, each once"),
        ({"columns": "tag"}, "columns: expected a list of names, each once"),
        ({"id": "../x"}, "id: expected 1 to 64 of"),
        ({"s3": {"regoin": "x"}}, "key s3.regoin: expected a known key; did you mean"),
        ({"output": "ftp://h/x"}, "key output: expected a local path"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(asked: dict[str, Any], message: str, tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": ["a,0,1E-1\n"]})
    with pytest.raises(ConfigError, match=message):
        read_predictions(**{"output": str(job.output), "id": "bp-1", "engine": "arrow"} | asked)


def test_positions_beside_passed_columns_of_their_names_are_refused(tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,row,bestAnswer,score", {"a.csv": ["a,x,0,1E-1\n"]})
    assert rows(read(job, columns=["row"])) == [("x",)]
    with pytest.raises(ConfigError, match="positions: expected results without a column row, got one"):
        read(job, positions=True)


@pytest.mark.parametrize("library", ["duckdb", "polars", "pyspark"])
def test_a_library_that_is_not_installed_is_named_with_its_line_of_pip(library: str, tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": ["a,0,1E-1\n"]})
    engine = {"pyspark": "spark"}.get(library, library)
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from batchscore.results.predictions import read_predictions\n"
        f"output = {str(job.output)!r}\n"
        "print(read_predictions(output, 'bp-1', 'arrow', columns=['tag']).to_pylist())\n"
        f"for asked in ({{'engine': {engine!r}}}, {{'engine': 'arrow', 'where': 'score > 1'}}):\n"
        "    try: read_predictions(output, 'bp-1', **asked)\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    package = {"duckdb": "'batchscore[results]'"}.get(library, library)
    first, *faults = done.stdout.splitlines()
    assert first == "[{'tag': 'a'}]"
    told = f"expected {library} to be installed, got none; pip install {package}"
    wanted = [f"ConfigError engine {engine}: {told}"]
    assert faults == ([*wanted, f"ConfigError where: {told}"] if library == "duckdb" else wanted)


def test_reading_imports_no_library_but_that_of_the_engine(tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": ["a,0,1E-1\n"]})
    code = (
        "import sys\nfrom batchscore.results.predictions import read_predictions\n"
        f"read_predictions({str(job.output)!r}, 'bp-1', 'arrow')\n"
        "print({'polars', 'duckdb', 'pyspark', 'boto3', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_many_small_parts_are_read_in_order(tmp_path: Path) -> None:
    texts = [f"C{number},0,1E-1\n" for number in range(100)]
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": texts})
    assert read(job)["tag"].to_pylist() == [f"C{number}" for number in range(100)]


def test_the_csv_module_reads_the_header_as_the_manifest_names_it(tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": ["a,0,1E-1\n"]})
    text = gzip.decompress(job.path("a.csv").read_bytes()).decode()
    assert next(csv.reader(io.StringIO(text))) == job.manifest["columns"]
