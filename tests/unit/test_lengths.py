"""A plan with results that are too long for the store is refused, with the inputs, the length and a remedy."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.committed import INPUTS, PREDICTOR, FinishedJob
from tests.scored import csv_inputs
from tests.unit.test_plan import make_plan as s3_plan

from batchscore.config.job_config import JobConfig
from batchscore.errors import ConfigError
from batchscore.input.files import InputFile, make_splits
from batchscore.model.version import ModelVersion
from batchscore.plan import Plan
from batchscore.preflight.discovery import find_schema
from batchscore.preflight.lengths import check_lengths, is_too_long
from batchscore.preflight.places import check_places
from batchscore.preflight.planner import LoadedModel, make_plan
from batchscore.storage.base import StoredObject

# Below s3://b/out/batch-prediction/, of an input named x: rejected/bp-1-x/part-00000.csv.gz
FIXED_BYTES = len("out/batch-prediction/rejected/bp-1-") + len("/part-00000.csv.gz")


def plan_of(*names: str, size: int = 1, split_bytes: int = 100, **changed: Any) -> Plan:
    plan = s3_plan(**changed)
    sources = [StoredObject(f"s3://b/in/{name}", size, "e") for name in names]
    inputs = csv_inputs(sources, "s3://b/in/", split_bytes)
    return replace(plan, inputs=inputs, splits=make_splits(inputs, split_bytes))


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("x" * (1024 - FIXED_BYTES), 1024),
        ("x" * (1025 - FIXED_BYTES), 1025),
        ("表" * 110, FIXED_BYTES + 990),
        ("表" * 134, FIXED_BYTES + 1206),
        (" " * 324 + "abcdef", FIXED_BYTES + 978),
    ],
)
def test_a_key_on_s3_has_at_most_1024_bytes_as_it_is_encoded(name: str, length: int) -> None:
    plan = plan_of("short.csv", name)
    if length <= 1024:
        check_lengths(plan)
        return
    with pytest.raises(ConfigError, match=f"expected a key of at most 1024 bytes, got {length}") as caught:
        check_lengths(plan)
    assert f"s3://b/in/{name}" in str(caught.value)
    assert "short.csv" not in str(caught.value)
    assert "choose a shorter id or output, or rename or exclude these inputs" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_split_number_of_six_digits_counts() -> None:
    name = "x" * (1024 - FIXED_BYTES)
    check_lengths(plan_of(name, size=100_000, split_bytes=1))
    with pytest.raises(ConfigError, match="got 1025"):
        check_lengths(plan_of(name, size=100_001, split_bytes=1))


def test_parts_that_are_joined_count_by_the_place_where_they_wait() -> None:
    # in-progress/bp-1/parts-x/part-00000.csv.gz is nine bytes longer than rejected/bp-1-x/part-00000.csv.gz
    name = "x" * (1024 - FIXED_BYTES - 9)
    check_lengths(plan_of(name, size=300, layout="amazon"))
    check_lengths(plan_of(f"{name}x", layout="amazon"))
    with pytest.raises(ConfigError, match="at most 1024 bytes, got 1025"):
        check_lengths(plan_of(f"{name}x", size=300, layout="amazon"))


def test_ten_inputs_are_named_and_all_are_counted() -> None:
    with pytest.raises(ConfigError, match=r"got 12 that are too long; .*, the first 10 of them:") as caught:
        check_lengths(plan_of(*(f"{number:02}" + "x" * 1000 for number in range(12))))
    assert str(caught.value).count("s3://b/in/") == 10


@pytest.mark.parametrize(("key_bytes", "fits"), [(964, True), (965, False)])
def test_an_output_must_hold_the_files_of_a_job_itself(key_bytes: int, fits: bool) -> None:
    # /batch-prediction/in-progress/bp-1-longer/task-00000000.json has 60 bytes.
    where = {"input": "s3://b/in/", "output": f"s3://b/{'o' * key_bytes}"}
    settings = {"model": "models:/m/1", "id": "bp-1-longer", **where}
    config = JobConfig.model_validate(settings)
    if fits:
        check_places(config)
        return
    with pytest.raises(ConfigError, match="key output: expected a key of at most 1024 bytes, got 1025, for s3://b/o"):
        check_places(config)


def local_plan(folder: Path, name: str) -> Plan:
    """Return the plan of a local job by way of the planner, as run makes it."""
    job = FinishedJob(folder, {name: b"id,a,b,y\nC1,1,x,0\n"}, tagged=False)
    version = ModelVersion("models:/m/1", "m", "1", None, "0", {}, {}, INPUTS)
    config = job.config.model_copy(update={"id": "bp-1"})
    plan = make_plan(config, LoadedModel(version, folder, PREDICTOR, 0.5))
    check_lengths(plan)
    return plan


@pytest.mark.parametrize(("count", "fits"), [(27, True), (28, False), (80, False)])
def test_a_local_name_has_at_most_255_bytes_as_it_is_encoded(count: int, fits: bool, tmp_path: Path) -> None:
    name = "表" * count + ".csv"  # nine bytes each, after bp-1-
    if fits:
        assert len(local_plan(tmp_path, name).inputs) == 1
        return
    with pytest.raises(ConfigError, match=f"expected a name of at most 255 bytes, got one of {9 * count + 9}"):
        local_plan(tmp_path, name)
    assert not (tmp_path / "out").exists()


def test_a_local_path_has_at_most_4095_bytes(tmp_path: Path) -> None:
    plan = s3_plan(output=f"file://{tmp_path}/out")
    for length, fits in ((4095, True), (4096, False)):
        fixed = len(f"{tmp_path}/out/batch-prediction/rejected/bp-1-/part-00000.csv.gz")
        name = ("y" * 99 + "/") * 50
        name = name[: length - fixed - 1] + "z"
        item = InputFile(StoredObject("s3://b/in/x", 1, "e"), name, 1)
        long = replace(plan, inputs=(item,), splits=make_splits([item], 100))
        if fits:
            check_lengths(long)
        else:
            with pytest.raises(ConfigError, match=f"expected a path of at most 4095 bytes, got {length}"):
                check_lengths(long)


def test_a_local_output_with_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    settings = {"model": "models:/m/1", "input": "s3://b/in/", "output": f"{tmp_path}/{'o' * 256}/x"}
    with pytest.raises(ConfigError, match="key output: expected a name of at most 255 bytes, got one of 256"):
        check_places(JobConfig.model_validate(settings))


def test_a_schema_beside_a_file_that_would_have_too_long_a_name_is_none(tmp_path: Path) -> None:
    name = "x" * 246 + ".csv"  # 250 bytes, and 257 with .schema
    (tmp_path / name).write_text("a\n1\n")
    settings = {"model": "models:/m/1", "input": f"{tmp_path}/{name}", "output": f"{tmp_path}/out"}
    assert find_schema(JobConfig.model_validate(settings)) == (None, "")


def test_a_schema_on_s3_that_would_have_too_long_a_key_is_not_asked_for() -> None:
    nowhere = {"endpoint": "http://127.0.0.1:9"}
    where = {"input": [f"s3://b/{'x' * 1018}", f"s3://b/{'x' * 1024}"], "output": "s3://b/out"}
    assert find_schema(JobConfig.model_validate({"model": "models:/m/1", "s3": nowhere, **where})) == (None, "")


@pytest.mark.parametrize(("key_bytes", "long"), [(1024, False), (1025, True)])
def test_a_key_is_too_long_by_its_bytes_without_the_bucket(key_bytes: int, long: bool) -> None:
    assert is_too_long(f"s3://bucket/{'x' * key_bytes}") == long
    assert is_too_long(f"s3://bucket/{'x' * (key_bytes - 3)}表") == long
