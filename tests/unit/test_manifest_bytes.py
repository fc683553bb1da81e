"""Manifests that are written bit by bit are, to the byte, those of json.dumps."""

import errno
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from tests.scored import csv_inputs
from tests.unit.test_plan import make_part, make_plan

from batchscore.commit.manifest import classic_manifest, extended_manifest
from batchscore.errors import CommitError
from batchscore.input.files import make_splits
from batchscore.output.parts import PartFile, WrittenFile, count
from batchscore.plan import Plan
from batchscore.process import written_down
from batchscore.storage.base import StoredObject

SIZES = [("a b.csv", 250), ('q"ü.csv', 99), ("many.csv", 100 * 1000), ("empty.csv", 0)]
REJECTED = WrittenFile("s3://b/out/rejected/ü", 1, "s", "e")


def plan_of(sizes: Sequence[tuple[str, int]], **changes: Any) -> Plan:
    sources = [StoredObject(f"s3://b/in/{name}", size, f'"{name}') for name, size in sizes]
    inputs = csv_inputs(sources, "s3://b/in/", 100)
    return replace(make_plan(**changes), inputs=inputs, splits=make_splits(inputs, 100))


def parts_of(plan: Plan) -> list[PartFile]:
    """One part in three has a rejected file, the first of each input tells extra columns."""
    return [
        make_part(
            split.index,
            rejected=None if split.index % 3 else replace(REJECTED, file_size_in_bytes=split.index),
            extra_columns=("x", "ü") if split.number == 0 else (),
        )
        for split in plan.splits
    ]


def reference_entry(plan: Plan, index: int, parts: list[PartFile], concatenated: WrittenFile | None) -> dict[str, Any]:
    item = plan.inputs[index]
    own = [(split, parts[split.index]) for split in plan.splits if split.input_index == index]
    entries = [
        (part.file, [split.start, split.stop], part.record_count, part.invalid_record_count) for split, part in own
    ]
    if concatenated:
        total = sum(entry[2] for entry in entries), sum(entry[3] for entry in entries)
        entries = [(concatenated, [0, item.source.size_in_bytes], *total)]
    return {
        "uri": item.source.uri,
        "file_size_in_bytes": item.source.size_in_bytes,
        "etag": item.source.etag,
        "result": plan.spec.outputs.result(item.name),
        "extra_columns": list(own[0][1].extra_columns),
        "parts": [
            {
                "uri": file.uri,
                "byte_range": byte_range,
                "record_count": records,
                "invalid_record_count": invalid,
                "file_size_in_bytes": file.file_size_in_bytes,
                "sha256": file.sha256,
                "etag": file.etag,
            }
            for file, byte_range, records, invalid in entries
        ],
        "rejected": [asdict(part.rejected) for _, part in own if part.rejected],
    }


@pytest.mark.parametrize(
    ("sizes", "layout", "concatenated"),
    [
        (SIZES, "parts", {}),
        (SIZES, "amazon", {0: WrittenFile("s3://b/whole", 3, "sha", "etag"), 2: WrittenFile("s3://b/w", 4, "s", "e")}),
        (SIZES[:1], "parts", {}),
        ([], "parts", {}),
    ],
)
def test_the_extended_manifest_has_a_line_for_each_input_as_json_dumps_writes_it(
    sizes: list[tuple[str, int]], layout: str, concatenated: dict[int, WrittenFile]
) -> None:
    plan = plan_of(sizes, layout=layout)
    parts = parts_of(plan)

    content = b"".join(extended_manifest(plan, parts, count(parts), concatenated, {"python": "3.11"}, "c"))

    lines = [
        json.dumps(reference_entry(plan, index, parts, concatenated.get(index))) for index, _ in enumerate(plan.inputs)
    ]
    whole = json.loads(content) | {"inputs": []}
    head, tail = json.dumps(whole, indent=1).split('"inputs": []')
    inputs = ",".join(f"\n  {line}" for line in lines)
    assert content.decode() == f'{head}"inputs": [{inputs}\n ]{tail}'
    assert whole["record_count"] == 5 * len(parts)


def test_the_classic_manifest_is_compact_json_with_an_entry_for_each_input() -> None:
    plan = plan_of(SIZES)
    expected = {item.source.uri: plan.spec.outputs.result(item.name) for item in plan.inputs}
    assert b"".join(classic_manifest(plan)) == json.dumps(expected, separators=(",", ":")).encode()
    assert b"".join(classic_manifest(plan_of([]))) == b"{}"


def test_no_bit_of_a_manifest_grows_with_the_number_of_inputs_or_parts() -> None:
    plan = plan_of([*SIZES, *((f"{number}.csv", 10) for number in range(1000))])
    parts = parts_of(plan)
    longest = max(map(len, extended_manifest(plan, parts, count(parts), {}, {}, "c")))
    assert longest < 40_000  # the rejected files of the input of 1,000 parts: a third of them has one
    assert max(map(len, classic_manifest(plan))) < 200


def test_chunks_are_given_as_a_file_read_from_its_start_that_leaves_no_name(tmp_path: Path) -> None:
    with written_down(iter([b"one ", b"two"]), tmp_path) as file:
        assert file.read() == b"one two"
        assert list(tmp_path.iterdir()) == []


def test_no_room_for_a_manifest_is_a_commit_error_and_nothing_is_given(tmp_path: Path) -> None:
    def full_at_the_third() -> Iterator[bytes]:
        yield b"one"
        yield b"two"
        raise OSError(errno.ENOSPC, "No space left on device")

    with (
        pytest.raises(CommitError, match=r"temporary folder .*: expected room for a file, got No space left on device"),
        written_down(full_at_the_third(), tmp_path),
    ):
        pytest.fail("given")
    assert list(tmp_path.iterdir()) == []
