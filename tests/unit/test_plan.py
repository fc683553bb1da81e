import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scored import csv_inputs

from batchscore.commit.checks import Tallies, check_limits, check_scored, checked_parts
from batchscore.commit.job_record import (
    BatchPrediction,
    check_same_parameters,
    completed,
    failed,
    in_progress,
    pending,
)
from batchscore.commit.manifest import classic_manifest, committed_counts, committed_parameters, extended_manifest
from batchscore.config.job_config import JobConfig
from batchscore.errors import (
    ConfigError,
    IdempotentParameterMismatchError,
    InputError,
    ScoringError,
    TooManyInvalidRecordsError,
)
from batchscore.input.columns import Column, Columns
from batchscore.input.echo_columns import echo_columns
from batchscore.input.files import make_splits
from batchscore.input.roles import Roles
from batchscore.model.version import ModelVersion
from batchscore.output.parts import Counts, PartFile, WrittenFile, count
from batchscore.output.paths import Outputs, encode_name, new_id
from batchscore.plan import JobSpec, Plan, check_inputs, naming_root, pack_tasks, parameters_of
from batchscore.storage.base import StoredObject

MODEL = ModelVersion("models:/m@best", "m", "3", "m-1", "abc", {}, {}, (Column("a", "double"),))
SOURCES = [StoredObject("s3://b/in/data1.csv", 250, "e1"), StoredObject("s3://b/in/sub/data 2.csv.gz", 90, "e2")]


def config_of(**changes: Any) -> JobConfig:
    return JobConfig.model_validate(
        {"id": "bp-1", "model": "models:/m@best", "input": "s3://b/in/", "output": "s3://b/out", "split_bytes": 100}
        | changes
    )


def make_plan(**changes: Any) -> Plan:
    config = config_of(**changes)
    spec = JobSpec(
        id="bp-1",
        config=config,
        model=MODEL,
        model_type="binary",
        classes=("0", "1"),
        positive_label="1",
        threshold=0.4,
        columns=Columns((Column("a", "double"),), (), None, has_header=True),
        parameters=parameters_of(config, MODEL, 0.4, SOURCES, "schema-digest"),
    )
    inputs = csv_inputs(SOURCES, "s3://b/in/", 100)
    return Plan(spec, inputs, make_splits(inputs, 100), (("s3://b/in/.schema", "schema"),))


def make_part(index: int, **changes: Any) -> PartFile:
    part = PartFile(
        split_index=index,
        file=WrittenFile(f"s3://b/out/p{index}", 10, f"sha{index}", f"etag{index}"),
        record_count=5,
        invalid_record_count=1,
        invalid_values={"a": 2},
        invalid_reasons={"blank": 1},
        rejected=None,
        compute_milliseconds=7,
    )
    return replace(part, **changes)


def manifest_of(plan: Plan, concatenated: Mapping[int, WrittenFile] | None = None) -> bytes:
    parts = [make_part(split.index) for split in plan.splits]
    return b"".join(extended_manifest(plan, parts, count(parts), concatenated or {}, {"python": "3.11"}, "c"))


# --- names


KEY = st.text(alphabet="ab./~% é+", max_size=12)


@given(KEY, KEY)
def test_different_inputs_have_different_names(one: str, other: str) -> None:
    assert (encode_name(one) == encode_name(other)) == (one == other)


@given(KEY)
def test_no_name_leaves_the_result_folder(key: str) -> None:
    name = encode_name(key)
    assert all(part not in {"", ".", ".."} for part in name.split("/")) or key == ""
    assert re.fullmatch(r"[A-Za-z0-9!_.*'()%/-]*", name)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a/x.csv", "a/x.csv"),
        ("data 2.csv", "data%202.csv"),
        ("../up.csv", "%2E%2E/up.csv"),
        ("a//b", "a%2F/b"),
        ("50%+~#[1].csv", "50%25%2B%7E%23%5B1%5D.csv"),
        ("ünï.csv", "%C3%BCn%C3%AF.csv"),
        ("_SUCCESS", "_SUCCESS"),
    ],
)
def test_a_name_keeps_its_path_and_encodes_what_s3_advises_against(key: str, name: str) -> None:
    assert encode_name(key) == name


