"""Whatever the bytes: each reader gives a value or its declared error, and holds a bounded part of them in memory.

`make soak-fuzz` runs these for longer. What they find gets a literal test beside its reader's own.
"""

import bz2
import gzip
import io
import itertools
import json
import tarfile
import tempfile
import tracemalloc
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from tests.committed import FinishedJob
from tests.parsed import parse_block, rows
from tests.scored import part_uri
from tests.stretches import covered_lines, lines_of
from tests.unit.test_plan import make_part, make_plan

from batchscore.commands.check import check_job
from batchscore.commands.clean import find_orphan_files
from batchscore.commit.discrepancies import classic_discrepancies
from batchscore.commit.job_record import BatchPrediction, check_same_parameters, pending
from batchscore.commit.manifest import committed_counts, committed_parameters, extended_manifest
from batchscore.commit.manifest_reader import read_file_uris, read_manifest, read_sources
from batchscore.commit.receipts import finished_parts, write_receipt
from batchscore.config.job_config import JobConfig, OutputConfig, load_config, load_output_config, parse_overrides
from batchscore.errors import ConfigError, InputError, ModelError
from batchscore.input import blocks
from batchscore.input.binding import bind
from batchscore.input.blocks import Block, check_content, decompressed, read_blocks
from batchscore.input.columns import Column, Columns, ColumnType, resolve_columns
from batchscore.input.csv_lines import MalformedRecordError, TextFormat, decode_header, split_record
from batchscore.input.echo_columns import echo_columns
from batchscore.input.roles import Roles
from batchscore.input.schema_file import Schema, parse_schema
from batchscore.model.archive import unpack_model
from batchscore.output.parts import PartFile, WrittenFile, count
from batchscore.output.rejected_files import REJECTED_HEADER, RejectedFileError, rejected_rows
from batchscore.preflight.new_inputs import choose_inputs
from batchscore.storage.local import LocalStorage

MIB = 1024 * 1024
Found = TypeVar("Found")
PLAN = make_plan()
PARTS = [make_part(index) for index in range(4)]


def attempt(
    read: Callable[[], Found], declared: type[Exception] | tuple[type[Exception], ...], says: str
) -> Found | None:
    """Return what a reader gives, or None if it raised the declared error with words that begin so."""
    try:
        return read()
    except declared as error:
        message = str(error)
    assert message.startswith(says)
    return None


# --- strategies

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn, document: Any) -> Any:
    """Return a document with one of its values replaced, left out or repeated, however deep it lies."""
    if isinstance(document, dict) and document and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(document)))
        rest = {name: item for name, item in document.items() if name != key}
        if not draw(st.integers(0, 3)):
            return rest
        return rest | {draw(st.just(key) | st.text(max_size=5)): draw(mutated(document[key]))}
    if isinstance(document, list) and document and draw(st.integers(0, 3)):
        place = draw(st.integers(0, len(document) - 1))
        repeated = [document[place]] * draw(st.integers(0, 2))
        return [*document[:place], draw(mutated(document[place])), *repeated, *document[place + 1 :]]
    return draw(JSON)


def stored(document: Any) -> st.SearchStrategy[bytes]:
    """Return the bytes of a file that should hold a document: anything, any JSON, or nearly the document."""
    text = json.dumps(document)
    cut = st.integers(0, len(text)).map(lambda end: text[:end].encode())
    deep = st.integers(1, 200_000).map(lambda depth: b"[" * depth + b"]" * depth)
    keyed = st.integers(1, 100_000).map(lambda depth: b'{"a":' * depth)
    near = mutated(document).map(lambda value: json.dumps(value).encode())
    return st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()) | near | cut | deep | keyed


# --- what is stored and read back


