"""What stands before the records of a file: names in place of its header, and the line that tells Excel a delimiter."""

import gzip
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.committed import FinishedJob
from tests.scored import csv_inputs, score_split

from batchscore.commands.check import check_job
from batchscore.config.job_config import JobConfig
from batchscore.config.missing_values import MissingRule
from batchscore.errors import InputError
from batchscore.input.columns import Column, Columns, resolve_columns
from batchscore.input.factory import job_reader
from batchscore.input.files import InputFile
from batchscore.input.roles import Roles
from batchscore.model.categories import ModelInput
from batchscore.model.predictor import FloatArray, Predictor
from batchscore.plan import Plan
from batchscore.storage.base import StoredObject
from batchscore.storage.local import LocalStorage

INPUTS = (
    Column("a", "double", required=True),
    Column("b", "string", missing=MissingRule(text="empty"), may_be_absent=True),
    Column("n", "long", may_be_absent=True),
)


def csv_input(folder: Path, name: str, content: bytes) -> InputFile:
    (folder / name).write_bytes(content)
    [item] = csv_inputs([LocalStorage().stat(f"file://{folder}/{name}")], f"file://{folder}/", 4)
    return item


def rows_of(source: InputFile, columns: Columns, split_bytes: int, **keys: Any) -> list[tuple[Any, ...]]:
    """Return the values of all records, read split by split, each split's once its first byte is in it."""
    told: dict[str, Any] = {"model": "models:/m/1", "input": "/in/", "output": "/out"}
    reader = job_reader(JobConfig.model_validate(told | keys), columns)
    size, found = source.source.size_in_bytes, []
    for start in range(0, max(size, 1), split_bytes):
        firsts = 0
        for block in reader.read(source, start, min(start + split_bytes, size)):
            firsts += block.is_first
            for parsed in block.parse():
                assert not parsed.invalid
                inputs = parsed.inputs
                values = inputs.tolist() if isinstance(inputs, np.ndarray) else inputs.to_pylist()
                found += [tuple(row.values()) if isinstance(row, dict) else tuple(row) for row in values]
        assert firsts == (start == 0)
    return found


def read_by_pandas(content: bytes, **options: Any) -> list[tuple[Any, ...]]:
    frame = pd.read_csv(io.BytesIO(content), dtype={"b": str}, **options)
    return list(frame[["a", "b"]].itertuples(index=False, name=None))


TWO = (Column("a", "double", required=True), Column("b", "string"))
LINES = b"1;x\n2;y\n3;z\n"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line", [b"sep=;\n", b"sep=;\r\n", b'"sep=;"\r\n', b"SEP=;\n"])
@pytest.mark.parametrize("split_bytes", [1, 6, 8, 12, 100])
def test_a_line_that_tells_excel_the_delimiter_is_no_record_wherever_splits_are_cut(
    mark: bytes, line: bytes, split_bytes: int, tmp_path: Path
) -> None:
    content = mark + line + b"a;b\n" + LINES
    source = csv_input(tmp_path, "a.csv", content)
    columns = resolve_columns("m", TWO, None, None)
    expected = read_by_pandas(content, sep=";", skiprows=1)
    assert rows_of(source, columns, split_bytes, delimiter=";") == expected == [(1, "x"), (2, "y"), (3, "z")]
    bare = csv_input(tmp_path, "b.csv", mark + line + LINES)
    assert rows_of(bare, resolve_columns("m", TWO, None, False), split_bytes, delimiter=";") == expected
    named = resolve_columns("m", TWO, None, True, names=("b", "a"))
    turned = csv_input(tmp_path, "c.csv", mark + line + b"junk;\xff;\n" + b"x;1\ny;2\nz;3\n")
    assert rows_of(turned, named, split_bytes, delimiter=";") == expected


