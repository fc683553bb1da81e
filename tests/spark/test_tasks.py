"""What a task does with its splits."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from batchscore.config.job_config import S3Settings, make_config
from batchscore.errors import CommitError
from batchscore.input.columns import Column, Columns
from batchscore.input.factory import job_reader
from batchscore.input.files import InputFile, Split, make_splits
from batchscore.model.flavors import predictor_settings
from batchscore.model.predictor import Predictor
from batchscore.model.rowwise import TransformedRows
from batchscore.model.version import ModelVersion
from batchscore.output.parts import PartFile
from batchscore.plan import JobSpec
from batchscore.spark import loaded_models, tasks
from batchscore.spark.tasks import score_splits
from batchscore.storage.base import StoredObject
from batchscore.storage.factory import storage_for
from batchscore.storage.local import LocalStorage
from tests.scored import csv_inputs, score_split

MODEL = ModelVersion("models:/m/1", "m", "1", None, "d" * 64, {}, {}, None)
Work = list[tuple[Split, InputFile]]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Work, JobSpec]:
    """Ten inputs of one record each: their number."""
    for number in range(10):
        (tmp_path / f"{number}.csv").write_text(f"{number}\n")
    return planned(tmp_path, 100)


def planned(tmp_path: Path, split_bytes: int) -> tuple[Work, JobSpec]:
    """Return the splits of the inputs in a folder, of one number a record."""
    config = make_config({"id": "j", "model": "models:/m/1", "input": f"{tmp_path}/", "output": f"{tmp_path}/out"})
    columns = Columns((Column("x", "double", required=True),), (), ("x",), has_header=False)
    spec = JobSpec(
        config=config,
        id="j",
        model=MODEL,
        model_type="regression",
        classes=(),
        positive_label=None,
        threshold=0.5,
        columns=columns,
        parameters={},
    )
    storage = storage_for(config.input[0], S3Settings())
    names = sorted(path.name for path in tmp_path.glob("*.csv"))
    inputs = csv_inputs([storage.stat(f"{config.input[0]}{name}") for name in names], config.input[0], split_bytes)
    return [(split, inputs[split.input_index]) for split in make_splits(inputs, split_bytes)], spec


def echo(frame: Any) -> Any:
    return frame["x"].to_numpy()


def scoring(work: Work, spec: JobSpec, predict: Any) -> Iterator[PartFile]:
    return score_splits(work, spec, Predictor("regression", (), None, predict), job_reader(spec.config, spec.columns))


def test_parts_come_in_order_whatever_is_in_hand(files: tuple[Work, JobSpec]) -> None:
    work, spec = files
    parts = list(scoring(work, spec, echo))
    assert [part.split_index for part in parts] == list(range(10))
    contents = [Path(part.file.uri.removeprefix("file://")).read_bytes() for part in parts]
    singly = [score_split(*item, spec, Predictor("regression", (), None, echo)) for item in work]
    assert [part.file.sha256 for part in parts] == [part.file.sha256 for part in singly]
    assert len(set(contents)) == 10


def test_the_next_split_is_read_while_one_is_scored(
    files: tuple[Work, JobSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    work, spec = files
    second_read = threading.Event()
    plain_read = LocalStorage.read_range

    def read_range(self: LocalStorage, source: StoredObject, start: int, stop: int) -> bytes:
        if source.uri.endswith("/1.csv"):
            second_read.set()
        return plain_read(self, source, start, stop)

    def predict(frame: Any) -> Any:
        assert second_read.wait(30)
        return np.zeros(len(frame))

    monkeypatch.setattr(LocalStorage, "read_range", read_range)
    assert len(list(scoring(work, spec, predict))) == 10


def test_the_next_split_is_scored_while_one_is_stored(
    files: tuple[Work, JobSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    work, spec = files
    scored: list[float] = []
    second_scored = threading.Event()
    plain_put = LocalStorage.put

    def put(self: LocalStorage, uri: str, content: IO[bytes]) -> str | None:
        assert second_scored.wait(30)
        return plain_put(self, uri, content)

    def predict(frame: Any) -> Any:
        scored.append(float(frame["x"].iloc[0]))
        if len(scored) == 2:
            second_scored.set()
        return np.zeros(len(frame))

    monkeypatch.setattr(LocalStorage, "put", put)
    list(scoring(work, spec, predict))
    assert scored == list(range(10))


@pytest.mark.parametrize("failing", [1, 5, 10])
def test_a_write_that_fails_fails_the_task_and_no_further_split_is_begun(
    failing: int, files: tuple[Work, JobSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_SMALL_TOGETHER", 1)
    work, spec = files
    puts: Iterator[int] = iter(range(1, 100))
    plain_put = LocalStorage.put
    scored: list[float] = []

    def put(self: LocalStorage, uri: str, content: IO[bytes]) -> str | None:
        if next(puts) == failing:
            raise CommitError("disk: expected room, got none")
        return plain_put(self, uri, content)

    def predict(frame: Any) -> Any:
        scored.append(float(frame["x"].iloc[0]))
        return np.zeros(len(frame))

    monkeypatch.setattr(LocalStorage, "put", put)
    with pytest.raises(CommitError, match="disk"):
        list(scoring(work, spec, predict))
    assert len(scored) <= failing + 4  # those in hand


def test_a_loaded_model_is_kept_and_left_out_of_collections_of_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []

    def load(*_: Any) -> Predictor:
        loads.append("model")
        return Predictor("regression", (), None, echo)

    monkeypatch.setattr(loaded_models, "_loaded", {})
    monkeypatch.setattr(loaded_models, "load_predictor", load)
    for name in ("unpack_model", "limit_threads", "hide_warnings"):
        monkeypatch.setattr(loaded_models, name, lambda *_: None)
    settings = predictor_settings(make_config({"model": "models:/m/1", "input": "s3://b/i", "output": "s3://b"}), None)
    gc.unfreeze()
    try:
        first, second = (loaded_models.loaded_predictor(bytes, MODEL, settings) for _ in range(2))
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
    assert first is second
    assert loads == ["model"]


@pytest.mark.parametrize("failing", [None, 7])
def test_small_splits_are_transformed_together_and_scored_to_the_bytes_that_each_gets_alone(
    failing: int | None, tmp_path: Path
) -> None:
    calls = []

    def transform(frame: Any) -> TransformedRows:
        calls.append(len(frame))
        if failing in frame["x"].to_list():
            raise ValueError("refused")
        return TransformedRows(frame[["x"]].to_numpy() * 2)

    def predict(records: Any) -> Any:
        if isinstance(records, TransformedRows):
            return records.values[:, 0] + 1
        if failing in records["x"].to_list():
            raise ValueError("refused")
        return records["x"].to_numpy() * 2 + 1

    for number in range(70):  # the 40th is large
        (tmp_path / f"{number:02}.csv").write_text(f"{number}\n" * (30_000 if number == 40 else number % 3))
    work, spec = planned(tmp_path, 1 << 20)
    model = Predictor("regression", (), None, predict, transform=transform)

    together = list(score_splits(work, spec, model, job_reader(spec.config, spec.columns)))

    batches = [range(32), range(32, 40), range(41, 70)]  # at most 32, and none beside the large one
    assert calls == [sum(number % 3 for number in batch) for batch in batches]
    alone = [score_split(*item, spec, Predictor("regression", (), None, predict)) for item in work]
    assert [part.file for part in together] == [part.file for part in alone]
    assert [part.record_count for part in together] == [part.record_count for part in alone]
    assert sum(part.invalid_record_count for part in together) == (0 if failing is None else failing % 3)
