"""Small inputs scored together: whatever they hold, each gets what it gets alone, to the byte."""

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.scored import csv_inputs
from tests.unit.test_scoring import PREDICTOR, make_plan

from batchscore.config.missing_values import Vocabulary
from batchscore.input import small_blocks
from batchscore.input.factory import job_reader
from batchscore.input.files import Split, make_splits
from batchscore.input.small_blocks import parse_together
from batchscore.output.parts import PartFile
from batchscore.plan import Plan
from batchscore.scoring import score_split
from batchscore.scoring.score_split import score_together
from batchscore.storage.factory import storage_for

CLEAN = [b"1,1.5,Rome,3", b"2,-2,Oslo,4", b"3,1e5,,", b'4,0.25,"a,b",7', "5,1,é,8".encode(), b"6,7,Rome,9"]
CLEAN_FILE = b"id,a,b,c\n9,1,Rome,1\n"
ODD = [
    *(b"7,x,Rome,1", b"8,13,Rome,1", b"9,,Rome,1", b"10,1,Rome,x", b"11,1,Rome", b"12,1,Rome,1,1", b"", b" "),
    *(b'13,1,"open,1', b'14,1,open",1', b'15,1,"two\nlines",1', b"16,1,caf\xe9,1", b"17,1,a\rb,1", b"18,nan,Rome,1"),
    *(b"19,1,Rome,9223372036854775808", b"20,1,NA,1", b"\xef\xbb\xbf21,1,Rome,1", b"22, 1 , Rome ,2.0", b"23,1,\x00,1"),
]
HEADERS = [b"id,a,b,c", b"id,a,b,c", b"c,b,a,id", b"id,b,a,c", b"id,a,b,c,more"]


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Draw a file: mostly of clean lines, with or without a line end after the last one."""
    lines = draw(st.lists(st.sampled_from(CLEAN) | st.sampled_from([*CLEAN, *ODD]), max_size=5))
    header = draw(st.sampled_from(HEADERS))
    end = draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
    return end.join([header, *lines]) + draw(st.sampled_from([b"", end, end + end]))


def planned(folder: Path, contents: list[bytes], output: str, split_bytes: int = 1 << 20, **keys: Any) -> Plan:
    """Return the plan of a job over files, of one split each unless ``split_bytes`` are few."""
    for number, content in enumerate(contents):
        if not (path := folder / f"{number:02}.csv").exists():
            path.write_bytes(content)
    plan = make_plan(folder / "00.csv", folder / output, split_bytes, has_header=True, **keys)
    storage = storage_for(plan.spec.config.input[0], plan.spec.config.s3)
    names = sorted(path.name for path in folder.glob("*.csv"))
    inputs = csv_inputs([storage.stat(f"file://{folder}/{name}") for name in names], f"file://{folder}/", split_bytes)
    vocabularies = {"b": Vocabulary(frozenset({"Rome", "Oslo"}))}
    return Plan(replace(plan.spec, vocabularies=vocabularies), inputs, make_splits(inputs, split_bytes), ())


def scored(plan: Plan, together: bool, splits: Iterable[Split] | None = None) -> list[PartFile]:
    """Score all splits at once, or each by itself."""
    reader = job_reader(plan.spec.config, plan.spec.columns)
    work = [(split, plan.inputs[split.input_index]) for split in splits or plan.splits]
    given_ = [(reader.read(source, split.start, split.stop), split, source) for split, source in work]
    batches = [given_] if together else [[one] for one in given_]
    return [one.store() for batch in batches for one in score_together(batch, plan.spec, PREDICTOR)]


def told(part: PartFile, output: str) -> dict[str, Any]:
    """Return all that a part's receipt tells but the time and the place."""
    kept = {name: getattr(part, name) for name in part.__dataclass_fields__ if "seconds" not in name}
    kept["file"] = replace(part.file, uri=part.file.uri.replace(f"/{output}/", "/"), etag="")
    if part.rejected:
        kept["rejected"] = replace(part.rejected, uri=part.rejected.uri.replace(f"/{output}/", "/"), etag="")
    return kept


KEYS = st.fixed_dictionaries(
    {},
    optional={
        "multiline": st.just(True),
        "trim": st.just(True),
        "profile": st.sampled_from(["full", "off"]),
        "status_column": st.just(True),
        "passthrough": st.just(["b"]),
        "invalid_values": st.just("missing"),
        "split_bytes": st.just(20),
    },
)


