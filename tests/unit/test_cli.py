import io
import json
from pathlib import Path

import pytest
from tests.unit.test_config import WITH_CREDENTIALS

from batchscore.cli import main
from batchscore.commit.job_record import BatchPrediction
from batchscore.errors import TransientReadError
from batchscore.storage.local import LocalStorage


def write_record(output: Path, batch_id: str, status: str, input_uri: str = "s3://b/in/") -> None:
    record = BatchPrediction(
        BatchPredictionId=batch_id,
        MLModelId="models:/m/1",
        BatchPredictionDataSourceId="ds-1",
        InputDataLocationS3=input_uri,
        OutputUri=str(output),
        Status=status,  # type: ignore[arg-type] # one of the statuses
        CreatedAt=1,
        LastUpdatedAt=2,
        TotalRecordCount=10,
    )
    storage = LocalStorage()
    storage.put(f"file://{output}/batch-prediction/{batch_id}.json", io.BytesIO(record.to_json()))
    storage.put(f"file://{output}/batch-prediction/{batch_id}.manifest.json", io.BytesIO(b"{}"))


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run", "--what"], ["describe"], ["list", "--status", "MAYBE"]])
def test_wrong_arguments_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: batchscore" in capsys.readouterr().err


def test_a_wrong_configuration_is_told_on_stderr_and_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "modle=x"]) == 2
    told = capsys.readouterr()
    assert "ConfigError: 4 faults" in told.err
    assert "did you mean model?" in told.err
    assert told.out == ""


def test_a_configuration_that_is_not_there_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--config", "/none.yaml"]) == 2
    assert "configuration /none.yaml: file file:///none.yaml: expected a file, got none" in capsys.readouterr().err


@pytest.mark.parametrize("uri", WITH_CREDENTIALS)
def test_a_configuration_with_credentials_in_its_uri_is_refused_and_they_are_not_printed(
    uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--config", uri]) == 2
    told = capsys.readouterr()
    assert "ConfigError: configuration" in told.err
    assert "secret" not in told.err + told.out


def test_describe_refuses_what_is_no_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_text("{}")
    assert main(["describe", "../x", f"output={tmp_path}"]) == 2
    assert "ConfigError: id: " in capsys.readouterr().err


def test_describe_prints_amazons_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_record(tmp_path, "bp-1", "COMPLETED")
    assert main(["describe", "bp-1", f"output={tmp_path}"]) == 0
    assert "TotalRecordCount             10" in capsys.readouterr().out
    assert main(["describe", "bp-1", "--json", f"output={tmp_path}"]) == 0
    assert json.loads(capsys.readouterr().out)["Status"] == "COMPLETED"


def test_describe_prints_a_name_that_is_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_record(tmp_path, "bp-1", "COMPLETED", input_uri="file:///data/\udcff.csv")
    assert main(["describe", "bp-1", f"output={tmp_path}"]) == 0
    assert "file:///data/\\udcff.csv" in capsys.readouterr().out


def test_describe_of_an_unknown_id_exits_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "bp-9", f"output={tmp_path}"]) == 3
    assert "bp-9.json: expected a file, got none" in capsys.readouterr().err


def test_list_prints_the_records_of_a_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_record(tmp_path, "bp-1", "COMPLETED")
    write_record(tmp_path, "bp-2", "FAILED")
    assert main(["list", "--json", f"output={tmp_path}"]) == 0
    assert [item["BatchPredictionId"] for item in json.loads(capsys.readouterr().out)] == ["bp-1", "bp-2"]
    assert main(["list", "--status", "FAILED", f"output={tmp_path}"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].startswith("BatchPredictionId")
    assert [line.split()[0] for line in table[2:]] == ["bp-2"]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"BatchPredictionId": "bp-3", "Status": "COMP', b"\xff\xfe", b"[" * 100_000]
)
def test_list_passes_over_what_is_no_record_and_says_so_on_stderr(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(tmp_path, "bp-1", "COMPLETED")
    write_record(tmp_path, "bp-2", "FAILED")
    foreign = tmp_path / "batch-prediction" / "bp-15.json"
    foreign.write_bytes(content)
    (tmp_path / "batch-prediction" / "folder.json").mkdir()

    assert main(["list", "--json", f"output={tmp_path}"]) == 0

    told = capsys.readouterr()
    assert [item["BatchPredictionId"] for item in json.loads(told.out)] == ["bp-1", "bp-2"]
    assert told.err == (
        f"batchscore: passed over: record file://{foreign}: expected the record of a batch prediction, "
        "got something else\n"
    )


def test_list_ends_where_the_store_does_not_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_record(tmp_path, "bp-1", "COMPLETED")

    def busy(_: LocalStorage, uri: str) -> bytes:
        raise TransientReadError(f"object {uri}: expected an answer, got SlowDown")

    monkeypatch.setattr(LocalStorage, "read", busy)
    assert main(["list", f"output={tmp_path}"]) == 3
    assert "SlowDown" in capsys.readouterr().err


def test_an_unforeseen_error_shows_where_but_not_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise RuntimeError("row " + "4111" * 4)

    monkeypatch.setattr(LocalStorage, "read", broken)
    assert main(["describe", "bp-1", f"output={tmp_path}"]) == 1
    told = capsys.readouterr().err
    assert "unforeseen RuntimeError in broken" in told
    assert "41114111" not in told
