"""``batchscore clean``: orphan files go, what a manifest names or a job could still need stays."""

import io
import json
import os
import shutil
import time
from itertools import product
from pathlib import Path

import pytest
from tests.committed import FinishedJob

from batchscore.cli import main
from batchscore.commands.clean import find_orphan_files, parse_age, remove_orphan_files
from batchscore.commit.job_record import BatchPrediction
from batchscore.config.job_config import OutputConfig
from batchscore.errors import ConfigError, TransientReadError
from batchscore.storage.local import LocalStorage

DAY = 24 * 3600.0
NOW = time.time()
OLD = NOW - 30 * DAY
STORAGE = LocalStorage()


def put(output: Path, name: str, age_days: float = 30, content: bytes = b"12345") -> None:
    path = output / "batch-prediction" / name
    STORAGE.put(f"file://{path}", io.BytesIO(content))
    os.utime(path, (NOW - age_days * DAY,) * 2)


def put_record(output: Path, batch_id: str, age_days: float = 30, status: str = "FAILED") -> None:
    record = BatchPrediction(
        BatchPredictionId=batch_id,
        MLModelId="models:/m/1",
        BatchPredictionDataSourceId="ds-1",
        InputDataLocationS3="s3://b/in/",
        OutputUri=str(output),
        Status=status,  # type: ignore[arg-type] # one of the statuses
        CreatedAt=1,
        LastUpdatedAt=2,
    )
    put(output, f"{batch_id}.json", age_days, record.to_json())


def names(output: Path) -> list[str]:
    folder = output / "batch-prediction"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def orphan_files(output: Path, age_days: float = 7) -> list[str]:
    found = find_orphan_files(OutputConfig(output=f"file://{output}"), int(age_days * DAY), NOW)
    return [item.uri.removeprefix(f"file://{output}/batch-prediction/") for item in found.objects]


def finished(tmp_path: Path, batch_id: str = "bp-1") -> FinishedJob:
    """A finished job of 30 days ago."""
    files = {"a.csv": b"id,a,b,y\nC1,1,x,0\nC2,word,x,1\n" * 3, "b-c.csv": b"id,a,b,y\nC1,1,x,0\n"}
    job = FinishedJob(tmp_path, files, batch_id, split_bytes=40).commit()
    for path in (tmp_path / "out").rglob("*"):
        os.utime(path, (OLD, OLD))
    return job


def test_nothing_of_a_finished_job_is_removed(tmp_path: Path) -> None:
    finished(tmp_path)
    assert orphan_files(tmp_path / "out", 1) == []


def test_a_profile_stays_and_tells_of_its_job_as_a_log_does(tmp_path: Path) -> None:
    out = tmp_path / "out"
    put(out, "result/bp-1-a.csv/part-00000.csv.gz")
    put(out, "bp-1.profile.json", 1)
    assert orphan_files(out) == []
    put(out, "bp-1.profile.json", 30)
    assert orphan_files(out) == ["result/bp-1-a.csv/part-00000.csv.gz"]


def test_what_a_finished_job_left_beside_its_results_is_found_work_files_first(tmp_path: Path) -> None:
    finished(tmp_path)
    put(tmp_path / "out", "result/bp-1-a.csv/part-00099.csv.gz")
    put(tmp_path / "out", "rejected/bp-1-b-c.csv/part-00000.csv.gz")
    put(tmp_path / "out", "in-progress/bp-1/task-00000000.json", 7.1)
    put(tmp_path / "out", "in-progress/bp-1/a.csv/part-00000.csv.gz", 6.9)  # too young
    assert orphan_files(tmp_path / "out") == [
        "in-progress/bp-1/task-00000000.json",
        "result/bp-1-a.csv/part-00099.csv.gz",
        "rejected/bp-1-b-c.csv/part-00000.csv.gz",
    ]


def test_a_job_left_alone_for_longer_than_the_age_loses_its_files_but_not_its_record(tmp_path: Path) -> None:
    put_record(tmp_path, "bp-1")
    put(tmp_path, "bp-1.log")
    put(tmp_path, "result/bp-1-a.csv/part-00000.csv.gz")
    put(tmp_path, "in-progress/bp-1/task-00000000.json")
    put(tmp_path, "in-progress/bp-1/inputs.json")
    config = OutputConfig(output=f"file://{tmp_path}")
    found = find_orphan_files(config, int(7 * DAY), NOW)

    assert len(remove_orphan_files(config, found)) == 3
    assert names(tmp_path) == ["bp-1.json", "bp-1.log"]
    assert orphan_files(tmp_path) == []
    assert len(remove_orphan_files(config, found)) == 3  # again, with nothing there


