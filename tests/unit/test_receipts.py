"""An unfinished task is gone on with only from a receipt of this very job, for the parts of its plan."""

import hashlib
import io
import json
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.scored import part_uri
from tests.unit.test_plan import make_part, make_plan

from batchscore.commit.receipts import check_present, finished_parts, write_receipt
from batchscore.config.job_config import JobConfig
from batchscore.errors import ObjectChangedError, ScoringError
from batchscore.input.files import InputFile, Split
from batchscore.output.parts import PartFile, WrittenFile
from batchscore.plan import JobSpec
from batchscore.profile.split_profile import ProfileTotals
from batchscore.storage.base import StoredObject
from batchscore.storage.local import LocalStorage


@dataclass(frozen=True)
class Task:
    storage: LocalStorage
    spec: JobSpec
    work: list[tuple[Split, InputFile]]

    @property
    def uri(self) -> str:
        return self.spec.outputs.receipt(0)

    @property
    def receipt(self) -> Any:
        return json.loads(self.storage.read(self.uri))

    def rewrite(self, receipt: Any) -> None:
        self.storage.put(self.uri, io.BytesIO(json.dumps(receipt).encode()))

    def found(self) -> list[PartFile | None]:
        return finished_parts(self.storage, self.uri, self.spec, self.work)

    @property
    def scored_again(self) -> list[int]:
        return [split.index for (split, _), part in zip(self.work, self.found(), strict=True) if part is None]


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """A task that is finished: its parts and its receipt are there."""
    keys = {"id": "bp-1", "model": "models:/m@best", "input": "s3://b/in/", "output": str(tmp_path), "split_bytes": 100}
    plan = make_plan()
    plan = replace(plan, spec=replace(plan.spec, config=JobConfig.model_validate(keys)))
    storage = LocalStorage(str(tmp_path))
    form = plan.spec.profile_format
    assert form is not None
    counts, parts = ProfileTotals(form).sum().to_json(), []
    for split in plan.splits:
        uri, content = part_uri(plan, split), b"part %d" % split.index
        storage.put(uri, io.BytesIO(content))
        written = WrittenFile(uri, len(content), hashlib.sha256(content).hexdigest(), "another etag")
        parts.append(make_part(split.index, file=written, profile=counts))
    write_receipt(storage, plan.spec.outputs.receipt(0), plan.spec.parameters, parts)
    return Task(storage, plan.spec, [(split, plan.inputs[split.input_index]) for split in plan.splits])


def test_a_finished_task_is_found_with_its_parts(task: Task) -> None:
    parts = [part for part in task.found() if part is not None]
    assert [(part.split_index, part.reused) for part in parts] == [(0, True), (1, True), (2, True), (3, True)]


def test_a_part_that_is_gone_or_has_other_bytes_is_scored_again_and_no_other(task: Task) -> None:
    uri = task.spec.outputs.part(task.work[1][1].name, 1, 3)
    task.storage.put(uri, io.BytesIO(b"part X"))
    assert task.scored_again == [1]
    task.storage.delete(uri)
    assert task.scored_again == [1]


@pytest.mark.parametrize(
    "counts", [None, "", "{}", "[]", '{"answers": [], "best_answers": {"keys": [], "counts": [[]]}, "missing": {}}']
)
def test_a_part_whose_records_were_not_counted_as_the_job_counts_is_scored_again(
    task: Task, counts: str | None
) -> None:
    receipt = task.receipt
    receipt["parts"][2]["profile"] = counts
    task.rewrite(receipt)
    assert task.scored_again == [2]


def test_a_job_that_counts_nothing_goes_on_from_parts_without_counts(task: Task) -> None:
    receipt = task.receipt
    for part in receipt["parts"]:
        del part["profile"]
    task.rewrite(receipt)
    assert task.scored_again == [0, 1, 2, 3]
    uncounted = replace(task.spec, config=task.spec.config.model_copy(update={"profile": "off"}))
    assert replace(task, spec=uncounted).scored_again == []


