"""Folders of many small files."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

RECORDS_EACH = 2


def make_small_files(source: Path, count: int, folder: Path) -> Path:
    """Cut the records of a file that has a header into so many files of two records each, with that header."""
    if folder.exists() and sum(1 for _ in folder.iterdir()) == count:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as file:
        header = file.readline()
        for number in range(count):
            (folder / f"{number:05}.csv").write_bytes(header + b"".join(islice(file, RECORDS_EACH)))
    return folder
