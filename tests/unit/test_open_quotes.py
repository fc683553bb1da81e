"""A line that leaves a quoted value open, and the lines that a record over several lines would hold."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.stretches import covered_lines, lines_of, values_in, without_end

from batchscore.config.job_config import S3Settings
from batchscore.errors import InputError
from batchscore.input import blocks, open_quotes
from batchscore.input.columns import Columns
from batchscore.input.csv_lines import TextFormat, split_text
from batchscore.input.csv_reader import CsvReader
from batchscore.input.echo_columns import echo_columns
from batchscore.input.files import InputFile
from batchscore.input.roles import Roles
from batchscore.storage.local import LocalStorage

Verdict = tuple[int, str | None]
"""Where a line begins, and the reason for which it is invalid."""


def expected(text: str, column_count: int, longest: int) -> list[Verdict]:
    """Judge each line by the rule's words, looking at every stretch of lines."""
    lines = lines_of(text)
    covered = covered_lines(lines, column_count, longest)
    found, offset = [], 0
    for number, line in enumerate(lines):
        found.append((offset, "line_end_in_quotes" if number in covered else own_fault(line, column_count, longest)))
        offset += len(line)
    return found


def own_fault(line: str, column_count: int, longest: int) -> str | None:
    content = without_end([line])
    if len(content) > longest:
        return "too_long"
    if not content:
        return "blank"
    count = values_in(content)
    return "unbalanced_quote" if count < 0 else None if count == column_count else "column_count"


def source_of(folder: str | Path, content: bytes, name: str = "a.csv") -> InputFile:
    Path(folder, name).write_bytes(content)
    return InputFile(LocalStorage().stat(f"file://{folder}/{name}"), name, 1)


def columns_of(count: int, *, has_header: bool = False) -> Columns:
    names = tuple(f"c{number}" for number in range(count))
    return Columns((), echo_columns(Roles(names[0])), None if has_header else names, has_header)


def verdicts(source: InputFile, reader: CsvReader, split_bytes: int, together: int = 1000) -> list[Verdict]:
    """Read all splits of an input; what became of each line, in order."""
    found: list[Verdict] = []
    for start in range(0, max(source.source.size_in_bytes, 1), split_bytes):
        stop = min(start + split_bytes, source.source.size_in_bytes)
        for block in reader.read(source, start, stop):
            for parsed in block.parse(together):
                reasons = {record.line: record.reason for record in parsed.invalid}
                places = parsed.locate(range(parsed.record_count))
                found += [(place, reasons.get(line)) for line, place in enumerate(places)]
    return found


TEXTS = st.text(alphabet='"",\n\na\r', max_size=24)


@given(TEXTS, st.integers(1, 3), st.integers(1, 26), st.integers(1, 12), st.integers(1, 20), st.integers(1, 3))
@example('"a\nb\nc"\n', 1, 9, 3, 20, 1)
@example('a","b\n,"\na","b\n"\n', 3, 5, 4, 20, 1)
@example('"\n"",\n",a\n', 2, 1, 1, 6, 1)
def test_the_same_lines_are_invalid_however_a_file_is_cut(
    text: str, column_count: int, split_bytes: int, chunk_bytes: int, longest: int, together: int
) -> None:
    reader = CsvReader(columns_of(column_count), TextFormat(max_record_bytes=longest), S3Settings())
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "CHUNK_BYTES", chunk_bytes)
        patch.setattr(blocks, "TAIL_BYTES", chunk_bytes)
        source = source_of(folder, text.encode())
        found = verdicts(source, reader, split_bytes, together)
    assert found == expected(text, column_count, longest)


@given(TEXTS, st.integers(1, 2), st.integers(1, 12), st.integers(1, 20))
def test_the_same_lines_are_invalid_in_a_compressed_file(
    text: str, column_count: int, chunk_bytes: int, longest: int
) -> None:
    reader = CsvReader(columns_of(column_count), TextFormat(max_record_bytes=longest), S3Settings())
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "CHUNK_BYTES", chunk_bytes)
        source = source_of(folder, gzip.compress(text.encode()), "a.csv.gz")
        found = verdicts(source, reader, 1 << 20)
    assert found == expected(text, column_count, longest)


@pytest.mark.parametrize("split_bytes", [1, 2, 3, 7, 100])
def test_a_byte_order_mark_does_not_hide_that_the_first_line_leaves_a_value_open(
    tmp_path: Path, split_bytes: int
) -> None:
    source = source_of(tmp_path, b'\xef\xbb\xbf"a\nb,1\nc",2\nd,3\n')
    reader = CsvReader(columns_of(2), TextFormat(), S3Settings())
    covered = "line_end_in_quotes"
    found = verdicts(source, reader, split_bytes)
    assert found == [(3, covered), (6, covered), (10, covered), (15, None)]


