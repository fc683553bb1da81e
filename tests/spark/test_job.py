"""The main job on Spark: layouts, compression, invalid records, limits, resumption and failures."""

import bz2
import csv
import gzip
import json
import logging
import os
import re
import shutil
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import infer_signature
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from batchscore.commands import job as job_module
from batchscore.errors import (
    CommitError,
    ConfigError,
    IdempotentParameterMismatchError,
    InputError,
    ModelError,
    TooManyInvalidRecordsError,
)
from batchscore.preflight import first_look
from batchscore.spark import tasks
from tests.registry import Registry, columns
from tests.spark.conftest import Runner
from tests.spark.results import Job, amazon_lines, gunzip_lines, local_path, write_schema

INPUTS = ["age", "visits", "job"]
TYPES = {"id": "CATEGORICAL", "age": "NUMERIC", "visits": "NUMERIC", "job": "CATEGORICAL", "label": "BINARY"}


def _people(count: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": np.round(rng.normal(45, 15, count), 1),
            "visits": rng.integers(0, 9, count).astype(float),
            "job": rng.choice(["admin", "student"], count),
        }
    )


def _fitted() -> Any:
    people = _people(300, 1)
    numbers = make_pipeline(SimpleImputer(strategy="constant", fill_value=4))
    # An encoder that raises on a word it has not seen, and quotes the word in its message.
    encoder = make_column_transformer((numbers, ["age", "visits"]), (OneHotEncoder(), ["job"]))
    return make_pipeline(encoder, LogisticRegression()).fit(people, people["age"] + 3 * people["visits"] > 55)


MODEL = _fitted()


@pytest.fixture(scope="module")
def model_uri(registry: Registry) -> str:
    return registry.register(MODEL, signature=columns("age:double", "visits:long?", "job:string"))


def _scores(people: pd.DataFrame) -> list[tuple[int, float]]:
    scores = MODEL.predict_proba(people[INPUTS])[:, 1].tolist()
    return [(int(score >= 0.5), score) for score in scores]


def _score(age: float, visits: float, job: str) -> str:
    """Return the cells ``bestAnswer,score`` of one record."""
    [(best, score)] = _scores(pd.DataFrame({"age": [float(age)], "visits": [float(visits)], "job": [job]}))
    return amazon_lines([[best], [score]])[0]


def _write_people(path: Path, count: int, seed: int) -> list[str]:
    """Write a file of people with an id, its schema, and return the lines its result must have."""
    people = _people(count, seed)
    people.insert(0, "id", [f"{path.stem}-{number}" for number in range(count)])
    people["label"] = ""
    path.parent.mkdir(parents=True, exist_ok=True)
    people.to_csv(path, index=False)
    write_schema(path.parent / ".schema", TYPES, row_id="id", target="label")
    best, scores = zip(*_scores(people), strict=True)
    return ["tag,trueLabel,bestAnswer,score", *amazon_lines([people["id"], people["label"], best, scores])]


# ---------------------------------------------------------------- layouts and parallelism


def test_the_amazon_layout_is_the_parts_joined_with_one_header(model_uri: str, run: Runner, tmp_path: Path) -> None:
    expected = {name: _write_people(tmp_path / "in" / f"{name}.csv", 25, seed) for seed, name in enumerate("ab", 2)}
    keys: dict[str, Any] = {"input": f"{tmp_path}/in/", "split_bytes": 150}

    parts = run(model_uri, "parts", layout="parts", **keys)
    amazon = run(model_uri, "amazon", layout="amazon", **keys)

    for name in "ab":
        assert parts.lines(f"{name}.csv") == expected[name]
        result = amazon.output / "batch-prediction" / "result" / f"job-{name}.csv.gz"
        assert gzip.decompress(result.read_bytes()).decode().split("\n")[:-1] == expected[name]
        [part] = amazon.parts(f"{name}.csv")
        assert (part["uri"], part["record_count"]) == (f"file://{result}", 25)
    assert json.loads(amazon.path(".manifest").read_bytes()) == {
        f"file://{tmp_path}/in/{name}.csv": f"file://{amazon.output}/batch-prediction/result/job-{name}.csv.gz"
        for name in "ab"
    }
    assert not (amazon.output / "batch-prediction" / "in-progress").exists()


