"""``batchscore results``: a table for people, CSV in a pipe, files that are whole or not there."""

import csv
import gzip
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.result_files import LaidJob

from batchscore.cli import main
from batchscore.commands.result_table import render_rows
from batchscore.results.texts import text_chunks

TEXT = 'C1,"gold, ""x""",1,9E-1\nC2,,,\n\nC4,é\\,0,1.5E-3\n'
CSV = b'tag,plan,bestAnswer,score\nC1,"gold, ""x""",1,0.9\nC2,,,\n,,,\nC4,\xc3\xa9\\,0,0.0015\n'
JSON = [
    {"tag": "C1", "plan": 'gold, "x"', "bestAnswer": 1, "score": 0.9},
    {"tag": "C2", "plan": "", "bestAnswer": None, "score": None},
    {"tag": None, "plan": None, "bestAnswer": None, "score": None},
    {"tag": "C4", "plan": "é\\", "bestAnswer": 0, "score": 0.0015},
]


@pytest.fixture
def job(tmp_path: Path) -> LaidJob:
    laid = LaidJob(tmp_path, "tag,plan,bestAnswer,score", {"a.csv": [TEXT]})
    laid.write_record()
    return laid


@pytest.fixture
def run(job: LaidJob, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., tuple[int, bytes, str]]:
    """Run the command; gives exit code, stdout and stderr."""

    def run_command(*arguments: str) -> tuple[int, bytes, str]:
        code = main(["results", *arguments, f"output={job.output}"])
        told = capsysbinary.readouterr()
        return code, told.out, told.err.decode()

    return run_command


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stdout be a terminal of 60 columns."""
    monkeypatch.setattr("batchscore.commands.results.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")


@pytest.mark.parametrize("arguments", [[], ["latest"], ["bp-1"], ["--format", "csv"], ["bp-1", "--format=csv"]])
def test_a_pipe_gets_all_as_csv_of_the_latest_job_unless_an_id_is_given(arguments: list[str], run: Any) -> None:
    assert run(*arguments) == (0, CSV, "")


def test_without_an_id_the_key_id_names_the_job(job: LaidJob, run: Any) -> None:
    file = job.output.parent / "job.yaml"
    file.write_text("id: bp-1\n")
    assert run("--config", str(file)) == (0, CSV, "")
    code, out, told = run("--config", str(file), "id=another")
    assert (code, out) == (3, b"")
    assert "job another: expected a job of this id" in told
    assert run("bp-1", "id=another") == (0, CSV, "")


@pytest.mark.parametrize("arguments", [["--json"], ["--format", "json"], ["--json", "--format", "json", "bp-1"]])
def test_json_is_an_object_a_line(arguments: list[str], run: Any) -> None:
    code, out, _ = run(*arguments)
    assert (code, [json.loads(line) for line in out.splitlines()]) == (0, JSON)


def test_the_keys_of_a_configuration_tell_where_the_results_are(
    job: LaidJob, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = job.output.parent / "job.yaml"
    file.write_text(f"output: {job.output}\nmodel: models:/m/1\n")
    assert main(["results", "--config", str(file)]) == 0
    assert capsysbinary.readouterr().out == CSV
    assert main(["results", "--config", str(file), "--top", "1", "bp-1", "--columns", "tag,score"]) == 0
    assert capsysbinary.readouterr().out == b"tag,score\nC1,0.9\n"


def test_columns_are_picked_and_ordered_and_a_name_with_a_comma_is_quoted(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    job = LaidJob(
        tmp_path,
        '"b,c",tag,bestAnswer,score',
        {"a.csv": ["x,y,1,9E-1\n"]},
        columns=["b,c", "tag", "bestAnswer", "score"],
    )
    assert main(["results", "bp-1", f"output={job.output}", "--columns", 'tag, "b,c"']) == 0
    assert capsysbinary.readouterr().out == b'tag,"b,c"\ny,x\n'


@pytest.mark.parametrize(
    ("column", "lines"),
    [("plan", [b"plan", b'"gold, ""x"""', b'""', b'""']), ("score", [b"score", b"0.9", b'""', b'""'])],
)
def test_an_empty_cell_of_a_lone_column_is_in_quotes(column: str, lines: list[bytes], run: Any) -> None:
    code, out, _ = run("--columns", column)
    assert (code, out.splitlines()[:4]) == (0, lines)
    assert len(pd.read_csv(io.BytesIO(out))) == 4


