"""A part while it is being written."""

import gc
import os
import sys
import tempfile
from pathlib import Path

import pytest
from tests.broken import full_disk

from batchscore.errors import CommitError
from batchscore.output import gzip_part
from batchscore.output.gzip_part import GzipPart
from batchscore.storage.local import LocalStorage


# What is small stays in gzip's own buffer, then in the file's, until the part is finished.
@pytest.mark.parametrize("size_in_bytes", [1, 100, 1_000_000])
def test_a_part_for_which_the_temporary_folder_has_no_room_is_told_and_not_stored(
    size_in_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gzip_part, "_MEMORY_BYTES", 1)
    part = GzipPart()

    def write() -> None:
        part.write(os.urandom(size_in_bytes))
        part.store(LocalStorage(str(tmp_path)), f"file://{tmp_path}/part.csv.gz")

    told = f"temporary folder {tempfile.gettempdir()}: expected room for a part, got File too large"
    with full_disk(5):
        with pytest.raises(CommitError, match=told):
            write()
        part.close()

    assert list(tmp_path.iterdir()) == []


def test_a_part_that_is_discarded_leaves_nothing_that_complains_when_it_is_collected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    part = GzipPart()
    part.write(b"tag,score\n")
    part.close()
    part.close()

    del part
    gc.collect()

    assert told == []