def test_how_many_splits_a_task_and_how_many_tasks_at_once_changes_no_byte(
    model_uri: str, run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_people(tmp_path / "people.csv", 40, 4)
    keys: dict[str, Any] = {"input": f"{tmp_path}/people.csv", "split_bytes": 300, "schema": f"{tmp_path}/.schema"}
    side_by_side = run(model_uri, "side-by-side", **keys)
    # One task for all splits, one after the other: as on one core.
    monkeypatch.setattr("batchscore.spark.tasks.pack_tasks", lambda splits, _: [list(splits)])

    one_by_one = run(model_uri, "one-by-one", **keys)

    assert len(side_by_side.result_bytes()) > 3
    assert side_by_side.result_bytes() == one_by_one.result_bytes()


# ---------------------------------------------------------------- compression and empty files


def _zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)  # type: ignore[no-any-return] # pyarrow has no types


def _gzip_of_two_members(content: bytes) -> bytes:
    middle = len(content) // 2
    return gzip.compress(content[:middle]) + gzip.compress(content[middle:])


def test_compressed_inputs_give_the_same_results_as_plain_ones(model_uri: str, run: Runner, tmp_path: Path) -> None:
    expected = _write_people(tmp_path / "in" / "plain.csv", 25, 5)
    content = (tmp_path / "in" / "plain.csv").read_bytes()
    packed = {
        "one.csv.gz": gzip.compress(content),
        "two.csv.gz": _gzip_of_two_members(content),
        "three.csv.bz2": bz2.compress(content),
        "four.csv.zst": _zstd(content),
    }
    for name, data in packed.items():
        (tmp_path / "in" / name).write_bytes(data)

    job = run(model_uri, input=f"{tmp_path}/in/", split_bytes=200)

    for name, data in packed.items():
        assert job.lines(name) == expected
        assert [part["byte_range"] for part in job.parts(name)] == [[0, len(data)]]
    assert job.lines("plain.csv") == expected
    assert job.manifest["record_count"] == 125


@pytest.mark.parametrize("layout", ["parts", "amazon"])
def test_files_without_records_have_results_without_records(
    layout: str, model_uri: str, run: Runner, tmp_path: Path
) -> None:
    expected = _write_people(tmp_path / "in" / "some.csv", 5, 6)
    header = b"id,age,visits,job,label"
    files = {
        "empty.csv": b"",
        "header.csv": header + b"\n",
        "unended.csv": header,
        "packed.csv.gz": gzip.compress(b""),
        "nothing.csv.gz": b"",
        "packed-header.csv.bz2": bz2.compress(header + b"\r\n"),
    }
    for name, data in files.items():
        (tmp_path / "in" / name).write_bytes(data)

    job = run(model_uri, input=f"{tmp_path}/in/", layout=layout)

    for name in files:
        assert job.lines(name) == ["tag,trueLabel,bestAnswer,score"]
    assert job.lines("some.csv") == expected
    assert (job.manifest["record_count"], job.manifest["invalid_record_count"]) == (5, 0)
    assert job.manifest["skipped"] == [{"uri": f"file://{tmp_path}/in/.schema", "reason": "schema"}]


def test_a_file_that_ends_without_a_newline_has_its_last_record_all_the_same(
    model_uri: str, run: Runner, tmp_path: Path
) -> None:
    expected = _write_people(tmp_path / "in" / "people.csv", 7, 7)
    file = tmp_path / "in" / "people.csv"
    file.write_bytes(file.read_bytes().removesuffix(b"\n"))

    assert run(model_uri, input=f"{tmp_path}/in/", split_bytes=64).lines("people.csv") == expected


def test_a_file_without_a_header_is_read_in_the_order_of_its_schema(
    model_uri: str, run: Runner, tmp_path: Path
) -> None:
    (tmp_path / "people.csv").write_text("id,30.5,2,admin,1\nother,61.0,,student,\n")
    write_schema(tmp_path / "people.csv.schema", TYPES, row_id="id", target="label", header=False)

    job = run(model_uri, input=f"{tmp_path}/people.csv", split_bytes=9)

    assert job.lines("people.csv") == [
        "tag,trueLabel,bestAnswer,score",
        f"id,1,{_score(30.5, 2, 'admin')}",
        f"other,,{_score(61.0, np.nan, 'student')}",
    ]


# ---------------------------------------------------------------- invalid records

