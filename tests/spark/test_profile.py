"""``<id>.profile.json``: what a job saw and how good it is, the same whatever befell the job."""

import io
import json
import logging
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from batchscore.commit.job_record import BatchPrediction
from batchscore.errors import CommitError, TooManyInvalidRecordsError
from batchscore.storage.local import LocalStorage
from tests.registry import Registry, columns
from tests.spark.conftest import Runner
from tests.spark.results import Job

RNG = np.random.default_rng(4)
COUNT = 600
FRAME = pd.DataFrame(
    {
        "id": [f"C{number}" for number in range(COUNT)],
        "age": RNG.integers(18, 90, COUNT) / 1.0,
        "job": RNG.choice(["clerk", "cook", "pilot"], COUNT),
        "y": RNG.integers(0, 2, COUNT),
    }
)


@pytest.fixture(scope="module")
def model(registry: Registry) -> str:
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["job"]), remainder="passthrough")
    found = make_pipeline(encode, LogisticRegression()).fit(FRAME[["age", "job"]], FRAME["y"])
    return registry.register(found, signature=columns("age:double", "job:string"))


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Any]:
    """Records of three files, of which some lack an age, have a word for it, or an unknown job."""
    frame = FRAME.astype(str)
    frame.loc[5:9, "age"] = ["", "NA", "old", "older", ""]
    frame.loc[20:23, "job"] = ["ann@example.com", "", "clown", "ann@example.com"]
    frame.loc[30:33, "y"] = ["", "maybe", "yes", "0.0"]
    (tmp_path / "in").mkdir()
    for number, some in enumerate((frame[:300], frame[300:301], frame[301:])):
        some.to_csv(tmp_path / "in" / f"{number}.csv", index=False)
    return {"input": f"{tmp_path}/in/", "split_bytes": 2000, "row_id": "id", "target": "y", "precision": "full"}


def profile(job: Job) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(job.path(".profile.json").read_bytes())
    return found


def results(job: Job) -> pd.DataFrame:
    lines = [line for name in ("0.csv", "1.csv", "2.csv") for line in job.lines(name)[1:]]
    return pd.read_csv(io.StringIO("\n".join(lines)), names=["tag", "label", "best", "score"], dtype={"label": str})


def test_a_job_tells_what_it_saw_and_how_good_it_is(run: Runner, model: str, keys: dict[str, Any]) -> None:
    keys |= {"missing_values": "reject", "invalid_values": "reject"}

    summary = run.summary(model, **keys)

    found, rows = profile(run.job()), results(run.job())
    scored = rows[rows["score"].notna()]
    assert (found["record_count"], found["invalid_record_count"]) == (COUNT, 5)
    assert found["answers"]["score"]["count"] == len(scored) == COUNT - 5
    assert found["best_answers"] == {"0": int((scored["best"] == 0).sum()), "1": int((scored["best"] == 1).sum())}
    assert found["columns"] == {
        "age": {"type": "double", "missing": 3, "invalid": 2, "unseen": None},
        "job": {"type": "string", "missing": 1, "invalid": 0, "unseen": 3},
    }
    labels = {key: found["labels"][key] for key in ("target", "known", "empty", "unknown")}
    assert labels == {"target": "y", "known": COUNT - 7, "empty": 1, "unknown": 1}
    known = scored[scored["label"].isin(["0", "1", "yes", "0.0"])]
    truth = known["label"].map({"0": 0, "0.0": 0, "1": 1, "yes": 1})
    area = found["quality"]["BinaryAUC"]
    assert abs(area["value"] - metrics.roc_auc_score(truth, known["score"])) <= area["error_bound"]
    assert found["quality"]["accuracy"] == metrics.accuracy_score(truth, known["best"])
    assert summary["quality"]["BinaryAUC"] == area["value"]
    assert summary["quality"]["f1"] == found["quality"]["f1"]


def test_parts_and_one_object_have_the_same_profile(run: Runner, model: str, keys: dict[str, Any]) -> None:
    parts = run(model, **keys).path(".profile.json").read_bytes()
    assert run(model, "amazon", layout="amazon", **keys).path(".profile.json").read_bytes() == parts


def test_full_tells_the_values_of_columns_and_no_text_that_the_model_does_not_know(
    run: Runner, model: str, keys: dict[str, Any]
) -> None:
    found = run(model, profile="full", **keys)

    columns = profile(found)["columns"]
    known = FRAME.drop(range(20, 24))["job"].value_counts()  # of records whose age is a word too
    expected = sorted((-int(number), str(name)) for name, number in known.items())
    assert columns["job"]["values"] == [[name, -number] for number, name in expected]
    assert columns["job"]["other"] == 3
    assert columns["age"]["max"] == FRAME["age"].max()
    assert "example.com" not in found.path(".profile.json").read_text()


def test_off_counts_nothing_and_writes_no_file(run: Runner, model: str, keys: dict[str, Any]) -> None:
    summary = run.summary(model, profile="off", **keys)

    assert not run.job().path(".profile.json").exists()
    assert "quality" not in summary
    assert "profile" not in summary["stages"]
    assert run.job().record["Profile"] == "off"


