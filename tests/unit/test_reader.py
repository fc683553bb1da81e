"""The seam between formats and the rest: records of any source go through look and scoring by a reader's answers."""

import gzip
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.parsed import parse_block
from tests.scored import csv_inputs
from tests.unit.test_plan import make_plan

from batchscore.config.job_config import JobConfig
from batchscore.errors import InputError
from batchscore.input.binding import Binding, bind
from batchscore.input.blocks import Block
from batchscore.input.columns import Column, Columns
from batchscore.input.csv_lines import TextFormat
from batchscore.input.diagnosis.findings import FaultKind, Finding
from batchscore.input.factory import job_reader
from batchscore.input.files import InputFile, make_splits, with_headers
from batchscore.input.parsed_block import InvalidRecord, ParsedBlock
from batchscore.input.reader import Reader
from batchscore.model.predictor import Predictor
from batchscore.output.parts import PartFile
from batchscore.plan import JobSpec, make_inputs
from batchscore.preflight.beginnings import Scope, explain_input, look_at
from batchscore.preflight.sample import choose_sample, complete_records
from batchscore.scoring.score_split import score_split
from batchscore.storage.base import StoredObject
from batchscore.storage.local import LocalStorage

COLUMNS = Columns((Column("x", "double"), Column("t", "string")), (), None, has_header=True)
Row = tuple[Any, ...]


class RowsParsed(ParsedBlock):
    """Rows: each stands where its number says, and is shown as Python shows it."""

    def raw(self, rows: Sequence[int]) -> list[bytes]:
        return [b"row %d" % place for place in self.locate(rows)]


@dataclass(frozen=True)
class RowsBlock:
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    offset: int
    is_first: bool

    @property
    def binding(self) -> Binding:
        return bind(COLUMNS, self.names, "rows")

    @property
    def size_in_bytes(self) -> int:
        return len(self.rows)

    @property
    def record_count(self) -> int:
        return len(self.rows)

    def parse(self, records_together: int = 100) -> Iterator[ParsedBlock]:
        for first in range(0, len(self.rows), records_together):
            yield self._parsed(self.offset + first, self.rows[first : first + records_together])

    def joined(self, others: Sequence["RowsBlock"]) -> "RowsBlock":
        rows = tuple(row for block in (self, *others) for row in block.rows)
        return replace(self, rows=rows)

    def explain(self, kind: FaultKind, number: int, record_count: int) -> str:
        return f"{number} of {record_count} rows have {kind[0]} in {kind[1]}"

    def _parsed(self, first: int, rows: Sequence[Row]) -> ParsedBlock:
        [x, t] = self.binding.input_places
        bad = [place for place, row in enumerate(rows) if not isinstance(row[x], float)]
        good = [place for place in range(len(rows)) if place not in bad]
        words = pa.array([row[t] for row in rows], pa.string()).dictionary_encode()
        numbers = pa.array([None if place in bad else row[x] for place, row in enumerate(rows)], pa.float64())
        values = pa.table({"x": numbers, "t": words})
        block = RowsParsed(
            offset=first,
            line_starts=np.arange(len(rows) + 1),
            lines=np.array(good, np.int64),
            inputs=values.filter(numbers.is_valid()),
            values=values,
            echoed=(),
            invalid=[],
            invalid_values=Counter({"x": len(bad)}) if bad else Counter(),
            data=b"",
        )
        rejected: list[InvalidRecord] = block.reject([(place, "schema", "invalid_value", "x") for place in bad])
        return replace(block, invalid=rejected)


