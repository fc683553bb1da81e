"""The first MiB of inputs: what it counts, whatever inputs are looked at together."""

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.scored import csv_inputs, looked_at
from tests.unit.test_plan import make_plan

from batchscore.config.missing_values import NO_FACTS, MissingSettings, Vocabulary
from batchscore.input.columns import Column, Columns
from batchscore.input.diagnosis.findings import Finding, find_misfits, finding_as_json, finding_from_json
from batchscore.input.files import InputFile, make_splits
from batchscore.model.frames import with_missing_rules
from batchscore.model.predictor import Predictor
from batchscore.plan import JobSpec, Plan
from batchscore.preflight.beginnings import Looked, explain_input
from batchscore.preflight.first_look import FIRST_BYTES, first_look, look_in_task, scope_of
from batchscore.preflight.sample import choose_sample, complete_records, evenly, read_sample
from batchscore.preflight.unseen import column_warnings
from batchscore.storage.base import StoredObject
from batchscore.storage.local import LocalStorage

COLUMNS = Columns((Column("x", "double", required=True), Column("t", "string")), (), None, has_header=True)
SPEC = replace(make_plan().spec, columns=COLUMNS)
NUMBERS = replace(SPEC, columns=replace(COLUMNS, inputs=COLUMNS.inputs[:1]))


def written(folder: Path, files: dict[str, bytes]) -> tuple[InputFile, ...]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    storage = LocalStorage()
    return csv_inputs([storage.stat(f"file://{folder}/{name}") for name in files], f"file://{folder}/", 100)


def look(folder: Path, files: dict[str, bytes], spec: JobSpec = SPEC) -> Looked:
    return looked_at(written(folder, files), spec)


def explained(folder: Path, content: bytes, spec: JobSpec = SPEC) -> str:
    [source] = written(folder, {"explained.csv": content})
    return explain_input(source, scope_of(spec))


FILES = {
    "good.csv": b"x,t\n1,a\n2,b\n",
    "swapped.csv": b"t,x\na,1\nb,2\n",
    "bad.csv": b"x,t\n1,a\n\nword,b\n",
    "gaps.csv": b"x,t\n1,\n,b\n3,c\n",
    "header.csv": b"x,t\n",
    "empty.csv": b"",
    "unended.csv": b"x,t\n1,a\n2,b",
    "spaced.csv": b"x,t\n1,a\n2,b\n\n",
    "packed.csv.gz": gzip.compress(b"x,t\n1,a\n2,b\n"),
    "large.csv": b"x,t\n" + b"1,a\n" * 100,
    "nearly.csv": b"x,t\n" + b"1,a\n" * 99,
}
EXPECTED = {
    "good.csv": Finding(2, 0, 2),
    "swapped.csv": Finding(2, 0, 2),
    "bad.csv": Finding(3, 2, 1, False, {("blank", None): 1, ("invalid_value", "x"): 1}),
    "gaps.csv": Finding(3, 0, 1),
    "header.csv": Finding(),
    "empty.csv": Finding(),
    "unended.csv": Finding(2, 0, 2),
    "spaced.csv": Finding(2, 0, 2),
    "packed.csv.gz": Finding(2, 0, 2),
    "large.csv": Finding(100, 0, 100, True),
    "nearly.csv": Finding(99, 0, 99),
}


def test_records_and_faults_are_counted_by_input(tmp_path: Path) -> None:
    assert dict(zip(FILES, look(tmp_path, FILES).findings, strict=True)) == EXPECTED


@pytest.mark.parametrize("name", FILES)
def test_an_input_shows_the_same_alone_and_among_others(name: str, tmp_path: Path) -> None:
    assert look(tmp_path, {name: FILES[name]}).findings == [EXPECTED[name]]


def test_clean_small_inputs_looked_at_together_show_what_each_does(tmp_path: Path) -> None:
    clean = {name: content for name, content in FILES.items() if name not in {"bad.csv", "gaps.csv"}}
    assert dict(zip(clean, look(tmp_path, clean).findings, strict=True)) == {name: EXPECTED[name] for name in clean}