RECORDS = (
    "a1,30,2,admin,1",
    "a2,41.5,,student,0",
    "a3,word,1,admin,",
    "a4,,1,admin,1",
    "a5,30,2.5,student,0",
    "",
    "a6,30,2",
    'a7,30,1,"adm,1',
    "a8,30,1,secret-job,1",
    "a9,50,3,admin,0",
)
HEADER = "id,age,visits,job,label"


def _write_mixed(folder: Path) -> bytes:
    content = "\n".join([HEADER, *RECORDS]).encode() + b"\n"
    (folder / "mixed.csv").write_bytes(content)
    write_schema(folder / "mixed.csv.schema", TYPES, row_id="id", target="label")
    return content


def _valid_lines() -> dict[int, str]:
    return {
        0: f"a1,1,{_score(30, 2, 'admin')}",
        1: f"a2,0,{_score(41.5, np.nan, 'student')}",
        4: f"a5,0,{_score(30, np.nan, 'student')}",
        9: f"a9,0,{_score(50, 3, 'admin')}",
    }


RULES_OF_01: dict[str, Any] = {"missing_values": "reject", "null_values": [], "invalid_values": "missing"}


@pytest.mark.parametrize("split_bytes", [30, 1000])
def test_an_invalid_record_leaves_a_blank_line_at_its_place_if_asked_to(
    split_bytes: int, model_uri: str, run: Runner, tmp_path: Path
) -> None:
    _write_mixed(tmp_path)

    keys: dict[str, Any] = {"split_bytes": split_bytes, "invalid_records": "blank", **RULES_OF_01}
    job = run(model_uri, input=f"{tmp_path}/mixed.csv", **keys)

    assert job.lines("mixed.csv")[1:] == [_valid_lines().get(place, "") for place in range(10)]
    assert (job.record["TotalRecordCount"], job.record["InvalidRecordCount"]) == (10, 6)
    assert job.manifest["invalid_reasons"] == {
        "blank": 1,
        "column_count": 1,
        "invalid_value": 1,
        "missing_value": 1,
        "model_error": 1,
        "unbalanced_quote": 1,
    }
    assert job.manifest["invalid_values"] == {"age": 1, "visits": 1}


def test_an_invalid_record_keeps_its_tag_and_label(model_uri: str, run: Runner, tmp_path: Path) -> None:
    _write_mixed(tmp_path)

    job = run(model_uri, input=f"{tmp_path}/mixed.csv", **RULES_OF_01)

    assert job.manifest["invalid_records"] == "keep_tag"

    kept = {2: "a3,,,", 3: "a4,1,,", 5: ",,,", 6: ",,,", 7: ",,,", 8: "a8,1,,"} | _valid_lines()
    assert job.lines("mixed.csv")[1:] == [kept[place] for place in range(10)]


def test_each_invalid_record_is_one_row_of_the_rejected_file(model_uri: str, run: Runner, tmp_path: Path) -> None:
    content = _write_mixed(tmp_path)

    job = run(model_uri, input=f"{tmp_path}/mixed.csv", **RULES_OF_01)

    [file] = job.manifest["inputs"][0]["rejected"]
    assert file["uri"] == f"file://{job.output}/batch-prediction/rejected/job-mixed.csv/part-00000.csv.gz"
    assert list(csv.reader(gunzip_lines(file["uri"]))) == [
        ["part", "line", "byteOffset", "tag", "stage", "reason", "attribute", "record"],
        ["0", "3", str(content.index(b"a3")), "a3", "schema", "invalid_value", "age", RECORDS[2]],
        ["0", "4", str(content.index(b"a4")), "a4", "schema", "missing_value", "age", RECORDS[3]],
        ["0", "6", str(content.index(b"\n\n") + 1), "", "parse", "blank", "", ""],
        ["0", "7", str(content.index(b"a6")), "", "parse", "column_count", "", RECORDS[6]],
        ["0", "8", str(content.index(b"a7")), "", "parse", "unbalanced_quote", "", RECORDS[7]],
        ["0", "9", str(content.index(b"a8")), "a8", "model", "model_error", "", RECORDS[8]],
    ]


def test_rejected_rows_lie_with_the_part_and_its_lines_wherever_the_splits_are(
    model_uri: str, run: Runner, tmp_path: Path
) -> None:
    content = _write_mixed(tmp_path)

    job = run(model_uri, input=f"{tmp_path}/mixed.csv", split_bytes=30)

    for row in job.rejected("mixed.csv"):
        part = job.parts("mixed.csv")[int(row["part"])]
        assert part["byte_range"][0] <= int(row["byteOffset"]) < part["byte_range"][1]
        assert gunzip_lines(part["uri"])[int(row["line"])].endswith(",,")
        raw = row["record"].encode()
        assert content[int(row["byteOffset"]) :].startswith(raw + b"\n")
    assert len(job.rejected("mixed.csv")) == 6


