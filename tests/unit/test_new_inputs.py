"""``mode: new_inputs``: which inputs a job takes, without Spark."""

import io
from pathlib import Path
from typing import Any

import pytest
from tests.committed import FinishedJob

from batchscore.config.job_config import JobConfig
from batchscore.errors import IdempotentParameterMismatchError, InputError, InputsScoredError
from batchscore.preflight.new_inputs import bind_inputs, check_still_new, choose_inputs
from batchscore.storage.base import StoredObject
from batchscore.storage.local import LocalStorage

FILE = b"id,a,b,y\nC1,1,x,0\n"


def write(folder: Path, *names: str) -> None:
    (folder / "in").mkdir(exist_ok=True)
    for name in names:
        (folder / "in" / name).write_bytes(FILE)


def config(folder: Path, batch_id: str | None = "new", **keys: Any) -> JobConfig:
    where: dict[str, Any] = {
        "input": f"{folder}/in/",
        "output": f"{folder}/out",
        "model": "models:/m/1",
        "id": batch_id,
    }
    return JobConfig.model_validate(where | {"mode": "new_inputs"} | keys)


def chosen(folder: Path, batch_id: str | None = "new", **keys: str) -> list[str]:
    return [name(source) for source in choose_inputs(config(folder, batch_id, **keys)).sources]


def name(source: StoredObject) -> str:
    return source.uri.rpartition("/")[2]


def begin(folder: Path, batch_id: str = "new") -> None:
    bind_inputs(config(folder, batch_id), choose_inputs(config(folder, batch_id)).sources)


def test_only_what_no_finished_job_has_scored_is_new(tmp_path: Path) -> None:
    FinishedJob(tmp_path, {"a.csv": FILE}, "one").commit()
    FinishedJob(tmp_path, {"b.csv": FILE}, "two").commit()
    FinishedJob(tmp_path, {"c.csv": FILE}, "unfinished").score()
    write(tmp_path, "d.csv", ".schema")

    choice = choose_inputs(config(tmp_path))

    assert [name(source) for source in choice.sources] == ["c.csv", "d.csv"]
    assert [(uri.rpartition("/")[2], reason) for uri, reason in choice.skipped] == [(".schema", "schema")]
    assert choice.not_new == {"scored by an earlier job": 2}
    assert chosen(tmp_path, mode="all") == ["a.csv", "b.csv", "c.csv", "d.csv"]


@pytest.mark.parametrize("entry", ["in", "in/*.csv", "in/**", "i*/", "in/[a-c].csv"])
def test_what_is_new_among_the_files_of_a_bare_folder_or_a_glob_is_scored(entry: str, tmp_path: Path) -> None:
    FinishedJob(tmp_path, {"a.csv": FILE}, "one").commit()
    write(tmp_path, "b.csv", "_SUCCESS", "_c.csv")

    choice = choose_inputs(config(tmp_path, input=f"{tmp_path}/{entry}"))

    assert [name(source) for source in choice.sources] == ["b.csv"]
    assert choice.not_new == {"scored by an earlier job": 1}
    assert {reason for _, reason in choice.skipped} <= {"hidden by its name _SUCCESS", "hidden by its name _c.csv"}


@pytest.mark.parametrize("id_", ["two", "one"])
def test_an_entry_that_names_a_file_scored_before_is_still_known_as_a_file(id_: str, tmp_path: Path) -> None:
    FinishedJob(tmp_path, {"a.csv": FILE}, "one").commit()
    (tmp_path / "in" / "sub").mkdir()
    write(tmp_path, "sub/c.csv")
    entries = [f"{tmp_path}/in/a.csv", f"{tmp_path}/in/sub/"]

    choice = choose_inputs(config(tmp_path, id_, input=entries))

    assert f"file://{tmp_path}/in/a.csv" in choice.listed


def test_an_input_that_was_replaced_is_new_again(tmp_path: Path) -> None:
    FinishedJob(tmp_path, {"a.csv": FILE, "b.csv": FILE}, "one").commit()
    (tmp_path / "in" / "a.csv").write_bytes(FILE * 2)
    assert chosen(tmp_path) == ["a.csv"]


def test_without_any_file_below_the_inputs_it_is_an_error_but_with_nothing_new_it_is_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected files to score"):
        choose_inputs(config(tmp_path))
    FinishedJob(tmp_path, {"a.csv": FILE}, "one").commit()
    assert chosen(tmp_path) == []


