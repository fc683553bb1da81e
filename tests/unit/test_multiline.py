"""``multiline: true``: records are found by their quotes, as pandas finds them."""

import bz2
import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.committed import FinishedJob
from tests.unit.test_check import HEADER, check
from tests.unit.test_open_quotes import columns_of, source_of

from batchscore.config.job_config import S3Settings
from batchscore.input import blocks
from batchscore.input.binding import bind
from batchscore.input.columns import Column, Columns
from batchscore.input.csv_lines import TextFormat
from batchscore.input.csv_reader import CsvReader
from batchscore.input.echo_columns import EchoColumn, echo_columns
from batchscore.input.files import InputFile
from batchscore.input.parsed_block import parse_blocks
from batchscore.input.quoted_records import read_records
from batchscore.input.roles import Roles

Record = tuple[int, str | None, tuple[str, ...]]
"""Where a record begins, why it is invalid, and its values with spaces for line ends."""


def reader_of(count: int, **text: Any) -> CsvReader:
    names = columns_of(count).names or ()
    columns = Columns((), tuple(EchoColumn(name, name) for name in names), names, has_header=False)
    return CsvReader(columns, TextFormat(multiline=True, **text), S3Settings())


def read(source: InputFile, reader: CsvReader, together: int = 1000) -> list[Record]:
    found: list[Record] = []
    for block in reader.read(source, 0, source.source.size_in_bytes):
        for parsed in block.parse(together):
            reasons = {record.line: record.reason for record in parsed.invalid}
            places = parsed.locate(range(parsed.record_count))
            rows = zip(*(texts.to_pylist() for texts in parsed.echoed), strict=True)
            found += [
                (place, reasons.get(line), row) for line, (place, row) in enumerate(zip(places, rows, strict=True))
            ]
    return found


def by_pandas(text: str, count: int) -> list[tuple[str, ...]]:
    frame = pd.read_csv(
        io.StringIO(text, newline=""),
        header=None,
        names=range(count),
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=False,
        lineterminator="\n",
    )
    rows = frame.to_numpy().tolist()
    return [tuple(value.replace("\r\n", " ").replace("\n", " ") for value in row) for row in rows]


QUOTED = st.text(alphabet='a,\n"', max_size=6).map(lambda text: '"' + text.replace('"', '""') + '"')
VALUE = st.one_of(st.text(alphabet="ab", max_size=3), QUOTED, QUOTED, st.just('a"b'), st.just('"x\r\ny"'))


@given(
    st.lists(st.tuples(VALUE, VALUE.filter(len)).map(",".join), min_size=1, max_size=8),
    st.booleans(),
    st.integers(1, 30),
    st.integers(1, 4),
)
@example(['"a\nb",c', 'd,"e\n\n"'], True, 3, 1)
def test_well_formed_records_are_those_of_pandas_however_they_are_fetched(
    records: list[str], has_end: bool, chunk_bytes: int, together: int
) -> None:
    text = "\n".join(records) + "\n" * has_end
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "CHUNK_BYTES", chunk_bytes)
        found = read(source_of(folder, text.encode()), reader_of(2), together)
        packed = read(source_of(folder, gzip.compress(text.encode()), "a.csv.gz"), reader_of(2), together)
    assert [values for _, _, values in found] == by_pandas(text, 2)
    assert {reason for _, reason, _ in found} == {None}
    assert packed == found
    lengths = [len(record.encode()) + 1 for record in records]
    assert [place for place, _, _ in found] == (np.cumsum(lengths) - lengths).tolist()


@given(st.text(alphabet='"",,\n\na', max_size=30), st.integers(1, 9), st.integers(1, 3))
def test_any_text_gives_the_same_records_however_it_is_fetched_and_loses_no_byte(
    text: str, chunk_bytes: int, count: int
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        source = source_of(folder, text.encode())
        whole = read(source, reader_of(count))
        patch.setattr(blocks, "CHUNK_BYTES", chunk_bytes)
        assert read(source, reader_of(count), 2) == whole
    assert all(reason is not None or len(values) == count for _, reason, values in whole)


def test_an_invalid_record_is_one_and_the_next_is_found(tmp_path: Path) -> None:
    content = b'a,"1\n2"x,3\nb,"5\n6"\n\n"c\nd"\ne,f\n"g'
    found = read(source_of(tmp_path, content), reader_of(2))
    assert found == [
        (0, "unbalanced_quote", ("", "")),
        (11, None, ("b", "5 6")),
        (19, "blank", ("", "")),
        (20, "column_count", ("", "")),
        (26, None, ("e", "f")),
        (30, "unbalanced_quote", ("", "")),
    ]


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1000])
def test_a_record_that_is_too_long_is_one_where_its_quotes_end(chunk_bytes: int, tmp_path: Path) -> None:
    content = b'a,1\nb,"' + b"x" * 30 + b'\ny,2\n"\nc,3\n'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "CHUNK_BYTES", chunk_bytes)
        found = read(source_of(tmp_path, content), reader_of(2, max_record_bytes=20))
    assert found == [(0, None, ("a", "1")), (4, "too_long", ("", "")), (44, None, ("c", "3"))]