@given(st.lists(st.floats(0, 1) | st.floats(allow_nan=False, allow_infinity=False) | st.none()))
def test_numbers_of_csv_and_json_read_back_as_the_same_float64(scores: list[float | None]) -> None:
    schema = pa.schema([("tag", pa.string()), ("score", pa.float64())])
    batch = pa.RecordBatch.from_arrays([pa.array(["x"] * len(scores)), pa.array(scores, pa.float64())], schema=schema)
    text = b"".join(text_chunks("csv", schema, [batch])).decode()
    cells = [row[1] for row in list(csv.reader(io.StringIO(text)))[1:]]
    assert [None if cell == "" else float(cell) for cell in cells] == scores
    lines = b"".join(text_chunks("json", schema, [batch])).splitlines()
    assert [json.loads(line)["score"] for line in lines] == scores


@given(
    st.lists(
        st.tuples(
            st.none() | st.text(st.characters(exclude_categories=["Cs"])), st.text("ab\"\\,'\n\r\t\0é", min_size=1)
        )
    )
)
def test_texts_of_csv_and_json_read_back_as_they_are(rows: list[tuple[str | None, str]]) -> None:
    schema = pa.schema([('a"b', pa.string()), ("c", pa.string())])
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in (0, 1)]
    batch = pa.RecordBatch.from_arrays(columns, schema=schema)
    text = b"".join(text_chunks("csv", schema, [batch, batch.slice(1)])).decode()
    again = [*rows, *rows[1:]]
    assert list(csv.reader(io.StringIO(text, newline=""))) == [['a"b', "c"], *([one or "", two] for one, two in again)]
    lines = b"".join(text_chunks("json", schema, [batch, batch.slice(1)])).split(b"\n")[:-1]
    assert [tuple(json.loads(line).values()) for line in lines] == again


@pytest.mark.parametrize(
    "name", ["x.csv", "x.CSV", "x.csv.gz", "x.json", "x.jsonl", "x.ndjson", "x.jsonl.gz", "x.parquet"]
)
def test_a_file_has_the_format_that_its_name_tells(name: str, run: Any, tmp_path: Path) -> None:
    target = tmp_path / name
    code, out, err = run("--to", str(target))

    assert (code, out.decode(), err) == (0, f"4 records of job bp-1 in file://{target}\n", "")
    content = target.read_bytes()
    content = gzip.decompress(content) if name.endswith(".gz") else content
    if "csv" in name.lower():
        assert content == CSV
    elif name.endswith(".parquet"):
        assert pq.read_table(target).to_pylist() == JSON
        assert pq.read_schema(target).types == [pa.string(), pa.string(), pa.int8(), pa.float64()]
    else:
        assert [json.loads(line) for line in content.splitlines()] == JSON
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_polars_reads_the_written_files(run: Any, tmp_path: Path) -> None:
    for name in ("x.csv", "x.parquet", "x.jsonl"):
        assert run("--to", str(tmp_path / name), "--columns", "tag,score")[0] == 0
    expected = [("C1", 0.9), ("C2", None), (None, None), ("C4", 0.0015)]
    assert pl.read_parquet(tmp_path / "x.parquet").rows() == expected
    assert pl.read_ndjson(tmp_path / "x.jsonl").rows() == expected
    assert pl.read_csv(tmp_path / "x.csv").rows() == expected


def test_json_with_a_file_is_what_is_told(run: Any, tmp_path: Path) -> None:
    code, out, _ = run("--to", str(tmp_path / "x.csv"), "--json", "--where", "score > 0.5")
    assert (code, json.loads(out)) == (0, {"id": "bp-1", "record_count": 1, "uri": f"file://{tmp_path}/x.csv"})