@given(st.lists(files(), min_size=2, max_size=7), KEYS)
@example([b"id,a,b,c\n1,1,Rome,1", b'id,a,b,c\n2,1,"open,1\n', b'id,a,b,c\n3,1,a",1\n'], {})
@example([b"id,a,b,c\n1,1,,\n", b"id,a,b,c\n", b"id,a,b,c\n2,2,Paris,\n3,1,Rome,2\n"], {"profile": "full"})
@example([CLEAN_FILE, b'id,a,b,c\n1,1,"open,1\n2,2,x",1', CLEAN_FILE], {})  # without a line end: two blocks
@example([b"id,a,b,c\n1,1,,\n", b"id,a,b,c\n2,2,Rome,1\n3,13,Rome,1\n"], {})  # of which the model refuses one
def test_small_inputs_scored_together_get_what_each_gets_alone(contents: list[bytes], keys: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        plans = {output: planned(Path(name), contents, output, **keys) for output in ("together", "alone")}
        found = {output: scored(plan, together=output == "together") for output, plan in plans.items()}
        together, alone = ([told(part, output) for part in parts] for output, parts in found.items())
        assert together == alone


def test_a_split_is_read_with_what_stands_around_it_in_its_input(tmp_path: Path) -> None:
    """Of the first input the second split is a line within quotes, opened before it and closed after it."""
    contents = [b'id,a,b,c\n1,1,"aaaaaaaa\n2,1.5,Rome or Oslo,3\nb",2\n', b"id,a,b,c\n4,1,a,1\n"]
    plan = planned(tmp_path, contents, "out", split_bytes=20)
    assert [split.number for split in plan.splits] == [0, 1, 2, 0]
    _, within, _, other = plan.splits

    for together in (False, True):
        parts = scored(plan, together, [within, other])
        assert [part.invalid_reasons for part in parts] == [{"line_end_in_quotes": 1}, {}]


def test_clean_inputs_are_parsed_in_one_go_and_a_bad_one_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [b"id,a,b,c\n" + CLEAN[0] + b"\n"] * 8
    contents[5] = b"id,a,b,c\n" + ODD[0] + b"\n"
    plan = planned(tmp_path, contents, "out")
    reader = job_reader(plan.spec.config, plan.spec.columns)
    inputs = [list(reader.read(item, 0, item.source.size_in_bytes)) for item in plan.inputs]
    tried = []
    parsed_as_one = small_blocks._parsed_as_one

    def counted(some: Any) -> Any:
        tried.append(len(some))
        return parsed_as_one(some)

    monkeypatch.setattr(small_blocks, "_parsed_as_one", counted)
    parsed = parse_together(inputs)

    assert [len(block.invalid) for [block] in parsed] == [0, 0, 0, 0, 0, 1, 0, 0]
    assert tried == [8, 4, 4, 2, 2]


def test_a_large_block_is_parsed_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small compressed input may hold millions of records."""
    monkeypatch.setattr(score_split, "_MANY_RECORDS", 100)  # of 10,000
    sizes = [3, 2, 200, 1, 4, 60, 50]
    contents = [b"id,a,b,c\n" + (CLEAN[0] + b"\n") * size for size in sizes]
    plan = planned(tmp_path, contents, "together")
    together = []

    def counted(inputs: Any) -> Any:
        together.append([sum(block.record_count for block in blocks) for blocks in inputs])
        return parse_together(inputs)

    monkeypatch.setattr(score_split, "parse_together", counted)
    parts = scored(plan, together=True)

    assert together == [[3, 2], [1, 4, 60]]  # the last one would make them too many
    assert [part.record_count for part in parts] == sizes
    together.clear()
    monkeypatch.setattr(score_split, "_RESULTS_TOGETHER", 5)  # so many records, as of a model of many values
    scored(plan, together=True)
    assert together == [[3, 2], [1, 4]]


def test_small_inputs_that_end_without_a_line_end_are_parsed_together(tmp_path: Path) -> None:
    plan = planned(tmp_path, [CLEAN_FILE.rstrip(b"\n"), CLEAN_FILE + CLEAN[0]], "out")
    reader = job_reader(plan.spec.config, plan.spec.columns)
    inputs = [list(reader.read(item, 0, item.source.size_in_bytes)) for item in plan.inputs]

    assert [[block.record_count for block in blocks] for blocks in inputs] == [[0, 1], [1, 1]]
    together = small_blocks._parsed_as_one(inputs)

    assert together is not None
    assert [[block.locate([0]) for block in blocks] for blocks in together] == [[[9]], [[9], [20]]]