def test_a_stray_quote_costs_its_line_alone_where_its_value_does_not_end(tmp_path: Path) -> None:
    lines = b"c,3\n" * 3_000_000  # more than 8 MiB
    source = source_of(tmp_path, b'a,1\nb,"2\n' + lines)
    reader = reader_of(2)
    found = [
        (parsed.record_count, [(record.offset, record.reason) for record in parsed.invalid])
        for block in reader.read(source, 0, source.source.size_in_bytes)
        for parsed in block.parse()
    ]
    assert sum(count for count, _ in found) == 3_000_002
    assert [record for _, invalid in found for record in invalid] == [(4, "unbalanced_quote")]


def test_a_line_of_more_than_can_be_held_is_cut_and_the_next_is_found(tmp_path: Path) -> None:
    source = source_of(tmp_path, b"a,1\n" + b"x" * (20 << 20) + b"\nb,2\n")
    found = read(source, reader_of(2))
    assert found == [(0, None, ("a", "1")), (4, "too_long", ("", "")), (5 + (20 << 20), None, ("b", "2"))]


@pytest.mark.parametrize(("name", "pack"), [("a.csv", bytes), ("a.csv.gz", gzip.compress), ("a.csv.bz2", bz2.compress)])
@pytest.mark.parametrize("layout", ["parts", "amazon"])
def test_a_job_is_one_split_with_a_line_for_each_record_and_the_check_agrees(
    name: str, pack: Callable[[bytes], bytes], layout: str, tmp_path: Path
) -> None:
    content = b"\xef\xbb\xbf" + HEADER + b'"C\r\n1",1,"x\n""y""",1\nC2,word,"a\n,""b""",1\n"C\n\n3",2,x,"1\n"\n\n'
    job = FinishedJob(tmp_path, {name: pack(content)}, multiline=True, split_bytes=5, layout=layout).commit()
    report = check(job)
    records = 3 if layout == "parts" else 4
    assert (report.findings, report.records_read, report.part_count) == ([], records, 1)
    manifest = json.loads(job.path("bp-1.manifest.json").read_bytes())
    assert manifest["input_format"]["multiline"] is True
    [item] = manifest["inputs"]
    result = gzip.decompress(Path(item["parts"][0]["uri"].removeprefix("file://")).read_bytes()).decode().split("\n")
    assert result[1].startswith("C 1,1,")
    assert result[3].startswith("C  3,1 ,")
    rejected = gzip.decompress(Path(item["rejected"][0]["uri"].removeprefix("file://")).read_bytes()).decode()
    rows = list(csv.reader(io.StringIO(rejected, newline="")))
    start = len(b"\xef\xbb\xbf" + HEADER)
    assert rows[1] == ["0", "2", str(start + 21), "C2", "schema", "invalid_value", "a", 'C2,word,"a\n,""b""",1']


def test_the_line_ends_of_a_header_are_of_its_names_and_columns_bind(tmp_path: Path) -> None:
    source = source_of(tmp_path, b'\xef\xbb\xbf"c\n0",c1\n"a\nb",2\n')
    columns = Columns((), (EchoColumn("c1", "c1"),), None, has_header=True)
    reader = CsvReader(columns, TextFormat(multiline=True), S3Settings())
    assert reader.columns(source) == ("c\n0", "c1")
    assert read(source, reader) == [(12, None, ("2",))]
    assert reader.split_count(source.source, 1) == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'x,"a \n b", 1\n y ,"c", 2 \n', [("x", "a \n b", 1.0), (" y ", "c", 2.0)]),
        (b'x, "a ,\n b" , 1\n y,c , 2\n', [("x", "a ,\n b", 1.0), (" y", "c", 2.0)]),
        (b'x , " q ""z"" \r\n w ",3\nu,v,4\n', [("x ", ' q "z" \r\n w ', 3.0), ("u", "v", 4.0)]),
        (b' "x\ny" ,b, 1\n\t"z",c,2\n', [("x y", "b", 1.0), ("z", "c", 2.0)]),
    ],
)
def test_trimmed_values_keep_what_is_within_their_quotes_and_tags_without_quotes_keep_their_spaces(
    data: bytes, expected: list[tuple[str, str, float]]
) -> None:
    inputs = (Column("s", "string"), Column("d", "double"))
    columns = Columns(inputs, echo_columns(Roles("t")), ("t", "s", "d"), has_header=False)
    text = TextFormat(trim=True, multiline=True)
    [block] = read_records(iter([data]), None, text)
    [parsed] = parse_blocks(block, bind(columns, None, "f"), columns, text)
    assert isinstance(parsed.inputs, pa.Table)
    values = parsed.inputs.to_pydict()
    assert list(zip(parsed.echoed[0].to_pylist(), values["s"], values["d"], strict=True)) == expected
