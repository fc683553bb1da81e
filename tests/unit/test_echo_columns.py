"""Any column of an input is echoed like the row id and the target: one more ``EchoColumn``, and nothing else."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.committed import FinishedJob
from tests.parsed import parse_block

from batchscore.commands.check import check_job
from batchscore.commands.pairing import pair
from batchscore.commands.result_lines import PairFormat
from batchscore.errors import InputError
from batchscore.input.binding import Binding, bind
from batchscore.input.blocks import Block
from batchscore.input.columns import Column, Columns
from batchscore.input.csv_columns import read_csv_lines
from batchscore.input.csv_lines import TextFormat
from batchscore.input.echo_columns import EchoColumn, echo_columns
from batchscore.input.parsed_block import ParsedBlock
from batchscore.input.roles import Roles
from batchscore.output.result_text import ResultFormat, format_predictions, header_line

ROLES = echo_columns(Roles("id", "y"))
AREA = EchoColumn("area", "region")
HEADER = ["region", "x", "id", "y"]


def columns_of(*echoed: EchoColumn, kind: str = "double") -> Columns:
    return Columns((Column("x", kind),), echoed, None, has_header=True)  # type: ignore[arg-type] # a literal


def parsed(data: bytes, columns: Columns, header: list[str]) -> ParsedBlock:
    return parse_block(Block(0, data), bind(columns, header, "f"), columns, TextFormat())


def result_of(block: ParsedBlock, columns: Columns, **changes: Any) -> bytes:
    """Return the result of a block, in which the score of each valid record is half."""
    result = ResultFormat("regression", (), 0.5, "amazon", echoed=columns.echoed, keep_tag=True, **changes)
    scores = np.full(len(block.lines), 0.5)
    return header_line(result) + format_predictions(result, block.record_count, block.lines, scores, block.echoed)


def failed_proofs(block: ParsedBlock, columns: Columns, result: bytes, **changes: Any) -> dict[str, int]:
    header = (*(column.header for column in columns.echoed), "score")
    form = PairFormat(header, 0, echoed=columns.echoed, keep_tag=True, **changes)
    return dict(pair(iter([block]), iter([]), iter([result]), form).failed)


@pytest.mark.parametrize("kind", ["double", "string"])  # of plain numbers, read as JSON, and by pyarrow
def test_a_third_column_goes_through_parse_result_and_pairing(kind: str) -> None:
    columns = columns_of(*ROLES, AREA, kind=kind)
    block = parsed(b"north,1,A,0\nS\xc3\xbcd,2,B,1\n,3,C,\n", columns, HEADER)

    result = result_of(block, columns)

    assert result.decode() == "tag,trueLabel,area,score\nA,0,north,5E-1\nB,1,Süd,5E-1\nC,,,5E-1\n"
    assert failed_proofs(block, columns, result) == {}
    assert failed_proofs(block, columns, result.replace(b"north", b"south")) == {"passed columns": 1}
    assert failed_proofs(block, columns, result.replace(b"A,0,north", b"B,0,south")) == {"tags": 1}


def test_columns_are_echoed_in_the_order_of_their_list() -> None:
    columns = columns_of(AREA, *ROLES[::-1])
    block = parsed(b"north,1,A,0\n", columns, HEADER)
    result = result_of(block, columns)
    assert result.decode() == "area,trueLabel,tag,score\nnorth,0,A,5E-1\n"
    assert failed_proofs(block, columns, result) == {}


def test_a_column_may_be_echoed_twice_and_be_an_input_of_the_model_too() -> None:
    columns = columns_of(*ROLES, EchoColumn("id", "id"), EchoColumn("x", "x"))
    for cell, lines in ((b"1.50", [0]), (b"word", [])):
        block = parsed(b"north," + cell + b",A,0\n", columns, HEADER)
        assert [texts.to_pylist() for texts in block.echoed] == [["A"], ["0"], ["A"], [cell.decode()]]
        assert block.lines.tolist() == lines


def test_a_file_may_lack_a_column_that_is_not_required_and_no_other() -> None:
    optional = columns_of(*ROLES, EchoColumn("area", "region", is_required=False))
    block = parsed(b"1,A\n2,B\n", optional, ["x", "id"])
    assert result_of(block, optional).decode() == "tag,trueLabel,area,score\nA,,,5E-1\nB,,,5E-1\n"
    with pytest.raises(InputError, match=r"header of f: expected columns that are not there: region$"):
        bind(columns_of(*ROLES, AREA), ["x", "id"], "f")
    inputs_by_position = Columns((Column("column 1", "double"),), ROLES, None, has_header=True, by_position=True)
    assert bind(inputs_by_position, ["x", "id"], "f").positions == (0,)


def test_what_is_echoed_beside_row_id_and_target_never_changes_which_columns_a_model_takes() -> None:
    inputs = (Column("column 1", "double"), Column("column 2", "double"))
    for echoed in (ROLES, (*ROLES, EchoColumn("a", "a"))):
        columns = Columns(inputs, echoed, None, has_header=True, by_position=True)
        assert bind(columns, ["a", "id", "b"], "f").positions == (0, 2)


def test_each_column_is_escaped_and_quoted_by_its_own_type() -> None:
    columns = columns_of(*ROLES, EchoColumn("change", "region", is_numeric=True), EchoColumn("note", "x"))
    block = parsed(b'-1,1,=A,+0\n"=1,2",2,B,1\n', columns, HEADER)
    result = result_of(block, columns, escape_formulas=True)
    rows = list(csv.reader(io.StringIO(result.decode())))
    assert rows[1:] == [["'=A", "'+0", "-1", "1", "5E-1"], ["B", "1", "'=1,2", "2", "5E-1"]]
    assert failed_proofs(block, columns, result, escape_formulas=True) == {}


def test_without_any_column_to_read_the_records_are_parsed_all_the_same() -> None:
    for echoed in ((), (EchoColumn("trueLabel", "y", is_required=False),)):
        columns = Columns((), echoed, None, has_header=True)
        block = parsed(b'a,1\n"\nb,2,3\nb,4\n', columns, ["p", "q"])
        assert block.lines.tolist() == [0, 3]
        assert [(record.line, record.reason) for record in block.invalid] == [
            (1, "unbalanced_quote"),
            (2, "column_count"),
        ]
        assert [texts.to_pylist() for texts in block.echoed] == [["", "", "", ""]] * len(echoed)
    arrays, _, _ = read_csv_lines(b"a,1\n", np.arange(1), Binding(2, (), ()), columns, TextFormat())
    assert list(arrays) == [0]  # one column, not all


WORD = EchoColumn("word", "b")
RECORDS = b"id,a,b,y\n" + b"".join(b"C%d,%d,x%d,%d\n" % (place, place, place, place % 2) for place in range(20))
RECORDS += b'=C20,2,"-,z",0\nC21,word,-x,1\nC22\nC23,13,x,0\n'


@pytest.mark.parametrize("keys", [{}, {"escape_formulas": True, "invalid_records": "blank"}, {"layout": "amazon"}])
def test_a_job_with_a_third_column_is_proven_by_what_its_manifest_tells(keys: dict[str, Any], tmp_path: Path) -> None:
    files = {"a.csv": RECORDS, "b.csv.gz": gzip.compress(RECORDS)}
    job = FinishedJob(tmp_path, files, split_bytes=100, echoed=(*ROLES, WORD), **keys).commit()

    report = check_job("bp-1", job.output)

    assert (report.findings, report.records_read, report.tried["tags"]) == ([], 48, 48)
    name = "b.csv.gz.gz" if keys.get("layout") == "amazon" else "b.csv.gz/part-00000.csv.gz"
    frame = pd.read_csv(job.path(f"result/bp-1-{name}"), nrows=10)
    assert frame.columns.tolist() == ["tag", "trueLabel", "word", "score"]
    assert frame["word"].tolist() == [f"x{place}" for place in range(10)]


@pytest.mark.parametrize(
    ("echoed", "tags"),
    [((WORD, *ROLES[::-1]), ["C13", "C21", "", "C23"]), ((WORD, ROLES[1]), [""] * 4), ((), [""] * 4)],
)
def test_the_tag_of_a_rejected_row_is_the_row_id_wherever_that_is_echoed(
    echoed: tuple[EchoColumn, ...], tags: list[str], tmp_path: Path
) -> None:
    job = FinishedJob(tmp_path, {"a.csv": RECORDS}, echoed=echoed).commit()
    rejected = pd.read_csv(job.path("rejected/bp-1-a.csv/part-00000.csv.gz"), keep_default_na=False)
    assert rejected["tag"].tolist() == tags
    assert check_job("bp-1", job.output).findings == []


def test_a_manifest_that_names_another_third_column_is_found_out(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": RECORDS[:80]}, echoed=(*ROLES, WORD)).commit()
    assert check_job("bp-1", job.output).findings == []
    entry = json.loads(job.path("bp-1.manifest.json").read_bytes())["input_format"]
    entry["echoed"][2]["source"] = "a"
    job.edit_manifest(input_format=entry)
    assert {finding.proof for finding in check_job("bp-1", job.output).findings} == {"passed columns"}


def test_a_manifest_tells_the_echoed_columns_only_where_row_id_and_target_do_not(tmp_path: Path) -> None:
    keys = ["encoding", "delimiter", "has_header", "names", "row_id", "target", "numeric", "empty_last_line_is_record"]
    for echoed, told in ((ROLES, keys), ((*ROLES, WORD), [*keys, "echoed"]), (ROLES[::-1], [*keys, "echoed"])):
        folder = tmp_path / echoed[-1].header
        folder.mkdir()
        job = FinishedJob(folder, {"a.csv": RECORDS}, echoed=echoed).commit()
        manifest = json.loads(job.path("bp-1.manifest.json").read_bytes())
        assert list(manifest["input_format"]) == told