def test_a_fault_of_the_input_itself_stands_at_its_place(tmp_path: Path) -> None:
    looked = look(tmp_path, {"good.csv": FILES["good.csv"], "wrong.csv": b"x;t\n1;a\n", "more.csv": FILES["good.csv"]})
    assert looked.findings == [Finding(2, 0, 2), None, Finding(2, 0, 2)]
    assert list(looked.faults) == [1]
    assert 'with ";" between them the names are there' in str(looked.faults[1])


@pytest.mark.parametrize(("count", "is_large"), [(99, False), (100, True)])
@pytest.mark.parametrize("packed", [False, True])
def test_records_beyond_the_first_mib_are_counted_where_it_holds_few(
    count: int, is_large: bool, packed: bool, tmp_path: Path
) -> None:
    content = b"x,t\n" + (b"1," + b"a" * 50_000 + b"\n") * count
    files = {"wide.csv.gz": gzip.compress(content, 1)} if packed else {"wide.csv": content}

    [found] = look(tmp_path, files).findings

    assert found
    assert (found.record_count, found.is_large) == (-(-(FIRST_BYTES - 4) // 50_003), is_large)


def test_only_the_first_mib_is_judged(tmp_path: Path) -> None:
    good = b"1,a\n" * (FIRST_BYTES // 4)
    [found] = look(tmp_path, {"a.csv": b"x,t\n" + good + b"word,a\n" * 10_000}).findings
    assert found == Finding(FIRST_BYTES // 4 - 1, 0, FIRST_BYTES // 4 - 1, True)


@pytest.mark.parametrize("name", FILES)
def test_a_finding_reads_back_as_a_task_wrote_it(name: str) -> None:
    assert finding_from_json(finding_as_json(EXPECTED[name])) == EXPECTED[name]
    assert finding_from_json(finding_as_json(None)) is None


def test_a_file_of_values_over_several_lines_names_the_key_that_reads_them(tmp_path: Path) -> None:
    content = b"x,t\n" + b'1,"a\n2,b\nc"\n' * 200
    [found] = look(tmp_path, {"a.csv": content}).findings
    assert found
    assert dict(found.faults) == {("line_end_in_quotes", None): 600}
    assert find_misfits([found]).places == (0,)
    assert explained(tmp_path, content) == (
        "expected a record in each line, got quoted values over several lines in 600 of 600 records read; "
        "there are no line ends inside values: `multiline: true` reads a file that has them"
    )


def test_small_files_of_records_over_several_lines_show_the_same_alone_and_together(tmp_path: Path) -> None:
    clean_files = {"a.csv": b'x,t\n1,"a\nb"\n2,"\nb"\n', "b.csv": b'x,t\n1,"a\n\nb"'}
    files = clean_files | {"c.csv": b'x,t\n3,"c\n', "d.csv": b'x,t\n3,d"\n'}
    spec = replace(SPEC, config=SPEC.config.model_copy(update={"multiline": True}))
    clean = [Finding(2, 0, 2), Finding(1, 0, 1)]
    assert look(tmp_path, clean_files, spec).findings == clean
    stray = Finding(1, 1, 0, False, {("unbalanced_quote", None): 1})
    found = look(tmp_path, files, spec).findings
    assert [item for item in found if item] == [*clean, stray, Finding(1, 0, 1)]


def test_a_missing_value_that_its_record_needs_is_counted_and_no_fault_of_the_file(tmp_path: Path) -> None:
    rejecting = with_missing_rules(COLUMNS, MissingSettings("reject"), NO_FACTS)
    [found] = look(tmp_path, {"a.csv": b"x,t\n" + b",a\n" * 200}, replace(SPEC, columns=rejecting)).findings
    assert found == Finding(200, 200, 0, True, {("missing_value", "x"): 200})
    assert find_misfits([found]).places == ()


def test_a_column_of_markers_names_the_key_unless_they_are_to_be_missing_and_hides_no_other(tmp_path: Path) -> None:
    columns = Columns((Column("x", "double"), Column("y", "double")), (), None, has_header=True)
    files = {
        "a.csv": b"x,y\n" + b"?,1\n" * 20,
        "b.csv": b"x,y\n" + b'?,"1,5"\n' * 20,
        "c.csv": b"x,y\n" + b"NA,1\n" * 20,
    }

    spec = replace(SPEC, columns=columns)
    _, _, missing = look(tmp_path, files, spec).findings

    told = explained(tmp_path, files["a.csv"], spec)
    assert "the marker ? stands where a value is missing: name it in `null_values`" in told
    assert missing == Finding(20, 0, 0)
    lenient = with_missing_rules(columns, MissingSettings(invalid_values="missing"), NO_FACTS)
    required = replace(lenient.inputs[1], missing=replace(lenient.inputs[1].missing, invalid_is_missing=False))
    lenient = replace(lenient, inputs=(lenient.inputs[0], required))
    spec = replace(SPEC, columns=lenient)
    markers, commas, _ = look(tmp_path, files, spec).findings
    assert markers == Finding(20, 0, 0)
    assert commas
    assert commas.faults == {("invalid_value", "y"): 20}
    assert "decimal commas" in explained(tmp_path, files["b.csv"], spec)


def test_values_that_cannot_be_read_in_one_column_or_another_are_one_fault_of_the_file(tmp_path: Path) -> None:
    columns = Columns((Column("x", "double"), Column("y", "double")), (), None, has_header=True)
    content = b"x;y\n" + b"1,5;-200\n" * 70 + b"-200;2,5\n" * 50
    spec = replace(SPEC, columns=columns, config=SPEC.config.model_copy(update={"delimiter": ";"}))
    [found] = look(tmp_path, {"a.csv": content}, spec).findings
    assert found
    assert found.faults == {("invalid_value", "x"): 70, ("invalid_value", "y"): 50, ("invalid_value", None): 120}
    assert find_misfits([found]).places == (0,)
    assert explained(tmp_path, content, spec).endswith(
        '120 of 120 records read; the numbers have decimal commas: `decimal: ","` reads them'
    )


# --- texts that look misread, where the model does not show what it knows

ODD = b"x,t\n1, a\n2,b \n3,?\n4,-\n5,\n6,c d\n"


def told_of(folder: Path, files: dict[str, bytes], spec: JobSpec = SPEC) -> list[str]:
    return [warning.what for warning in column_warnings(spec, look(folder, files, spec).columns)]


def test_texts_with_spaces_and_sure_markers_are_counted_where_the_model_shows_nothing(tmp_path: Path) -> None:
    files = {"a.csv": ODD, "b.csv": b"x,t\n1,b\n"}
    assert look(tmp_path, files).columns["t"].odd == {"spaces": 2, "?": 1}
    shown = replace(SPEC, vocabularies={"t": Vocabulary(frozenset("abc"))})
    assert look(tmp_path, files, shown).columns["t"].odd == {}


def test_of_odd_texts_it_is_told_how_many_of_all_inputs_have_them_and_what_helps(tmp_path: Path) -> None:
    files = {"a.csv": b"x,t\n" + b"1, a\n" * 120, "b.csv": b"x,t\n" + b"1,?\n" * 3 + b"1,\n" * 50}
    assert told_of(tmp_path, files) == [
        "column t: 3 of 123 values read are ?; name it in `null_values` where it stands for a missing value",
        "column t: 120 of 123 values read have spaces around them; `trim: true` drops them where they are not within "
        "quotes",
    ]
    assert not find_misfits(look(tmp_path, files).findings).places


@pytest.mark.parametrize(("number", "told"), [(94, False), (95, True)])
def test_of_spaces_it_is_told_where_nearly_all_values_have_them(number: int, told: bool, tmp_path: Path) -> None:
    content = b"x,t\n" + b"1, a\n" * number + b"1,a\n" * (100 - number) + b"1,\n" * 100
    warned = told_of(tmp_path, {"a.csv": content})
    assert [f"column t: {number} of 100 values read have spaces" in what for what in warned] == [True] * told


# --- who looks


def many(folder: Path) -> Plan:
    """Four inputs, of two, one, two and one splits; the last two do not fit."""
    good, bad = b"x,t\n" + b"1,a\n" * 30, b"y,t\n" + b"1,a\n" * 30
    inputs = written(folder, {"a.csv": good, "b.csv": good[:12], "c.csv": bad, "d.csv": bad[:8]})
    return Plan(SPEC, inputs, make_splits(inputs, 100), ())


def test_of_many_inputs_tasks_look_at_those_of_one_split(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan, asked = many(tmp_path), []

    def by_tasks(inputs: Sequence[InputFile]) -> Looked:
        asked.append([item.name for item in inputs])
        return look_in_task(inputs, SPEC)

    monkeypatch.setattr("batchscore.preflight.first_look.FEW_INPUTS", 3)
    monkeypatch.setattr("batchscore.preflight.first_look.FEW_LOCAL_INPUTS", 3)
    looked = first_look(plan, by_tasks)

    assert asked == [["b.csv", "d.csv"]]
    assert looked.findings == [Finding(30, 0, 30), Finding(2, 0, 2), None, None]
    assert sorted(looked.faults) == [2, 3]
    assert list(looked.headers) == [plan.inputs[0].source.uri]
    assert looked.heads == {}


def test_the_driver_looks_at_few_inputs_and_where_there_are_no_tasks_at_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def by_tasks(inputs: Sequence[InputFile]) -> Looked:
        raise AssertionError(f"{len(inputs)} inputs were given to tasks")

    plan = many(tmp_path)
    few = first_look(plan, by_tasks)
    monkeypatch.setattr("batchscore.preflight.first_look.FEW_INPUTS", 3)
    monkeypatch.setattr("batchscore.preflight.first_look.FEW_LOCAL_INPUTS", 3)
    without_tasks = first_look(plan)

    for looked in (few, without_tasks):
        assert looked.findings == [Finding(30, 0, 30), Finding(2, 0, 2), None, None]
        assert sorted(looked.heads) == [item.source.uri for item in plan.inputs[:2]]


@pytest.mark.parametrize(
    ("count", "kept_bytes", "name", "by_driver"),
    [
        (5, 10, "file:///in/{}.csv", True),
        (5, 9, "file:///in/{}.csv", False),
        (6, 100, "file:///in/{}.csv", False),
        (5, 5, "file:///in/{}.csv.gz", False),  # of one byte each, which may hold any number
        (5, 10, "s3://in/{}.csv", False),
        (3, 0, "s3://in/{}.csv", True),
    ],
)
def test_the_driver_looks_at_small_files_of_its_own_machine(
    monkeypatch: pytest.MonkeyPatch, count: int, kept_bytes: int, name: str, by_driver: bool
) -> None:
    for limit, value in (("FEW_INPUTS", 3), ("FEW_LOCAL_INPUTS", 5), ("KEPT_BYTES", kept_bytes), ("FIRST_BYTES", 2)):
        monkeypatch.setattr(f"batchscore.preflight.first_look.{limit}", value)
    asked: list[int] = []

    def looked(inputs: Sequence[InputFile], *_: object, **__: object) -> Looked:
        return Looked([None] * len(inputs))

    def by_tasks(inputs: Sequence[InputFile]) -> Looked:
        asked.append(len(inputs))
        return looked(inputs)

    monkeypatch.setattr("batchscore.preflight.first_look.look_at", looked)
    size = 1 if name.endswith(".gz") else 9
    inputs = [InputFile(StoredObject(name.format(number), size, "e"), str(number), 1) for number in range(count)]
    first_look(Plan(SPEC, tuple(inputs), make_splits(inputs, 100), ()), by_tasks)

    assert asked == ([] if by_driver else [count])


# --- misfits


def finding(records: int, bad: int, reason: str = "column_count", column: str | None = None) -> Finding:
    return Finding(records, bad, records - bad, records >= 100, {(reason, column): bad})


@pytest.mark.parametrize(
    ("findings", "places"),
    [
        ([finding(100, 95)], (0,)),
        ([finding(100, 94)], ()),
        ([finding(99, 95)], (0,)),
        ([finding(99, 99, "missing_value", "x")], ()),
        ([finding(100, 100, "missing_value", "x")], ()),
        ([finding(19, 19)], ()),
        ([finding(20, 19)], (0,)),
        ([finding(1, 1), finding(18, 18), finding(1, 0)], (1, 0)),
        ([finding(1, 1), finding(18, 18), finding(2, 0)], ()),
        ([finding(10, 10), finding(10, 10, "blank")], ()),
        ([finding(100, 96), finding(200, 200), None, finding(10, 10)], (1, 0)),
    ],
)
def test_large_inputs_are_judged_alone_and_small_ones_together(
    findings: list[Finding | None], places: tuple[int, ...]
) -> None:
    assert find_misfits(findings).places == places


# --- the sample


def test_the_sample_is_spread_over_inputs_and_records_whatever_their_order(tmp_path: Path) -> None:
    files = {f"{number:03d}.csv": b"x,t\n" + b"1,a\n" * number for number in range(60)}
    inputs = written(tmp_path, files)
    findings = looked_at(inputs, SPEC).findings

    sample = choose_sample(inputs, findings)

    assert [part.source.name for part in sample] == [f"{1 + number * 59 // 20:03d}.csv" for number in range(20)]
    assert [part.numbers for part in sample] == [(0,)] * 20
    assert choose_sample(inputs[::-1], findings[::-1]) == sample
    assert [part.numbers for part in choose_sample(inputs[3:5], findings[3:5])] == [(0, 1, 2), (0, 1, 2, 3)]
    assert [part.numbers for part in choose_sample(inputs[50:51], findings[50:51])] == [tuple(evenly(50, 20))]


def test_the_sample_holds_the_complete_records_of_those_numbers(tmp_path: Path) -> None:
    inputs = written(tmp_path, {"a.csv": b"x,t\n1,a\n2,\n,c\nword,d\n5,e\n6,f\n", "n.csv": b"t,x\nz,9\n"})

    [table] = complete_records(inputs[0], scope_of(SPEC), [0, 2], None)

    assert isinstance(table, pa.Table)
    assert table.to_pydict() == {"x": [1.0, 6.0], "t": ["a", "f"]}
    sample = choose_sample(inputs, looked_at(inputs, SPEC).findings)
    records = read_sample(SPEC, sample, Predictor("regression", (), None, np.asarray), {})
    assert isinstance(records, pd.DataFrame)
    assert records.to_dict("list") == {"x": [1.0, 5.0, 6.0, 9.0], "t": ["a", "e", "f", "z"]}


def test_the_sample_is_of_files_that_lack_the_same_columns_as_few_as_any(tmp_path: Path) -> None:
    """A file that lacks an optional column has complete records too, but of other types."""
    lists = (Column("x", "double", required=True), Column("n", "long", may_be_absent=True))
    spec = replace(SPEC, columns=replace(COLUMNS, inputs=lists))
    inputs = written(tmp_path, {"a.csv": b"x\n1\n", "b.csv": b"x,n\n2,7\n3,\n,8\n", "c.csv": b"n,x\n8,4\n"})
    findings = looked_at(inputs, spec).findings
    assert [found and found.complete_count for found in findings] == [1, 1, 1]
    predictor = Predictor("regression", (), None, np.asarray)

    whole = read_sample(spec, choose_sample(inputs, findings), predictor, {})
    lacking = read_sample(spec, choose_sample(inputs[:1], findings[:1]), predictor, {})

    assert isinstance(whole, pd.DataFrame)
    assert isinstance(lacking, pd.DataFrame)
    pd.testing.assert_frame_equal(whole, pd.DataFrame({"x": [2.0, 4.0], "n": [7, 8]}))
    pd.testing.assert_frame_equal(lacking, pd.DataFrame({"x": [1.0], "n": [np.nan]}))


def test_numbers_alone_and_numbers_among_texts_are_one_sample(tmp_path: Path) -> None:
    inputs = written(tmp_path, {"a.csv": b"x\n1\n2\n", "b.csv": b'x\n"3"\n\n4\n'})
    sample = choose_sample(inputs, looked_at(inputs, NUMBERS).findings)

    records = read_sample(NUMBERS, sample, Predictor("regression", (), None, np.asarray), {})

    assert isinstance(records, pd.DataFrame)
    assert records.to_dict("list") == {"x": [1.0, 2.0, 3.0, 4.0]}
