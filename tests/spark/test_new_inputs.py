"""``mode: new_inputs`` on Spark: run after run over a folder that grows, with crashes, other ids and other models."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from batchscore.commands import job as job_module
from batchscore.commands.check import check_job
from batchscore.commit.manifest import extended_manifest
from batchscore.config.job_config import OutputConfig
from batchscore.errors import CommitError, IdempotentParameterMismatchError, InputsScoredError
from batchscore.spark.session import BackgroundSpark
from tests.registry import Registry, columns
from tests.spark.conftest import Runner
from tests.spark.results import Job, amazon_lines

MODEL = LinearRegression().fit(pd.DataFrame({"a": [0.0, 1.0, 2.0]}), [1.0, 3.5, 6.0])


@pytest.fixture(scope="module")
def model_uri(registry: Registry) -> str:
    return registry.register(MODEL, signature=columns("a:double"), name="new-inputs")


@pytest.fixture
def score(model_uri: str, run: Runner, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def new_inputs(batch_id: str, model: str = model_uri, **keys: Any) -> dict[str, Any]:
        settings: dict[str, Any] = {"input": f"{tmp_path}/in/", "mode": "new_inputs", "split_bytes": 20} | keys
        return run.summary(model, id=batch_id, **settings)

    return new_inputs


def write(folder: Path, name: str, start: int, count: int = 9) -> list[str]:
    """Write a file of numbers and return the lines of its result."""
    (folder / "in").mkdir(exist_ok=True)
    numbers = pd.DataFrame({"a": [float(number) for number in range(start, start + count)]})
    numbers.to_csv(folder / "in" / name, index=False)
    return ["score", *amazon_lines([MODEL.predict(numbers).tolist()])]


def job(folder: Path, batch_id: str) -> Job:
    return Job(folder / "output", batch_id)


def scored(folder: Path, batch_id: str) -> list[str]:
    return [item["uri"].rpartition("/")[2] for item in job(folder, batch_id).manifest["inputs"]]


def prove(folder: Path, batch_id: str) -> None:
    assert check_job(batch_id, OutputConfig(output=f"file://{folder}/output")).findings == []


def without_spark(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(BackgroundSpark, "session", None)
    patch.setattr(BackgroundSpark, "start", None)


def fail_at_commit(score: Callable[..., Any], batch_id: str, monkeypatch: pytest.MonkeyPatch, **keys: Any) -> None:
    def refuse(*_: object) -> None:
        raise CommitError("manifest: expected to write it, got a full disk")

    with monkeypatch.context() as patch:
        patch.setattr(job_module, "commit_manifest", refuse)
        with pytest.raises(CommitError):
            score(batch_id, **keys)


@pytest.mark.parametrize("entry", ["in", "in/*.csv", "i*/"])
def test_a_bare_folder_or_a_glob_is_scored_without_its_markers_and_each_run_names_its_results_alike(
    entry: str, score: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = '{"attributes": [{"attributeName": "a", "attributeType": "NUMERIC"}], "dataFileContainsHeader": true}'
    place, base = f"file://{tmp_path}", "in/" if entry == "i*/" else ""
    for batch_id, name in (("one", "a.csv"), ("two", "b.csv")):
        lines = write(tmp_path, name, 0)
        for marker in ("_SUCCESS", ".a.csv.crc", "_temporary/0/a.csv"):
            (tmp_path / "in" / marker).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "in" / marker).write_text("no data")
        (tmp_path / (".schema" if base else "in/.schema")).write_text(schema)
        score(batch_id, input=f"{tmp_path}/{entry}")
        manifest = job(tmp_path, batch_id).manifest
        result = f"{place}/output/batch-prediction/result/{batch_id}-{base}{name}/"
        assert [(item["uri"], item["result"]) for item in manifest["inputs"]] == [(f"{place}/in/{name}", result)]
        assert job(tmp_path, batch_id).lines(name) == lines
        hidden = {item["reason"] for item in manifest["skipped"] if item["reason"].startswith("hidden")}
        assert hidden == (
            set()
            if "*.csv" in entry
            else {
                "hidden by its name _SUCCESS",
                "hidden by its name .a.csv.crc",
                "hidden in _temporary/",
            }
        )
        prove(tmp_path, batch_id)
    with monkeypatch.context() as patch:
        without_spark(patch)
        for _ in range(2):
            summary = score("three", input=f"{tmp_path}/{entry}")
        assert summary["reported_again"] is True


def test_each_run_scores_what_no_run_before_it_has(
    score: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {"a.csv": write(tmp_path, "a.csv", 0)}
    score("one", mode="all")
    with monkeypatch.context() as patch:
        without_spark(patch)
        assert score("one", mode="all")["reported_again"] is True
    expected["b.csv"] = write(tmp_path, "b.csv", 50)

    assert score("two")["TotalRecordCount"] == 9
    assert scored(tmp_path, "two") == ["b.csv"]
    assert job(tmp_path, "two").lines("b.csv") == expected["b.csv"]
    assert job(tmp_path, "two").manifest["mode"] == "new_inputs"
    assert job(tmp_path, "two").manifest["skipped"] == []
    assert job(tmp_path, "two").manifest["skipped_count"] == {"scored by an earlier job": 1}

    with monkeypatch.context() as patch:
        without_spark(patch)
        nothing = score("three")
        assert (nothing["Status"], nothing["TotalRecordCount"], nothing["input_count"]) == ("COMPLETED", 0, 0)
        assert nothing["Message"] == "nothing new: 2 files below the inputs, none to score"
        assert job(tmp_path, "three").path(".manifest").read_bytes() == b"{}"
        assert not (tmp_path / "output" / "batch-prediction" / "in-progress").exists()

        # As a driver leaves it that dies right after its commit.
        done = job(tmp_path, "three").record
        begun = {name: done[name] for name in done if name not in {"Message", "FinishedAt", "LogUri"}}
        job(tmp_path, "three").path(".json").write_text(json.dumps(begun | {"Status": "INPROGRESS"}))
        assert score("three")["Message"] == "nothing new: 2 files below the inputs, none to score"

        # Neither its own manifest nor what has come since changes what a finished id is.
        write(tmp_path, "c.csv", 70)
        for batch_id, total in (("two", 9), ("three", 0)):
            again = score(batch_id)
            assert (again["reported_again"], again["TotalRecordCount"]) == (True, total)

    score("four")
    assert scored(tmp_path, "four") == ["c.csv"]
    for batch_id in ("one", "two", "three", "four"):
        prove(tmp_path, batch_id)


def test_a_run_after_a_crash_scores_what_the_first_began_with(
    score: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = write(tmp_path, "a.csv", 0)
    fail_at_commit(score, "one", monkeypatch)
    write(tmp_path, "b.csv", 20)

    summary = score("one")

    assert summary["reused_part_count"] == summary["part_count"] > 1
    assert scored(tmp_path, "one") == ["a.csv"]
    assert job(tmp_path, "one").lines("a.csv") == expected
    score("two")
    assert scored(tmp_path, "two") == ["b.csv"]
    prove(tmp_path, "one")


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (folder / "output").rglob("*") if path.is_file()}


def test_a_run_whose_input_was_replaced_since_it_began_is_refused_and_nothing_touched(
    score: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.csv", 0)
    write(tmp_path, "b.csv", 0)
    fail_at_commit(score, "one", monkeypatch)
    write(tmp_path, "a.csv", 10)
    before = files_of(tmp_path)

    with pytest.raises(IdempotentParameterMismatchError, match="got another inputs"):
        score("one")

    assert files_of(tmp_path) == before
    score("two")
    assert scored(tmp_path, "two") == ["a.csv", "b.csv"]


def test_an_id_of_other_parameters_is_refused_and_nothing_touched(
    score: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.csv", 0)
    fail_at_commit(score, "one", monkeypatch, mode="all")
    before = files_of(tmp_path)

    with pytest.raises(IdempotentParameterMismatchError, match="got another configuration"):
        score("one", precision="full")

    assert files_of(tmp_path) == before
    assert score("one")["TotalRecordCount"] == 9  # of the same inputs, whatever the mode


def test_a_run_after_a_crash_whose_inputs_another_id_has_scored_is_refused(
    score: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.csv", 0)
    fail_at_commit(score, "one", monkeypatch)
    score("two")
    before = files_of(tmp_path)

    with pytest.raises(InputsScoredError, match=r"job one: expected inputs that no other job .* got 1 that two has"):
        score("one")

    assert files_of(tmp_path) == before


def test_of_two_ids_with_the_same_new_inputs_the_second_does_not_commit(
    score: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.csv", 0)

    def overtaken(*arguments: Any) -> Iterator[bytes]:
        monkeypatch.undo()
        score("faster")
        return extended_manifest(*arguments)

    monkeypatch.setattr(job_module, "extended_manifest", overtaken)
    with pytest.raises(InputsScoredError, match=r"job slower: .* got 1 that faster has"):
        score("slower")

    assert job(tmp_path, "slower").record["Status"] == "FAILED"
    assert not job(tmp_path, "slower").path(".manifest.json").exists()
    assert scored(tmp_path, "faster") == ["a.csv"]


def test_another_model_makes_no_input_new_and_a_moved_alias_needs_a_new_id(
    score: Callable[..., dict[str, Any]],
    model_uri: str,
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alias = "models:/new-inputs@current"
    registry.client.set_registered_model_alias("new-inputs", "current", model_uri.rpartition("/")[2])
    write(tmp_path, "a.csv", 0)
    score("one", alias)
    write(tmp_path, "b.csv", 20)
    fail_at_commit(score, "two", monkeypatch, model=alias)
    newer = registry.register(MODEL, signature=columns("a:double"), name="new-inputs")
    registry.client.set_registered_model_alias("new-inputs", "current", newer.rpartition("/")[2])

    with pytest.raises(IdempotentParameterMismatchError, match="got another model"):
        score("two", alias)
    score("three", alias)

    assert scored(tmp_path, "three") == ["b.csv"]
    assert job(tmp_path, "three").record["MLModelId"] == newer