class AskedTogether(LocalStorage):
    """A store that tells of a part only while another one is asked for."""

    def __init__(self, root: str | None) -> None:
        super().__init__(root)
        self._together = threading.Barrier(2, timeout=30)

    def stat(self, uri: str) -> StoredObject:
        self._together.wait()
        return super().stat(uri)


def test_parts_are_asked_for_beside_each_other(task: Task) -> None:
    assert replace(task, storage=AskedTogether(task.storage.root)).scored_again == []


class Ranges(LocalStorage):
    """A store that gives no whole part; ``longest`` is the longest range that was asked for."""

    longest = 0

    def read(self, uri: str) -> bytes:
        assert not uri.endswith(".gz")
        return super().read(uri)

    def read_range(self, source: StoredObject, start: int, stop: int) -> bytes:
        Ranges.longest = max(Ranges.longest, stop - start)
        return super().read_range(source, start, stop)


def test_a_part_is_held_to_its_digest_without_all_of_it_in_memory(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchscore.input.blocks.CHUNK_BYTES", 4)
    ranges = replace(task, storage=Ranges(task.storage.root))
    assert ranges.scored_again == []
    assert Ranges.longest == 4
    task.storage.put(task.spec.outputs.part(task.work[1][1].name, 1, 3), io.BytesIO(b"part X"))
    assert ranges.scored_again == [1]


def test_a_part_that_is_replaced_while_it_is_read_is_scored_again(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def replaced(_: LocalStorage, source: StoredObject, *__: int) -> bytes:
        raise ObjectChangedError(f"input {source.uri}: expected etag 1 as planned, got 2")

    monkeypatch.setattr(LocalStorage, "read_range", replaced)
    assert task.scored_again == [0, 1, 2, 3]


@pytest.mark.parametrize("uri", ["file:///etc/hostname", "s3://b/other", "a\0b", ""])
@pytest.mark.parametrize("key", ["file", "rejected"])
def test_a_receipt_that_names_another_place_is_not_followed(task: Task, key: str, uri: str) -> None:
    receipt = task.receipt
    receipt["parts"][0][key] = {"uri": uri, "file_size_in_bytes": 1, "sha256": "", "etag": ""}
    task.rewrite(receipt)
    assert task.scored_again == [0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("record_count", "many"), ("invalid_reasons", [1]), ("file", None), ("file", "x"), ("seconds", 5)),
    ],
)
def test_a_receipt_with_a_value_of_another_kind_is_none(task: Task, key: str, value: object) -> None:
    receipt = task.receipt
    receipt["parts"][0][key] = value
    task.rewrite(receipt)
    assert task.scored_again == [0, 1, 2, 3]


def test_the_record_of_another_split_is_none(task: Task) -> None:
    receipt = task.receipt
    receipt["parts"][0]["split_index"] = 7
    task.rewrite(receipt)
    assert task.scored_again == [0]


@pytest.mark.parametrize("receipt", [None, [], {}, {"parts": 5}, {"parts": [5]}, {"parts": []}, "x", {"parts": "ab"}])
def test_what_is_no_receipt_is_none(task: Task, receipt: object) -> None:
    task.rewrite(receipt)
    assert task.scored_again == [0, 1, 2, 3]


def test_a_receipt_of_other_parameters_is_none(task: Task) -> None:
    task.rewrite(task.receipt | {"parameters": {"model": "another"}})
    assert task.scored_again == [0, 1, 2, 3]


def test_a_job_that_goes_on_asks_for_all_of_its_files_some_at_a_time(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchscore.commit.receipts._ASKED_TOGETHER", 2)
    files = [part.file for part in task.found() if part is not None]
    check_present(task.storage, iter(files))
    task.storage.delete(files[1].uri, files[3].uri)
    with pytest.raises(ScoringError, match=f"part {files[1].uri}: expected 2 parts to be there still, got none"):
        check_present(task.storage, iter(files))