@pytest.mark.parametrize("split_bytes", [1, 5, 9, 100])
def test_a_header_is_no_line_that_leaves_a_value_open(tmp_path: Path, split_bytes: int) -> None:
    source = source_of(tmp_path, b'c0,"c""1"\na,1\n"b\nc,2\n",3\n')
    reader = CsvReader(columns_of(2, has_header=True), TextFormat(), S3Settings())
    covered = "line_end_in_quotes"
    found = verdicts(source, reader, split_bytes)
    assert found == [(10, None), (14, covered), (17, covered), (21, covered)]


@pytest.mark.parametrize("chunk_bytes", [1, 8, 1000])
@pytest.mark.parametrize("split_bytes", [1, 5, 9, 100])
def test_a_header_in_whose_place_names_stand_leaves_no_value_open(
    tmp_path: Path, split_bytes: int, chunk_bytes: int
) -> None:
    source = source_of(tmp_path, b'c0,"in EUR\na,1\nb"\nc,3\n')
    columns = Columns((), echo_columns(Roles("c0")), ("c0", "c1"), has_header=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "CHUNK_BYTES", chunk_bytes)
        found = verdicts(source, CsvReader(columns, TextFormat(), S3Settings()), split_bytes)
    assert found == [(11, None), (15, "column_count"), (18, None)]


@pytest.mark.parametrize("trim", [True, False])
def test_a_quote_after_a_carriage_return_begins_no_value(tmp_path: Path, trim: bool) -> None:
    source = source_of(tmp_path, b'\r","\nb"\nc,3\n')
    reader = CsvReader(columns_of(2), TextFormat(trim=trim), S3Settings())
    assert verdicts(source, reader, 100) == [(0, "line_end_in_quotes"), (5, "line_end_in_quotes"), (8, None)]


def test_what_follows_a_block_is_fetched_first_only_where_it_leaves_a_value_open(tmp_path: Path) -> None:
    asked: list[tuple[int, int]] = []
    read = LocalStorage.read_range

    def recorded(self: LocalStorage, source: object, start: int, stop: int) -> bytes:
        asked.append((start, stop))
        return read(self, source, start, stop)  # type: ignore[arg-type]

    def first_block(content: bytes) -> int:
        asked.clear()
        next(
            CsvReader(columns_of(2), TextFormat(max_record_bytes=8), S3Settings()).read(
                source_of(tmp_path, content), 0, 8
            )
        )
        return max(stop for _, stop in asked)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalStorage, "read_range", recorded)
        patch.setattr(blocks, "TAIL_BYTES", 2)
        assert first_block(b'a,1\n"b",2\nc,3\nd,4\ne,5\n') == 10
        assert first_block(b'a,1\nb,"2\nc,3\nd,4\ne,5\n') > 10


def test_the_lines_of_a_stretch_of_just_the_limit_are_invalid_and_of_one_byte_more_the_open_one_alone(
    tmp_path: Path,
) -> None:
    def limit(longest: int) -> list[str | None]:
        source = source_of(tmp_path, b'a,1\n"b\nc,2\n",3\r\n')
        reader = CsvReader(columns_of(2), TextFormat(max_record_bytes=longest), S3Settings())
        return [reason for _, reason in verdicts(source, reader, 5)]

    assert limit(10) == [None, *["line_end_in_quotes"] * 3]
    assert limit(9) == [None, "unbalanced_quote", None, "unbalanced_quote"]


def test_a_header_may_be_as_long_as_a_record(tmp_path: Path) -> None:
    source = source_of(tmp_path, b"c0," + b"x" * 97 + b"\r\na,1\n")
    columns = columns_of(1, has_header=True)
    assert CsvReader(columns, TextFormat(max_record_bytes=100), S3Settings()).columns(source) == ("c0", "x" * 97)
    with pytest.raises(InputError, match="expected at most 99 bytes, got more; raise `max_record_bytes`"):
        CsvReader(columns, TextFormat(max_record_bytes=99), S3Settings()).columns(source)


def test_many_lines_that_leave_values_open_are_judged_in_time(tmp_path: Path) -> None:
    # Each goes on where the one before is still open: each stretch would be of 100 KB.
    source = source_of(tmp_path, b'a","b\n' * 40_000)
    reader = CsvReader(columns_of(2), TextFormat(), S3Settings())
    assert {reason for _, reason in verdicts(source, reader, 1 << 20)} == {"unbalanced_quote"}


def test_lines_without_a_quote_are_not_read_on_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def recorded(line: str, text: TextFormat) -> list[str]:
        read.append(line)
        return split_text(line, text)

    monkeypatch.setattr(open_quotes, "split_text", recorded)
    source = source_of(tmp_path, b'a,"1\n' + b"b,2\n" * 1000 + b'c,"3\n' + b"d,4\n" * 1000)

    reasons = [reason for _, reason in verdicts(source, CsvReader(columns_of(2), TextFormat(), S3Settings()), 1 << 20)]

    assert [place for place, reason in enumerate(reasons) if reason] == [0, 1001]
    assert {line.lstrip('"').strip('\n"') for line in read} == {'a,"1', 'c,"3'}