@dataclass(frozen=True)
class RowsReader:
    """Reads tables held in memory: a byte of an input is a row, and a split of two is cut into blocks of one row."""

    tables: tuple[tuple[str, tuple[str, ...], tuple[Row, ...]], ...]

    def split_count(self, source: StoredObject, split_bytes: int) -> int:
        return max(1, -(-source.size_in_bytes // split_bytes))

    def columns(self, source: InputFile) -> tuple[str, ...] | None:
        return next(names for uri, names, _ in self.tables if uri == source.source.uri)

    def read(self, source: InputFile, start: int, stop: int) -> Iterator[RowsBlock]:
        [(names, rows)] = [(names, rows) for uri, names, rows in self.tables if uri == source.source.uri]
        for place in range(start, min(stop, len(rows))):
            yield RowsBlock(names, rows[place : place + 1], place, is_first=place == 0)

    def read_beginning(self, source: InputFile, size_in_bytes: int | None) -> Iterator[RowsBlock]:
        yield from self.read(source, 0, source.source.size_in_bytes if size_in_bytes is None else size_in_bytes)

    def content_bytes(self, source: StoredObject) -> int | None:
        return source.size_in_bytes


PEOPLE = ((1.0, "a", 0), (2.0, "bb", 0), ("word", "c", 0), (13.0, "d", 0), (5.0, "eeee", 0))
TABLES = (("mem://people", ("x", "t", "more"), PEOPLE), ("mem://swapped", ("t", "x"), (("ff", 6.0), ("g", 7.0))))


def predict(frame: Any) -> Any:
    if (frame["x"] == 13).any():
        raise ValueError("13")
    return frame["x"].to_numpy() + frame["t"].str.len().to_numpy()


def spec_of(folder: Path) -> JobSpec:
    keys = {"id": "bp-1", "model": "models:/m/1", "input": f"{folder}/", "output": f"{folder}/out", "split_bytes": 2}
    config = JobConfig.model_validate(keys | {"invalid_records": "blank"})
    spec = replace(make_plan().spec, config=config, columns=COLUMNS)
    return replace(spec, model_type="regression", classes=(), positive_label=None)


def scored(inputs: Sequence[InputFile], spec: JobSpec, split_bytes: int, reader: Reader) -> list[PartFile]:
    model = Predictor("regression", (), None, predict)
    parts = []
    for split in make_splits(inputs, split_bytes):
        source = inputs[split.input_index]
        content = reader.read(source, split.start, split.stop)
        parts.append(score_split(content, split, source, spec, model).store())
    return parts


def text_of(uri: str) -> list[str]:
    return gzip.decompress(Path(uri.removeprefix("file://")).read_bytes()).decode().split("\n")[1:-1]


def rows_inputs(reader: Reader) -> tuple[InputFile, ...]:
    sources = [StoredObject(uri, len(rows), "e") for uri, _, rows in TABLES]
    return make_inputs(sources, "mem://", 2, reader)


def test_records_of_another_source_are_scored_as_those_of_csv_are(tmp_path: Path) -> None:
    reader, spec = RowsReader(TABLES), spec_of(tmp_path)
    inputs = rows_inputs(reader)
    assert [item.split_count for item in inputs] == [3, 1]

    parts = scored(inputs, spec, 2, reader)

    assert [text_of(part.file.uri) for part in parts] == [["2E0", "4E0"], ["", ""], ["9E0"], ["8E0", "8E0"]]
    assert [part.extra_columns for part in parts] == [["more"], [], [], []]
    [rejected] = [text_of(part.rejected.uri) for part in parts if part.rejected]
    assert rejected == ["1,1,2,,schema,invalid_value,x,row 2", "1,2,3,,model,model_error,,row 3"]
    assert set(parts[0].seconds) >= {"read", "parse", "convert", "predict", "format", "write"}
    (tmp_path / "people.csv").write_text("x,t,more\n1,a,0\n2,bb,0\nword,c,0\n13,d,0\n5,eeee,0\n")
    (tmp_path / "swapped.csv").write_text("t,x\nff,6\ng,7\n")
    storage = LocalStorage()
    sources = [storage.stat(f"file://{tmp_path}/{name}.csv") for name in ("people", "swapped")]
    files = csv_inputs(sources, f"file://{tmp_path}/", 1000)
    same = scored(files, spec, 1000, job_reader(spec.config, COLUMNS))
    assert [line for part in same for line in text_of(part.file.uri)] == [
        line for part in parts for line in text_of(part.file.uri)
    ]


def test_records_of_another_source_are_looked_at_and_sampled(tmp_path: Path) -> None:
    reader = RowsReader(TABLES)
    inputs, scope = rows_inputs(reader), Scope(spec_of(tmp_path), reader, first_bytes=4)

    looked = look_at(inputs, scope, keep_bytes=4)

    assert looked.faults == {}
    assert looked.findings == [Finding(4, 1, 3, False, {("invalid_value", "x"): 1}), Finding(2, 0, 2)]
    assert looked.headers == {"mem://people": ("x", "t", "more"), "mem://swapped": ("t", "x")}
    assert [part.numbers for part in choose_sample(inputs, looked.findings)] == [(0, 1, 2), (0, 1)]
    [first, second] = complete_records(inputs[0], scope, [0, 2], looked.heads.get("mem://people"))
    assert isinstance(first, pa.Table)
    assert isinstance(second, pa.Table)
    assert [table["x"].to_pylist() for table in (first, second)] == [[1.0], [13.0]]


def test_a_reader_explains_what_most_of_its_records_have_wrong(tmp_path: Path) -> None:
    tables = (("mem://people", ("x", "t"), (("word", "a"), ("word", "b"))),)
    reader = RowsReader(tables)
    [source] = make_inputs([StoredObject("mem://people", 2, "e")], "mem://", 2, reader)
    told = explain_input(source, Scope(spec_of(tmp_path), reader, first_bytes=10))
    assert told == "2 of 2 rows have invalid_value in x"


# --- CSV's


def csv_input(folder: Path, name: str, content: bytes) -> InputFile:
    (folder / name).write_bytes(content)
    [item] = csv_inputs([LocalStorage().stat(f"file://{folder}/{name}")], f"file://{folder}/", 4)
    return item


def test_the_columns_of_a_csv_file_are_its_header_s_names_and_none_without_header_or_records(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    reader = job_reader(spec.config, COLUMNS)
    marked = csv_input(tmp_path, "a.csv", b'\xef\xbb\xbf"x, y",t\r\n1,a\r\n')
    packed = csv_input(tmp_path, "b.csv.gz", gzip.compress(b"x,t\n1,a\n"))
    assert reader.columns(marked) == ("x, y", "t")
    assert reader.columns(packed) == ("x", "t")
    assert reader.columns(csv_input(tmp_path, "c.csv", b"")) is None
    Path(tmp_path / "a.csv").unlink()  # without headers nothing is read for it
    assert job_reader(spec.config, replace(COLUMNS, has_header=False, names=("x", "t"))).columns(marked) is None


def test_a_later_split_takes_the_header_that_is_known_and_else_reads_it(tmp_path: Path) -> None:
    source = csv_input(tmp_path, "a.csv", b"x,t\n1,a\n2,b\n")
    reader = job_reader(spec_of(tmp_path).config, COLUMNS)
    [read] = reader.read(source, 8, 12)
    [known] = reader.read(with_headers([source], {source.source.uri: ("t", "x")})[0], 8, 12)
    assert (read.names, known.names) == (("x", "t"), ("t", "x"))
    assert (read.offset, read.record_count, read.is_first) == (8, 1, False)
    assert (read.binding.positions, known.binding.positions) == ((0, 1), (1, 0))


@pytest.mark.parametrize(("name", "size"), [("a.csv", 8), ("a.csv.gz", None), ("a.csv.BZ2", None)])
def test_a_compressed_file_is_one_split_and_its_content_s_size_unknown(name: str, size: int | None) -> None:
    reader = job_reader(make_plan().spec.config, COLUMNS)
    source = StoredObject(f"s3://b/{name}", 8, "e")
    assert reader.content_bytes(source) == size
    assert reader.split_count(source, 4) == (1 if size is None else 2)


def test_a_header_that_does_not_fit_tells_what_explains_it_wherever_it_is_read(tmp_path: Path) -> None:
    source = csv_input(tmp_path, "a.csv", b"x;t\n1;a\n")
    with pytest.raises(InputError, match='expected columns that are not there: x, t; with ";" between them'):
        list(job_reader(spec_of(tmp_path).config, COLUMNS).read(source, 0, 8))


def test_a_block_tells_where_its_records_stand_and_what_they_were() -> None:
    binding = bind(COLUMNS, ("x", "t"), "a.csv")
    parsed = parse_block(Block(7, b"1,a\r\n2,bb\nword,%s\n" % (b"c" * 2000)), binding, COLUMNS, TextFormat())
    assert parsed.locate([0, 1, 2]) == [7, 12, 17]
    assert parsed.raw([1, 0]) == [b"2,bb", b"1,a"]
    assert parsed.raw([2]) == [b"word," + b"c" * 1019]
    assert [(record.offset, record.raw) for record in parsed.invalid] == [(17, b"word," + b"c" * 1019)]