def test_an_id_keeps_the_kind_that_it_began_with_and_its_parts_are_counted_once(
    run: Runner, model: str, keys: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    keys |= {"missing_values": "reject", "invalid_values": "reject"}
    undisturbed = run(model, "undisturbed", profile="full", **keys)
    with pytest.raises(TooManyInvalidRecordsError):
        run(model, profile="full", max_invalid_fraction=0.001, **keys)

    with caplog.at_level(logging.WARNING, "batchscore"):
        summary = run.summary(model, profile="off", **keys)

    assert summary["reused_part_count"] == summary["part_count"] == 7
    assert "key profile: expected full, which id job began with, got off; the job goes on with full" in caplog.text
    assert run.job().path(".profile.json").read_bytes() == undisturbed.path(".profile.json").read_bytes()
    assert run.job().record["Profile"] == "full"


def test_a_job_of_a_version_that_did_not_count_goes_on_without_a_profile(
    run: Runner, model: str, keys: dict[str, Any]
) -> None:
    keys |= {"missing_values": "reject"}
    with pytest.raises(TooManyInvalidRecordsError):
        run(model, max_invalid_fraction=0.001, **keys)
    work = run.job().output / "batch-prediction" / "in-progress" / "job"
    for path in [*work.glob("task-*.json"), run.job().path(".json")]:
        content = json.loads(path.read_bytes())
        content.pop("Profile", None)
        for part in content.get("parts", []):
            del part["profile"]
        path.write_text(json.dumps(content))

    summary = run.summary(model, **keys)

    assert summary["reused_part_count"] == summary["part_count"]
    assert not run.job().path(".profile.json").exists()


class Refusing(LocalStorage):
    """A store that takes everything but what ends so."""

    def __init__(self, ending: str) -> None:
        super().__init__()
        self.ending = ending

    def put(self, uri: str, content: IO[bytes], content_type: str | None = None) -> str:
        if uri.endswith(self.ending):
            raise CommitError(f"object {uri}: expected to write it, got AccessDenied")
        return super().put(uri, content, content_type)


def test_a_profile_that_cannot_be_written_fails_no_job_and_the_next_run_writes_it(
    run: Runner, model: str, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = run(model, "undisturbed", **keys)
    with monkeypatch.context() as refused:
        refused.setattr("batchscore.commands.job.storage_for", lambda *_: Refusing(".profile.json"))
        summary = run.summary(model, **keys)

    job = run.job()
    assert (summary["Status"], job.record["Status"]) == ("COMPLETED", "COMPLETED")
    assert "quality" not in summary
    assert "expected to write it, got: object" in job.path(".log").read_text()
    written = job.path(".json").read_bytes(), job.path(".log").read_bytes()
    assert "ROC curve" not in job.path(".report.html").read_text()

    again = run.summary(model, **keys)

    assert again["reported_again"]
    assert again["quality"]["accuracy"] == profile(undisturbed)["quality"]["accuracy"]
    assert "ROC curve" in job.path(".report.html").read_text()
    assert job.path(".profile.json").read_bytes() == undisturbed.path(".profile.json").read_bytes()
    assert (job.path(".json").read_bytes(), job.path(".log").read_bytes()) == written
    assert not (job.output / "batch-prediction" / "in-progress").exists()


def test_a_job_whose_driver_ended_right_after_its_commit_gets_its_profile_from_the_next_run(
    run: Runner, model: str, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = run(model, "undisturbed", **keys)
    monkeypatch.setattr("batchscore.commands.job.storage_for", lambda *_: Refusing("job.manifest"))
    with pytest.raises(CommitError):
        run(model, **keys)
    monkeypatch.undo()
    job = run.job()
    assert job.path(".manifest.json").exists()

    run(model, **keys)

    assert job.path(".profile.json").read_bytes() == undisturbed.path(".profile.json").read_bytes()
    assert job.record["Status"] == "COMPLETED"


def test_a_finished_job_tells_its_quality_again_but_not_of_a_profile_that_cannot_be_read(
    run: Runner, model: str, keys: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    first = run.summary(model, **keys)

    assert run.summary(model, **keys)["quality"] == first["quality"]
    run.job().path(".profile.json").write_text("[]")
    assert "quality" not in run.summary(model, **keys)
    assert "expected the profile of a job, got something else; what it tells of quality is left out" in caplog.text


def test_a_profile_that_is_lost_stays_lost_and_the_result_is_reported(
    run: Runner, model: str, keys: dict[str, Any]
) -> None:
    job = run(model, **keys)
    job.path(".profile.json").unlink()

    assert run.summary(model, **keys)["Status"] == "COMPLETED"

    assert not job.path(".profile.json").exists()


def test_receipts_of_other_counts_than_the_manifest_s_give_no_profile(
    run: Runner, model: str, keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as refused:
        refused.setattr("batchscore.commands.job.storage_for", lambda *_: Refusing(".profile.json"))
        run(model, **keys)
    receipt = next((run.job().output / "batch-prediction" / "in-progress" / "job").glob("task-*.json"))
    content = json.loads(receipt.read_bytes())
    content["parts"][0]["record_count"] += 1
    receipt.write_text(json.dumps(content))

    assert run.summary(model, **keys)["Status"] == "COMPLETED"

    assert not run.job().path(".profile.json").exists()


def test_a_job_with_nothing_new_to_score_has_a_profile_of_nothing(
    run: Runner, model: str, keys: dict[str, Any]
) -> None:
    run(model, mode="new_inputs", **keys)

    run.summary(model, id="second", mode="new_inputs", **keys)

    found = json.loads((run.job().output / "batch-prediction" / "second.profile.json").read_bytes())
    assert (found["record_count"], found["labels"]["known"], "quality" in found) == (0, 0, False)


def test_a_record_tells_the_kind_and_one_without_it_was_not_counted() -> None:
    record: dict[str, Any] = {
        "BatchPredictionId": "a",
        "MLModelId": "m",
        "BatchPredictionDataSourceId": "d",
        "Parameters": {},
    }
    record |= {"InputDataLocationS3": "i", "OutputUri": "o", "Status": "PENDING", "CreatedAt": 1, "LastUpdatedAt": 1}

    def kind(**changed: Any) -> str:
        return BatchPrediction.from_json(json.dumps(record | changed).encode(), "uri").profile

    assert kind() == "off"
    assert kind(Profile="full") == "full"