SCHEMA = {
    "version": "1.0",
    "rowId": "id",
    "rowWeight": None,
    "targetAttributeName": "y",
    "dataFormat": "CSV",
    "dataFileContainsHeader": True,
    "attributes": [
        {"attributeName": "id", "attributeType": "CATEGORICAL"},
        {"attributeName": "age", "attributeType": "NUMERIC"},
        {"fieldName": "y", "fieldType": "BINARY"},
    ],
    "excludedAttributeNames": ["age"],
}
REJECTED_WORDS = [
    ",".join(REJECTED_HEADER).encode(),
    b"0,1,2,C1,parse,encoding,,x",
    b"\n",
    b",",
    b'"',
    b"\xff",
    b"9" * 5000,
]
MANIFEST = json.loads(b"".join(extended_manifest(PLAN, PARTS, count(PARTS), {}, {"python": "3.11"}, "c")))
CLASSIC = {
    "s3://b/in/a.csv": "s3://b/out/batch-prediction/result/bp-1-a.csv/",
    "s3://b/in/b.csv": "s3://b/out/batch-prediction/result/bp-1-b.csv.gz",
}
RECORD = json.loads(pending(PLAN.spec, 100).to_json())


@given(stored(SCHEMA))
@example(b"[" * 100_000)
@example(json.dumps(SCHEMA | {"attributes": [{"attributeName": "\ud800", "attributeType": "TEXT"}]}).encode())
def test_a_schema_file_is_a_schema_or_an_input_error(content: bytes) -> None:
    schema = attempt(lambda: parse_schema(content, "x"), InputError, "schema x: ")
    if schema is None:
        return
    assert isinstance(schema, Schema)
    assert {schema.row_id, schema.row_weight, schema.target} <= {None, *schema.names}
    pa.array(schema.names, pa.string())
    columns = resolve_columns("models:/m/1", None, schema, None)
    assert bind(columns, schema.names, "x").column_count == len(schema.names)


@given(stored(MANIFEST))
@example(b'{"format_version": 1, "record_count": 1e400}')
def test_a_manifest_is_read_to_its_types_or_an_input_error(content: bytes) -> None:
    counts = attempt(lambda: committed_counts(content, "x"), InputError, "manifest x: expected")
    parameters = attempt(lambda: committed_parameters(content, "x"), InputError, "manifest x: expected")
    if counts is None or parameters is None:
        return
    assert isinstance(counts.record_count + counts.invalid_record_count + counts.compute_milliseconds, int)
    assert all(isinstance(text, str) for item in parameters.items() for text in item)


@given(stored(MANIFEST))
def test_of_a_manifest_inputs_and_files_are_read_to_their_types_or_an_input_error(content: bytes) -> None:
    says = "manifest x: expected"
    sources = attempt(lambda: read_sources(content, "x"), InputError, says)
    files = attempt(lambda: read_file_uris(content, "x"), InputError, says)
    assert all(isinstance(item.uri + item.etag, str) and isinstance(item.size_in_bytes, int) for item in sources or ())
    assert all(isinstance(uri, str) for uri in files or ())
    assert files is None or sources is not None


@pytest.mark.hypothesis  # by which the soak chooses; the plugin does not see a decorator that is inside
def test_a_check_of_any_manifest_ends_in_findings_or_an_input_error(tmp_path: Path) -> None:
    files = {"a.csv": b"id,a,b,y\n1,2,x,0\n2,word,x,1\n3,4,y,0\n", "b.csv": b"id,a,b,y\n4,5,z,1\n"}
    job = FinishedJob(tmp_path, files, split_bytes=12).commit()
    path = job.path("bp-1.manifest.json")
    whole = json.loads(path.read_bytes())

    @given(mutated(whole))
    def check(document: Any) -> None:
        path.write_text(json.dumps(document))
        report = attempt(lambda: check_job("bp-1", job.output), InputError, "")
        assert report is None or report.findings or report.record_count == whole["record_count"]

    check()


