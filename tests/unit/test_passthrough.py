"""``passthrough`` and ``rename``: which columns of the inputs stand beside the predictions, and under which names."""

import bz2
import csv
import gzip
import hashlib
import io
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.committed import FinishedJob
from tests.scored import looked_at
from tests.unit.test_check import rewrite

from batchscore.commands.check import check_job
from batchscore.errors import ConfigError, InputError
from batchscore.input.binding import bind
from batchscore.input.columns import Column, Columns, InputsInOrder, resolve_columns
from batchscore.input.echo_columns import EchoColumn, echo_columns
from batchscore.input.roles import Roles
from batchscore.input.schema_file import Schema
from batchscore.model.predictor import Predictor
from batchscore.preflight.misfits import input_faults
from batchscore.preflight.passthrough import with_passed_columns

ALL: dict[str, Any] = {"passthrough": "all"}


def header_of(tmp_path: Path, files: dict[str, bytes], **keys: Any) -> tuple[str, ...]:
    """Return the header of the results of a job over some files."""
    return FinishedJob(tmp_path, files, **keys).plan.spec.result_format.header


def frame_of(job: FinishedJob, number: int = 0) -> pd.DataFrame:
    """Return the result of an input as pandas reads its parts, all as text."""
    parts = [part["uri"].removeprefix("file://") for part in job.manifest["inputs"][number]["parts"]]
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "skip_blank_lines": False}
    frame: pd.DataFrame = pd.concat([pd.read_csv(path, **options) for path in parts], ignore_index=True)
    return frame


@pytest.mark.parametrize(
    ("header", "keys", "result"),
    [
        (b"id,a,b,y,plan", ALL, "tag,trueLabel,a,b,plan,score"),
        (b"y,plan,b,a,id", ALL, "tag,trueLabel,plan,b,a,score"),
        (b"id,a,b", ALL, "tag,trueLabel,a,b,score"),
        (b"id,a,b,y,plan", {"passthrough": ["plan", "a"]}, "tag,trueLabel,plan,a,score"),
        (b"id,a,b,y,plan", {"passthrough": "plan"}, "tag,trueLabel,plan,score"),
        (b"id,a,b,y,plan", {"passthrough": ["y", "id"]}, "tag,trueLabel,y,id,score"),
        (b"id,a,b,y,all", {"passthrough": ["all"]}, "tag,trueLabel,all,score"),
        (b"id,a,b,y,plan", {"passthrough": []}, "tag,trueLabel,score"),
        (b"id,a,b,y,plan", ALL | {"rename": {"plan": "a", "a": "plan"}}, "tag,trueLabel,plan,b,a,score"),
        (b"id,a,b,y,score", ALL | {"rename": {"score": "old score"}}, "tag,trueLabel,a,b,old score,score"),
        (b"id,a,b,y,plan,plan,,", ALL, "tag,trueLabel,a,b,plan,plan.1,Unnamed: 6,Unnamed: 7,score"),
        (b'id,a,b,y,"x, ""y""",\xc3\xbcn', ALL, 'tag,trueLabel,a,b,x, "y",ün,score'),
        (b"id , a,b,y, plan", ALL, "tag,trueLabel, a,b, plan,score"),
        (b"id , a,b,y, plan", ALL | {"rename": {"plan": "p", "a": "n"}}, "tag,trueLabel,n,b,p,score"),
        (b"id,a,b,y,status", ALL, "tag,trueLabel,a,b,status,score"),
        (b"id,a,b,y,plan", ALL | {"status_column": True}, "tag,trueLabel,a,b,plan,score,status"),
        (b"id,a,b,y,=x", ALL | {"escape_formulas": True}, "tag,trueLabel,a,b,'=x,score"),
        (b"id,a,b,y,=x", ALL | {"escape_formulas": True, "rename": {"=x": "x"}}, "tag,trueLabel,a,b,x,score"),
    ],
)
def test_passed_columns_stand_after_tag_and_label_in_the_order_asked_for(
    header: bytes, keys: dict[str, Any], result: str, tmp_path: Path
) -> None:
    told = header_of(tmp_path, {"a.csv": header + b"\n"}, **keys)
    assert ",".join(told) == result


