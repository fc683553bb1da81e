"""A job without Spark: every split of a file scored as a task scores it, held against a reading line by line."""

import bz2
import csv
import gzip
import io
import math
import re
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.parsed import as_in_01
from tests.scored import csv_inputs, score_split
from tests.stretches import covered_lines

from batchscore.commit.concatenation import concatenate_parts, plan_concatenations
from batchscore.config.job_config import JobConfig
from batchscore.errors import InputError, ModelError, TooManyInvalidRecordsError
from batchscore.input.blocks import MAX_RECORD_BYTES
from batchscore.input.columns import Column, Columns
from batchscore.input.echo_columns import echo_columns
from batchscore.input.files import make_splits, with_headers
from batchscore.input.roles import Roles
from batchscore.model.categories import ModelInput
from batchscore.model.predictor import FloatArray, Predictor, WrongOutputError
from batchscore.model.version import ModelVersion
from batchscore.output.parts import PartFile
from batchscore.plan import JobSpec, Plan
from batchscore.storage.base import StoredObject
from batchscore.storage.factory import storage_for

INPUTS = (Column("a", "double", required=True), Column("b", "string"), Column("c", "long"))
NAMES = ("id", "a", "b", "c")
FAILS = 13.0  # the model raises where a is this
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def score_of(a: float, b: str, c: float) -> float:
    return math.tanh(a / 10) + len(b) + (0 if math.isnan(c) else c)


def predict(frame: ModelInput) -> FloatArray:
    assert isinstance(frame, pd.DataFrame)
    assert [str(kind) for kind in frame.dtypes] == ["float64", "object", "float64"]
    if (frame["a"] == FAILS).any():
        raise ValueError(f"bad rows: {frame}")
    return np.array([score_of(*row) for row in frame.itertuples(index=False)])


PREDICTOR = Predictor("regression", (), None, predict)


def make_plan(path: Path, output: Path, split_bytes: int, has_header: bool, **settings_: object) -> Plan:
    config = JobConfig.model_validate(
        {"model": "models:/m/1", "input": str(path), "output": str(output), "split_bytes": split_bytes} | settings_
    )
    spec = JobSpec(
        id="bp-1",
        config=config,
        model=ModelVersion("models:/m/1", "m", "1", None, "0", {}, {}, INPUTS),
        model_type="regression",
        classes=(),
        positive_label=None,
        threshold=0.5,
        columns=as_in_01(
            Columns(INPUTS, echo_columns(Roles("id")), None if has_header else NAMES, has_header), has_signature=False
        ),
        parameters={"schema": ""},
    )
    stored = storage_for(config.input[0], config.s3).stat(config.input[0])
    inputs = csv_inputs([stored], f"file://{path.parent}/", split_bytes)
    if has_header:
        inputs = with_headers(inputs, {stored.uri: NAMES})
    return Plan(spec, inputs, make_splits(inputs, split_bytes), ())


def score_all(plan: Plan) -> list[PartFile]:
    return [score_split(split, plan.inputs[split.input_index], plan.spec, PREDICTOR) for split in plan.splits]


def read_gzip(uri: str) -> str:
    return gzip.decompress(Path(uri.removeprefix("file://")).read_bytes()).decode()


def result_lines(parts: list[PartFile]) -> list[str]:
    lines: list[str] = []
    for part in parts:
        header, *records = read_gzip(part.file.uri).split("\n")
        assert header == "tag,score"
        assert records.pop() == ""
        assert len(records) == part.record_count
        lines += records
    return lines


def rejected_rows(parts: list[PartFile]) -> list[dict[str, str]]:
    texts = [read_gzip(part.rejected.uri) for part in parts if part.rejected]
    return [row for text in texts for row in csv.DictReader(io.StringIO(text, newline=""), strict=True)]


@dataclass(frozen=True)
class Expected:
    line: str
    offset: int
    reason: str = ""
    attribute: str = ""
    tag: str = ""


def formatted(score: float) -> str:
    mantissa, exponent = f"{score:.6E}".split("E")
    return f"{mantissa.rstrip('0').rstrip('.')}E{int(exponent)}"


