"""The highest and lowest scores: equal ones in record order, and those without a prediction never among them."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.result_files import LaidJob

from batchscore.cli import main
from batchscore.results.highest import Order, highest

SCORES = "a,0,1E-1\nb,1,9E-1\nc,,\n\nd,1,9E-1\ne,0,2E-1\nf,1,9.5E-1\n"
CLASSES = {"type": "multiclass", "classes": ["yes", "b,c"]}
LABELS: dict[str, Any] = {"model": CLASSES, "multiclass_output": "label"}


@pytest.fixture
def rows(capsysbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Run the command with JSON lines; gives the values of each record."""

    def run(job: LaidJob, *arguments: str, code: int = 0) -> Any:
        assert main(["results", "bp-1", f"output={job.output}", "--json", *arguments]) == code
        told = capsysbinary.readouterr()
        return [list(json.loads(line).values()) for line in told.out.splitlines()] if code == 0 else told.err.decode()

    return run


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--top", "2"], ["f", "b"]),
        (["--top", "3"], ["f", "b", "d"]),
        (["--top", "100"], ["f", "b", "d", "e", "a"]),
        (["--bottom", "2"], ["a", "e"]),
        (["--bottom", "4"], ["a", "e", "b", "d"]),
        (["--top", "1", "--where", "score < 0.9"], ["e"]),
        (["--top", "1", "--by", "score"], ["f"]),
        (["--bottom", "1", "--threshold", "0.15"], ["a"]),
    ],
)
@pytest.mark.parametrize("cut", [0, 9, 23])
def test_the_highest_come_first(arguments: list[str], expected: list[str], cut: int, rows: Any, tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": [SCORES[:cut], SCORES[cut:]]})
    assert [tag for (tag,) in rows(job, *arguments, "--columns", "tag")] == expected


def test_of_several_values_the_one_that_is_named(rows: Any, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"model": {"type": "regression", "values": ["low", "high"]}}
    job = LaidJob(tmp_path, "tag,score_low,score_high", {"a.csv": ["a,1E0,9E0\nb,2E0,8E0\n,,\n"]}, **keys)
    assert rows(job, "--top", "1", "--by", "score_high") == [["a", 1, 9]]
    assert rows(job, "--bottom", "1", "--by", "score_high", "--columns", "tag") == [["b"]]
    fault = rows(job, "--top", "1", code=2)
    assert "by: expected the score to go by, got none; give one of score_low, score_high with --by" in fault
    assert "by score_lwo: expected a score of the results, got another; did you mean score_low?" in rows(
        job, "--top", "1", "--by", "score_lwo", code=2
    )


def test_of_classes_the_one_that_is_named(rows: Any, tmp_path: Path) -> None:
    columns = ["tag", "yes", "b,c"]
    job = LaidJob(tmp_path, 'tag,yes,"b,c"', {"a.csv": ["a,9E-1,1E-1\nb,2E-1,8E-1\n"]}, model=CLASSES, columns=columns)
    assert rows(job, "--top", "1", "--by", "b,c") == [["b", 0.2, 0.8]]
    fault = rows(job, "--top", "1", code=2)
    assert "by: expected the class to go by, got none; give one of yes, b,c with --by" in fault
    assert "by no: expected a class of the results, got another; there are yes, b,c" in rows(
        job, "--top", "1", "--by", "no", code=2
    )


def test_of_labels_those_that_are_predicted_as_the_class(rows: Any, tmp_path: Path) -> None:
    text = 'a,yes,9E-1\nb,"b,c",8E-1\nc,yes,4E-1\nd,,\ne,yes,6E-1\n'
    job = LaidJob(tmp_path, "tag,predictedLabel,score", {"a.csv": [text]}, **LABELS)
    assert rows(job, "--top", "2", "--by", "yes") == [["a", "yes", 0.9], ["e", "yes", 0.6]]
    assert rows(job, "--bottom", "1", "--by", "yes", "--columns", "tag") == [["c"]]
    assert rows(job, "--top", "9", "--by", "b,c", "--columns", "tag") == [["b"]]
    assert "expected the class to go by, got none; give one of yes, b,c" in rows(job, "--top", "1", code=2)


def test_a_class_is_named_as_the_model_or_as_the_results_have_it(rows: Any, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"multiclass_output": "label", "escape_formulas": True}
    model = {"type": "multiclass", "classes": ["=x", "a\nb"]}
    text = "a,'=x,9E-1\nb,a b,8E-1\n"
    job = LaidJob(tmp_path, "tag,predictedLabel,score", {"a.csv": [text]}, model=model, **keys)
    for name, tag in (("=x", "a"), ("'=x", "a"), ("a\nb", "b"), ("a b", "b")):
        assert rows(job, "--top", "1", "--by", name, "--columns", "tag") == [[tag]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--top", "1", "--bottom", "1"], "argument --bottom: expected --top or --bottom, got both"),
        (["--by", "score"], "argument --by: expected --top or --bottom with it, got neither"),
        (["--top", "1", "--by", "tag"], "by tag: expected a score of the results, got another; there are score"),
    ],
)
def test_what_does_not_go_together_is_told(arguments: list[str], message: str, rows: Any, tmp_path: Path) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": [SCORES]})
    assert message in rows(job, *arguments, code=2)


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "ten", "\u0661"])
def test_a_number_of_records_is_one(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["results", f"--top={number}", "output=x"])
    assert f"expected a number of records from 1, got {number}" in capsys.readouterr().err


@given(
    st.lists(st.lists(st.one_of(st.none(), st.integers(-3, 3)), max_size=12), max_size=6),
    st.integers(1, 20),
    st.booleans(),
)
def test_it_is_what_a_stable_sort_of_all_gives(batches: list[list[int | None]], count: int, lowest: bool) -> None:
    schema = pa.schema([("place", pa.int64()), ("score", pa.float64())])
    pieces, place = [], 0
    for scores in batches:
        places = pa.array(range(place, place + len(scores)), pa.int64())
        pieces.append(pa.RecordBatch.from_arrays([places, pa.array(scores, pa.float64())], schema=schema))
        place += len(scores)

    found = highest(pieces, schema, Order(count, "score", lowest)).to_pandas()

    frame = pa.Table.from_batches(pieces, schema).to_pandas().dropna()
    expected = frame.sort_values("score", ascending=lowest, kind="stable").head(count).reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)