def test_all_is_the_header_of_the_first_input_that_has_one(tmp_path: Path) -> None:
    files = {
        "a.csv": b"",
        "b.csv.gz": gzip.compress(b""),
        "c.csv.gz": gzip.compress(b"id,a,b,y,first\n"),
        "d.csv": b"id,a,b,y,second,first\n1,2,x,0,s,f\n",
    }
    job = FinishedJob(tmp_path, files, **ALL).commit()
    assert job.manifest["columns"] == ["tag", "trueLabel", "a", "b", "first", "score"]
    assert [item["extra_columns"] for item in job.manifest["inputs"]] == [[], [], [], ["second"]]
    assert frame_of(job, 3)["first"].tolist() == ["f"]
    assert check_job("bp-1", job.output).findings == []


def test_where_no_input_has_a_header_nothing_is_passed(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": b""}, rename={"plan": "x"}, **ALL).commit()
    assert job.manifest["columns"] == ["tag", "trueLabel", "score"]


def test_a_line_end_in_a_name_is_one_space_in_the_results(tmp_path: Path) -> None:
    content = b'id,a,b,y,"of\r\nnow"\n1,2,x,0,"x\ny"\n'
    job = FinishedJob(tmp_path, {"a.csv": content}, multiline=True, **ALL).commit()
    assert frame_of(job)["of now"].tolist() == ["x y"]
    assert check_job("bp-1", job.output).findings == []


def test_inputs_that_lack_a_passed_column_are_told_together_by_name(tmp_path: Path) -> None:
    rest = {"b.csv": b"id,a,b,y\n1,2,x,0\n", "c.csv": b"id,a,b,y,Plan\n1,2,x,0,p\n", "d.csv": b"plan,id,a,b\np,1,2,x\n"}
    for passed in ("all", ["plan"]):
        job = FinishedJob(tmp_path, {"a.csv": b"id,a,b,y,plan\n1,2,x,0,p\n", **rest}, passthrough=passed)
        faults = input_faults(job.plan, looked_at(job.plan.inputs, job.plan.spec), lambda: False)
        assert [place for place, _ in faults] == [1, 2]
        told = [str(fault).partition("\n")[0] for _, fault in faults]
        assert told[0].endswith("b.csv: expected columns that are not there: plan")
        assert "c.csv: expected columns that are not there: plan; did you mean Plan for plan; " in told[1]
        assert all(isinstance(fault, InputError) for _, fault in faults)


def test_a_first_input_that_does_not_fit_is_told_with_the_others_and_passes_nothing_on(tmp_path: Path) -> None:
    files = {"a.csv": b"id;a;b;y;plan\n1;2;x;0;p\n", "b.csv": b"id,a,b,y,plan\n1,2,x,0,p\n", "c.csv": b"id,a\n1,2\n"}
    job = FinishedJob(tmp_path, files, **ALL)
    faults = input_faults(job.plan, looked_at(job.plan.inputs, job.plan.spec), lambda: False)
    assert [place for place, _ in faults] == [0, 2]
    assert job.plan.spec.columns.sources == {"id", "y", "a", "b", "plan"}


@pytest.mark.parametrize("name", ["tag", "trueLabel", "bestAnswer", "score", "predictedLabel", "status"])
def test_a_name_of_the_results_own_is_refused_with_the_key_that_helps(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        FinishedJob(tmp_path, {"a.csv": f"id,a,b,y,{name}\n".encode()}, status_column=True, **ALL)
    assert str(caught.value) == (
        f"key passthrough: expected columns of names that nothing else in the results has, got {name} (a name of the "
        f'results\' own); the key rename gives them others: rename: {{"{name}": "{name}_input"}}'
    )


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (ALL | {"rename": {"plan": "a"}}, 'got a, plan as a; the key rename gives them others: rename: {"a": "a_in'),
        (ALL | {"rename": {"plan": "score"}}, "got plan as score (a name of the results' own)"),
        (ALL | {"rename": {"plan": "x", "b": "x"}}, "got b as x, plan as x; "),
        ({"rename": {"plan": "x"}}, "key rename: expected columns that are passed through, got plan; name them in"),
        ({"passthrough": ["a"], "rename": {"A": "x"}}, "got A; did you mean a for A; name them"),
        (ALL | {"rename": {"id": "x", "none": "y"}}, "key rename: expected columns that are passed through, got id, n"),
        (ALL | {"has_header": False}, None),
        (
            {"passthrough": ["a", "plan"], "has_header": False},
            "key passthrough: expected columns that have a name, got",
        ),
    ],
)
def test_names_that_meet_and_names_of_nothing_are_refused(
    keys: dict[str, Any], told: str | None, tmp_path: Path
) -> None:
    files = {"a.csv": b"id,a,b,y,plan\n"}
    if told is None:
        assert header_of(tmp_path, files, **keys) == ("tag", "trueLabel", "a", "b", "score")
        return
    with pytest.raises(ConfigError) as caught:
        FinishedJob(tmp_path, files, **keys)
    assert told in str(caught.value)