def test_a_generated_id_is_bp_and_eleven_letters_or_digits() -> None:
    ids = {new_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(re.fullmatch(r"bp-[A-Za-z0-9]{11}", batch_id) for batch_id in ids)


def test_where_a_job_writes() -> None:
    outputs = Outputs("s3://b", "bp-1", "parts")
    assert outputs.manifest == "s3://b/batch-prediction/bp-1.manifest"
    assert outputs.extended_manifest == "s3://b/batch-prediction/bp-1.manifest.json"
    assert outputs.record == "s3://b/batch-prediction/bp-1.json"
    assert outputs.log == "s3://b/batch-prediction/bp-1.log"
    assert outputs.part("data.csv", 3, 9) == "s3://b/batch-prediction/result/bp-1-data.csv/part-00003.csv.gz"
    assert outputs.rejected("data.csv", 3) == "s3://b/batch-prediction/rejected/bp-1-data.csv/part-00003.csv.gz"
    amazon = Outputs("s3://b/o/", "bp-1", "amazon")
    assert amazon.result("data.csv") == "s3://b/o/batch-prediction/result/bp-1-data.csv.gz"
    assert amazon.part("data.csv", 0, 1) == amazon.result("data.csv")
    assert amazon.part("data.csv", 1, 2).startswith(amazon.work)


# --- plan


@pytest.mark.parametrize(
    ("entries", "root"),
    [
        (["s3://b/in/"], "s3://b/in/"),
        (["s3://b/in/x.csv"], "s3://b/in/"),
        (["s3://b/in/2024/", "s3://b/in/2025/"], "s3://b/in/"),
        (["s3://b/inx/", "s3://b/iny/"], "s3://b/"),
        (["s3://b/x.csv", "s3://c/x.csv"], "s3://"),
        (["file:///data/x.csv"], "file:///data/"),
    ],
)
def test_inputs_are_named_from_the_folder_they_share(entries: list[str], root: str) -> None:
    assert naming_root(entries) == root


def test_plain_inputs_are_cut_into_ranges_and_compressed_ones_are_not() -> None:
    splits = make_plan().splits
    assert [(split.input_index, split.number, split.start, split.stop) for split in splits] == [
        (0, 0, 0, 100),
        (0, 1, 100, 200),
        (0, 2, 200, 250),
        (1, 0, 0, 90),
    ]


def test_an_empty_input_has_one_empty_split() -> None:
    inputs = csv_inputs([StoredObject("s3://b/e.csv", 0, "e")], "s3://b/", 100)
    assert [(split.start, split.stop) for split in make_splits(inputs, 100)] == [(0, 0)]


def test_a_hundred_thousand_small_files_become_some_hundred_tasks_in_order() -> None:
    sources = [StoredObject(f"s3://b/in/{number:06d}.csv", 20_000, "e") for number in range(100_000)]
    inputs = csv_inputs(sources, "s3://b/in/", 2**25)
    splits = make_splits(inputs, 2**25)
    tasks = list(pack_tasks(splits, 2**25))
    assert [split for task in tasks for split in task] == list(splits)
    assert 500 < len(tasks) < 1500


def test_a_split_of_full_size_is_a_task_of_its_own() -> None:
    assert [len(task) for task in pack_tasks(make_plan().splits, 100)] == [1, 1, 1, 1]


def test_an_input_listed_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"got twice: s3://b/in/data1\.csv"):
        check_inputs([*SOURCES, SOURCES[0]])


@pytest.mark.parametrize(
    ("change", "binds"),
    [
        ({"precision": "full"}, True),
        ({"split_bytes": 99}, True),
        ({"invalid_records": "keep_tag"}, True),
        ({"row_id": "id"}, True),
        ({"target": "y"}, True),
        ({"max_invalid_records": 5}, False),
        ({"batch_timeout_seconds": 5}, False),
        ({"spark": {"spark.x": "1"}}, False),
        ({"s3": {"region": "eu-west-1"}}, False),
        ({"name": "other"}, False),
    ],
)
def test_an_id_is_bound_to_what_changes_a_result(change: dict[str, Any], binds: bool) -> None:
    assert (make_plan(**change).spec.parameters != make_plan().spec.parameters) == binds