def test_a_file_that_is_there_is_replaced_with_its_rights_and_a_link_stays_one(run: Any, tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("before")
    real.chmod(0o600)
    link.symlink_to(real)
    assert run("--to", str(link))[0] == 0
    assert (real.read_bytes(), link.is_symlink(), stat.S_IMODE(real.stat().st_mode)) == (CSV, True, 0o600)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--to", "{}/x.txt"], 2, "expected a name that ends in .csv, .json, .jsonl, .ndjson, .parquet, got another"),
        (["--to", "{}/x"], 2, "expected a name that ends in"),
        (["--to", "{}/x.csv", "--format", "json"], 2, "argument --format json: expected csv, as the name after --to"),
        (["--to", "{}/x.parquet.gz"], 2, "expected Parquet without gzip around it"),
        (["--to", "{}/none/x.csv"], 2, "expected a folder to write to, got none; make it first"),
        (["--to", "{}"], 2, "expected a file, got a folder"),
        (["--to", "{}/"], 2, "expected a file, got a folder"),
        (["--to", "/dev/null", "--format", "csv"], 2, "expected a file, got something else"),
        (["--to", "ftp://host/x.csv"], 2, "argument --to: expected a local path, file://, s3://"),
        (["--to", "{}/output/batch-prediction/x.csv"], 2, "expected a place of its own, got one among the results"),
        (["--to", "{}/linked/x.csv"], 2, "expected a place of its own, got one among the results"),
        (["--json", "--format", "csv"], 2, "argument --format csv: expected json with --json"),
        (["--where", "scor > 1", "--to", "{}/x.csv"], 2, "did you mean score?"),
        (["nosuch", "--to", "{}/x.csv"], 3, "job nosuch: expected a job of this id below"),
        (["bp-2"], 3, "got none; did you mean bp-1?"),
        (["job.yaml"], 2, "argument job.yaml: expected key=value; a configuration file is given as --config FILE"),
    ],
)
def test_what_cannot_be_done_is_told_and_leaves_nothing(
    arguments: list[str], code: int, message: str, run: Any, job: LaidJob, tmp_path: Path
) -> None:
    (tmp_path / "linked").symlink_to(job.folder)
    got = run(*(argument.format(tmp_path) for argument in arguments))
    assert (got[0], got[1], message in got[2]) == (code, b"", True), got
    assert sorted(path.name for path in tmp_path.iterdir()) == ["linked", "output"]