def test_a_job_that_has_begun_keeps_to_its_inputs_whatever_comes(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "b.csv")
    begin(tmp_path)
    write(tmp_path, "c.csv")

    FinishedJob(tmp_path, {"d.csv": FILE}, "other").commit()

    choice = choose_inputs(config(tmp_path))

    assert [name(source) for source in choice.sources] == ["a.csv", "b.csv"]
    assert (choice.skipped, choice.not_new) == ([], {"not there at the start": 1, "scored by an earlier job": 1})
    assert chosen(tmp_path, "another") == ["a.csv", "b.csv", "c.csv"]
    assert chosen(tmp_path, None) == ["a.csv", "b.csv", "c.csv"]


def test_a_finished_job_has_the_inputs_of_its_manifest_though_they_are_scored_or_gone(tmp_path: Path) -> None:
    FinishedJob(tmp_path, {"a.csv": FILE, "b.csv": FILE}, "new").commit()
    write(tmp_path, "c.csv")
    assert chosen(tmp_path) == ["a.csv", "b.csv"]
    for path in (tmp_path / "in").iterdir():
        path.unlink()
    assert chosen(tmp_path) == ["a.csv", "b.csv"]


def test_a_job_whose_inputs_another_has_scored_since_is_refused(tmp_path: Path) -> None:
    faster = FinishedJob(tmp_path, {"b.csv": FILE}, "faster")
    write(tmp_path, "a.csv")
    begin(tmp_path)
    choice = choose_inputs(config(tmp_path))
    check_still_new(config(tmp_path), choice.sources, choice.manifests_read)
    faster.commit()

    told = r"job new: expected inputs that no other job has scored, got 1 that faster has, the first .*/b\.csv;"
    with pytest.raises(InputsScoredError, match=told) as caught:
        choose_inputs(config(tmp_path))
    assert caught.value.exit_code == 3
    with pytest.raises(InputsScoredError, match=told):
        check_still_new(config(tmp_path), choice.sources, choice.manifests_read)
    check_still_new(config(tmp_path, mode="all"), choice.sources, choice.manifests_read)


def test_the_look_before_the_commit_reads_the_manifests_alone_that_have_come_since_the_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = FinishedJob(tmp_path, {"a.csv": FILE}, "one").commit()
    FinishedJob(tmp_path, {"b.csv": FILE}, "two").commit()
    four = FinishedJob(tmp_path, {"d.csv": FILE}, "four")
    write(tmp_path, "c.csv")
    choice = choose_inputs(config(tmp_path))
    FinishedJob(tmp_path, {"e.csv": FILE}, "three").commit()
    one.edit_manifest(commit_id="another")  # a job that was removed and run anew
    read, read_range = list[str](), LocalStorage.read_range

    def noting(storage: LocalStorage, source: StoredObject, start: int, stop: int) -> bytes:
        read.append(name(source))
        return read_range(storage, source, start, stop)

    monkeypatch.setattr(LocalStorage, "read_range", noting)
    check_still_new(config(tmp_path), choice.sources, choice.manifests_read)

    assert sorted(read) == ["one.manifest.json", "three.manifest.json"]
    four.commit()
    with pytest.raises(InputsScoredError, match="got 1 that four has"):
        check_still_new(config(tmp_path), choice.sources, choice.manifests_read)


def test_files_that_are_configured_twice_are_counted_as_they_are_listed(tmp_path: Path) -> None:
    FinishedJob(tmp_path, {"a.csv": FILE}, "one").commit()
    choice = choose_inputs(config(tmp_path, input=[f"{tmp_path}/in/", f"{tmp_path}/in/a.csv"]))
    assert (choice.sources, choice.not_new) == ([], {"scored by an earlier job": 2})


def test_two_runs_of_an_id_that_begin_at_once_cannot_begin_with_different_inputs(tmp_path: Path) -> None:
    write(tmp_path, "a.csv")
    one = choose_inputs(config(tmp_path)).sources
    write(tmp_path, "b.csv")
    other = choose_inputs(config(tmp_path)).sources
    bind_inputs(config(tmp_path), one)
    with pytest.raises(IdempotentParameterMismatchError, match="inputs that another run of it has begun with"):
        bind_inputs(config(tmp_path), other)
    bind_inputs(config(tmp_path), one)
    assert chosen(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("content", [b"", b"no json", b"[1]", b"{}x", b'[["a"]]'])
def test_a_damaged_list_of_inputs_is_told(content: bytes, tmp_path: Path) -> None:
    write(tmp_path, "a.csv")
    LocalStorage().put(f"file://{tmp_path}/out/batch-prediction/in-progress/new/inputs.json", io.BytesIO(content))
    with pytest.raises(InputError, match=r"inputs .*inputs\.json: expected the inputs of a job"):
        choose_inputs(config(tmp_path))
