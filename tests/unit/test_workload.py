"""Splits that are made when asked for, and the work of tasks as it is broadcast."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from tests.scored import csv_inputs, looked_at
from tests.unit.test_plan import make_plan

from batchscore.input.columns import Column, Columns
from batchscore.input.files import InputFile, Split, make_splits, with_headers
from batchscore.plan import pack_tasks
from batchscore.spark.workload import make_workload
from batchscore.storage.base import StoredObject
from batchscore.storage.local import LocalStorage

HEADER = tuple(f"column {number}" for number in range(500))


def many_inputs(count: int, size_in_bytes: int) -> tuple[InputFile, ...]:
    sources = [StoredObject(f"s3://b/in/{number:06d}.csv", size_in_bytes, f"e{number}") for number in range(count)]
    return csv_inputs(sources, "s3://b/in/", 100)


def test_a_split_by_its_index_is_that_of_the_walk_over_all() -> None:
    sources = [
        StoredObject(f"s3://b/in/{name}", size, "e")
        for name, size in (("a.csv", 250), ("b.csv.gz", 900), ("c.csv", 0), ("d.csv", 100), ("e.csv", 101))
    ]
    splits = make_splits(csv_inputs(sources, "s3://b/in/", 100), 100)
    assert list(splits) == [
        Split(0, 0, 0, 0, 100),
        Split(1, 0, 1, 100, 200),
        Split(2, 0, 2, 200, 250),
        Split(3, 1, 0, 0, 900),
        Split(4, 2, 0, 0, 0),
        Split(5, 3, 0, 0, 100),
        Split(6, 4, 0, 0, 100),
        Split(7, 4, 1, 100, 101),
    ]
    assert [splits[index] for index in range(len(splits))] == list(splits)


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_split_before_the_first_or_after_the_last(index: int) -> None:
    splits = make_splits(many_inputs(1, 250), 100)
    with pytest.raises(IndexError, match=f"split {index}: expected one of 3"):
        splits[index]


@pytest.mark.parametrize("size_in_bytes", [1, 250])
@pytest.mark.parametrize("task_bytes", [1, 10**6, 10**8])
def test_a_worker_reads_the_splits_and_inputs_of_its_task_as_they_were_planned(
    size_in_bytes: int, task_bytes: int
) -> None:
    inputs = with_headers(many_inputs(200, size_in_bytes), {"s3://b/in/000070.csv": HEADER})
    splits = make_splits(inputs, 100)
    tasks = list(pack_tasks(splits, task_bytes))
    workload = pickle.loads(pickle.dumps(make_workload(inputs, splits, iter(tasks))))
    assert len(workload) == len(tasks)
    for number, task in enumerate(tasks):
        assert workload.task(number) == [(split, inputs[split.input_index]) for split in task]


def test_the_splits_of_one_input_add_eight_bytes_each_to_what_workers_hold() -> None:
    inputs = many_inputs(1, 100 * 10_000)
    splits = make_splits(inputs, 100)
    sent = pickle.dumps(make_workload(inputs, splits, pack_tasks(splits, 1)))
    assert len(splits) == 10_000
    assert 8 * 10_000 < len(sent) < 8 * 10_000 + 1_000


def test_a_header_that_inputs_share_is_sent_once_for_many() -> None:
    inputs = many_inputs(64, 250)
    splits = make_splits(inputs, 100)
    with_header = with_headers(inputs, {item.source.uri: HEADER for item in inputs})

    def sent(items: tuple[InputFile, ...]) -> int:
        return len(pickle.dumps(make_workload(items, splits, pack_tasks(splits, 1))))

    assert sent(with_header) < sent(inputs) + len("".join(HEADER))


def test_headers_that_are_the_same_are_held_once(tmp_path: Path) -> None:
    names = ("a.csv", "b.csv", "c.csv")
    for name, header in zip(names, ("x,more", "x,more", "x"), strict=True):
        (tmp_path / name).write_text(f"{header}\n1\n")
    storage = LocalStorage()
    sources = [storage.stat(f"file://{tmp_path}/{name}") for name in names]
    spec = replace(make_plan().spec, columns=Columns((Column("x", "double"),), (), None, has_header=True))
    looked = looked_at(csv_inputs(sources, f"file://{tmp_path}/", 100), spec)
    assert looked.faults == {}
    first, second, third = looked.headers.values()
    assert (first, third) == (("x", "more"), ("x",))
    assert first is second
