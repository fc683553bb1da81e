"""What tasks answer, and how it is read."""

import json
import sys

import pytest

from batchscore.errors import BatchScoreError, InputError, ModelError, ScoringError
from batchscore.input.unseen_texts import TextCounts
from batchscore.output.parts import PartFile, WrittenFile
from batchscore.spark.task_answers import answered_parts, as_line, error_answer, raise_answered, read_file, read_part

FILE = WrittenFile('s3://b/out/ü"\n1.gz', 10, "sha", "etag")


def part(index: int) -> PartFile:
    return PartFile(
        split_index=index,
        file=FILE,
        record_count=5,
        invalid_record_count=1,
        invalid_values={"a": 2},
        invalid_reasons={"blank": 1},
        rejected=WrittenFile("s3://b/r", 1, "s", "e") if index % 2 else None,
        extra_columns=["x\n", "y"],
        compute_milliseconds=7,
        seconds={"read": 0.5},
        reused=index == 3,
        texts=TextCounts(4, {"a": 1}, {"a": 2}) if index else TextCounts(),
    )


def test_a_part_and_a_file_are_read_back_from_their_lines() -> None:
    for index in range(4):
        assert "\n" not in as_line(part(index))
        assert read_part(as_line(part(index))) == part(index)
    assert read_file(as_line(FILE)) == FILE


def test_the_parts_of_tasks_come_in_the_order_of_tasks_as_often_as_they_are_asked_for() -> None:
    answers = ["\n".join(map(as_line, (part(0), part(1)))), as_line(part(2)), as_line(part(3))]
    parts = answered_parts(answers)
    assert len(parts) == 4
    for _ in range(2):
        assert list(parts) == [part(index) for index in range(4)]
    assert parts[2] == part(2)
    assert list(parts[1:3]) == [part(1), part(2)]


def test_an_answer_of_one_part_is_kept_as_it_came_and_takes_no_second_place() -> None:
    answer = as_line(part(0))
    before = sys.getrefcount(answer)
    parts = answered_parts([answer])
    assert sys.getrefcount(answer) == before + 1
    assert len(parts) == 1


def test_an_error_that_a_task_answers_is_raised_as_what_it_was() -> None:
    answer = error_answer(ModelError("model m: expected a, got b"))
    with pytest.raises(ModelError, match="model m: expected a, got b"):
        raise_answered(answer)
    with pytest.raises(ModelError, match="model m"):
        answered_parts([as_line(part(0)), answer])
    raise_answered(as_line(part(0)))


def test_of_several_failures_the_first_tasks_is_raised() -> None:
    failures = [error_answer(InputError(f"input {number}")) for number in range(2)]
    with pytest.raises(InputError, match="input 0"):
        answered_parts([as_line(part(0)), *failures])


def test_an_error_of_a_class_that_is_not_known_is_a_scoring_error() -> None:
    class OtherError(BatchScoreError):
        pass

    with pytest.raises(ScoringError, match="x: expected y"):
        raise_answered(error_answer(OtherError("x: expected y")))


def test_a_line_holds_no_names_of_fields() -> None:
    assert json.loads(as_line(FILE)) == [FILE.uri, 10, "sha", "etag"]
