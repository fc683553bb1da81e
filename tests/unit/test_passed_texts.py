"""Texts that results echo are those of the file, whatever its dialect, and nothing that is echoed changes a value."""

import csv
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parsed import parse_block

from batchscore.config.job_config import JobConfig, make_config
from batchscore.config.missing_values import PANDAS_WORDS, MissingRule
from batchscore.input import binding, blocks
from batchscore.input.binding import bind
from batchscore.input.blocks import Block
from batchscore.input.columns import Column, Columns, ColumnType
from batchscore.input.csv_lines import TextFormat
from batchscore.input.echo_columns import EchoColumn
from batchscore.input.echoed_texts import EchoedTexts, JoinedTexts
from batchscore.input.factory import job_reader
from batchscore.input.files import InputFile
from batchscore.input.parsed_block import ParsedBlock
from batchscore.output.echoed_text import row_ids
from batchscore.output.result_text import ResultFormat, format_predictions
from batchscore.storage.local import LocalStorage

NUMBERS = [
    *("1", "-0", "0.1", "1e5", "+1", " 1", "1 ", "\t2", "007", "0x1F", "0x", "1_000", ".5", "5.", "1e400", "1e-400"),
    *("9007199254740993", "9007199254740993.0", "-9223372036854775808", "9223372036854775808", "1" * 30, "4294967296"),
    *(
        "1,5",
        "1.234,5",
        "1,234.5",
        "1,,2",
        "1'000",
        "3.5e38",
        "0.1e1",
        "1.0",
        "16777217",
        "--1",
        "1e",
        "-999",
        "-999.0",
    ),
]
WORDS = ["", "NA", " NA ", "NaN", "nan", "-nan", "inf", "Infinity", "None", "1.#IND", "1,#IND", "yes", " No", "x", "é"]


# --- what reaches the model


def values_of(block: ParsedBlock) -> Any:
    """Return the model's columns to the bit, which records have them, and what became of the others."""
    inputs = block.inputs
    columns = inputs.T.tolist() if isinstance(inputs, np.ndarray) else [item.to_pylist() for item in inputs.columns]
    values = [[item.hex() if isinstance(item, float) else item for item in column] for column in columns]
    told = [(record.line, record.offset, record.reason, record.attribute, record.raw) for record in block.invalid]
    return values, block.lines.tolist(), told, block.invalid_values


KINDS: list[ColumnType] = ["double", "float", "long", "integer", "boolean", "string"]
COLUMN = st.builds(
    lambda kind, required, words, missing: Column("", kind, required, words and kind != "string", missing, words),
    st.sampled_from(KINDS) | st.just("double"),
    st.booleans(),
    st.booleans(),
    st.sampled_from(
        [
            MissingRule(),
            MissingRule(is_refused=True),
            MissingRule(PANDAS_WORDS | {"-999"}, frozenset([-999.0]), invalid_is_missing=True),
        ]
    ),
)
SPELLINGS = [
    TextFormat(),
    TextFormat(delimiter=";", decimal=","),
    TextFormat(delimiter=";", decimal=",", thousands="."),
    TextFormat(delimiter="\t", thousands=","),
    TextFormat(trim=True),
    TextFormat(multiline=True),
]


@st.composite
def typed_columns(draw: st.DrawFn) -> tuple[tuple[Column, ...], TextFormat, bytes]:
    """Return inputs of any types, and records of which a column mostly holds values of one manner."""
    text = draw(st.sampled_from(SPELLINGS))
    kinds = draw(st.lists(COLUMN, min_size=1, max_size=9))
    rule = kinds[0].missing  # the same words in all columns, as a configuration has it
    inputs = tuple(
        Column(f"c{place}", kind.type, kind.required, kind.binary_words, rule, kind.numbers_too)
        for place, kind in enumerate(kinds)
    )
    plain = st.integers(-(10**18), 10**18).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    manners = [plain, plain | st.just(""), st.sampled_from(NUMBERS + WORDS), st.sampled_from(NUMBERS)]
    cells = [draw(st.sampled_from(manners)) for _ in inputs]
    rows = draw(st.lists(st.tuples(*cells), min_size=1, max_size=5))
    is_quoted = draw(st.booleans())
    lines = [text.delimiter.join(_written(cell, text, is_quoted=is_quoted) for cell in row) for row in rows]
    return inputs, text, "".join(line + "\n" for line in lines).encode()