@given(stored(CLASSIC))
@example(b"[" * 100_000)
@example(json.dumps(CLASSIC).encode())
@example(json.dumps(CLASSIC | {"a": "\ud800/batch-prediction/"}).encode())
def test_of_what_amazon_s_manifest_names_nothing_is_left_over_and_of_its_id_if_it_is_none(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        below, storage = f"file://{folder}/batch-prediction", LocalStorage(folder)
        names = ["result/bp-1-a.csv/part-00000.csv.gz", "result/bp-1-b.csv.gz"]
        for name in names:
            storage.put(f"{below}/{name}", io.BytesIO(b"x"))
        storage.put(f"{below}/bp-1.manifest", io.BytesIO(content))
        orphan_files = find_orphan_files(OutputConfig(output=folder), age_seconds=86_400, now_epoch_seconds=5e9)
    try:
        entries = json.loads(content)
        "".join(text for entry in entries.items() for text in entry).encode()
    except (ValueError, RecursionError, AttributeError, TypeError):  # no manifest
        assert orphan_files.objects == ()
        return
    found = {item.uri.removeprefix(f"{below}/") for item in orphan_files.objects}
    left = {name for name, result in zip(names, CLASSIC.values(), strict=True) if result not in entries.values()}
    assert found <= left
    assert found == left or not set(entries.values()) <= set(CLASSIC.values()), "another folder can hold them too"


@given(stored(CLASSIC))
@example(b"[" * 100_000)
@example(json.dumps(CLASSIC).encode())
def test_amazon_s_manifest_agrees_with_the_extended_one_or_is_one_finding(content: bytes) -> None:
    rest: dict[str, Any] = {"file_size_in_bytes": 0, "etag": "", "parts": [], "rejected": []}
    inputs = [{"uri": uri, "result": result, **rest} for uri, result in CLASSIC.items()]
    job = read_manifest(json.dumps(MANIFEST | {"inputs": inputs}).encode(), "x")
    found = [(finding.proof, finding.where) for finding in classic_discrepancies(job, content, "x")]
    same = attempt(lambda: json.loads(content) == CLASSIC, (ValueError, RecursionError), "")
    assert found == ([] if same else [("classic manifest", "x")])


@given(st.data())
def test_the_inputs_that_a_job_began_with_are_of_those_listed_or_an_input_error(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        storage, begun = LocalStorage(folder), f"file://{folder}/batch-prediction/in-progress/bp-1/inputs.json"
        for name in ("a.csv", "b.csv"):
            storage.put(f"file://{folder}/in/{name}", io.BytesIO(b"id,a\n1,2\n"))
        listed = list(storage.list(f"file://{folder}/in/"))
        content = data.draw(stored([[source.uri, source.size_in_bytes, source.etag] for source in listed]))
        storage.put(begun, io.BytesIO(content))
        config = JobConfig.model_validate(keys_of(Path(folder)) | {"input": f"{folder}/in/", "mode": "new_inputs"})
        found = attempt(partial(choose_inputs, config), InputError, f"inputs {begun}: expected the inputs of a job")
    if found is not None:
        named = [(uri, etag) for uri, _, etag in json.loads(content)]
        assert found.sources == [source for source in listed if (source.uri, source.etag) in named]


@given(st.binary(max_size=80) | st.lists(st.sampled_from(REJECTED_WORDS), max_size=40).map(b"".join))
def test_a_rejected_file_is_rows_or_its_error(content: bytes) -> None:
    with suppress(RejectedFileError):
        for row in rejected_rows(iter([content[:7], content[7:]]), REJECTED_HEADER):
            assert isinstance(row.offset, int)


@given(stored(RECORD))
def test_a_record_is_read_to_its_types_or_an_input_error(content: bytes) -> None:
    record = attempt(lambda: BatchPrediction.from_json(content, "x"), InputError, "record x: expected")
    if record is None:
        return
    assert json.loads(record.to_json())["BatchPredictionId"] == record.BatchPredictionId
    found = record.parameters
    attempt(lambda: check_same_parameters("bp-1", found, PLAN.spec.parameters), ConfigError, "IdempotentParameterMism")


def receipt_of(folder: Path) -> tuple[Any, list[PartFile]]:
    """Write the parts of a task of the plan and return what its receipt holds, and its parts."""
    storage = LocalStorage(str(folder))
    plan = replace(PLAN, spec=replace(PLAN.spec, config=JobConfig.model_validate(keys_of(folder))))
    parts = []
    for part, split in zip(PARTS, plan.splits, strict=True):
        uri = part_uri(plan, split)
        etag = storage.put(uri, io.BytesIO(b"part"))
        digest = "7d7f73c3fe6e6ae2ba7a2e3b0d0e8a2d"
        parts.append(replace(part, file=WrittenFile(uri, 4, digest, storage.stat(uri).etag or etag)))
    write_receipt(storage, plan.spec.outputs.receipt(0), plan.spec.parameters, parts)
    return plan, parts


def keys_of(folder: Path) -> dict[str, Any]:
    places = {"model": "models:/m@best", "input": "s3://b/in/", "output": str(folder)}
    return {"id": "bp-1", **places, "split_bytes": 100, "profile": "off"}


@given(st.data())
def test_what_a_receipt_tells_of_a_part_is_that_of_the_plan_or_none(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan, parts = receipt_of(Path(folder))
        storage, uri = LocalStorage(folder), plan.spec.outputs.receipt(0)
        work = [(split, plan.inputs[split.input_index]) for split in plan.splits]
        assert finished_parts(storage, uri, plan.spec, work) == [
            replace(part, reused=True, extra_columns=[]) for part in parts
        ]
        content = data.draw(stored(json.loads(storage.read(uri))))
        storage.put(uri, io.BytesIO(content))
        for (split, _), part in zip(work, finished_parts(storage, uri, plan.spec, work), strict=True):
            if part is not None:
                assert (part.split_index, part.file.uri) == (split.index, part_uri(plan, split))
                assert isinstance(part.record_count, int)
                assert part.reused


# --- the configuration


VALUE = JSON | st.sampled_from(
    [*("s3://b/x", "s3://", "models:/m/1", "a/", "\0", "/a\0b", "..", ".inf", "1e400", "9" * 400, "yes", "64MiB")]
)
KEYS = [*JobConfig.model_fields, "schema", "modle", "", "spark.x", "s3.region", "s3.endpoint", "s3", "a" * 300]
CONFIG: dict[str, Any] = {
    "model": "models:/m/1",
    "input": ["s3://b/in/"],
    "output": "s3://b/out",
    "s3": {"region": "x"},
}


YAML_WORDS = [
    *(
        "!!int",
        "!!float",
        "!!bool",
        "!!timestamp",
        "!!binary",
        "!!set",
        "!!omap",
        "!!pairs",
        "!!python/object:os.system",
    ),
    *("&a", "*a", "<<: *a", "2024-13-45", "0x_", "0b_", "1:99", "''", "'-'", "[", "]", "{", "}", ": ", "- ", "\n"),
    *("? ", "|", ">", "#", "---", "...", "%YAML 1.1", "model", "x", "\t", "~", "="),
]


@st.composite
def yaml_text(draw: st.DrawFn) -> str:
    """Return text that could be a configuration: anything, tags and aliases, or nearly one."""
    words = st.sampled_from(YAML_WORDS)
    any_text = st.text(max_size=60) | st.lists(words, max_size=12).map(" ".join)
    near = st.dictionaries(st.sampled_from(KEYS), VALUE, max_size=4).map(lambda keys: CONFIG | keys)
    return draw(any_text | near.map(json.dumps) | mutated(CONFIG).map(json.dumps))


@given(
    yaml_text(),
    st.lists(st.tuples(st.sampled_from(KEYS), yaml_text()).map("=".join) | st.text(max_size=12), max_size=3),
)
@example("!!float ''", [])
@example("[" * 5000, [])
@example("{}", ["s3=5", "s3.region=x"])
@example("a: 2024-13-45", [])
def test_a_configuration_is_one_or_a_config_error(text: str, overrides: list[str]) -> None:
    for load, kind in ((load_config, JobConfig), (load_output_config, OutputConfig)):
        config = attempt(partial(load, text, overrides), ConfigError, "")
        assert config is None or isinstance(config, kind)


@given(st.lists(st.text(max_size=20), max_size=4))
def test_arguments_are_settings_or_a_config_error(arguments: list[str]) -> None:
    settings = attempt(lambda: parse_overrides(arguments), ConfigError, "")
    assert settings is None or isinstance(settings, dict)


def test_a_few_lines_of_yaml_cannot_fill_the_memory() -> None:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 9)}]}}" for level in range(1, 12)]
    with pytest.raises(ConfigError, match="expected YAML, got a syntax error"):
        load_config("\n".join(lines))
    lines = ["name: &a0 [x]"]
    lines += [f"b{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 12)]
    with pytest.raises(ConfigError, match=r"key spark\.x: input should be a valid string"):
        load_config("\n".join([*lines, "spark: {x: *a11}"]))


# --- the block reader


def pieces(content: bytes, cuts: list[int]) -> Generator[bytes]:
    places = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    for start, stop in itertools.pairwise(places):
        yield content[start:stop]


LONGEST = 6  # bytes of a record in these tests, so that small files hold records that are too long


@given(
    st.lists(st.binary(max_size=12) | st.sampled_from([b"\r\n", b"\n", b"x" * 30, b"\r"]), max_size=10).map(b"".join),
    st.lists(st.integers(0, 200), max_size=6),
    st.integers(1, 40),
)
def test_every_record_is_in_one_split_whole_or_cut_past_the_limit(
    content: bytes, cuts: list[int], split_bytes: int
) -> None:
    expected, offset = [], 0
    for line in io.BytesIO(content):
        expected.append((offset, line))
        offset += len(line)
    found = []
    for start in range(0, max(len(content), 1), split_bytes):
        origin = max(start - 1, 0)
        stop = min(start + split_bytes, len(content))
        for block in read_blocks(pieces(content[origin:], cuts), origin, start, stop, LONGEST):
            place = block.offset
            for line in io.BytesIO(block.data):
                found.append((place, line))
                place += len(line)
    assert [place for place, _ in found] == [place for place, _ in expected]
    for (_, line), (_, whole) in zip(found, expected, strict=True):
        text = whole.removesuffix(b"\n")
        if line != whole:
            kept = line.removesuffix(b"\n")
            assert text.startswith(kept)
            assert len(kept.removesuffix(b"\r")) > LONGEST, "still too long"


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda text: gzip.compress(text, 6),
    "bz2": bz2.compress,
    "zstd": lambda text: pa.compress(text, "zstd", asbytes=True),
}
TEXT = st.lists(st.binary(max_size=30), max_size=8).map(b"\n".join)
# pyarrow refuses a bz2 file with an empty member before another: by its name, so nothing is lost.
MEMBERS = {name: st.lists(TEXT.filter(len) if name == "bz2" else TEXT, min_size=1, max_size=3) for name in COMPRESS}


