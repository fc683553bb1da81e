import io
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.test_config import WITH_CREDENTIALS

from batchscore.cli import main
from batchscore.commit.job_record import BatchPrediction
from batchscore.errors import TransientReadError
from batchscore.storage.local import LocalStorage


def write_record(output: Path, batch_id: str, status: str, **changes: Any) -> None:
    record = BatchPrediction(
        BatchPredictionId=batch_id,
        MLModelId="models:/m/1",
        BatchPredictionDataSourceId="ds-1",
        InputDataLocationS3="s3://b/in/",
        OutputUri=str(output),
        Status=status,  # type: ignore[arg-type] # one of the statuses
        CreatedAt=1,
        LastUpdatedAt=2,
        TotalRecordCount=10,
    )
    record = replace(record, **changes)
    storage = LocalStorage()
    storage.put(f"file://{output}/batch-prediction/{batch_id}.json", io.BytesIO(record.to_json()))
    storage.put(f"file://{output}/batch-prediction/{batch_id}.manifest.json", io.BytesIO(b"{}"))


FILES = {
    "job.yaml": "model: models:/m/1\ninput: in/\noutput: out\n",
    "broken.yaml": "model: [1",
    "tabs.yaml": "s3:\n\tregion: x\n",
    "list.yaml": "- model\n",
    "text.yaml": "model models:/m/1\n",
    "empty.yaml": "",
}
CONFIG = ["--config", "job.yaml"]
THERE = "output=out"

WRONG: list[tuple[list[str], int, str]] = [
    # The command.
    (
        [],
        2,
        "command: expected run, verify, describe, list, check, results, report, clean, warm, got none; a command comes",
    ),
    (["rnu"], 2, "got rnu; did you mean run?"),
    (["fly"], 2, "got fly; a command comes first, such as batchscore verify --config job.yaml"),
    (["help"], 2, "got help; did you mean --help?"),
    (["job.yaml"], 2, "got job.yaml; a command comes first"),
    ([*CONFIG, "run"], 2, "got --config; a command comes first"),
    # Its options.
    (["run", *CONFIG, "--what"], 2, "option --what: expected one of this command"),
    (
        ["run", *CONFIG, "--dryrun"],
        2,
        "got another; did you mean --dry-run?",
    ),
    (["run", "-c", "job.yaml"], 2, "option -c: expected one of this command, got another; did you mean --config?"),
    (
        ["run", *CONFIG, "--id", "x"],
        2,
        "option --id: expected an option, got a key of the configuration; write id=",
    ),
    (
        ["run", *CONFIG, "--row-id=x"],
        2,
        "got a key of the configuration; write row_id=VALUE",
    ),
    (["run", "--config"], 2, "argument --config: expected one argument"),
    (["list", "--status", "MAYBE", THERE], 2, "argument --status: invalid choice: 'MAYBE' (choose from 'PENDING'"),
    (["check", "bp-1", "--sample", "0", THERE], 2, "expected a whole number of parts or a fraction below 1, got 0"),
    (["clean", "--older-than", "1h", THERE], 2, "expected an age of a day or more, such as 36h, 7d or 2w, got 1h"),
    # The configuration's file.
    (["run", "--config", "none.yaml"], 2, "none.yaml: expected a file, got none; correct the path after --config"),
    (["run", "--config", "folder"], 2, "folder: expected access, got a folder; correct the path after --config"),
    (["run", "--config", "job.yaml/x"], 2, "job.yaml/x: expected a file, got none below another one"),
    (["run", "--config", ""], 2, "configuration: expected a path, got an empty string"),
    (["run", "--config", "https://h/job.yaml"], 2, "configuration: expected a local path, file://, s3:// or s3a://"),
    (
        ["run", "--config", "broken.yaml"],
        2,
        "broken.yaml: expected YAML, got a syntax error at line 1; a line is key",
    ),
    (["run", "--config", "tabs.yaml"], 2, "got a syntax error at line 2; a line is key: value, indented with spaces"),
    (["run", "--config", "list.yaml"], 2, "list.yaml: expected keys with values, got a list; a line is key: value"),
    (["describe", "bp-1", "--config", "text.yaml"], 2, "text.yaml: expected keys with values, got one value"),
    (["run", "--config", "binary"], 2, "binary: expected YAML in UTF-8, got other bytes"),
    (
        ["run", "--config", "empty.yaml"],
        2,
        "key model: expected a value, got none; give it in the configuration or",
    ),
    # Keys among the arguments.
    (["run"], 2, "key input: expected a value, got none; give it in the configuration or as input=VALUE"),
    (["run", "modle=x"], 2, "key modle: expected a known key; did you mean model?"),
    (["run", "job.yaml"], 2, "argument job.yaml: expected key=value; a configuration file is given as --config FILE"),
    (
        ["run", "s3://b/job"],
        2,
        "argument s3://b/job: expected key=value; a configuration file is given as",
    ),
    (["run", *CONFIG, "id", "x"], 2, "argument id: expected key=value; write id=VALUE, in one word"),
    (["run", *CONFIG, "id", "=", "x"], 2, "argument =: expected key=value; key=value has no spaces"),
    (["run", *CONFIG, "id=", "x"], 2, "argument x: expected key=value; a value follows its = without a space"),
    (["run", *CONFIG, "=x"], 2, "argument =x: expected key=value; key=value has no spaces"),
    (["list", "bp-1", THERE], 2, "argument bp-1: expected key=value"),
    (["list"], 2, "key output: expected a value, got none; give it in the configuration or as output=VALUE"),
    (["list", "output=ftp://h/x"], 2, "key output: expected a local path, file://, s3:// or s3a://, got ftp://"),
    # The id of a job.
    (["describe", THERE], 2, "id: expected 1 to 64 of a-z A-Z 0-9 _ . -, got 'output=out'"),
    (["describe", *CONFIG], 2, "the following arguments are required: ID"),
    (["describe", "../x", THERE], 2, "id: expected 1 to 64 of a-z A-Z 0-9 _ . -, got '../x'"),
    (["describe", "BP-1", THERE], 3, "job BP-1: expected a job of this id below file://"),
    (["describe", "bp-11", THERE], 3, "got none; did you mean bp-1 or bp-2?"),
    (["describe", "nosuch", THERE], 3, "got none; ids there: bp-1, bp-2"),
    (["check", "bp-22", THERE], 3, "got none; did you mean bp-2 or bp-1?"),
    (["check", "nosuch", THERE], 3, "got none; ids there: bp-1, bp-2"),
    (
        ["check", "bp-1", THERE],
        3,
        "got no manifest and a record that says COMPLETED; run it again with id=bp-1",
    ),
    # The output.
    (
        ["describe", "bp-1", "output=empty"],
        3,
        "no job has written there: correct the key output, or run the job first",
    ),
    *[
        ([*command, f"output={place}"], 3, f"{place}: expected a folder, got {got}; correct the key output")
        for command in (["describe", "bp-1"], ["list"], ["check", "bp-1"], ["results"], ["clean"])
        for place, got in (("nodir", "none"), ("job.yaml", "something else"))
    ],
]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with configurations, and an output with two jobs."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").mkdir()
    write_record(tmp_path / "out", "bp-1", "COMPLETED")
    write_record(tmp_path / "out", "bp-2", "FAILED")
    for manifest in (tmp_path / "out/batch-prediction").glob("*.manifest.json"):
        manifest.unlink()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def code_of(arguments: list[str]) -> int:
    """Return the exit code of a command, as a shell sees it."""
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(("arguments", "code", "told"), WRONG, ids=[" ".join(case[0]) or "nothing" for case in WRONG])
def test_a_mistake_is_told_with_its_remedy_and_no_place_in_the_code(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(arguments) == code
    shown = capsys.readouterr()
    assert told in shown.err
    assert not re.search(r"Traceback|\.py\b|unforeseen|>:\d", shown.err + shown.out)
    assert shown.out == ""


def test_every_fault_of_a_configuration_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "modle=x"]) == 2
    assert "ConfigError: 4 faults" in capsys.readouterr().err