def _written(cell: str, text: TextFormat, *, is_quoted: bool) -> str:
    return f'"{cell}"' if is_quoted or text.delimiter in cell else cell


@given(typed_columns(), st.sampled_from([1, 8]))
def test_no_value_that_reaches_the_model_changes_by_what_is_echoed(
    given_columns: tuple[tuple[Column, ...], TextFormat, bytes], fewest: int
) -> None:
    inputs, text, data = given_columns
    names = [column.name for column in inputs]
    echoed = tuple(EchoColumn(name, name) for name in names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binding, "_FEWEST_NEIGHBOURS", fewest)
        outcomes = []
        for echo in ((), echoed, echoed[::-1]):
            columns = Columns(inputs, echo, None, has_header=True)
            outcomes.append(values_of(parse_block(Block(0, data), bind(columns, names, "f"), columns, text)))
    assert outcomes[0] == outcomes[1] == outcomes[2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", NUMBERS + WORDS)
def test_a_value_is_the_same_echoed_or_not(cell: str, kind: ColumnType) -> None:
    for text in SPELLINGS:
        for required in (False, True):
            inputs = (Column("a", kind, required), Column("b", "string"))
            data = f"{_written(cell, text, is_quoted=False)}{text.delimiter}t\n1{text.delimiter}t\n".encode()
            outcomes = []
            for echo in ((), (EchoColumn("a", "a"),)):
                columns = Columns(inputs, echo, None, has_header=True)
                outcomes.append(values_of(parse_block(Block(0, data), bind(columns, ["a", "b"], "f"), columns, text)))
            assert outcomes[0] == outcomes[1], text


# --- what is echoed


class Written(NamedTuple):
    """A record: its cells, None where it cannot be parsed, and its line with its end."""

    cells: list[str] | None
    line: bytes


@dataclass(frozen=True)
class Passed:
    """A file, the keys that read it, its records, and the columns that are echoed by their numbers."""

    keys: dict[str, Any]
    header: bytes
    records: list[Written]
    echoed: list[int]
    width: int

    @property
    def content(self) -> bytes:
        return self.header + b"".join(record.line for record in self.records)


ALPHABET = "ab1,;\t| \"'.-\\=+@é€\ufeff"
DIALECTS = st.fixed_dictionaries(
    {},
    optional={
        "delimiter": st.sampled_from([";", "\t", "|"]),
        "encoding": st.sampled_from(["latin-1", "cp1252", "utf-8"]),
        "escape": st.just("\\"),
        "multiline": st.just(True),
        "decimal": st.just(","),
        "thousands": st.just("'"),
        "trim": st.just(True),
        "max_record_bytes": st.integers(60, 90),
    },
)


@st.composite
def passed(draw: st.DrawFn) -> Passed:
    """Return a file of any dialect."""
    keys = draw(DIALECTS)
    if keys.get("multiline"):
        keys.pop("max_record_bytes", None)  # which record is too long depends on those after it
    width = draw(st.sampled_from([2, 3, 8, 9, 12]))
    plain_alone = draw(st.booleans())
    end = st.sampled_from(["\n", "\r\n"])
    names = ['"{}"' if draw(st.booleans()) else "{}" for _ in range(width)]
    delimiter = str(keys.get("delimiter", ","))
    header = delimiter.join(name.format(f"c{place}") for place, name in enumerate(names)) + draw(end)
    count = draw(st.integers(1, 6))
    records = [draw(written(keys, width, plain_alone, is_last=number == count - 1)) for number in range(count)]
    order = list(range(width))
    echoed = draw(st.just(order) | st.permutations(order) | st.lists(st.sampled_from(order), min_size=1, max_size=14))
    return Passed(keys, header.encode(), records, echoed, width)


@st.composite
def written(draw: st.DrawFn, keys: dict[str, Any], width: int, plain_alone: bool, is_last: bool) -> Written:
    encoding, delimiter = str(keys.get("encoding", "utf-8")), str(keys.get("delimiter", ","))
    end = draw(st.sampled_from(["\n", "\r\n", ""] if is_last else ["\n", "\r\n"]))
    if not is_last and draw(st.integers(0, 7)) == 0:
        spoilt = draw(st.sampled_from(["", delimiter * width, '"a"b' + delimiter * (width - 1)]))
        return Written(None, (spoilt + end).encode())
    within = ALPHABET + "\n\r" if keys.get("multiline") else ALPHABET
    texts = st.sampled_from(NUMBERS + WORDS)
    if not plain_alone:
        texts |= st.text(within, max_size=5) | st.just("a\r\nb" if keys.get("multiline") else "ab")
    pairs = [draw(cell(texts, keys, plain_alone)) for _ in range(width)]
    line = delimiter.join(text for _, text in pairs).encode(encoding)
    is_long = len(line) > keys.get("max_record_bytes", 10**6)
    return Written(None if is_long else [value for value, _ in pairs], line + end.encode())


@st.composite
def cell(draw: st.DrawFn, texts: st.SearchStrategy[str], keys: dict[str, Any], plain_alone: bool) -> tuple[str, str]:
    """Return a value and how a file has it."""
    delimiter, escape = keys.get("delimiter", ","), keys.get("escape")
    encoding = keys.get("encoding", "utf-8")
    value = draw(texts).encode(encoding, "replace").decode(encoding)
    if plain_alone:
        value = value.replace(delimiter, "")
    needs = any(mark in value for mark in (delimiter, "\n", "\r", escape or delimiter)) or value.lstrip().startswith(
        '"'
    )
    if not needs and (plain_alone or draw(st.booleans())):
        return value, value
    doubled = value.replace('"', '""') if escape is None else value.replace("\\", "\\\\").replace('"', '\\"')
    blanks = st.sampled_from(["", " ", " \t"] if keys.get("trim") and delimiter != "\t" else [""])
    return value, f'{draw(blanks)}"{doubled}"{draw(blanks)}'


def expected(file: Passed) -> list[list[str]]:
    """Return the texts of the echoed columns as pandas reads the records that can be parsed; of others empty ones."""
    if file.keys.get("trim"):  # pandas does not drop spaces beside quotes; those of unquoted values are kept
        rows = [record.cells or [""] * file.width for record in file.records]
    else:
        frame = frame_of(file)
        read = iter(frame.to_numpy().tolist())
        rows = [[""] * file.width if record.cells is None else next(read) for record in file.records]
    return [[re.sub(r"\r?\n", " ", row[place]) for place in file.echoed] for row in rows]


def frame_of(file: Passed) -> pd.DataFrame:
    """Return what pandas reads of the records that can be parsed."""
    content = file.header + b"".join(record.line for record in file.records if record.cells is not None)
    escape = file.keys.get("escape")
    options: dict[str, Any] = {"escapechar": escape, "doublequote": False} if escape else {}
    frame: pd.DataFrame = pd.read_csv(
        io.BytesIO(content),
        sep=file.keys.get("delimiter", ","),
        encoding=file.keys.get("encoding", "utf-8"),
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=False,
        **options,
    )
    return frame


INPUTS = [
    (),
    (Column("c0", "double"),),
    (Column("c0", "double"), Column("c1", "string")),
    (Column("c1", "long"), Column("c0", "string")),
]


def blocks_of(file: Passed, inputs: Sequence[Column], folder: Path, split_bytes: int) -> Iterator[ParsedBlock]:
    """Read a file split by split, as tasks do."""
    path = folder / "in.csv"
    path.write_bytes(file.content)
    echoed = tuple(EchoColumn(f"e{number}", f"c{place}") for number, place in enumerate(file.echoed))
    columns = Columns(tuple(inputs), echoed, None, has_header=True, header_is_told=True)
    reader = job_reader(config_of(file.keys), columns)
    source = InputFile(LocalStorage().stat(f"file://{path}"), "in.csv", 1)
    size = len(file.content)
    step = split_bytes if reader.split_count(source.source, split_bytes) > 1 else size
    for start in range(0, size, step):
        for block in reader.read(source, start, min(start + step, size)):
            yield from block.parse()


def config_of(keys: dict[str, Any]) -> JobConfig:
    told = {"id": "x", "model": "models:/m/1", "input": "in", "output": "out", "has_header": True}
    if keys.get("decimal") == "," and keys.get("delimiter", ",") == ",":
        keys = {name: value for name, value in keys.items() if name != "decimal"}
    return make_config(told | keys)


def written_rows(block: ParsedBlock, count: int) -> list[list[str]]:
    """Return the echoed cells of a block's result, read back."""
    echoed = tuple(EchoColumn(f"e{number}", "") for number in range(count))
    form = ResultFormat("regression", (), 0.5, "amazon", echoed=echoed, keep_tag=True)
    scores = np.full(len(block.lines), 0.5)
    text = format_predictions(form, block.record_count, block.lines, scores, block.echoed).decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert [row[-1] for row in rows] == ["5E-1" if row in block.lines else "" for row in range(block.record_count)]
    return [row[:-1] for row in rows]


@given(passed(), st.sampled_from(INPUTS), st.integers(1, 300), st.integers(1, 300), st.sampled_from([1, 8]))
def test_echoed_texts_are_those_that_pandas_reads_at_each_size_of_split_and_block(
    file: Passed, inputs: Sequence[Column], split_bytes: int, chunk_bytes: int, fewest: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "CHUNK_BYTES", chunk_bytes)
        patch.setattr(blocks, "TAIL_BYTES", chunk_bytes)
        patch.setattr(binding, "_FEWEST_NEIGHBOURS", fewest)
        read = list(blocks_of(file, inputs, Path(folder), split_bytes))
    echoed = [row for block in read for row in zip(*(texts.to_pylist() for texts in block.echoed), strict=True)]
    assert [list(row) for row in echoed] == expected(file)
    assert [row for block in read for row in written_rows(block, len(file.echoed))] == expected(file)


# --- many neighbours are copied at once

NAMES = [f"c{place}" for place in range(10)]
TEN = tuple(EchoColumn(name, name) for name in NAMES)
ROW = "a1,-2,,d d,=e,f,g,é,i,9"


def block_of(data: str, *echoed: EchoColumn, kind: ColumnType = "double", **spelt: Any) -> ParsedBlock:
    columns = Columns((Column("c9", kind), Column("c0", "string")), echoed, None, has_header=True)
    return parse_block(Block(0, data.encode()), bind(columns, NAMES, "f"), columns, TextFormat(**spelt))


def pieces(block: ParsedBlock) -> list[Any]:
    assert isinstance(block.echoed, EchoedTexts)
    joined = [
        (piece.width, piece.texts) if isinstance(piece, JoinedTexts) else (1, piece) for piece in block.echoed.pieces
    ]
    return [(width, texts.to_pylist()) for width, texts in joined]


def test_neighbours_in_the_order_of_the_file_are_one_text() -> None:
    assert pieces(block_of(ROW + "\r\n" + ROW + "\n", *TEN)) == [(10, [ROW, ROW])]
    [before, one, joined, after] = pieces(block_of(ROW + "\n", TEN[5], TEN[9], *TEN[1:9], TEN[0]))
    assert [before, one, after] == [(1, ["f"]), (1, ["9"]), (1, ["a1"])]
    assert joined == (8, ["-2,,d d,=e,f,g,é,i"])
    assert pieces(block_of(ROW.replace(",", ";") + "\n", *TEN, delimiter=";")) == [(10, [ROW])]


@pytest.mark.parametrize(
    ("data", "spelt"),
    [
        (ROW.replace("f", '"f"'), {}),
        (ROW.replace("f", "f\r"), {}),
        (ROW.replace(",", ";").replace("f", "f,"), {"delimiter": ";"}),
    ],
)
def test_what_a_result_would_quote_is_not_copied(data: str, spelt: dict[str, Any]) -> None:
    block = block_of(data + "\n", *TEN, **spelt)
    assert [width for width, _ in pieces(block)] == [1] * 10
    assert [texts.to_pylist()[0].strip("\r,") for texts in block.echoed] == ROW.split(",")


def test_of_invalid_records_those_that_could_be_parsed_keep_their_texts() -> None:
    word = ROW.replace("9", "many")
    lines = [ROW, "too,few", word, "", '"x"y' + "," * 9, ROW + ",too many", ROW]
    block = block_of("\n".join(lines) + "\n", *TEN)
    gone = "," * 9
    assert pieces(block) == [(10, [ROW, gone, word, gone, gone, gone, ROW])]
    assert [(record.line, record.reason) for record in block.invalid] == [
        *((1, "column_count"), (3, "blank"), (4, "unbalanced_quote"), (5, "column_count")),
        (2, "invalid_value"),
    ]


def test_a_text_of_a_column_is_found_in_the_joined_ones() -> None:
    block = block_of(ROW + "\nx\n" + ROW + "\n", *TEN)
    assert [texts.to_pylist() for texts in block.echoed] == [[cell, "", cell] for cell in ROW.split(",")]
    assert [texts.to_pylist() for texts in block.echoed[1:3]] == [["-2", "", "-2"], ["", "", ""]]
    form = ResultFormat("regression", (), 0.5, "amazon", echoed=TEN, keep_tag=True, escape_formulas=True)
    text = format_predictions(form, 3, block.lines, np.full(2, 0.5), block.echoed).decode()
    assert text.splitlines()[0] == "a1,'-2,,d d,'=e,f,g,é,i,9,5E-1"
    tagged = replace(form, echoed=(*TEN[:7], EchoColumn("tag", "c7", role="row_id"), *TEN[8:]))
    assert row_ids(tagged, block.echoed, np.array([0, 1])) == ["é", ""]


def test_records_of_plain_numbers_are_copied_too() -> None:
    inputs = tuple(Column(name, "double") for name in NAMES)
    columns = Columns(inputs, TEN, None, has_header=True)
    row = "1,-0,2.50,1e5,70,6,7,8,9,10"
    block = parse_block(Block(0, (row + "\n").encode()), bind(columns, NAMES, "f"), columns, TextFormat())
    assert isinstance(block.inputs, np.ndarray)
    assert pieces(block) == [(10, [row])]


@pytest.mark.parametrize(
    ("cell", "spelt"),
    [
        ("0x1F", {}),
        ("1e400", {}),
        ("1.5", {"delimiter": ";", "decimal": ","}),
        ("1,#IND", {"delimiter": ";", "decimal": ","}),  # no word that means missing, though 1.#IND is one
    ],
)
def test_what_is_no_number_is_invalid_in_a_column_that_is_echoed(cell: str, spelt: dict[str, Any]) -> None:
    inputs = (Column("a", "long" if "x" in cell else "double"), Column("b", "string"))
    columns = Columns(inputs, (EchoColumn("a", "a"),), None, has_header=True)
    data = f"{cell};t\n1;t\n".replace(";", str(spelt.get("delimiter", ",")))
    block = parse_block(Block(0, data.encode()), bind(columns, ["a", "b"], "f"), columns, TextFormat(**spelt))
    assert [(record.line, record.reason) for record in block.invalid] == [(0, "invalid_value")]
    assert block.echoed[0].to_pylist() == [cell, "1"]