@pytest.mark.parametrize("name", COMPRESS)
@given(st.data())
def test_a_damaged_compressed_file_is_an_error_or_the_whole_text(name: str, data: st.DataObject) -> None:
    members = data.draw(MEMBERS[name])
    whole, texts = b"".join(map(COMPRESS[name], members)), b"".join(members)
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] ^= data.draw(st.integers(1, 255))
    cuts = data.draw(st.lists(st.integers(0, 100), max_size=4))
    chunks = pieces(bytes(damaged), cuts)
    found = attempt(lambda: b"".join(decompressed(chunks, name, "x")), InputError, "input x: expected a whole")
    if found is None:
        assert bytes(damaged) != whole
    elif name != "zstd":  # whose frames here have no checksum
        assert found == texts


@pytest.mark.parametrize("name", COMPRESS)
@given(st.data())
def test_a_truncated_compressed_file_is_an_error_or_ends_with_a_member(name: str, data: st.DataObject) -> None:
    members = data.draw(MEMBERS[name])
    ends = [b"".join(map(COMPRESS[name], members[:count])) for count in range(len(members) + 1)]
    cut = data.draw(st.integers(1, len(ends[-1]) - 1))
    assume(ends[-1][:cut] not in ends)
    with pytest.raises(InputError, match="expected a whole"):
        list(decompressed(pieces(ends[-1][:cut], []), name, "x"))