def test_a_class_of_the_model_is_a_name_of_the_results_own_where_it_is_a_column(tmp_path: Path) -> None:
    predictor = Predictor("multiclass", ("low", "plan"), None, lambda frame: np.full((len(frame), 2), 0.5))
    files = {"a.csv": b"id,a,b,y,plan\n1,2,x,0,p\n"}
    with pytest.raises(ConfigError, match=r"got plan \(a name of the results' own\)"):
        FinishedJob(tmp_path, files, predictor=predictor, **ALL)
    job = FinishedJob(tmp_path, files, predictor=predictor, multiclass_output="label", **ALL).commit()
    assert job.manifest["columns"] == ["tag", "trueLabel", "a", "b", "plan", "predictedLabel", "score"]
    assert frame_of(job).iloc[0].tolist() == ["1", "0", "2", "x", "p", "low", "5E-1"]


def in_columns(tmp_path: Path, header: bytes, columns: Columns, **keys: Any) -> dict[str, bool]:
    """Return the passed columns of files with a header, each with whether it holds numbers."""
    plan = FinishedJob(tmp_path, {"a.csv": header}, **keys).plan
    plan = replace(plan, spec=replace(plan.spec, columns=columns))
    found = with_passed_columns(plan).spec.columns.echoed
    return {column.source: column.is_numeric for column in found if column.role is None}


def test_a_column_is_numeric_where_the_model_or_the_schema_file_says_so(tmp_path: Path) -> None:
    schema = Schema(
        (("id", "NUMERIC"), ("n", "NUMERIC"), ("y", "NUMERIC"), ("t", "TEXT")), "id", None, "y", False, frozenset()
    )
    inputs = (Column("d", "double"), Column("l", "long", may_be_absent=True), Column("s", "string", may_be_absent=True))
    by_name = Columns(inputs, echo_columns(Roles("id")), None, has_header=True, numeric_names=frozenset({"n"}))
    assert in_columns(tmp_path, b"d,l,s,id,n,t\n", by_name, **ALL) == {
        "d": True,
        "l": True,
        "s": False,
        "n": True,
        "t": False,
    }
    of_schema = resolve_columns("m", None, schema, False)
    assert of_schema.numeric_names == {"id", "n", "y"}
    keys = {"passthrough": ["n", "t", "y"]}
    assert in_columns(tmp_path, b"", of_schema, **keys) == {"n": True, "t": False, "y": True}


