"""The rule of lines that leave a quoted value open (ADR 26), in plain Python: every stretch of lines is looked at."""

from collections.abc import Sequence

OPEN, BAD = -1, -2


def values_in(record: str) -> int:
    """Count the values of one record, character by character; OPEN where a quoted value does not end, BAD else."""
    count, place = 0, 0
    while True:
        count += 1
        if record[place : place + 1] == '"':
            place += 1
            while record[place : place + 1] != '"' or record[place : place + 2] == '""':
                if place >= len(record):
                    return OPEN
                place += 2 if record[place] == '"' else 1
            place += 1
        else:
            while place < len(record) and record[place] not in ",\n":
                place += 1
        if place == len(record):
            return count
        if record[place] != ",":
            return BAD
        place += 1


def without_end(lines: Sequence[str]) -> str:
    return "".join(lines).removesuffix("\n").removesuffix("\r")


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with their ends."""
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def covered_lines(lines: Sequence[str], column_count: int, longest: int) -> set[int]:
    """Return the lines of which each is of a record over several lines that begins with a line left open."""
    covered: set[int] = set()
    for first, line in enumerate(lines):
        if values_in(without_end([line])) == OPEN:
            for last in range(first + 1, len(lines)):
                stretch = without_end(lines[first : last + 1])
                if len(stretch) <= longest and values_in(stretch) == column_count:
                    covered |= {*range(first, last + 1)}
    return covered