def test_an_id_is_bound_to_the_version_resolved_the_threshold_in_force_and_the_inputs() -> None:
    config = config_of()
    base = parameters_of(config, MODEL, 0.5, SOURCES, "")
    moved = replace(MODEL, version="4")
    changed = [replace(SOURCES[0], etag="new"), SOURCES[1]]
    assert [key for key in base if base[key] != parameters_of(config, moved, 0.5, SOURCES, "")[key]] == ["model"]
    assert [key for key in base if base[key] != parameters_of(config, MODEL, 0.6, SOURCES, "")[key]] == ["threshold"]
    assert [key for key in base if base[key] != parameters_of(config, MODEL, 0.5, changed, "")[key]] == ["inputs"]


# --- manifests


def test_every_split_must_be_answered_exactly_once_and_in_order() -> None:
    plan = make_plan()
    parts = [make_part(index) for index in range(4)]
    assert list(checked_parts(plan, parts)) == parts
    for wrong in (parts[:3], [*parts, make_part(0)], [*parts[:3], make_part(2)], parts[::-1]):
        with pytest.raises(ScoringError, match="expected one part for each of 4 splits, in their order"):
            list(checked_parts(plan, wrong))


def test_counts_add_up_and_what_an_earlier_run_scored_took_no_time_of_this_one() -> None:
    parts = [make_part(index, seconds={"read": 0.5, "predict": index}, reused=index == 2) for index in range(3)]
    counts = count(parts)
    assert (counts.record_count, counts.invalid_record_count, counts.compute_milliseconds) == (15, 3, 21)
    assert (counts.invalid_reasons, counts.invalid_values) == ({"blank": 3}, {"a": 6})
    assert (counts.part_count, counts.reused_part_count, counts.scored_record_count) == (3, 1, 10)
    assert counts.seconds == {"read": 1.0, "predict": 1}


def test_the_classic_manifest_to_the_byte() -> None:
    assert b"".join(classic_manifest(make_plan(layout="amazon"))) == (
        b'{"s3://b/in/data1.csv":"s3://b/out/batch-prediction/result/bp-1-data1.csv.gz",'
        b'"s3://b/in/sub/data 2.csv.gz":"s3://b/out/batch-prediction/result/bp-1-sub/data%202.csv.gz.gz"}'
    )
    assert json.loads(b"".join(classic_manifest(make_plan()))) == {
        "s3://b/in/data1.csv": "s3://b/out/batch-prediction/result/bp-1-data1.csv/",
        "s3://b/in/sub/data 2.csv.gz": "s3://b/out/batch-prediction/result/bp-1-sub/data%202.csv.gz/",
    }


def test_the_extended_manifest_tells_the_model_and_every_part_in_order() -> None:
    plan = make_plan()
    content = manifest_of(plan)
    manifest = json.loads(content)
    assert manifest["model"]["pinned_uri"] == "models:/m/3"
    assert manifest["model"]["alias"] == "best"
    assert (manifest["threshold"], manifest["record_count"], manifest["invalid_record_count"]) == (0.4, 20, 4)
    assert manifest["inputs"][0]["parts"][1] == {
        "uri": "s3://b/out/p1",
        "byte_range": [100, 200],
        "record_count": 5,
        "invalid_record_count": 1,
        "file_size_in_bytes": 10,
        "sha256": "sha1",
        "etag": "etag1",
    }
    assert [len(item["parts"]) for item in manifest["inputs"]] == [3, 1]
    assert manifest["skipped"] == [{"uri": "s3://b/in/.schema", "reason": "schema"}]
    assert manifest["skipped_count"] == {"schema": 1}
    counts = committed_counts(content, "x")
    assert (counts.record_count, counts.invalid_values, counts.compute_milliseconds) == (20, {"a": 8}, 28)
    assert committed_parameters(content, "x") == plan.spec.parameters


def test_escape_formulas_is_told_by_the_manifest_and_binds_the_id() -> None:
    plan, other = make_plan(), make_plan(escape_formulas=True)
    for job, told in ((plan, False), (other, True)):
        manifest = json.loads(manifest_of(job))
        assert manifest["escape_formulas"] is told
    with pytest.raises(IdempotentParameterMismatchError, match="another configuration"):
        check_same_parameters("bp-1", plan.spec.parameters, other.spec.parameters)