def split_by_hand(text: str) -> list[str] | None:
    """One state machine over the characters; None for quotes out of place."""
    values, value, state = [], "", "start"
    for character in [*text, "\n"]:
        if state == "quoted":
            state = "closing" if character == '"' else state
            value += "" if character == '"' else character
        elif character in ",\n":
            values.append(value)
            value, state = "", "start"
        elif state == "closing":
            if character != '"':
                return None
            value, state = value + '"', "quoted"
        elif state == "start" and character == '"':
            state = "quoted"
        else:
            value, state = value + character, "plain"
    return values if state == "start" else None


def number_by_hand(text: str) -> float | None:
    trimmed = text.strip(" \t")
    value = float(trimmed) if NUMBER.fullmatch(trimmed) else math.inf
    return value if math.isfinite(value) else None


def expect(record: bytes, offset: int) -> Expected:
    content = content_by_hand(record)
    if not content:
        return Expected(",", offset, "blank")
    if len(content) > MAX_RECORD_BYTES:
        return Expected(",", offset, "too_long")
    try:
        values = split_by_hand(content.decode())
    except UnicodeDecodeError:
        return Expected(",", offset, "encoding")
    if values is None:
        return Expected(",", offset, "unbalanced_quote")
    if len(values) != 4:
        return Expected(",", offset, "column_count")
    tag, a_text, b, c_text = values
    cell = f'"{tag.replace(chr(34), chr(34) * 2)}"' if any(mark in tag for mark in ',"\r') else tag
    a, c = number_by_hand(a_text), number_by_hand(c_text)
    if a is None:
        reason = "invalid_value" if a_text.strip(" \t") else "missing_value"
        return Expected(f"{cell},", offset, reason, "a", tag)
    if a == FAILS:
        return Expected(f"{cell},", offset, "model_error", "", tag)
    whole = c if c is not None and c == math.floor(c) and -(2**63) <= c <= 2**63 else math.nan
    return Expected(f"{cell},{formatted(score_of(a, b, whole))}", offset, tag=tag)


def content_by_hand(record: bytes) -> bytes:
    return record.removesuffix(b"\n").removesuffix(b"\r") if record.endswith(b"\n") else record.removesuffix(b"\r")


def expect_all(content: bytes) -> list[Expected]:
    expected, offset = [], 0
    records = list(io.BytesIO(content))
    if records and not content_by_hand(records[-1]):
        records.pop()
    covered = covered_lines([record.decode("latin-1") for record in records], 4, MAX_RECORD_BYTES)
    for number, record in enumerate(records):
        covers = number in covered
        expected.append(Expected(",", offset, "line_end_in_quotes") if covers else expect(record, offset))
        offset += len(record)
    return expected


CELL = st.one_of(
    st.sampled_from(["1", "2.5", "-3", "13", " 7 ", "+5", "1e3", ".5", "5.", "", "nan", "inf", "0x1F", "1e999", "x"]),
    st.sampled_from(['"q"', '"a,b"', '"a""b"', '5" x', '"open', 'a"', '"a"b', "é", "a\rb", "9007199254740993", "\x00"]),
    st.text(alphabet='ab",\r \t0.é', max_size=6),
)
RECORD = st.one_of(
    st.lists(CELL, min_size=4, max_size=4).map(",".join),
    st.tuples(CELL, st.sampled_from(["1", "2.5"]), CELL, st.sampled_from(["", "4", "x"])).map(",".join),
    st.text(alphabet='ab",\r0', max_size=12),
).map(str.encode)
LINES = st.lists(st.tuples(RECORD | st.binary(max_size=8), st.sampled_from([b"\n", b"\r\n"])), max_size=12)


