"""Another threshold: ``bestAnswer`` as the true scores would have it, or no answer at all."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.result_files import LaidJob

from batchscore.cli import main
from batchscore.errors import ConfigError
from batchscore.results.predictions import read_predictions
from batchscore.results.threshold import Threshold

SCORES = "a,0,1E-1\nb,1,5E-1\nc,1,7.234567E-1\nd,,\n\ne,1,1E0\nf,0,0E0\n"


def answers(folder: Path, threshold: float, text: str = SCORES, **keys: Any) -> list[int | None]:
    job = LaidJob(folder, "tag,bestAnswer,score", {"a.csv": [text]}, **keys)
    answer: list[int | None] = read_predictions(
        str(job.output), "bp-1", "arrow", threshold=threshold, columns=["bestAnswer"]
    )["bestAnswer"].to_pylist()
    return answer


def test_best_answer_is_made_anew_and_null_where_there_is_no_score(tmp_path: Path) -> None:
    assert answers(tmp_path, 0.6) == [0, 0, 1, None, None, 1, 0]
    assert answers(tmp_path, 0.05) == [1, 1, 1, None, None, 1, 0]
    assert answers(tmp_path, 0) == [1, 1, 1, None, None, 1, 1]


def test_with_the_threshold_of_the_job_it_is_as_written(tmp_path: Path) -> None:
    written = "a,0,5E-1\nb,1,5E-1\nc,0,1E-1\n"  # 0.49999999 is written as 5E-1 too
    assert answers(tmp_path, 0.5, written) == [0, 1, 0]


def test_scores_of_which_seven_digits_cannot_tell_are_counted_and_the_remedy_named(tmp_path: Path) -> None:
    text = "a,1,7E-1\nb,1,7.000001E-1\nc,1,6.999999E-1\nd,1,7E-1\n"
    with pytest.raises(ConfigError, match=r"threshold 0.7: .* got 2 of which the seven digits .* precision: full"):
        answers(tmp_path, 0.7, text)
    assert answers(tmp_path, 0.7, text, precision="full") == [1, 1, 0, 1]
    with pytest.raises(ConfigError, match="got 1 of which"):
        answers(tmp_path, 1.0, "a,1,1E0\n")


def test_the_answer_for_the_job_s_own_threshold_tells_where_both_are_written_alike(tmp_path: Path) -> None:
    text = "above,1,5E-1\nbelow,0,5E-1\n"
    assert answers(tmp_path, 0.49999998, text[:13]) == [1]  # it was at least 0.5
    assert answers(tmp_path, 0.50000002, text[13:]) == [0]  # it was below 0.5
    with pytest.raises(ConfigError, match="got 1 of which"):
        answers(tmp_path, 0.49999998, text)


@given(st.floats(0, 1), st.floats(0, 1), st.lists(st.integers(-60, 60), min_size=1, max_size=20), st.floats(0, 1e-6))
def test_an_answer_that_is_given_is_that_of_the_true_score(
    value: float, of_job: float, steps: list[int], width: float
) -> None:
    true = np.array([min(max(value + step / 60 * width, 0.0), 1.0) for step in steps])
    written = pa.array([float(f"{score:.6E}") for score in true])  # what Python rounds: half to even on the exact value
    before = pa.array([int(score >= of_job) for score in true], pa.int8())

    found, unsure = Threshold(value, of_job, is_exact=False).answers(written, before)

    right = [int(score >= value) for score in true]
    wrong = sum(one != other for one, other in zip(found.to_pylist(), right, strict=True))
    assert wrong <= unsure
    if of_job == value:
        assert (unsure, wrong) == (0, 0)


@given(st.floats(1e-12, 1))
def test_what_cannot_be_told_could_be_of_either_side(value: float) -> None:
    near = float(f"{value:.6E}")
    _, unsure = Threshold(value, 0.0, is_exact=False).answers(pa.array([near]), pa.array([1], pa.int8()))
    sides = {float(f"{score:.6E}") == near for score in (value, math.nextafter(value, -1))}
    assert unsure == (1 if sides == {True} else 0)


@pytest.mark.parametrize("threshold", [math.nan, -0.1, 1.1, math.inf, True, "0.5"])
def test_a_threshold_that_is_none_is_refused(threshold: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"threshold: expected a number from 0 to 1, got"):
        answers(tmp_path, threshold)


def test_a_threshold_may_be_a_number_of_numpy(tmp_path: Path) -> None:
    float_of_32_bits: Any = np.float32(0.25)
    assert answers(tmp_path, float_of_32_bits) == answers(tmp_path, 0.25)


@pytest.mark.parametrize("kind", ["regression", "multiclass"])
def test_other_kinds_of_models_have_none(kind: str, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"model": {"type": kind, "classes": ["x"]}, "threshold": None}
    header = {"regression": "tag,score", "multiclass": "tag,x"}[kind]
    job = LaidJob(tmp_path, header, {"a.csv": ["a,1E-1\n"]}, **keys)
    with pytest.raises(ConfigError, match=f"expected results of a binary model, got those of a {kind} one"):
        read_predictions(str(job.output), "bp-1", threshold=0.5)


def test_a_pipe_gets_nothing_where_a_score_of_the_end_cannot_be_told(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {"a.csv": ["a,0,1E-1\n", "b,1,7E-1\n"]})
    target = tmp_path / "kept.csv"
    target.write_text("before")
    for more in ([], ["--to", str(target)]):
        assert main(["results", f"output={job.output}", "bp-1", "--threshold", "0.7", *more]) == 2
        assert capsysbinary.readouterr().out == b""
    assert target.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.csv", "output"]
    assert main(["results", f"output={job.output}", "bp-1", "--threshold", "0.05", "--json"]) == 0
    lines = capsysbinary.readouterr().out.splitlines()
    assert [json.loads(line)["bestAnswer"] for line in lines] == [1, 1]