@pytest.mark.parametrize(
    "young",
    [
        "bp-1.json",
        "bp-1.log",
        "in-progress/bp-1/task-00000007.json",
        "in-progress/bp-1/x/part-00000.csv.gz",
        "result/bp-1-b.csv/part-00007.csv.gz",
        "rejected/bp-1-b.csv/part-00000.csv.gz",
    ],
)
def test_a_job_of_which_anything_has_changed_lately_keeps_all_of_its_files(young: str, tmp_path: Path) -> None:
    put_record(tmp_path, "bp-1", status="INPROGRESS")
    put(tmp_path, "result/bp-1-a.csv/part-00000.csv.gz")
    put(tmp_path, "in-progress/bp-1/task-00000000.json")
    assert len(orphan_files(tmp_path)) == 2
    put(tmp_path, young, 6.9)
    assert orphan_files(tmp_path) == []


def test_a_file_that_may_be_of_either_of_two_ids_stays_for_the_one_that_needs_it(tmp_path: Path) -> None:
    put_record(tmp_path, "bp")
    put_record(tmp_path, "bp-a", 1)
    put(tmp_path, "result/bp-a-x.csv/part-00000.csv.gz")  # bp with a-x.csv, or bp-a with x.csv
    put(tmp_path, "result/bp-b.csv/part-00000.csv.gz")
    assert orphan_files(tmp_path) == ["result/bp-b.csv/part-00000.csv.gz"]


def test_files_without_any_record_go_by_their_own_age(tmp_path: Path) -> None:
    put(tmp_path, "result/bp-9-a.csv/part-00000.csv.gz")
    put(tmp_path, "result/bp-9-a.csv/part-00001.csv.gz", 1)
    assert orphan_files(tmp_path) == ["result/bp-9-a.csv/part-00000.csv.gz"]


def test_results_that_only_an_amazon_manifest_names_stay(tmp_path: Path) -> None:
    result = "s3://b/out/batch-prediction/result/"
    entries = {"s3://b/in/a.csv": f"{result}bp-1-a.csv.gz", "s3://b/in/b.csv": f"{result}bp-1-b.csv/"}
    put(tmp_path, "bp-1.manifest", content=json.dumps(entries).encode())
    put(tmp_path, "result/bp-1-a.csv.gz")
    put(tmp_path, "result/bp-1-b.csv/part-00000.csv.gz")
    put(tmp_path, "result/bp-1-c.csv.gz")
    assert orphan_files(tmp_path) == ["result/bp-1-c.csv.gz"]


def test_a_copy_of_an_output_keeps_what_the_manifests_name_though_by_another_place(tmp_path: Path) -> None:
    finished(tmp_path)
    shutil.copytree(tmp_path / "out", tmp_path / "batch-prediction" / "copy")
    assert orphan_files(tmp_path / "batch-prediction" / "copy") == []
    (tmp_path / "link").symlink_to(tmp_path / "out")
    assert orphan_files(tmp_path / "link") == []


HALF = b'{"format_version": 1, "id": "bp-1", "inputs": [{"uri": "s3://b/in/a.csv", "file_size'


NO_MANIFESTS = [b"", HALF, b"[1]", b'{"format_version": 2, "inputs": []}', b"\xff"]