@pytest.mark.parametrize("name", COMPRESS)
@given(st.binary(max_size=200))
def test_what_is_not_compressed_is_an_error_and_no_hang(name: str, content: bytes) -> None:
    attempt(lambda: list(decompressed(pieces(content, []), name, "x")), InputError, "input x: expected a whole")


@given(st.binary(max_size=20), st.sampled_from([None, *COMPRESS]))
def test_the_first_bytes_are_those_of_text_or_an_input_error(head: bytes, compression: str | None) -> None:
    attempt(lambda: check_content("x", head, compression), InputError, "input x: expected")


@pytest.mark.parametrize("name", COMPRESS)
def test_a_small_file_that_unpacks_to_a_giant_takes_bounded_memory(name: str) -> None:
    size = 400 * MIB
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, name) as stream:
        for _ in range(size // MIB):
            stream.write(bytes(MIB))
    bomb = packed.getvalue().to_pybytes()
    assert len(bomb) < size // 500
    pool_before = pa.total_allocated_bytes()
    tracemalloc.start()
    found, pool_peak = [], 0
    for block in read_blocks(decompressed(pieces(bomb, []), name, "x"), 0, 0, None):
        found.append(len(block.data))
        pool_peak = max(pool_peak, pa.total_allocated_bytes() - pool_before)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 1
    assert found[0] <= blocks.MAX_RECORD_BYTES + 3
    assert peak + pool_peak < 100 * MIB


# --- the record parser


ENCODINGS = [
    *("utf-8", "ascii", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258"),
    *(f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)),
]
DELIMITERS = [
    character for character in map(chr, range(1, 128)) if not character.isalnum() and character not in '"\r\n.+-'
]
TYPES: list[ColumnType] = ["double", "float", "long", "integer", "boolean", "string"]
COLUMN = st.builds(
    lambda kind, required, words: Column("", kind, required, words and kind not in ("string", "boolean")),
    st.sampled_from(TYPES),
    st.booleans(),
    st.booleans(),
)
CELLS = st.sampled_from(
    [
        *(b"1", b"-5.5", b"", b" ", b"yes", b'"a"', b'""', b'"a""b"', b'"', b"\x00", b"\xff", b"\xc3\xa9", b"=1", b"'"),
        *(b"0x1F", b"1e400", b"nan", b"9" * 30, b"\r", b"\xa0", b"\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"null"),
    ]
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Columns, TextFormat, bytes]:
    """Return columns, a spelling, and bytes that have more or less to do with them."""
    kinds = draw(st.lists(COLUMN, min_size=1, max_size=4))
    inputs = tuple(replace(column, name=f"c{place}") for place, column in enumerate(kinds))
    names = ("id", *(column.name for column in inputs), "y")
    columns = Columns(inputs, echo_columns(Roles("id", "y")), names, has_header=False)
    text = TextFormat(draw(st.sampled_from(DELIMITERS)), draw(st.sampled_from(ENCODINGS)))
    width = len(inputs) + 2
    record = st.lists(CELLS | st.binary(max_size=4), min_size=width - 1, max_size=width + 1)
    line = record.map(text.delimiter.encode().join) | st.binary(max_size=12)
    lines = draw(st.lists(st.tuples(line, st.sampled_from([b"\n", b"\r\n"])), min_size=1, max_size=6))
    return columns, text, b"".join(part for pair in lines for part in pair)


def outcomes(columns: Columns, text: TextFormat, data: bytes) -> list[Any]:
    """Return what becomes of each record; each is valid or invalid, once."""
    parsed = parse_block(Block(7, data), bind(columns, None, "x"), columns, text)
    lines = list(io.BytesIO(data))
    assert parsed.record_count == len(lines)
    invalid = [record.line for record in parsed.invalid]
    assert sorted([*parsed.lines.tolist(), *invalid]) == list(range(len(lines)))
    tags, labels = (texts.to_pylist() for texts in parsed.echoed)
    assert len(tags) == len(labels) == len(lines)
    values = dict(zip(parsed.lines.tolist(), rows(parsed), strict=True))
    reasons = {record.line: (record.stage, record.reason, record.attribute) for record in parsed.invalid}
    return [
        (tag, label, repr(values.get(line)), reasons.get(line))
        for line, (tag, label) in enumerate(zip(tags, labels, strict=True))
    ]


@given(tables())
def test_any_bytes_are_records_each_valid_or_invalid_and_none_by_its_neighbours(
    table: tuple[Columns, TextFormat, bytes],
) -> None:
    columns, text, data = table
    together = outcomes(columns, text, data)
    alone = [outcomes(columns, text, line)[0] for line in io.BytesIO(data)]
    mark = text.delimiter.encode()
    commas = data if mark == b"," else data.replace(b",", b"x").replace(mark, b",")
    for number in covered_lines(lines_of(commas.decode("latin-1")), len(columns.inputs) + 2, blocks.MAX_RECORD_BYTES):
        alone[number] = ("", "", "None", ("parse", "line_end_in_quotes", None))
    assert together == alone
    for line, (tag, label, _, reason) in zip(io.BytesIO(data), together, strict=True):
        if reason is None or reason[0] != "parse":
            values = split_record(line.removesuffix(b"\n").removesuffix(b"\r").decode(text.encoding), text.delimiter)
            assert (tag, label) == (values[0], values[-1])


@given(st.binary(max_size=40), st.sampled_from(DELIMITERS), st.sampled_from(ENCODINGS))
def test_a_header_is_names_that_bind_or_a_declared_error(line: bytes, delimiter: str, encoding: str) -> None:
    names = attempt(lambda: decode_header(line, TextFormat(delimiter, encoding)), MalformedRecordError, "")
    if names is None:
        return
    for columns in (
        Columns((Column("a", "double"),), (), None, has_header=True),
        Columns((Column("column 1", "double"),), (), None, has_header=True, by_position=True),
    ):
        binding = attempt(partial(bind, columns, names, "x"), InputError, "header of x: expected")
        assert binding is None or binding.column_count == len(names)


def test_a_record_of_20000_columns_and_one_of_nul_bytes_are_records() -> None:
    names = tuple(f"c{number}" for number in range(20_000))
    columns = Columns(tuple(Column(name, "double") for name in names), (), names, has_header=False)
    parsed = parse_block(
        Block(0, b",".join([b"1.5"] * 20_000) + b"\n" + b"\0" * 1000 + b"\n"),
        bind(columns, None, "x"),
        columns,
        TextFormat(),
    )
    assert parsed.lines.tolist() == [0]
    assert [record.reason for record in parsed.invalid] == ["column_count"]


# --- the archive of a model


def archive_of(names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"abc"))
    return buffer.getvalue()


@given(st.data())
def test_an_archive_is_unpacked_below_its_folder_or_a_model_error(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.text("ab/.\0\\~", min_size=1, max_size=8), min_size=1, max_size=3))
    content = bytearray(data.draw(st.just(archive_of(names)) | st.binary(max_size=600)))
    for _ in range(data.draw(st.integers(0, 3)) if content else 0):
        content[data.draw(st.integers(0, min(len(content), 1600) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as parent, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_DIRS", f"{parent}/inside")
        Path(parent, "inside").mkdir()
        folder = attempt(lambda: unpack_model(bytes(content)), ModelError, "model archive: expected")
        if folder is None:
            assert list(Path(parent, "inside").iterdir()) == []
        else:
            assert not any(path.is_symlink() or not (path.is_file() or path.is_dir()) for path in folder.rglob("*"))
        assert [path.name for path in Path(parent).iterdir()] == ["inside"]