def test_a_tag_or_label_that_the_schema_calls_numeric_is_one_for_the_results() -> None:
    spec = make_plan().spec
    columns = Columns((), echo_columns(Roles("id", "y"), {"y"}), ("id", "y"), has_header=True)
    result = replace(spec, columns=columns).result_format
    assert [(column.header, column.is_numeric) for column in result.echoed] == [("tag", False), ("trueLabel", True)]
    assert spec.result_format.echoed == ()


def test_a_joined_input_is_one_part_over_all_of_its_bytes() -> None:
    concatenated = {0: WrittenFile("s3://b/out/whole.gz", 30, "sha", "etag")}
    manifest = json.loads(manifest_of(make_plan(layout="amazon"), concatenated))
    (entry,) = manifest["inputs"][0]["parts"]
    assert (entry["uri"], entry["byte_range"], entry["record_count"]) == ("s3://b/out/whole.gz", [0, 250], 15)


NO_MANIFESTS = [
    *({"format_version": 9}, {"record_count": "many"}, {"record_count": None}, {"record_count": 1.5}),
    *({"compute_milliseconds": math.inf}, {"invalid_reasons": ["blank"]}, {"invalid_values": {"a": "x"}}),
    *({"parameters": []}, {"parameters": {"inputs": 1}}, {"parameters": None}),
]


@pytest.mark.parametrize("change", NO_MANIFESTS)
def test_what_is_no_manifest_is_refused(change: dict[str, Any]) -> None:
    manifest = json.loads(manifest_of(make_plan()))
    with pytest.raises(InputError, match="manifest x: expected"):
        committed_counts(json.dumps(manifest | change).encode(), "x")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"x", b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_such_json_is_neither_manifest_nor_record(content: bytes) -> None:
    with pytest.raises(InputError, match="manifest x: expected"):
        committed_counts(content, "x")
    with pytest.raises(InputError, match="manifest x: expected"):
        committed_parameters(content, "x")
    with pytest.raises(InputError, match="record x: expected"):
        BatchPrediction.from_json(content, "x")


@pytest.mark.parametrize(
    "change",
    [{"Parameters": 5}, {"Parameters": {"inputs": 5}}, {"CreatedAt": "then"}, {"Status": "DONE"}, {"Name": ["x"]}],
)
def test_a_record_with_a_value_of_another_kind_is_refused(change: dict[str, Any]) -> None:
    content = json.loads(pending(make_plan().spec, 100).to_json()) | change
    with pytest.raises(InputError, match="record x: expected the record of a batch prediction"):
        BatchPrediction.from_json(json.dumps(content).encode(), "x")


def test_a_part_reads_back_as_it_was_written() -> None:
    part = make_part(3, rejected=WrittenFile("s3://b/r", 1, "s", "e"), reused=False)
    assert PartFile.from_dict(json.loads(json.dumps(part.to_dict()))) == replace(part, extra_columns=[])


def test_limits_of_invalid_records_are_held_at_the_end() -> None:
    counts = Counts(100, 10, {"blank": 10}, {})
    check_limits(make_plan(max_invalid_records=10).spec, counts)
    with pytest.raises(TooManyInvalidRecordsError, match=r"at most 9 invalid records, got 10 \(blank 10\)"):
        check_limits(make_plan(max_invalid_records=9).spec, counts)


def test_what_was_scored_is_held_to_the_limits_by_input_and_the_worst_is_told() -> None:
    plan = make_plan(max_invalid_fraction=0.2)
    parts = [make_part(split.index) for split in plan.splits]
    parts[-1] = make_part(parts[-1].split_index, invalid_record_count=3, invalid_reasons={"blank": 1, "encoding": 2})
    tallies = Tallies(plan)
    counts = count(tallies.adding(parts))

    with pytest.raises(TooManyInvalidRecordsError, match=r"fraction 0\.2 of invalid records, got 6 of 20") as caught:
        check_scored(plan, parts, counts, tallies)

    assert str(caught.value).split("\n  ")[1:] == [
        "input s3://b/in/sub/data 2.csv.gz: 2 of 5 records scored (encoding 2, blank 1)",
        'exclude: ["sub/data 2.csv.gz"] scores the others; the id has a record with all inputs, so this needs a new id',
    ]
    check_scored(make_plan(max_invalid_fraction=0.3), parts, counts, tallies)


