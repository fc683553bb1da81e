"""Headers that are not the signature's: what a job, its log, verify and the manifest say of them."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from batchscore.commands.check import check_job
from batchscore.commands.report_text import describe_plan, render_review
from batchscore.commands.verify import review_job
from batchscore.config.job_config import OutputConfig
from batchscore.errors import InputError, ModelError
from tests.registry import Registry, columns
from tests.spark.conftest import Runner

FRAME = pd.DataFrame({"age": np.arange(60.0), "fare": np.arange(60.0) % 7, "sibs": np.arange(60) % 3})
MISSING = "optional columns that are not there: {}: the model gets them as missing in all records"
TWICE = "columns that are there more than once: {}: the first is read under the name, the others as pandas has them"


@pytest.fixture
def model(registry: Registry) -> str:
    fitted = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=2).fit(FRAME, FRAME["age"] + FRAME["fare"])
    return registry.register(fitted, signature=columns("age:double", "fare:double?", "sibs:long?"))


def write(folder: Path, **files: str) -> str:
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return f"{folder}/"


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [item.getMessage() for item in caplog.records if item.levelno == logging.WARNING]


def test_what_a_header_lacks_or_repeats_is_said_once_in_log_verify_and_manifest(
    model: str, run: Runner, registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Files of a job may lack different columns; those that lack the same are told together."""
    where = write(
        tmp_path / "in",
        a="id,age,fare,sibs\n" + "r,5,1,2\n" * 30,
        b="id,age,Fare\n" + "r,5,1\n" * 30,
        c="id,age,Fare\n" + "r,6,1\n" * 30,
        d="id,age,fare,age,fare\n" + "r,7,1,8,2\n" * 30,
    )
    lacks = [
        MISSING.format(f"fare (did you mean Fare?), sibs (in 2 files, the first file://{where}b.csv)"),
        MISSING.format(f"sibs (in file://{where}d.csv)"),
    ]
    twice = [TWICE.format(f"age at 2 and 4, fare at 3 and 5 (in file://{where}d.csv)")]
    with caplog.at_level(logging.INFO, "batchscore"):
        job = run(model, input=where, row_id="id", split_bytes=60)
    assert [text for text in warnings_of(caplog) if "columns" in text] == [*lacks, *twice]

    review = review_job(
        registry.config(model, input=where, row_id="id", output=str(tmp_path / "other")), tmp_path / "v"
    )
    found = [(fault.where, fault.what) for fault in review.faults]
    assert found == [("header", text) for text in [*lacks, *twice]]
    assert review.exit_code == 0
    assert all(text in render_review(review) for text in [*lacks, *twice])
    assert [item["missing_columns"] for item in describe_plan(review)["inputs"]] == [
        *([], ["fare", "sibs"], ["fare", "sibs"], ["sibs"])
    ]

    told = [(item.get("missing_columns"), item.get("repeated_columns")) for item in job.manifest["inputs"]]
    assert told == [
        (None, None),
        (["fare", "sibs"], None),
        (["fare", "sibs"], None),
        (["sibs"], {"age": [2, 4], "fare": [3, 5]}),
    ]
    assert job.manifest["invalid_record_count"] == 0
    assert not check_job(job.id, OutputConfig(output=f"file://{job.output}")).findings


def test_a_job_goes_on_with_what_its_receipts_tell_of_headers(
    model: str, run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = write(tmp_path / "in", a="age,age\n1,2\n2,3\n")

    def broken(*_: Any) -> None:
        raise InputError("stopped before the commit")

    with monkeypatch.context() as patched:
        patched.setattr("batchscore.commands.job.commit_manifest", broken)
        with pytest.raises(InputError, match="stopped before the commit"):
            run(model, input=where)
    [told] = run(model, input=where).manifest["inputs"]
    assert (told["missing_columns"], told["repeated_columns"]) == (["fare", "sibs"], {"age": [1, 2]})


def test_a_model_that_refuses_what_all_files_lack_ends_the_job_before_it_writes(
    run: Runner, registry: Registry, tmp_path: Path
) -> None:
    from sklearn.linear_model import LinearRegression

    fitted = LinearRegression().fit(FRAME, FRAME["age"])
    uri = registry.register(fitted, signature=columns("age:double", "fare:double?", "sibs:long?"))
    where = write(tmp_path / "in", a="age,fare\n" + "5,1\n" * 30)
    with pytest.raises(ModelError, match="got an error for each of 20 complete records of the inputs"):
        run(uri, input=where)
    assert not (tmp_path / "output").exists()


def test_names_are_keys_of_a_job_and_another_list_is_another_job(
    model: str, run: Runner, registry: Registry, tmp_path: Path
) -> None:
    where = write(tmp_path / "in", a="5,x,1\n6,y,2\n")
    for header in (False, True):
        keys = {"names": ["age", "tag", "fare"], "row_id": "tag", "has_header": header}
        review = review_job(
            registry.config(model, input=where, output=str(tmp_path / "v"), **keys), tmp_path / f"v{header}"
        )
        assert {row["found_by"] for row in describe_plan(review)["columns"]} == {"position"}
    job = run(model, input=where, names=["age", "tag", "fare"], row_id="tag")
    assert [line.split(",")[0] for line in job.lines("a.csv")] == ["tag", "x", "y"]
    with pytest.raises(Exception, match="another configuration"):
        run(model, input=where, names=["fare", "tag", "age"], row_id="tag")