@pytest.mark.parametrize(
    ("name", "content"),
    [*product(["bp-1.manifest.json", "bp-1.manifest"], NO_MANIFESTS), ("bp-1.manifest.json", b"{}")],
)
def test_a_manifest_that_cannot_be_read_keeps_what_could_be_of_its_id_and_nothing_else(
    name: str, content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for batch_id in ("bp-1", "bp-2", "bp"):
        put_record(tmp_path, batch_id)
    kept = [
        *("result/bp-1-a.csv.gz", "result/bp-1-b.csv/part-00000.csv.gz", "rejected/bp-1-a.csv/part-00000.csv.gz"),
        *("in-progress/bp-1/task-00000000.json", "result/bp-1-x-y.csv/part-00000.csv.gz"),
    ]
    gone = ["in-progress/bp-2/task-00000000.json", "result/bp-2-a.csv.gz", "rejected/bp-11-a/part-00000.csv.gz"]
    for path in (*kept, *gone):
        put(tmp_path, path)
    put(tmp_path, name, content=content)

    assert sorted(orphan_files(tmp_path)) == sorted(gone)
    assert (
        f"what could be of id bp-1 stays: manifest file://{tmp_path}/batch-prediction/{name}: expected" in caplog.text
    )


@pytest.mark.parametrize(
    "name", ["notes.json", "notes.manifest.json", "notes.manifest", ".json", ".manifest.json", "a b.manifest.json"]
)
def test_a_foreign_file_beside_the_results_does_not_stop_clean(name: str, tmp_path: Path) -> None:
    finished(tmp_path)
    output = tmp_path / "out"
    put(output, name, content=b"to do: buy milk")
    (output / "batch-prediction" / "folder.json").mkdir()
    (output / "batch-prediction" / "folder.manifest.json").mkdir()
    put(output, "result/bp-1-a.csv/part-00099.csv.gz")
    put(output, "in-progress/bp-2/task-00000000.json")
    before = names(output)
    assert main(["clean", "--yes", f"output={output}"]) == 0
    assert set(before) - set(names(output)) == {
        "result/bp-1-a.csv/part-00099.csv.gz",
        "in-progress/bp-2/task-00000000.json",
    }


def test_a_manifest_that_the_store_does_not_give_stops_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(tmp_path)

    def busy(*_: object) -> bytes:
        raise TransientReadError("object bp-1.manifest.json: expected an answer, got SlowDown")

    monkeypatch.setattr(LocalStorage, "read", busy)
    monkeypatch.setattr(LocalStorage, "read_range", busy)
    with pytest.raises(TransientReadError):
        orphan_files(tmp_path / "out")


def commit(output: Path) -> None:
    put(output, "bp-1.manifest.json", content=b'{"inputs": []}')


def go_on(output: Path) -> None:
    put_record(output, "bp-1", 0, "INPROGRESS")


def begin(output: Path) -> None:
    put_record(output, "bp-2", 0, "PENDING")


@pytest.mark.parametrize(("change", "kept"), [(commit, "bp-1"), (go_on, "bp-1"), (begin, "bp-2")])
def test_a_job_that_goes_on_commits_or_begins_meanwhile_keeps_its_files(
    change: object, kept: str, tmp_path: Path
) -> None:
    assert callable(change)
    put_record(tmp_path, "bp-1")
    for batch_id in ("bp-1", "bp-2"):
        put(tmp_path, f"result/{batch_id}-a.csv/part-00000.csv.gz")
    config = OutputConfig(output=f"file://{tmp_path}")
    found = find_orphan_files(config, int(7 * DAY), NOW)
    assert len(found.objects) == 2

    change(tmp_path)
    [removed] = remove_orphan_files(config, found)

    assert f"/{kept}-" not in removed.uri
    assert f"result/{kept}-a.csv/part-00000.csv.gz" in names(tmp_path)


def test_a_job_that_begins_or_commits_while_the_results_are_listed_keeps_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_record(tmp_path, "bp-1")
    put(tmp_path, "result/bp-1-a.csv/part-00000.csv.gz")
    listing = LocalStorage.list

    def going_on(storage: LocalStorage, prefix: str) -> object:
        yield from listing(storage, prefix)
        if prefix.endswith("rejected/"):
            go_on(tmp_path)

    monkeypatch.setattr(LocalStorage, "list", going_on)
    assert orphan_files(tmp_path) == []


def test_ages_are_a_day_or_more() -> None:
    assert [parse_age(text) for text in ("24h", "7d", "2w")] == [24 * 3600, 7 * 24 * 3600, 14 * 24 * 3600]
    for text in ("", "7", "d", "23h", "0d", "-1d", "1.5d", "1m", "7 d", "9999999d"):
        with pytest.raises(ConfigError, match="expected an age of a day or more"):
            parse_age(text)


def test_the_command_lists_and_removes_only_when_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_record(tmp_path, "bp-1")
    put(tmp_path, "result/bp-1-a.csv/part-00000.csv.gz")
    output = f"output={tmp_path}"

    assert main(["clean", output]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[2].endswith(f"file://{tmp_path}/batch-prediction/result/bp-1-a.csv/part-00000.csv.gz")
    assert shown[-1] == "1 orphan files, 5 bytes: nothing removed; --yes removes them"
    assert main(["clean", "--older-than", "31d", output]) == 0
    assert capsys.readouterr().out == "nothing to clean\n"
    assert len(names(tmp_path)) == 2

    assert main(["clean", "--yes", "--json", output]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["object_count"], answer["size_in_bytes"], answer["removed_count"]) == (1, 5, 1)
    assert names(tmp_path) == ["bp-1.json"]
    assert main(["clean", "--older-than", "1h", output]) == 2