def test_redact_leaves_the_record_out_of_the_rejected_file(model_uri: str, run: Runner, tmp_path: Path) -> None:
    _write_mixed(tmp_path)

    job = run(model_uri, input=f"{tmp_path}/mixed.csv", redact=True, **RULES_OF_01)

    rows = job.rejected("mixed.csv")
    assert [row["tag"] for row in rows] == ["a3", "a4", "", "", "", "a8"]
    assert [row["record"] for row in rows] == [""] * 6


def test_the_log_tells_what_was_skipped_and_the_counts(model_uri: str, run: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    _write_mixed(folder)
    (folder / "notes.txt").write_text("no data")

    job = run(model_uri, input=f"{folder}/", schema=f"{folder}/mixed.csv.schema", exclude="*.txt")

    log = job.path(".log").read_text()
    assert f"skipped file://{folder}/notes.txt: excluded by *.txt" in log
    assert "10 records, 6 of them invalid" in log


def test_neither_log_nor_manifest_nor_record_carries_a_record_s_content(
    model_uri: str, run: Runner, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    _write_mixed(tmp_path)

    with caplog.at_level(logging.DEBUG, "batchscore"):
        job = run(model_uri, input=f"{tmp_path}/mixed.csv")

    told = [job.path(ending).read_text() for ending in (".log", ".json", ".manifest.json", ".manifest")]
    captured = capfd.readouterr()
    assert "secret-job" not in "\n".join([*told, caplog.text, captured.out, captured.err])


# ---------------------------------------------------------------- failures


def _assert_failed(job: Job, message: str) -> None:
    assert job.record["Status"] == "FAILED"
    assert message in job.record["Message"]
    assert job.record["FinishedAt"] >= job.record["StartedAt"]
    assert "ComputeTime" not in job.record
    assert message in local_path(job.record["LogUri"]).read_text()
    assert not job.path(".manifest.json").exists()
    assert not job.path(".manifest").exists()


@pytest.mark.parametrize("split_bytes", [30, 1000])
def test_too_many_invalid_records_fail_the_job(split_bytes: int, model_uri: str, run: Runner, tmp_path: Path) -> None:
    _write_mixed(tmp_path)
    keys: dict[str, Any] = {"input": f"{tmp_path}/mixed.csv", "split_bytes": split_bytes}

    with pytest.raises(TooManyInvalidRecordsError, match=r"expected at most .* invalid records") as caught:
        run(model_uri, max_invalid_records=5, **keys)

    assert caught.value.exit_code == 5
    assert "secret-job" not in str(caught.value)
    _assert_failed(run.job(), "max_invalid_records")
    summary = run.summary(model_uri, max_invalid_records=6, **keys)  # the same id goes on with a higher limit
    assert (summary["Status"], summary["InvalidRecordCount"]) == ("COMPLETED", 6)


def test_too_large_a_fraction_of_invalid_records_fails_the_job(model_uri: str, run: Runner, tmp_path: Path) -> None:
    _write_mixed(tmp_path)

    with pytest.raises(TooManyInvalidRecordsError, match=r"a fraction 0.59 of invalid records, got 6 of 10"):
        run(model_uri, input=f"{tmp_path}/mixed.csv", max_invalid_fraction=0.59)

    _assert_failed(run.job(), "a fraction 0.59")
    assert run(model_uri, "enough", input=f"{tmp_path}/mixed.csv", max_invalid_fraction=0.6).manifest


@pytest.fixture(params=["few inputs", "many inputs"])
def _few_or_many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver looks at few inputs by itself, at many through Spark."""
    if request.param == "many inputs":
        monkeypatch.setattr(first_look, "FEW_INPUTS", 0)
        monkeypatch.setattr(first_look, "FEW_LOCAL_INPUTS", 0)


@pytest.mark.usefixtures("_few_or_many")
def test_a_file_with_a_wrong_header_ends_the_job_by_the_file_s_name_before_it_begins(
    model_uri: str, run: Runner, tmp_path: Path
) -> None:
    _write_people(tmp_path / "in" / "a.csv", 5, 8)
    (tmp_path / "in" / "wrong.csv").write_text("id,age,visits,label\nx,1,2,3\ny,1,2,3\nz,1,2,3\n")

    with pytest.raises(InputError, match=r"header of file://.*/in/wrong\.csv: expected columns .*: job") as caught:
        run(model_uri, input=f"{tmp_path}/in/")

    assert caught.value.exit_code == 3
    assert not (run.job().output / "batch-prediction").exists()


@pytest.mark.usefixtures("_few_or_many")
def test_a_damaged_compressed_file_ends_the_job_by_the_file_s_name_before_it_begins(
    model_uri: str, run: Runner, tmp_path: Path
) -> None:
    _write_people(tmp_path / "in" / "a.csv", 500, 9)
    content = gzip.compress((tmp_path / "in" / "a.csv").read_bytes())
    (tmp_path / "in" / "cut.csv.gz").write_bytes(content[: len(content) // 2])

    with pytest.raises(InputError, match=r"in/cut\.csv\.gz: expected a whole gzip stream"):
        run(model_uri, input=f"{tmp_path}/in/")

    assert not (run.job().output / "batch-prediction").exists()


@pytest.mark.usefixtures("_few_or_many")
def test_every_input_with_a_fault_is_told_at_once(
    model_uri: str, run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "INPUTS_A_TASK", 2)
    for number in range(7):
        _write_people(tmp_path / "in" / f"{number}.csv", 5, number)
    for number in (1, 2, 6):
        (tmp_path / "in" / f"{number}.csv").write_text("id,age,visits,label\nx,1,2,3\n")

    with pytest.raises(InputError, match="3 faults in the inputs:") as caught:
        run(model_uri, input=f"{tmp_path}/in/")

    assert re.findall(r"/in/(\d)\.csv", str(caught.value)) == ["1", "2", "6"]
    assert not (run.job().output / "batch-prediction").exists()


class Twofold(RegressorMixin, BaseEstimator):  # type: ignore[misc] # its library has no types
    """Answers with two numbers for each record, which nothing of it tells before."""

    def fit(self, X: Any, y: Any) -> "Twofold":  # noqa: ARG002, N803 - scikit-learn's names
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
        return np.ones((len(X), 2))


def test_a_model_that_answers_with_something_else_fails_the_job(
    registry: Registry, run: Runner, tmp_path: Path
) -> None:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    uri = registry.register(Twofold(), signature=columns("age:double", outputs=["y"]))
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    (tmp_path / "people.csv").write_text("age\n30\n40\n")

    with pytest.raises(ModelError, match=r"expected predictions of shape \(2,\), got \(2, 2\)") as caught:
        run(uri, input=f"{tmp_path}/people.csv")

    assert caught.value.exit_code == 4
    assert not (run.job().output / "batch-prediction").exists()  # the driver has tried it before it writes


# ---------------------------------------------------------------- the same id again


def _fail_at_commit(run: Runner, model_uri: str, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a job up to its commit, where the store gives up."""

    def refuse(*_: object) -> None:
        raise CommitError("manifest: expected to write it, got a full disk")

    with monkeypatch.context() as patch:
        patch.setattr(job_module, "commit_manifest", refuse)
        with pytest.raises(CommitError):
            run(model_uri, **keys)
    _assert_failed(run.job(), "a full disk")


@pytest.mark.parametrize("layout", ["parts", "amazon"])
def test_an_unfinished_job_goes_on_from_the_parts_it_has(
    layout: str, model_uri: str, run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _write_people(tmp_path / "in" / "people.csv", 20, 10)
    keys: dict[str, Any] = {"input": f"{tmp_path}/in/", "split_bytes": 150, "layout": layout}
    _fail_at_commit(run, model_uri, keys, monkeypatch)
    folder = run.job().output / "batch-prediction"
    count = len(list((folder / "in-progress").rglob("task-*.json")))

    summary = run.summary(model_uri, **keys)

    assert (summary["Status"], summary["part_count"], summary["reused_part_count"]) == ("COMPLETED", count, count)
    assert run.job().lines("people.csv") == expected
    assert run.job().record["TotalRecordCount"] == 20
    assert not (folder / "in-progress").exists()


def test_parts_that_are_gone_or_changed_are_scored_again(
    model_uri: str, run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _write_people(tmp_path / "in" / "people.csv", 30, 11)
    keys: dict[str, Any] = {"input": f"{tmp_path}/in/", "split_bytes": 150}
    _fail_at_commit(run, model_uri, keys, monkeypatch)
    folder = run.job().output / "batch-prediction"
    parts = sorted((folder / "result").rglob("*.gz"))
    parts[0].unlink()
    parts[1].write_bytes(bytes(parts[1].stat().st_size))
    (folder / "in-progress" / "job" / "task-00000002.json").unlink()
    (folder / "in-progress" / "job" / "task-00000003.json").write_text('[{"split_index": 3')

    summary = run.summary(model_uri, **keys)

    assert (summary["part_count"], summary["reused_part_count"]) == (len(parts), len(parts) - 4)
    assert run.job().lines("people.csv") == expected


def test_of_a_task_of_many_files_only_the_part_that_is_gone_is_scored_again(
    model_uri: str, run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {name: _write_people(tmp_path / "in" / name, 5, seed) for seed, name in enumerate(("a", "b", "c"))}
    keys: dict[str, Any] = {"input": f"{tmp_path}/in/"}
    _fail_at_commit(run, model_uri, keys, monkeypatch)
    folder = run.job().output / "batch-prediction"
    assert [path.name for path in (folder / "in-progress" / "job").glob("task-*")] == ["task-00000000.json"]
    kept, gone = folder / "result/job-a/part-00000.csv.gz", folder / "result/job-b/part-00000.csv.gz"
    gone.unlink()
    before = kept.stat().st_mtime_ns

    summary = run.summary(model_uri, **keys)

    assert (summary["part_count"], summary["reused_part_count"]) == (3, 2)
    assert kept.stat().st_mtime_ns == before
    assert {name: run.job().lines(name) for name in expected} == expected


def test_a_killed_job_goes_on_though_its_record_says_in_progress(
    model_uri: str, run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _write_people(tmp_path / "in" / "people.csv", 12, 12)
    keys: dict[str, Any] = {"input": f"{tmp_path}/in/", "split_bytes": 150}
    _fail_at_commit(run, model_uri, keys, monkeypatch)
    killed = run.job()
    killed.path(".json").write_text(json.dumps(killed.record | {"Status": "INPROGRESS"}))
    killed.path(".log").unlink()

    job = run(model_uri, **keys)

    assert job.lines("people.csv") == expected
    assert job.record["Status"] == "COMPLETED"


def test_a_finished_job_is_reported_again_without_a_change(model_uri: str, run: Runner, tmp_path: Path) -> None:
    _write_people(tmp_path / "in" / "people.csv", 9, 13)
    keys: dict[str, Any] = {"input": f"{tmp_path}/in/"}
    first = run(model_uri, **keys)
    before = {path: path.read_bytes() for path in first.output.rglob("*") if path.is_file()}

    again = run.summary(model_uri, **keys)

    assert again["reported_again"] is True
    assert (again["Status"], again["TotalRecordCount"]) == ("COMPLETED", 9)
    assert before == {path: path.read_bytes() for path in first.output.rglob("*") if path.is_file()}


def test_a_job_killed_right_after_its_commit_is_completed_by_the_next_run(
    model_uri: str, run: Runner, tmp_path: Path
) -> None:
    _write_people(tmp_path / "in" / "people.csv", 9, 13)
    job = run(model_uri, input=f"{tmp_path}/in/")
    manifest, classic = job.path(".manifest.json").read_bytes(), job.path(".manifest").read_bytes()
    finished = {"FinishedAt", "ComputeTime", "TotalRecordCount", "InvalidRecordCount", "LogUri", "Message"}
    left = {key: value for key, value in job.record.items() if key not in finished}
    job.path(".json").write_text(json.dumps(left | {"Status": "INPROGRESS"}))
    job.path(".manifest").unlink()
    job.path(".log").unlink()

    run(model_uri, input=f"{tmp_path}/in/")

    assert (job.path(".manifest.json").read_bytes(), job.path(".manifest").read_bytes()) == (manifest, classic)
    assert (job.record["Status"], job.record["TotalRecordCount"], job.record["InvalidRecordCount"]) == (
        "COMPLETED",
        9,
        0,
    )
    assert job.path(".log").exists()


@pytest.mark.parametrize(
    ("changed", "group"),
    [
        ({"threshold": 0.9}, "threshold"),
        ({"split_bytes": 151}, "configuration"),
        ({"data": "more"}, r"inputs \(inputs: \S+/in/more\.csv\)"),
        ({"data": "renamed"}, r"inputs \(inputs: \S+/in/more\.csv, \S+/in/people\.csv\)"),
        ({"data": "schema"}, "schema"),
        ({"data": "alias"}, "model"),
    ],
)
def test_the_same_id_with_other_parameters_is_refused_and_nothing_touched(
    changed: dict[str, Any], group: str, model_uri: str, registry: Registry, run: Runner, tmp_path: Path
) -> None:
    name = model_uri.removeprefix("models:/").partition("/")[0]
    uri = f"models:/{name}@bound"
    registry.client.set_registered_model_alias(name, "bound", "1")
    _write_people(tmp_path / "in" / "people.csv", 9, 14)
    keys: dict[str, Any] = {"input": f"{tmp_path}/in/", "split_bytes": 150}
    first = run(uri, **keys)
    before = {path: path.read_bytes() for path in first.output.rglob("*") if path.is_file()}
    if changed.get("data") == "more":
        shutil.copy(tmp_path / "in" / "people.csv", tmp_path / "in" / "more.csv")
    elif changed.get("data") == "renamed":
        (tmp_path / "in" / "people.csv").rename(tmp_path / "in" / "more.csv")
    elif changed.get("data") == "schema":
        write_schema(tmp_path / "in" / ".schema", TYPES, row_id="id")
    elif changed.get("data") == "alias":
        newer = registry.register(MODEL, signature=columns("age:double", "visits:long?", "job:string"), name=name)
        registry.client.set_registered_model_alias(name, "bound", newer.rpartition("/")[2])
    else:
        keys |= changed

    with pytest.raises(IdempotentParameterMismatchError, match=f"id job: .*, got another {group};") as caught:
        run(uri, **keys)

    assert isinstance(caught.value, ConfigError)
    assert before == {path: path.read_bytes() for path in first.output.rglob("*") if path.is_file()}


def test_an_unfinished_job_is_refused_other_inputs_and_names_those_written_since_it_began(
    model_uri: str, run: Runner, tmp_path: Path
) -> None:
    _write_people(tmp_path / "in" / "people.csv", 9, 14)
    first = run(model_uri, input=f"{tmp_path}/in/")
    first.path(".manifest.json").unlink()
    shutil.copy(tmp_path / "in" / "people.csv", tmp_path / "in" / "more.csv")
    os.utime(tmp_path / "in" / "more.csv", (time.time() + 10,) * 2)

    with pytest.raises(IdempotentParameterMismatchError, match=r"another inputs \(inputs: \S+/in/more\.csv\);"):
        run(model_uri, input=f"{tmp_path}/in/")


def test_a_removed_record_does_not_free_the_id_of_a_result_that_stands(
    model_uri: str, run: Runner, tmp_path: Path
) -> None:
    _write_people(tmp_path / "in" / "people.csv", 9, 15)
    first = run(model_uri, input=f"{tmp_path}/in/")
    first.path(".json").unlink()
    before = {path: path.read_bytes() for path in first.output.rglob("*") if path.is_file()}

    with pytest.raises(IdempotentParameterMismatchError, match="got another configuration"):
        run(model_uri, input=f"{tmp_path}/in/", precision="full")

    assert before == {path: path.read_bytes() for path in first.output.rglob("*") if path.is_file()}
    assert run.summary(model_uri, input=f"{tmp_path}/in/")["reported_again"] is True
    assert run.job().record["TotalRecordCount"] == 9


def test_receipts_of_another_job_are_not_gone_on_from(
    model_uri: str, run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _write_people(tmp_path / "in" / "people.csv", 20, 16)
    keys: dict[str, Any] = {"input": f"{tmp_path}/in/", "split_bytes": 150}
    _fail_at_commit(run, model_uri, keys | {"precision": "full"}, monkeypatch)
    run.job().path(".json").unlink()  # the id is free again, but the receipts are still there
    receipts = list((run.job().output / "batch-prediction" / "in-progress" / "job").glob("task-*.json"))
    kept = {path: path.read_bytes() for path in receipts}
    _fail_at_commit(run, model_uri, keys, monkeypatch)
    for path, content in list(kept.items())[::2]:
        path.write_bytes(content)

    summary = run.summary(model_uri, **keys)

    assert 0 < summary["reused_part_count"] < summary["part_count"]
    assert run.job().lines("people.csv") == expected


# ---------------------------------------------------------------- models without named columns


def test_a_model_of_an_array_reads_the_columns_in_their_order(registry: Registry, run: Runner, tmp_path: Path) -> None:
    array = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 1.0], [5.0, 9.0]])
    model = LogisticRegression().fit(array, [0, 1, 2, 2])
    uri = registry.register(model, signature=infer_signature(array))
    (tmp_path / "numbers.csv").write_text("y,x\n0.5,1\n4,\n5,9\nword,1\n")

    job = run(uri, input=f"{tmp_path}/numbers.csv", split_bytes=12)

    good = amazon_lines(model.predict_proba([[0.5, 1.0], [5.0, 9.0]]).T.tolist())
    # Logistic regression takes no missing values: the model's own error, record by record.
    assert job.lines("numbers.csv") == ["0,1,2", good[0], ",,", good[1], ",,"]
    assert job.manifest["invalid_reasons"] == {"invalid_value": 1, "model_error": 1}


def test_an_array_of_integers_takes_neither_fractions_nor_missing_values(
    registry: Registry, run: Runner, tmp_path: Path
) -> None:
    array = np.array([[0, 1], [2, 3], [4, 1], [5, 9]])
    model = LinearRegression().fit(array, [0.0, 1.0, 2.0, 2.5])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that integers hold no missing values, which is the point here
        uri = registry.register(model, signature=infer_signature(array))
    (tmp_path / "numbers.csv").write_text("x,y\n1,2\n1.5,2\n,2\n3,4.0\n")

    job = run(uri, input=f"{tmp_path}/numbers.csv")

    good = amazon_lines([model.predict([[1, 2], [3, 4]]).tolist()])
    assert job.lines("numbers.csv") == ["score", good[0], '""', '""', good[1]]
    assert job.manifest["invalid_reasons"] == {"invalid_value": 1, "missing_value": 1}


def test_a_model_without_a_signature_takes_its_columns_from_the_schema(
    registry: Registry, run: Runner, tmp_path: Path
) -> None:
    uri = registry.register(MODEL)
    expected = _write_people(tmp_path / "in" / "people.csv", 8, 17)

    assert run(uri, input=f"{tmp_path}/in/").lines("people.csv") == expected

    (tmp_path / "in" / ".schema").unlink()
    with pytest.raises(ModelError, match="expected a signature or a schema file, got neither"):
        run(uri, "other", input=f"{tmp_path}/in/")


# ---------------------------------------------------------------- the model's own


def test_the_threshold_of_the_model_version_decides_the_best_answer_and_the_configuration_s_goes_before(
    registry: Registry, run: Runner, tmp_path: Path
) -> None:
    uri = registry.register(MODEL, signature=columns("age:double", "visits:long?", "job:string"), name="tagged")
    registry.client.set_model_version_tag("tagged", "1", "score_threshold", "0.999")
    _write_people(tmp_path / "in" / "people.csv", 20, 15)

    own = run(uri, "own", input=f"{tmp_path}/in/")
    given = run(uri, "given", input=f"{tmp_path}/in/", threshold=0.0)

    for job, threshold in ((own, 0.999), (given, 0.0)):
        assert job.manifest["threshold"] == threshold
        for line in job.lines("people.csv")[1:]:
            _, _, best, score = line.split(",")
            assert best == str(int(float(score) >= threshold))
    assert {line.split(",")[2] for line in given.lines("people.csv")[1:]} == {"1"}


def test_the_manifest_names_the_model_and_what_scored_it(
    model_uri: str, registry: Registry, run: Runner, tmp_path: Path
) -> None:
    name = model_uri.removeprefix("models:/").partition("/")[0]
    registry.client.set_registered_model_alias(name, "champion", "1")
    _write_people(tmp_path / "in" / "people.csv", 3, 16)

    job = run(f"models:/{name}@champion", input=f"{tmp_path}/in/")

    model = job.manifest["model"]
    assert (model["name"], model["version"], model["alias"], model["pinned_uri"]) == (name, "1", "champion", model_uri)
    assert (model["type"], model["classes"], model["positive_label"]) == ("binary", ["False", "True"], "True")
    assert len(model["sha256"]) == 64
    assert job.record["MLModelId"] == model_uri
    assert {"python", "pyspark", "numpy", "scikit-learn"} <= set(job.manifest["software"])