def test_the_value_of_an_unknown_option_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(["run", "--password=hunter2", "--tracking_uri=http://u:hunter2@h"]) == 2
    assert "hunter2" not in capsys.readouterr().err


def test_a_relative_path_in_a_folder_that_is_gone_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for arguments in (["list", "output=out"], ["list", "--config", "job.yaml"]):
        assert main(arguments) == 2
        assert "expected a path, got one below a working folder that is gone" in capsys.readouterr().err


def piped(*arguments: str, stdout: int) -> tuple[int, str]:
    """Run a command in a process of its own, as a shell does; return its code and what it says on stderr."""
    command = [sys.executable, "-m", "batchscore.cli", *arguments]
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.usefixtures("workplace")
def test_a_reader_that_has_seen_enough_ends_a_command_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert piped("list", THERE, stdout=writer) == (141, "")
    os.close(writer)


@pytest.mark.usefixtures("workplace")
def test_a_full_disk_below_stdout_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        code, told = piped("list", THERE, stdout=full.fileno())
    assert code == 6
    assert told.startswith("batchscore: CommitError: stdout: expected to write to it, got No space left on device; ")
    assert told.count("\n") == 1


@pytest.mark.parametrize("uri", WITH_CREDENTIALS)
def test_a_configuration_with_credentials_in_its_uri_is_refused_and_they_are_not_printed(
    uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--config", uri]) == 2
    told = capsys.readouterr()
    assert "ConfigError: configuration" in told.err
    assert "secret" not in told.err + told.out


def test_describe_prints_amazons_fields_with_times_for_people_and_epochs_for_machines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    write_record(tmp_path, "bp-1", "COMPLETED", CreatedAt=1795455526, StartedAt=1795455526, FinishedAt=1795459306)

    assert main(["describe", "bp-1", f"output={tmp_path}"]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (shown["TotalRecordCount"], shown["CreatedAt"]) == ("10", "2026-11-23 17:38:46+00:00")
    assert (shown["FinishedAt"], shown["took"]) == ("2026-11-23 18:41:46+00:00", "1 h 3 min")

    assert main(["describe", "bp-1", "--json", f"output={tmp_path}"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["Status"], record["CreatedAt"], record["FinishedAt"]) == ("COMPLETED", 1795455526, 1795459306)
    assert "took" not in record

    assert main(["list", f"output={tmp_path}"]) == 0
    row = capsys.readouterr().out.splitlines()[2]
    assert "2026-11-23 17:38:46+00:00  1 h 3 min" in row


def test_describe_prints_a_name_that_is_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_record(tmp_path, "bp-1", "COMPLETED", InputDataLocationS3="file:///data/\udcff.csv")
    assert main(["describe", "bp-1", f"output={tmp_path}"]) == 0
    assert "file:///data/\\udcff.csv" in capsys.readouterr().out


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


def test_a_profile_is_no_record_of_a_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_record(tmp_path, "first", "COMPLETED")
    (tmp_path / "batch-prediction" / "first.profile.json").write_text("{}")

    assert main(["list", "--json", f"output={tmp_path}"]) == 0
    told = capsys.readouterr()
    assert ([item["BatchPredictionId"] for item in json.loads(told.out)], told.err) == (["first"], "")
    assert main(["describe", "firts", f"output={tmp_path}"]) == 3
    assert "did you mean first?" in capsys.readouterr().err


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
