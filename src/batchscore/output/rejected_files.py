"""Rejected files read back (pure)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

REJECTED_HEADER = ("part", "line", "byteOffset", "tag", "stage", "reason", "attribute", "record")


class RejectedFileError(ValueError):
    """A rejected file is not what the contract says."""


@dataclass(frozen=True)
class RejectedRow:
    """A row of a rejected file, so far as it can be held against the input."""

    part: str
    line: str
    offset: int
    tag: str
    stage: str
    reason: str


def whole_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same bytes cut after line ends; the last ones may lack theirs."""
    pending: list[bytes] = []
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if end:
            yield b"".join([*pending, chunk[:end]])
            pending = []
        if chunk[end:]:
            pending.append(chunk[end:])
    if pending:
        yield b"".join(pending)


def rejected_rows(chunks: Iterator[bytes], header: Sequence[str]) -> Iterator[RejectedRow]:
    """Yield the rows of a rejected file; raises RejectedFileError if it is none."""
    texts = (line for lines in whole_lines(chunks) for line in lines.decode().split("\n")[:-1])
    rows = csv.reader(texts, strict=True)
    try:
        if next(rows, None) != list(header):
            raise RejectedFileError("rejected file: expected its header, got another first line")
        for part, line, offset, tag, stage, reason, _, _ in rows:
            yield RejectedRow(part, line, int(offset), tag, stage, reason)
    except (csv.Error, ValueError) as error:
        raise RejectedFileError(f"rejected file: expected rows of {len(header)} cells, got something else") from error