@given(LINES, st.booleans(), st.integers(1, 80), st.booleans())
@example([(b"a,1,x,1", b"\r\n"), (b"b,2,y,", b"\n")], True, 1, True)
@example([(b"a,1,x,1" + b"0" * MAX_RECORD_BYTES, b"\n"), (b"b,2,y,", b"\n")], False, 60_000, False)
def test_every_record_gets_its_line_at_its_place_whatever_the_content_and_the_splits(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[tuple[bytes, bytes]],
    last_has_no_end: bool,
    split_bytes: int,
    has_header: bool,
) -> None:
    folder = tmp_path_factory.mktemp("scoring")
    body = b"".join(record.replace(b"\n", b"") + end for record, end in lines)
    body = body.rstrip(b"\r\n") if last_has_no_end else body
    if body[:3] in (b"BZh",) or body[:2] in (b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff") or body[:4] == b"\x28\xb5\x2f\xfd":
        return  # refused as no text: see the tests of check_content
    header = ",".join(NAMES).encode() + b"\n" if has_header else b""
    body = body.removeprefix(b"\xef\xbb\xbf")
    path = folder / "x.csv"
    path.write_bytes(header + body)

    parts = score_all(make_plan(path, folder / "out", split_bytes, has_header))

    expected = [
        Expected(item.line, item.offset + len(header), item.reason, item.attribute, item.tag)
        for item in expect_all(body)
    ]
    assert result_lines(parts) == [item.line for item in expected]
    assert [(int(row["byteOffset"]), row["reason"], row["attribute"], row["tag"]) for row in rejected_rows(parts)] == [
        (item.offset, item.reason, item.attribute, item.tag) for item in expected if item.reason
    ]
    assert sum(part.invalid_record_count for part in parts) == sum(bool(item.reason) for item in expected)


CLEAN = b"id,a,b,c\n" + b"".join(b"r%d,%d.5,t%d,%d\n" % (n, n % 7, n % 3, n) for n in range(40))


@pytest.mark.parametrize("split_bytes", [1, 2, 3, 7, 10, 13, 64, 100, 1000])
def test_the_parts_of_any_split_size_hold_the_same_records(tmp_path: Path, split_bytes: int) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(CLEAN)

    parts = score_all(make_plan(path, tmp_path / "out", split_bytes, has_header=True))

    assert result_lines(parts) == [item.line for item in expect_all(CLEAN.partition(b"\n")[2])]


# The body of a file, and the lines of its result: ``,`` is an invalid record without a tag.
ENDS: list[tuple[bytes, list[str]]] = [
    (b"r1,0,x,1\n", ["r1,2E0"]),
    (b"r1,0,x,1", ["r1,2E0"]),
    (b"r1,0,x,1\n\n", ["r1,2E0"]),
    (b"r1,0,x,1\r\n\r\n", ["r1,2E0"]),
    (b"r1,0,x,1\n\r\n", ["r1,2E0"]),
    (b"r1,0,x,1\r\n\n", ["r1,2E0"]),
    (b"r1,0,x,1\n\r", ["r1,2E0"]),
    (b"r1,0,x,1\n\n\n", ["r1,2E0", ","]),
    (b"r1,0,x,1\r\n\r\n\r\n", ["r1,2E0", ","]),
    (b"\nr1,0,x,1\n\n\nr2,0,x,1\n\n", [",", "r1,2E0", ",", ",", "r2,2E0"]),
    (b"r1,0,x,1\n \n", ["r1,2E0", ","]),
    (b"r1,0,x,1\n\n,,,\n", ["r1,2E0", ",", ","]),
    (b"r1,0,x,1\n\r\r\n", ["r1,2E0", ","]),
    (b"\n", []),
    (b"\r\n", []),
    (b"\n\n", [","]),
    (b"\r\n\n\r\n\n", [",", ",", ","]),
]


@pytest.mark.parametrize("has_header", [True, False])
@pytest.mark.parametrize(("body", "lines"), ENDS)
def test_an_empty_line_after_the_last_record_is_none_wherever_the_splits_are(
    tmp_path: Path, body: bytes, lines: list[str], has_header: bool
) -> None:
    path = tmp_path / "x.csv"
    content = b"id,a,b,c\n" + body if has_header else body
    path.write_bytes(content)

    for split_bytes in range(1, len(content) + 2):
        parts = score_all(make_plan(path, tmp_path / str(split_bytes), split_bytes, has_header))
        assert result_lines(parts) == lines
        assert len(rejected_rows(parts)) == lines.count(",")


@pytest.mark.parametrize(("body", "lines"), ENDS)
@pytest.mark.parametrize(("ending", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_an_empty_line_after_the_last_record_is_none_in_a_compressed_file(
    tmp_path: Path, body: bytes, lines: list[str], ending: str, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"x.csv{ending}"
    path.write_bytes(compress(b"\xef\xbb\xbfid,a,b,c\n" + body))

    assert result_lines(score_all(make_plan(path, tmp_path / "out", 1, has_header=True))) == lines


@pytest.mark.parametrize("split_bytes", [1, 2, 9, 10, 100])
def test_in_amazons_layout_the_empty_last_line_is_a_record_and_its_line_blank(tmp_path: Path, split_bytes: int) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"r1,0,x,1\n\n")

    parts = score_all(make_plan(path, tmp_path / "out", split_bytes, has_header=False, layout="amazon"))

    assert "".join(read_gzip(part.file.uri) for part in parts) == "tag,score\nr1,2E0\n\n"


@pytest.mark.parametrize("split_bytes", [1, 2, 3, 4, 5, 6, 7, 100])
def test_where_lines_have_one_column_the_empty_last_line_is_a_record(tmp_path: Path, split_bytes: int) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"a\n5\n\n")
    plan = make_plan(path, tmp_path / "out", split_bytes, has_header=True)
    columns = Columns((Column("a", "double", required=True),), (), None, has_header=True)
    plan = replace(
        plan,
        spec=replace(plan.spec, columns=columns),
        inputs=with_headers(plan.inputs, {plan.inputs[0].source.uri: ("a",)}),
    )
    model = Predictor("regression", (), None, lambda frame: np.asarray(frame)[:, 0])

    parts = [score_split(split, plan.inputs[0], plan.spec, model) for split in plan.splits]

    assert [line for part in parts for line in read_gzip(part.file.uri).split("\n")[1:-1]] == ["5E0", '""']
    assert [row["reason"] for row in rejected_rows(parts)] == ["blank"]


def test_the_same_split_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(CLEAN)
    first = score_all(make_plan(path, tmp_path / "one", 100, has_header=True))
    second = score_all(make_plan(path, tmp_path / "two", 100, has_header=True))

    assert [part.file.sha256 for part in first] == [part.file.sha256 for part in second]


def test_joined_parts_are_one_gzip_file_with_one_header(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(CLEAN)
    plan = make_plan(path, tmp_path / "out", 100, has_header=True, layout="amazon")
    parts = score_all(plan)

    (task,) = plan_concatenations(plan, parts)
    concatenated = concatenate_parts(task, plan.spec.config.s3)

    assert concatenated.uri == f"file://{tmp_path}/out/batch-prediction/result/bp-1-x.csv.gz"
    assert concatenated.file_size_in_bytes == sum(part.file.file_size_in_bytes for part in parts)
    header, *records = read_gzip(concatenated.uri).splitlines()
    assert header == "tag,score"
    assert records == [item.line for item in expect_all(CLEAN.partition(b"\n")[2])]


@pytest.mark.parametrize("has_header", [True, False])
def test_a_byte_order_mark_is_no_part_of_the_first_record(tmp_path: Path, has_header: bool) -> None:
    path = tmp_path / "x.csv"
    body = CLEAN if has_header else CLEAN.partition(b"\n")[2]
    path.write_bytes(b"\xef\xbb\xbf" + body)

    parts = score_all(make_plan(path, tmp_path / "out", 50, has_header))

    assert result_lines(parts) == [item.line for item in expect_all(CLEAN.partition(b"\n")[2])]


@pytest.mark.parametrize("content", [b"", b"id,a,b,c\n", b"id,a,b,c", b"\xef\xbb\xbfid,a,b,c\r\n"])
def test_a_file_without_records_gives_a_result_without_records(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)

    parts = score_all(make_plan(path, tmp_path / "out", 1000, has_header=True))

    assert [read_gzip(part.file.uri) for part in parts] == ["tag,score\n"]


def test_an_input_that_changed_after_planning_fails_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(CLEAN)
    plan = make_plan(path, tmp_path / "out", 100, has_header=True)
    path.write_bytes(CLEAN + b"more,1,x,1\n")

    with pytest.raises(InputError, match=r"x\.csv: expected etag"):
        score_all(plan)


def test_more_invalid_records_than_allowed_stop_the_split(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\n" * 12)  # of which the last is no record

    with pytest.raises(TooManyInvalidRecordsError, match="at most 10 invalid records"):
        score_all(make_plan(path, tmp_path / "out", 100, has_header=False, max_invalid_records=10))


def test_a_line_of_50_megabytes_takes_the_memory_of_a_few_blocks(tmp_path: Path) -> None:
    content = b"id,a,b,c\n1,1,x,1\n" + b"x" * 50_000_000 + b"\n2,2,y,2\n"
    (tmp_path / "a.csv").write_bytes(content)
    plan = make_plan(tmp_path / "a.csv", tmp_path / "out", len(content), has_header=True)

    tracemalloc.start()
    parts = score_all(plan)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert [line.partition(",")[0] for line in result_lines(parts)] == ["1", "", "2"]
    assert [(row["line"], row["reason"]) for row in rejected_rows(parts)] == [("2", "too_long")]
    assert peak < 40_000_000


def test_a_block_of_nothing_but_line_ends_is_given_up_early_and_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\n" * (8 << 20))
    plan = make_plan(path, tmp_path / "out", 8 << 20, has_header=False)

    tracemalloc.start()
    with pytest.raises(TooManyInvalidRecordsError, match="at most 10000 invalid records"):
        score_all(plan)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 300_000_000


def test_redact_leaves_the_text_of_invalid_records_out(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"1,secret,x,1\n")

    shown = score_all(make_plan(path, tmp_path / "shown", 100, has_header=False))
    redacted = score_all(make_plan(path, tmp_path / "redacted", 100, has_header=False, redact=True))

    assert [row["record"] for row in rejected_rows(shown)] == ["1,secret,x,1"]
    assert [row["record"] for row in rejected_rows(redacted)] == [""]


@pytest.mark.parametrize("escape", [False, True])
def test_escape_formulas_reaches_tag_and_text_of_rejected_records(tmp_path: Path, escape: bool) -> None:
    path = tmp_path / "in.csv"
    path.write_text("=t,x,b,1\n-t,1\n+ok,1,b,1\n")
    keys = {"escape_formulas": escape, "invalid_records": "keep_tag"}
    parts = score_all(make_plan(path, tmp_path / "out", 100, False, **keys))
    mark = "'" if escape else ""
    rows = [(row["tag"], row["record"]) for row in rejected_rows(parts)]
    assert rows == [(f"{mark}=t", f"{mark}=t,x,b,1"), ("", f"{mark}-t,1")]
    lines = result_lines(parts)
    assert lines[:2] == [f"{mark}=t,", ","]
    assert lines[2].startswith(f"{mark}+ok,")


def test_a_model_that_answers_with_the_wrong_shape_fails_the_split(tmp_path: Path) -> None:
    def wrong(frame: ModelInput) -> FloatArray:
        raise WrongOutputError(f"expected predictions of shape ({len(frame)},), got (1,)")

    path = tmp_path / "x.csv"
    path.write_bytes(CLEAN)
    plan = make_plan(path, tmp_path / "out", 10_000, has_header=True)

    with pytest.raises(ModelError, match=r"shape \(40,\), got \(1,\)"):
        score_split(plan.splits[0], plan.inputs[0], plan.spec, Predictor("regression", (), None, wrong))


def test_a_stored_object_that_vanished_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(CLEAN)
    plan = make_plan(path, tmp_path / "out", 100, has_header=True)
    path.unlink()

    with pytest.raises(InputError, match="expected a file, got none"):
        score_all(plan)
    assert isinstance(plan.inputs[0].source, StoredObject)