def test_inputs_without_names_are_numeric_by_their_places_and_stay_where_they_are(tmp_path: Path) -> None:
    signature = InputsInOrder((Column("", "double"), Column("", "string"), Column("", "long")))
    columns = resolve_columns("m", signature, None, None, Roles("id"))
    header = ["p", "id", "q", "r"]
    for keys in (ALL, {"passthrough": ["p", "q", "r"]}):
        assert in_columns(tmp_path, b"p,id,q,r\n", columns, **keys) == {"p": True, "q": False, "r": True}
    passed = replace(columns, echoed=(*columns.echoed, EchoColumn("q", "q"), EchoColumn("r", "r")))
    assert bind(passed, header, "f").positions == bind(columns, header, "f").positions == (0, 2, 3)
    told = resolve_columns("m", signature, None, None, Roles("id"), ("r", "id", "p", "q"))
    assert in_columns(tmp_path, b"", told, **ALL) == {"r": True, "p": False, "q": True}
    unnamed = resolve_columns("m", signature, None, False)
    with pytest.raises(ConfigError, match="key passthrough: expected the names of the columns for all, got files with"):
        in_columns(tmp_path, b"1,x,2\n", unnamed, **ALL)


def test_a_passed_column_and_an_input_that_differ_by_spaces_alone_are_one_column(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": b"id, a,b\n1,2,x\n"}, passthrough=[" a", "b "]).commit()
    assert frame_of(job).iloc[0, 2:4].to_dict() == {" a": "2", "b ": "x"}
    assert check_job("bp-1", job.output).findings == []


@pytest.mark.parametrize("keys", [{}, {"decimal": ",", "thousands": "."}])
def test_formulas_are_escaped_and_numbers_of_a_numeric_column_are_none(keys: dict[str, Any], tmp_path: Path) -> None:
    number = '"-1.234,5"' if keys else "-1234.5"
    content = f"id,a,b,y,note\n-1,{number},-x,0,-1\n2,=1+1,x,0,@a\n".encode()
    job = FinishedJob(tmp_path, {"a.csv": content}, escape_formulas=True, **ALL, **keys).commit()
    frame = frame_of(job)
    assert frame[["tag", "a", "b", "note"]].to_numpy().tolist() == [
        ["'-1", number.strip('"'), "'-x", "'-1"],
        ["2", "'=1+1", "x", "'@a"],
    ]
    assert check_job("bp-1", job.output).findings == []


def test_an_invalid_record_keeps_what_could_be_parsed_unless_its_line_is_blank(tmp_path: Path) -> None:
    content = b'id,a,b,y,plan\n1,2,x,0,p\n2,word,x,0,q\n3,13,x,1,"r,s"\n4,1\n\n6,1,x,0,t\n'
    expected = {
        "keep_tag": ["1,0,2,x,p,", "2,0,word,x,q,", '3,1,13,x,"r,s",', ",,,,,", ",,,,,", "6,0,1,x,t,"],
        "blank": ["1,0,2,x,p,", "", "", "", "", "6,0,1,x,t,"],
    }
    for rule, lines in expected.items():
        (tmp_path / rule).mkdir()
        job = FinishedJob(tmp_path / rule, {"a.csv": content}, invalid_records=rule, **ALL).commit()
        text = gzip.decompress(job.path("result/bp-1-a.csv/part-00000.csv.gz").read_bytes()).decode()
        assert [line[: line.rfind(",") + 1] for line in text.splitlines()[1:]] == lines
        assert check_job("bp-1", job.output).findings == []


def labelled(frame: Any) -> Any:
    """Return the probabilities of three classes; two of them are the most probable where ``a`` is 1."""
    if (frame["a"] == 13).any():
        raise ValueError("cannot take it")
    return np.array([[0.4, 0.4, 0.2] if a == 1 else [0.1, 0.2, 0.7] for a in frame["a"]])


LABELS = Predictor("multiclass", ("=low", 'mid, "or so"', "-1"), None, labelled)
WITH_LABELS: dict[str, Any] = {"predictor": LABELS, "multiclass_output": "label"}
PEOPLE = b'id,a,b,y,plan\nA,1,x,0,"p,q"\nB,2,x,0,\nC,word,x,0,r\nD,13,x,1,s\nE\n,3,y,1,t\n'


@pytest.mark.parametrize("keys", [{}, {"layout": "amazon"}, {"split_bytes": 20}, {"escape_formulas": True}])
def test_labels_and_statuses_are_written_and_proven(keys: dict[str, Any], tmp_path: Path) -> None:
    files = {"a.csv": PEOPLE, "b.csv.bz2": bz2.compress(PEOPLE), "c.csv": b""}
    job = FinishedJob(tmp_path, files, status_column=True, **WITH_LABELS, **ALL, **keys).commit()

    frame = frame_of(job)
    low = "'=low" if "escape_formulas" in keys else "=low"
    reasons = ["ok", "ok", "invalid_value", "model_error", "column_count", "ok"]
    assert frame.columns.tolist() == ["tag", "trueLabel", "a", "b", "plan", "predictedLabel", "score", "status"]
    assert frame["predictedLabel"].tolist() == [low, "-1", "", "", "", "-1"]
    assert frame["score"].tolist() == ["4E-1", "7E-1", "", "", "", "7E-1"]
    assert frame["status"].tolist() == reasons
    assert frame["plan"].tolist() == ["p,q", "", "r", "s", "", "t"]
    told = {key: job.manifest[key] for key in ("multiclass_output", "status_column", "invalid_records")}
    assert told == {"multiclass_output": "label", "status_column": True, "invalid_records": "keep_tag"}
    report = check_job("bp-1", job.output)
    assert report.findings == []
    assert {report.tried[proof] for proof in ("tags", "passed columns", "labels", "status", "predictions")} == {12}


def test_labels_are_written_and_proven_where_invalid_lines_are_blank(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": PEOPLE}, invalid_records="blank", tagged=False, **WITH_LABELS).commit()
    text = gzip.decompress(job.path(PART).read_bytes()).decode()
    assert text == "predictedLabel,score\n=low,4E-1\n-1,7E-1\n\n\n\n-1,7E-1\n"
    assert check_job("bp-1", job.output).findings == []


def test_without_the_keys_a_manifest_tells_nothing_of_them(tmp_path: Path) -> None:
    manifest = FinishedJob(tmp_path, {"a.csv": PEOPLE}).commit().manifest
    assert {"multiclass_output", "status_column"}.isdisjoint(manifest)
    assert "echoed" not in manifest["input_format"]


PART = "result/bp-1-a.csv/part-00000.csv.gz"
SPOILT: dict[str, tuple[bytes, bytes, str]] = {
    "a passed cell": (b'1,x,"p,q"', b'1,x,"p;q"', "passed columns: record 1: expected what is passed through of the"),
    "a passed cell gone": (b'1,x,"p,q"', b"1,x,", "passed columns: record 1: expected what is passed through of the"),
    "one of a record that does not fit": (
        b"word,x,r",
        b"word,x,R",
        "passed columns: record 3: expected what is passed",
    ),
    "one of a record that the model refuses": (b"13,x,s", b"13,x,S", "passed columns: record 4: expected what is pas"),
    "a tag": (b"\nB,0,2,", b"\nb,0,2,", "tags: record 2: expected the tag and label of the input, got others"),
    "a label that is no class": (
        b"=low",
        b"=Low",
        "labels: record 1: expected a class of the model, got another label",
    ),
    "a label that is part of one": (b"=low", b"=lo", "labels: record 1: expected a class of the model, got another"),
    "no label": (b"=low", b"", "labels: record 1: expected a class of the model, got another label"),
    "a label without a score": (b"=low,4E-1", b"=low,", "predictions: record 1: expected 1 numbers, got others"),
    "a word for a score": (b"=low,4E-1", b"=low,x", "predictions: record 1: expected 1 numbers, got others"),
    "a prediction too many": (b"=low,4E-1", b"=low,4E-1,1E0", "labels: record 1: expected a class of the model"),
    "a label in a record without one": (b"word,x,r,,", b"word,x,r,-1,", "invalid records: record 3: expected"),
    "a prediction in a record without one": (b"word,x,r,,", b"word,x,r,-1,7E-1", "invalid records: record 3: expected"),
    "a status of a scored record": (
        b"4E-1,ok",
        b"4E-1,no",
        "status: record 1: expected ok or the reason of the reject",
    ),
    "no status": (b"4E-1,ok", b"4E-1,", "status: record 1: expected ok or the reason of the rejected row, got another"),
    "another reason": (
        b"invalid_value",
        b"missing_value",
        "status: record 3: expected ok or the reason of the rejecte",
    ),
    "a reason that is ok": (b"model_error", b"ok", "status: record 4: expected ok or the reason of the rejected row"),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_one_changed_cell_is_found_by_the_proof_of_its_column(spoilt: str, tmp_path: Path) -> None:
    before, after, told = SPOILT[spoilt]
    job = FinishedJob(tmp_path, {"a.csv": PEOPLE}, status_column=True, **WITH_LABELS, **ALL).commit()
    rewrite(job, PART, lambda text: text.replace(before, after, 1))
    findings = [f"{finding.proof}: {finding.what}" for finding in check_job("bp-1", job.output).findings]
    assert (len(findings), findings[0][: len(told)]) == (1, told)


COLUMNS = ["tag", "trueLabel", "a", "b", "plan", "predictedLabel", "score", "status"]


@pytest.mark.parametrize(
    ("change", "proof"),
    [
        ({"columns": COLUMNS[:-1]}, "manifest"),
        ({"columns": [*COLUMNS[:4], "PLAN", *COLUMNS[5:]]}, "manifest"),
        ({"columns": [*COLUMNS[:5], "label", "score", "status"]}, "manifest"),
        ({"status_column": False}, "manifest"),
        ({"multiclass_output": "probabilities"}, "predictions"),
        ({"model": {"classes": ["other"]}}, "labels"),
    ],
)
def test_a_manifest_that_tells_other_columns_than_it_has_is_found_out(
    change: dict[str, Any], proof: str, tmp_path: Path
) -> None:
    job = FinishedJob(tmp_path, {"a.csv": PEOPLE}, status_column=True, **WITH_LABELS, **ALL).commit()
    job.edit_manifest(**change)
    findings = {finding.proof: finding.what for finding in check_job("bp-1", job.output).findings}
    assert proof in findings
    if proof == "manifest":
        assert findings["manifest"] == "columns: expected those that the other keys tell, got others"
    job.edit_manifest(multiclass_output="other")
    with pytest.raises(InputError, match="expected an extended manifest, got something else"):
        check_job("bp-1", job.output)


TEXTS = [
    "",
    "gold",
    " spaced ",
    "two words",
    "it's",
    'say "so"',
    "a, b",
    "x;y",
    "é",
    "007",
    "NA",
    "=1",
    "a\tb",
    "|",
    "-0",
]
NAMES = ["id", "a", "b", "y", "plan", "plan", "", "of, all", "ünï"]
DIALECTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "semicolons": {"delimiter": ";", "decimal": ",", "thousands": "."},
    "tabs": {"delimiter": "\t", "encoding": "cp1252", "escape_formulas": False},
    "escape": {"escape": "\\", "delimiter": "|"},
    "trim": {"trim": True, "encoding": "latin-1"},
    "multiline": {"multiline": True, "max_record_bytes": 1000},
}


def spelt(text: str, keys: dict[str, Any], chance: random.Random) -> str:
    """Return a text as a cell of a dialect, in quotes where it must be and by chance."""
    delimiter, escape = keys.get("delimiter", ","), keys.get("escape")
    if not any(mark in text for mark in (delimiter, '"', "\n")) and chance.random() < 0.8:
        return text
    if escape:
        return '"' + text.replace(escape, escape * 2).replace('"', escape + '"') + '"'
    return '"' + text.replace('"', '""') + '"'


def table_of(keys: dict[str, Any], seed: int) -> bytes:
    """Return a file of a dialect: words, numbers, and records that are invalid."""
    chance, delimiter = random.Random(seed), keys.get("delimiter", ",")
    texts = [*TEXTS, *(["x\ny", "\r\n"] if keys.get("multiline") else [])]
    numbers = ["1", "+2.5", "1e2", "word", ""] if "decimal" not in keys else ["1,5", "1.234,5", "-2", "1;2", ""]
    numbers += [" 7 "] if keys.get("trim") else []
    lines = [delimiter.join(spelt(name, keys, chance) for name in NAMES)]
    for number in range(40):
        cells = [f"r{number}", chance.choice(numbers), *(chance.choice(texts) for _ in NAMES[2:])]
        line = delimiter.join(spelt(cell, keys, chance) for cell in cells)
        lines.append("" if chance.random() < 0.05 and number < 39 else line)  # the last one would be no record
    return ("\r\n" if seed % 2 else "\n").join([*lines, ""]).encode(keys.get("encoding", "utf-8"))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("split_bytes", [251, 1200, 1 << 20])
def test_passed_columns_are_what_pandas_reads_and_check_finds_one_changed_cell(
    dialect: str, split_bytes: int, tmp_path: Path
) -> None:
    keys = DIALECTS[dialect]
    content = table_of(keys, split_bytes)
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "skip_blank_lines": False}
    options |= {"escapechar": "\\", "doublequote": False} if "escape" in keys else {}
    options |= {"sep": keys.get("delimiter", ","), "encoding": keys.get("encoding", "utf-8")}
    expected = pd.read_csv(io.BytesIO(content), **options).fillna("").drop(columns=["id", "y"])
    expected = expected.replace(r"\r?\n", " ", regex=True)

    job = FinishedJob(tmp_path, {"a.csv": content}, split_bytes=split_bytes, **ALL, **keys).commit()

    assert frame_of(job)[expected.columns].to_numpy().tolist() == expected.to_numpy().tolist()
    assert job.manifest["columns"][2:-1] == expected.columns.tolist()
    assert len(job.manifest["inputs"][0]["parts"]) > 1 or split_bytes > len(content) or keys.get("multiline")
    assert check_job("bp-1", job.output).findings == []
    change_a_cell(job, column=4)
    assert [finding.proof for finding in check_job("bp-1", job.output).findings] == ["passed columns"]


def change_a_cell(job: FinishedJob, column: int) -> None:
    """Write other text into a cell of the first record with a tag, and tell the part's new digest in the manifest."""
    manifest = job.manifest
    part = manifest["inputs"][0]["parts"][0]
    path = Path(part["uri"].removeprefix("file://"))
    rows = list(csv.reader(io.StringIO(gzip.decompress(path.read_bytes()).decode(), newline="")))
    next(row for row in rows[1:] if row[0])[column] += "x"
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows(rows)
    path.write_bytes(gzip.compress(written.getvalue().encode()))
    part |= {"file_size_in_bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    job.edit_manifest(inputs=manifest["inputs"])


def test_passed_columns_are_told_by_the_manifest_alone(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": PEOPLE}, passthrough=["plan"], rename={"plan": "of now"}).commit()
    echoed = json.loads(job.path("bp-1.manifest.json").read_bytes())["input_format"]["echoed"]
    assert echoed[2] == {"header": "of now", "source": "plan", "is_numeric": False, "is_required": True, "role": None}