# --- record


def test_a_record_goes_from_pending_to_completed() -> None:
    record = pending(make_plan().spec, 100)
    assert record.to_dict() == {
        "BatchPredictionId": "bp-1",
        "MLModelId": "models:/m/3",
        "BatchPredictionDataSourceId": record.BatchPredictionDataSourceId,
        "InputDataLocationS3": "s3://b/in/",
        "OutputUri": "s3://b/out",
        "Status": "PENDING",
        "CreatedAt": 100,
        "LastUpdatedAt": 100,
    }
    running = in_progress(record, 110)
    assert (running.Status, running.StartedAt, running.LastUpdatedAt) == ("INPROGRESS", 110, 110)
    done = completed(running, count([make_part(0)]), "s3://b/log", 120)
    assert (done.Status, done.FinishedAt, done.ComputeTime) == ("COMPLETED", 120, 7)
    assert (done.TotalRecordCount, done.InvalidRecordCount, done.LogUri) == (5, 1, "s3://b/log")
    assert BatchPrediction.from_json(done.to_json(), "x") == done


def test_a_failed_record_has_a_message_of_bounded_length_and_no_compute_time() -> None:
    record = failed(pending(make_plan().spec, 100), "x" * 20_000, "s3://b/log", 130)
    assert (record.Status, record.FinishedAt, record.ComputeTime) == ("FAILED", 130, None)
    assert len(record.Message or "") == 10_240


BOUND = {"BatchPredictionId", "MLModelId", "BatchPredictionDataSourceId", "InputDataLocationS3", "OutputUri", "Status"}
RUNNING = BOUND | {"CreatedAt", "LastUpdatedAt", "StartedAt"}
FAILED = RUNNING | {"Message", "FinishedAt", "LogUri"}


@pytest.mark.parametrize("status", ["PENDING", "INPROGRESS", "COMPLETED", "FAILED", "DELETED"])
def test_a_record_that_changes_its_state_tells_nothing_of_an_earlier_run(status: Any) -> None:
    done = completed(in_progress(pending(make_plan().spec, 100), 110), count([make_part(0)]), "s3://b/log", 120)
    earlier = replace(done, Status=status, Message="earlier", LogUri="s3://b/earlier")

    again = in_progress(earlier, 210)
    refused = failed(again, "refused", "s3://b/log", 220)

    assert again.to_dict().keys() == RUNNING
    assert (again.CreatedAt, again.StartedAt, again.LastUpdatedAt) == (100, 210, 210)
    assert refused.to_dict().keys() == failed(earlier, "refused", "s3://b/log", 220).to_dict().keys() == FAILED
    assert (refused.StartedAt, refused.FinishedAt, refused.Message) == (210, 220, "refused")
    assert completed(again, count([]), "s3://b/log", 230).to_dict().keys() == done.to_dict().keys()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"Parameters": {}, "Surprise": 1}'])
def test_what_is_no_record_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="record x: expected the record of a batch prediction"):
        BatchPrediction.from_json(content, "x")


def test_other_parameters_are_refused_by_name() -> None:
    with pytest.raises(IdempotentParameterMismatchError, match=r"Mismatch: id bp-1: .* another inputs"):
        check_same_parameters("bp-1", {"inputs": "1", "model": "m"}, {"inputs": "2", "model": "m"})
    check_same_parameters("bp-1", {"inputs": "1"}, {"inputs": "1"}, ["s3://b/in/a.csv"])


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ("2", r"got another inputs, model \(inputs: s3://b/in/a\.csv, s3://b/in/b\.csv\); choose"),
        ("1", "got another model; choose"),
    ],
)
def test_inputs_of_one_job_alone_are_named_where_the_inputs_differ(inputs: str, named: str) -> None:
    others = ["s3://b/in/a.csv", "s3://b/in/b.csv"]
    with pytest.raises(IdempotentParameterMismatchError, match=named):
        check_same_parameters("bp-1", {"inputs": "1", "model": "m"}, {"inputs": inputs, "model": "n"}, others)