def test_a_delimiter_line_before_a_long_header_or_in_a_compressed_file_is_none_of_its_records(tmp_path: Path) -> None:
    columns = resolve_columns("m", TWO, None, None)
    long = ";".join(f"column {number:06d}" for number in range(6000)).encode()
    record = b"1;x" + b";" * 6000 + b"\n"
    content = b"sep=;\na;b;" + long + b"\n" + record
    for split_bytes in (20_000, 70_000, 10_000_000):
        assert rows_of(csv_input(tmp_path, "a.csv", content), columns, split_bytes, delimiter=";") == [(1, "x")]
    packed = csv_input(tmp_path, "a.csv.gz", gzip.compress(b"sep=;\n") + gzip.compress(b"a;b\n" + LINES))
    assert rows_of(packed, columns, 1 << 20, delimiter=";") == [(1, "x"), (2, "y"), (3, "z")]


def test_a_delimiter_line_that_tells_another_delimiter_names_the_key(tmp_path: Path) -> None:
    columns = resolve_columns("m", TWO, None, None)
    for line, key in ((b"sep=;", '`delimiter: ";"`'), (b"sep=\t", "`delimiter: \\t`"), (b"sep=|", '`delimiter: "|"`')):
        source = csv_input(tmp_path, "a.csv", line + b"\na,b\n1,x\n")
        with pytest.raises(InputError, match=r'a\.csv: expected the delimiter of the job, got .* "sep="') as caught:
            rows_of(source, columns, 100)
        assert key in str(caught.value)


@pytest.mark.parametrize("line", [b"sep=a", b"sep=;;", b"sep=", b" sep=;", b"xsep=;", b'"sep=;', b"sep=-"])
def test_what_only_looks_like_a_delimiter_line_is_a_header(line: bytes, tmp_path: Path) -> None:
    source = csv_input(tmp_path, "a.csv", line + b"\n1;x\n")
    with pytest.raises(InputError, match=r"header of .*a\.csv: expected"):
        rows_of(source, resolve_columns("m", TWO, None, None), 100, delimiter=";")


def test_a_header_that_leaves_a_name_open_names_the_key(tmp_path: Path) -> None:
    source = csv_input(tmp_path, "a.csv", b'a,"x\nin EUR"\n1,y\n')
    columns = resolve_columns("m", TWO, None, None)
    with pytest.raises(InputError, match=r"got an open quote; `multiline: true` reads names that hold line"):
        rows_of(source, columns, 100)
    with pytest.raises(InputError, match=r"not there: b$"):
        rows_of(source, columns, 100, multiline=True)
    with pytest.raises(InputError, match=r"got an open quote$"):
        rows_of(csv_input(tmp_path, "b.csv", b'a,"x\n1,y\n'), columns, 100, multiline=True)


# ------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize("split_bytes", [3, 100])
def test_names_read_a_file_as_pandas_does_with_them(split_bytes: int, tmp_path: Path) -> None:
    names = ("b", "x", "a")
    text = b"p,,1\nq,7,2\n"
    plain = resolve_columns("m", TWO, None, None, names=names)
    read = rows_of(csv_input(tmp_path, "a.csv", text), plain, split_bytes)
    assert read == read_by_pandas(text, names=names, header=None)
    replaced = resolve_columns("m", TWO, None, True, names=names)
    for header in (b"x,b,a\n", b"a title\n", b'"\xff\n', b"\n"):
        read = rows_of(csv_input(tmp_path, "b.csv", header + text), replaced, split_bytes)
        assert read == read_by_pandas(b"x,x,x\n" + text, names=names, header=0)


# ------------------------------------------------------------------------------------------------ check


def predict(frame: ModelInput) -> FloatArray:
    """Return a number for each record that depends on what is missing."""
    assert isinstance(frame, pd.DataFrame)
    return np.array([a + len(b) + (100 if np.isnan(n) else n) for a, b, n in frame.itertuples(index=False)])


class JobOfColumns(FinishedJob):
    """A job whose columns the keys decide."""

    def _plan(self, batch_id: str, sources: Sequence[StoredObject]) -> Plan:
        plan, config = super()._plan(batch_id, sources), self.config
        columns = resolve_columns("m", INPUTS, None, config.has_header, Roles("id", "y"), config.names)
        inputs = tuple(replace(item, header=None) for item in plan.inputs)
        return replace(plan, spec=replace(plan.spec, columns=columns), inputs=inputs)

    def score(self) -> None:
        plan, predictor = self.plan, Predictor("regression", (), None, predict)
        self.parts = [score_split(split, plan.inputs[split.input_index], plan.spec, predictor) for split in plan.splits]

    @property
    def lines(self) -> dict[str, list[str]]:
        """The records of each input's result."""
        found = {}
        for folder in sorted(self.path("result").iterdir()):
            parts = (gzip.decompress(part.read_bytes()).decode().splitlines()[1:] for part in sorted(folder.iterdir()))
            found[folder.name] = [line for part in parts for line in part]
        return found


