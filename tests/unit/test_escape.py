"""``escape``: a character that stands before quotes within quoted values."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.committed import FinishedJob
from tests.unit.test_check import HEADER, check
from tests.unit.test_first_look import explained
from tests.unit.test_multiline import read
from tests.unit.test_open_quotes import source_of
from tests.unit.test_reader import COLUMNS as COLUMNS_OF_READER
from tests.unit.test_reader import spec_of

from batchscore.commands.sampling import sample_input
from batchscore.config.job_config import S3Settings, load_config
from batchscore.errors import ConfigError
from batchscore.input import blocks
from batchscore.input.columns import Columns
from batchscore.input.csv_lines import MalformedRecordError, TextFormat, split_record
from batchscore.input.csv_reader import CsvReader
from batchscore.input.diagnosis.sample_warnings import warnings_of
from batchscore.input.echo_columns import EchoColumn
from batchscore.model.predictor import Predictor

COLUMNS = Columns((), (EchoColumn("a", "a"), EchoColumn("b", "b")), ("a", "b"), has_header=False)


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (r'"a \"b\" c",d', ['a "b" c', "d"]),
        (r'"a\\",d', ["a\\", "d"]),
        (r'"\a","\,"', [r"\a", r"\,"]),
        (r"a\",\"", [r"a\"", r"\""]),
        (r'"",""', ["", ""]),
        (r'"\\\"",\\', ['\\"', r"\\"]),
        ('"a""b",c', None),
        (r'"a\",b', None),
    ],
)
def test_how_a_line_with_escapes_reads(line: str, values: list[str] | None, tmp_path: Path) -> None:
    reader = CsvReader(COLUMNS, TextFormat(escape="\\"), S3Settings())
    [(_, reason, found)] = read(source_of(tmp_path, f"{line}\n".encode()), reader)
    assert (reason, list(found)) == ((None, values) if values else ("unbalanced_quote", ["", ""]))


@given(st.lists(st.text(alphabet='a"\\,\\"', max_size=8), min_size=1, max_size=6), st.integers(1, 9))
def test_lines_with_escapes_are_those_of_the_reference_parser(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], chunk_bytes: int
) -> None:
    source = source_of(tmp_path_factory.mktemp("escape"), "".join(f"{line}\n" for line in lines).encode())
    reader = CsvReader(COLUMNS, TextFormat(escape="\\", covers_lines=False), S3Settings())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "CHUNK_BYTES", chunk_bytes)
        found = read(source, reader)
        whole = read(source, CsvReader(COLUMNS, TextFormat(escape="\\", multiline=True), S3Settings()))
    expected: list[tuple[str, ...] | None] = []
    for line in lines:
        try:
            values = split_record(line, ",", escape="\\")
        except MalformedRecordError:
            values = []
        expected.append(tuple(values) if len(values) == 2 else None)
    assert [None if reason else values for _, reason, values in found] == expected
    if '"' not in "".join(lines):
        assert whole == found


def test_the_check_of_a_job_knows_the_escape(tmp_path: Path) -> None:
    content = HEADER + b'"C\\"1",1,"x\\\\",1\nC2,1,"a\\",1\n'
    job = FinishedJob(tmp_path, {"a.csv": content}, escape="\\", split_bytes=7).commit()
    report = check(job)
    assert (report.findings, report.records_read, report.reasons) == ([], 2, {"unbalanced_quote": 1})


def test_a_file_with_escapes_names_the_key_if_it_mends_the_file_and_else_does_not(tmp_path: Path) -> None:
    mended = b"x,t\n" + b'1,"a \\"b\\" c"\n' * 20
    broken = b"x,t\n" + b'1,"a \\"b"c\n' * 20
    assert explained(tmp_path, mended).endswith(
        'a backslash before them inside quoted values: `escape: "\\\\"` reads them'
    )
    assert explained(tmp_path, broken).endswith("; double the quotes within quoted values, and quote only whole values")


@pytest.mark.parametrize(("bad", "named"), [(b'1,"a \\"b\\" c"\n', True), (b'1,"a \\"b"c\n', False)])
def test_a_sample_of_which_some_records_need_the_escape_names_the_key(bad: bytes, named: bool, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"x,t\n" + b"1,a\n" * 90 + bad * 10)
    source = source_of(tmp_path, (tmp_path / "a.csv").read_bytes())
    predictor = Predictor("regression", (), None, lambda frame: np.zeros(len(frame)))
    sample, _ = sample_input(source, spec_of(tmp_path), predictor, None)
    [warning] = warnings_of([sample], COLUMNS_OF_READER)
    assert (warning.count, warning.of, warning.reason) == (10, 100, "unbalanced_quote")
    assert ('`escape: "\\\\"` reads them' in warning.remedy) == named


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('escape: "a"', "key escape: expected one ASCII character"),
        ('escape: "|"\ndelimiter: "|"', "key escape: expected another character than that of the key delimiter"),
        ("escape: '\"'", "key escape: expected one ASCII character"),
    ],
)
def test_what_cannot_be_an_escape_is_told(keys: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(f"model: models:/m/1\ninput: /a/\noutput: /b\n{keys}\n")


def test_an_escape_as_an_argument_is_taken_as_it_stands() -> None:
    assert load_config("model: models:/m/1\ninput: /a/\noutput: /b\n", ["escape=\\"]).escape == "\\"
