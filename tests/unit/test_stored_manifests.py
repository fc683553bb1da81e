"""Manifests of other jobs are read without their lists of skipped files, however those were written."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from batchscore.commit.manifest_reader import read_sources
from batchscore.commit.stored_manifests import read_stored
from batchscore.errors import InputError
from batchscore.storage.base import StoredObject
from batchscore.storage.local import LocalStorage

INPUTS = [
    {"uri": "s3://b/in/a.csv", "file_size_in_bytes": 10, "etag": "e1"},
    {"uri": 's3://b/in/\n "skipped": [.csv', "file_size_in_bytes": 20, "etag": "e2"},
]
SOURCES = [StoredObject("s3://b/in/a.csv", 10, "e1"), StoredObject('s3://b/in/\n "skipped": [.csv', 20, "e2")]
SKIPPED = [{"uri": f"s3://b/in/{number}.csv", "reason": "scored before by one"} for number in range(50_000)]
MANIFEST: dict[str, Any] = {"format_version": 1, "id": "two", "inputs": INPUTS, "skipped": SKIPPED}


@dataclass(frozen=True)
class Watched(LocalStorage):
    """A store that knows how many bytes of ranges, and which whole files, it was asked for."""

    lengths: list[int] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)

    def read_range(self, source: StoredObject, start: int, stop: int) -> bytes:
        self.lengths.append(stop - start)
        return super().read_range(source, start, stop)

    def read(self, uri: str) -> bytes:
        self.whole.append(uri)
        return super().read(uri)


def stored(folder: Path, content: str) -> tuple[Watched, StoredObject]:
    storage, uri = Watched(str(folder)), f"file://{folder}/two.manifest.json"
    storage.put(uri, io.BytesIO(content.encode()))
    return storage, storage.stat(uri)


def test_a_long_list_of_skipped_files_is_not_read(tmp_path: Path) -> None:
    storage, manifest = stored(tmp_path, json.dumps(MANIFEST, indent=1))
    assert manifest.size_in_bytes > 3 * 1024 * 1024

    assert read_stored(storage, manifest, read_sources) == SOURCES

    assert (storage.lengths, storage.whole) == ([1024 * 1024], [])


@pytest.mark.parametrize("length", [1, 7, 13, 150, 10_000])
def test_the_inputs_are_found_wherever_ranges_are_cut(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchscore.commit.stored_manifests._RANGE_BYTES", length)
    few = {"skipped_count": {"excluded by *.tmp": 3}, "skipped": SKIPPED[:3]}
    for manifest in (MANIFEST | few, MANIFEST | few | {"skipped": []}, MANIFEST | {"skipped": SKIPPED[:3], "later": 1}):
        content, key = json.dumps(manifest, indent=1), '\n "skipped": ['
        storage, listed = stored(tmp_path, content)
        assert read_stored(storage, listed, read_sources) == SOURCES
        assert storage.whole == []
        assert sum(storage.lengths) < content.index(key) + len(key) + length


@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        lambda manifest: json.dumps(manifest, indent=4),
        lambda manifest: json.dumps(dict(reversed(manifest.items())), indent=1),
        lambda manifest: json.dumps({"skipped": [], "more": {}} | manifest, indent=1),
        lambda manifest: '{\n "skipped": [],' + json.dumps(manifest)[1:],
        lambda manifest: json.dumps(manifest).replace('"id"', '"more": {\n "skipped": []}, "id"'),
    ],
)
def test_a_manifest_that_another_program_has_written_anew_has_the_same_inputs(
    write: Callable[[Any], str], tmp_path: Path
) -> None:
    content = write(MANIFEST | {"skipped": SKIPPED[:3]})
    assert json.loads(content)["inputs"] == INPUTS
    assert read_stored(*stored(tmp_path, content), read_sources) == SOURCES


def test_a_manifest_that_was_replaced_since_it_was_listed_is_read_as_it_is_now(tmp_path: Path) -> None:
    storage, before = stored(tmp_path, json.dumps(MANIFEST, indent=1))
    stored(tmp_path, json.dumps(MANIFEST | {"inputs": INPUTS[:1]}, indent=1))
    assert read_stored(storage, before, read_sources) == SOURCES[:1]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format_version": 1}', '{"format_version": 2, "inputs": []}'])
def test_what_is_no_manifest_is_an_input_error(content: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest file://.*/two\.manifest\.json: expected"):
        read_stored(*stored(tmp_path, content), read_sources)
