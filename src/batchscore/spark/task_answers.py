"""What a task answers (pure): a line for each part, or the error that another attempt would meet again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, replace
from typing import overload

from batchscore.errors import ERRORS_BY_NAME, BatchScoreError, ScoringError
from batchscore.input.unseen_texts import TextCounts
from batchscore.output.parts import PartFile, WrittenFile


def error_answer(error: BatchScoreError) -> str:
    """Return an error as an answer."""
    return json.dumps({"error": type(error).__name__, "message": str(error)})


def answered_error(answer: str) -> BatchScoreError:
    """Return the error that an answer tells."""
    raw = json.loads(answer)
    return ERRORS_BY_NAME.get(raw["error"], ScoringError)(raw["message"])


def raise_answered(answer: str) -> None:
    """Raise the error that an answer is, if it is one."""
    if answer.startswith("{"):
        raise answered_error(answer)


def as_line(value: PartFile | WrittenFile) -> str:
    """Return a part or a file as a line: its values without their names, which would take as much again.

    So would a part's profile, a hundred times: the driver reads it from the receipt, one at a time.
    """
    values = astuple(value)[:-1] if isinstance(value, PartFile) else astuple(value)
    return json.dumps(values, separators=(",", ":"))


def read_file(line: str) -> WrittenFile:
    """Return the file that a line holds."""
    return WrittenFile(*json.loads(line))


def read_part(line: str) -> PartFile:
    """Return the part that a line holds."""
    index, file, records, invalid, values, reasons, rejected, *rest, missing, repeated, texts = json.loads(line)
    refused = WrittenFile(*rejected) if rejected else None
    part = PartFile(index, WrittenFile(*file), records, invalid, values, reasons, refused, *rest)
    if any(texts):
        part = replace(part, texts=TextCounts(*texts))
    return replace(part, missing_columns=tuple(missing), repeated_columns=repeated) if missing or repeated else part


class AnsweredParts(Sequence[PartFile]):
    """The parts that tasks answered, kept as lines and read when they are asked for.

    A line takes some 400 bytes, the part as an object three times as much.
    """

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, place: int) -> PartFile: ...
    @overload
    def __getitem__(self, place: slice) -> AnsweredParts: ...
    def __getitem__(self, place: int | slice) -> PartFile | AnsweredParts:
        if isinstance(place, slice):
            return AnsweredParts(self._lines[place])
        return read_part(self._lines[place])

    def __iter__(self) -> Iterator[PartFile]:
        return map(read_part, self._lines)


def answered_parts(answers: Sequence[str]) -> AnsweredParts:
    """Return the parts of all tasks in their order; raises what a task answered as an error."""
    lines: list[str] = []
    for answer in answers:
        raise_answered(answer)
        lines += answer.split("\n")
    return AnsweredParts(lines)