def test_a_part_that_is_damaged_leaves_the_file_as_it_was(run: Any, job: LaidJob, tmp_path: Path) -> None:
    content = job.path("a.csv").read_bytes()
    job.path("a.csv").write_bytes(content[:4] + b"\1" + content[5:])
    (tmp_path / "x.csv").write_text("before")
    code, out, err = run("--to", str(tmp_path / "x.csv"))
    assert (code, out, "part-00000.csv.gz: expected sha256" in err) == (3, b"", True)
    assert {path.name: path.is_file() and path.read_text() for path in tmp_path.glob("*.*")} == {"x.csv": "before"}


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.csv.gz"])
def test_a_disk_that_is_full_is_told_by_the_place_that_was_written_to(
    name: str, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.RawIOBase):
        def write(self, content: Any) -> int:  # noqa: ARG002 - whatever it is
            raise OSError(28, "No space left on device")

    def full(*_: Any, **keys: Any) -> Any:
        file = real(*_, **keys)
        file.write = Full().write  # type: ignore[method-assign] # of a wrapper
        return file

    real = tempfile.NamedTemporaryFile
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    code, _, err = run("--to", str(tmp_path / name))
    assert (code, f"file file://{tmp_path}/{name}: expected to write the results, got No space left" in err) == (
        6,
        True,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


def test_parquet_in_a_pipe_is_a_whole_file(run: Any) -> None:
    code, out, _ = run("--format", "parquet")
    assert (code, pq.read_table(pa.BufferReader(out)).to_pylist()) == (0, JSON)


def test_small_parts_make_one_row_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [f"C{number},0,1E-1\n" for number in range(50)]
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": texts})
    assert main(["results", "bp-1", f"output={job.output}", "--to", str(tmp_path / "x.parquet")]) == 0
    capsys.readouterr()
    metadata = pq.read_metadata(tmp_path / "x.parquet")
    assert (metadata.num_rows, metadata.num_row_groups) == (50, 1)


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_a_job_without_records_is_a_file_with_its_columns(
    kind: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {})
    assert main(["results", "bp-1", f"output={job.output}", "--format", kind]) == 0
    out = capsysbinary.readouterr().out
    if kind == "parquet":
        assert pq.read_schema(pa.BufferReader(out)).names == ["tag", "bestAnswer", "score"]
    else:
        assert out == {"csv": b"tag,bestAnswer,score\n", "json": b""}[kind]


@pytest.mark.usefixtures("on_terminal")
def test_a_terminal_gets_a_table(run: Any) -> None:
    code, out, _ = run("--columns", "tag,plan,score")
    assert (code, out.decode().splitlines()) == (
        0,
        [
            "job bp-1",
            "",
            "tag  plan       score",
            "---  ---------  ------",
            'C1   gold, "x"  0.9',
            "C2",
            "",
            "C4   é\\         0.0015",
        ],
    )


@pytest.mark.usefixtures("on_terminal")
def test_a_terminal_is_shown_the_first_rows_and_how_to_have_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["".join(f"C{part}-{number},0,{number + 1}E-3\n" for number in range(30)) for part in range(50)]
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": texts})
    job.path("a.csv", 40).unlink()  # what is not shown is not read

    def shown(*arguments: str) -> list[str]:
        assert main(["results", "bp-1", f"output={job.output}", *arguments]) == 0
        return capsys.readouterr().out.splitlines()

    lines = shown()
    assert (lines[4][:4], lines[-3][:5], len(lines)) == ("C0-0", "C0-19", 26)
    assert lines[-1] == "20 of 1,500 records; --to FILE.csv writes all, and so does a pipe"
    job.path("a.csv", 40).write_bytes(gzip.compress(f"tag,bestAnswer,score\n{texts[40]}".encode(), mtime=0))
    assert len(shown("--top", "70")) == 4 + 70
    lines = shown("--where", "score > 0.001")
    assert (len(lines), lines[-1]) == (
        4 + 1000 + 2,
        "1,000 of 1,450 records; --to FILE.csv writes all, and so does a pipe",
    )
    assert shown("--where", "score > 0.5") == ["job bp-1: no such records"]
    assert shown("--format", "csv", "--top", "1")[0] == "tag,bestAnswer,score"


@pytest.mark.usefixtures("on_terminal")
def test_parquet_is_not_printed_on_a_terminal(run: Any) -> None:
    code, out, err = run("--format", "parquet")
    assert (code, out, "expected a pipe or --to FILE, got a terminal" in err) == (2, b"", True)


def test_a_table_is_cut_to_the_terminal_and_obeys_no_text() -> None:
    rows = pa.table({"tag": ["C1", "\x1b[31mred\x07"], "note": ["n" * 50, "日本語" * 9], "score": [0.5, None]})
    lines = render_rows(rows, 40)
    assert lines == [
        "tag              note              score",
        "---------------  ----------------  -----",
        "C1               nnnnnnnnnnnnnnn…  0.5",
        "\\x1b[31mred\\x07  日本語日本語日…",
    ]


def test_columns_for_which_there_is_no_room_are_left_out_but_for_the_last() -> None:
    rows = pa.table({f"column{number}": ["value" * 3] for number in range(20)} | {"bestAnswer": [1], "score": [0.5]})
    lines = render_rows(rows, 60)
    assert lines[0].split()[-2:] == ["bestAns…", "score"]
    assert max(map(len, lines)) <= 60
    assert lines[-1] == "16 more columns; --columns picks"
    two = pa.table({"a" * 12: ["x" * 30], "b" * 12: ["y" * 30]})
    assert render_rows(two, 10)[0] == "aaaaaaa…  bbbbbbb…"


def test_a_reader_that_ends_is_no_error(job: LaidJob) -> None:
    text = "".join(f"C{number},x,0,1E-1\n" for number in range(200_000))
    large = LaidJob(job.output.parent / "large", "tag,plan,bestAnswer,score", {"a.csv": [text]})
    command = (
        f"{sys.executable} -m batchscore.cli results bp-1 output={large.output} | head -n 1; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (141, "tag,plan,bestAnswer,score\n", "")


def test_stdout_that_takes_no_more_is_told(job: LaidJob) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "batchscore.cli", "results", f"output={job.output}"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, "stdout: expected to write to it, got No space left on device" in done.stderr) == (6, True)


def test_options_are_told_when_they_are_mistyped(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["results", "--wehre", "score > 1"])
    assert "did you mean --where?" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["result"])
    assert "did you mean results?" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["describe", "check"])
def test_latest_stands_for_the_last_finished_job_elsewhere_too(
    command: str, job: LaidJob, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([command, "latest", f"output={job.output}", "--json"])
    told = capsys.readouterr()
    if command == "describe":
        assert (code, json.loads(told.out)["BatchPredictionId"]) == (0, "bp-1")
    else:
        assert (code, "manifest" in told.err) == (3, True)  # one laid by hand tells too little to be checked


def test_sigterm_takes_away_what_was_begun(tmp_path: Path) -> None:
    text = "".join(f"C{number},x,0,1E-1\n" for number in range(100_000))
    large = LaidJob(tmp_path / "large", "tag,plan,bestAnswer,score", {"a.csv": [text] * 20})
    target = tmp_path / "lists" / "x.csv"
    target.parent.mkdir()
    command = [sys.executable, "-m", "batchscore.cli", "results", "bp-1", f"output={large.output}", "--to", str(target)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(target.parent.iterdir()):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, list(target.parent.iterdir()), "stopped by SIGTERM; run it again" in err) == (
        5,
        [],
        True,
    )