def proven(job: FinishedJob) -> bool:
    return not check_job(job.plan.spec.id, job.output).findings


@pytest.mark.parametrize("split_bytes", [7, 1000])
@pytest.mark.parametrize("has_header", [None, True])
def test_a_job_with_names_is_proven(has_header: bool | None, split_bytes: int, tmp_path: Path) -> None:
    header = b"whatever,it,is\n" if has_header else b""
    files = {"a.csv": header + b"r1,0,1,x\nr2,1,2,yy\n", "b.csv": b"sep=,\n" + header + b"r3,0,3,\n"}
    names = ["id", "y", "a", "b"]
    job = JobOfColumns(tmp_path, files, names=names, has_header=has_header, split_bytes=split_bytes).commit()
    assert job.lines == {"bp-1-a.csv": ["r1,0,1.02E2", "r2,1,1.04E2"], "bp-1-b.csv": ["r3,0,1.03E2"]}
    told = job.manifest["input_format"]
    assert (told["names"], told["has_header"]) == (names, bool(has_header))
    assert proven(job)
    job.edit_manifest(input_format=told | {"names": ["y", "id", "a", "b"]})
    assert not proven(job)


@pytest.mark.parametrize("split_bytes", [7, 1000])
def test_files_may_lack_different_optional_columns_and_are_proven(split_bytes: int, tmp_path: Path) -> None:
    files = {
        "all.csv": b"id,a,b,n,y\nr1,1,x,5,0\nr2,2,,,1\n",
        "none.csv": b"id,a,other\nr3,1,x\nr4,2,y\n",
        "numbers.csv": b"n,a,id\n7,1,r5\n",
        "twice.csv": b"id,a,b,a,n,y\nr6,1,x,9,5,0\n",
    }
    job = JobOfColumns(tmp_path, files, split_bytes=split_bytes).commit()
    assert job.lines == {
        "bp-1-all.csv": ["r1,0,7E0", "r2,1,1.02E2"],
        "bp-1-none.csv": ["r3,,1.01E2", "r4,,1.02E2"],
        "bp-1-numbers.csv": ["r5,,8E0"],
        "bp-1-twice.csv": ["r6,0,7E0"],
    }
    told = [
        (item["extra_columns"], item.get("missing_columns"), item.get("repeated_columns"))
        for item in job.manifest["inputs"]
    ]
    assert told == [
        ([], None, None),
        (["other"], ["b", "n"], None),
        ([], ["b"], None),
        (["a.1"], None, {"a": [2, 4]}),
    ]
    assert proven(job)


def test_a_first_line_of_sep_was_a_record_to_the_jobs_of_version_01(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": b"sep=,\nr1,1,x,0\n"}, has_header=False).commit()
    assert proven(job)
    told = {key: value for key, value in job.manifest["input_format"].items() if key != "empty_last_line_is_record"}
    job.edit_manifest(input_format=told)
    assert not proven(job)


@pytest.mark.parametrize("gap", [b"", b",5,\n"])
def test_numbers_alone_stand_under_their_names_where_a_column_is_absent(gap: bytes, tmp_path: Path) -> None:
    inputs = tuple(Column(name, "double", may_be_absent=True) for name in "dabc")
    content = b"c,a,x\n1,2,7\n3,-0,8\n" + gap
    read = rows_of(csv_input(tmp_path, "a.csv", content), resolve_columns("m", inputs, None, None), 1 << 20)
    expected = pd.read_csv(io.BytesIO(content)).reindex(columns=list("dabc")).to_numpy(float)
    np.testing.assert_array_equal(np.array(read, float), expected)
