"""Files that look right and hold texts that the model does not know: verify and run say what helps, and it does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from batchscore.commands.report_text import describe_plan, render_review
from batchscore.commands.review import Review
from batchscore.commands.verify import review_job
from batchscore.errors import InputError, TooManyUnseenValuesError
from batchscore.preflight import first_look
from tests.registry import Registry, columns

if TYPE_CHECKING:
    from tests.spark.conftest import Runner

RNG = np.random.default_rng(0)
COUNT = 240
# As UCI adult has them; education counts are texts here, as where they were read as such.
ADULT = pd.DataFrame(
    {
        "age": RNG.integers(17, 90, COUNT),
        "workclass": RNG.choice(["Private", "State-gov", "Self-emp-inc", "?"], COUNT, p=[0.6, 0.2, 0.14, 0.06]),
        "education": RNG.choice(["1", "9", "13"], COUNT),
        "country": RNG.choice(["México", "Škofja Loka", "Perú"], COUNT),
        "married": RNG.choice(["yes", "no"], COUNT),
    }
)
RICH = ((ADULT["workclass"] == "Self-emp-inc") | (ADULT["age"] > 60)).astype(int)
TEXTS = ["workclass", "education", "country", "married"]


def _model(registry: Registry, handle_unknown: str) -> str:
    training = ADULT.replace({"workclass": {"?": np.nan}})
    encode = make_column_transformer((OneHotEncoder(handle_unknown=handle_unknown), TEXTS), remainder="passthrough")
    model = make_pipeline(encode, LogisticRegression(max_iter=500)).fit(training, RICH)
    return registry.register(model, signature=columns("age:long", *(f"{name}:string" for name in TEXTS)))


@pytest.fixture(scope="module", params=["ignore", "error"])
def model(request: pytest.FixtureRequest, registry: Registry) -> str:
    return _model(registry, request.param)


@pytest.fixture(scope="module")
def forgiving(registry: Registry) -> str:
    return _model(registry, "ignore")


def _verified(run: Runner, uri: str, **keys: Any) -> Review:
    settings = {"id": "job", "output": str(run.folder / "output")} | keys
    return review_job(run.registry.config(uri, **settings), run.folder / f"model-{time.monotonic_ns()}")


def _write(folder: Path, data: pd.DataFrame, delimiter: str = ",", encoding: str = "utf-8") -> str:
    text = data.to_csv(index=False, lineterminator="\n").replace(",", delimiter)
    (folder / "adult.csv").write_bytes(text.encode(encoding))
    return str(folder / "adult.csv")


def _changed(**columns: Any) -> pd.DataFrame:
    return ADULT.assign(**columns)


QUESTION = {"null_values": ["pandas", "?"]}
CASES: dict[str, tuple[pd.DataFrame, dict[str, Any], dict[str, Any], Sequence[str], dict[str, Any] | pd.DataFrame]] = {
    "a space before each value, and a marker": (
        *(ADULT, {"delimiter": ", "}, {}),
        *(["`trim: true`", "workclass", '`null_values: [pandas, "?"]`'], QUESTION | {"trim": True}),
    ),
    "other letters": (
        *(_changed(workclass=ADULT["workclass"].str.upper()), {}, QUESTION),
        *(["workclass", "upper and lower case"], ADULT),
    ),
    "UTF-8 read as another encoding": (
        *(ADULT, {}, QUESTION | {"encoding": "cp1252"}),
        *(["country", "`encoding: utf-8`"], QUESTION),
    ),
    "another encoding read as latin-1": (
        *(_changed(country="Škofja Loka"), {"encoding": "cp1252"}, QUESTION | {"encoding": "latin-1"}),
        *(["country", "`encoding: cp1252`"], QUESTION | {"encoding": "cp1252"}),
    ),
    "numbers as floats": (
        *(_changed(education=ADULT["education"] + ".0"), {}, QUESTION),
        *(["education", "such as 1 for 1.0"], ADULT),
    ),
    "other words": (
        *(_changed(married=ADULT["married"].map({"yes": 1, "no": 0})), {}, QUESTION),
        *(["married", "no and yes"], ADULT),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_look_alike_stops_before_anything_is_written_and_runs_when_done_what_helps(
    name: str, model: str, run: Runner, tmp_path: Path
) -> None:
    data, spelt, keys, named, done = CASES[name]
    keys = keys | {"input": _write(tmp_path, data, **spelt)}

    review = _verified(run, model, **keys)
    with pytest.raises(InputError) as caught:
        run(model, **keys)

    told = "\n".join(fault.what for fault in review.faults if fault.fatal)
    assert review.exit_code == 3
    for words in named:
        assert words in str(caught.value)
        assert words in told
    assert str(caught.value) in told or all(line in told for line in str(caught.value).split("\n  ")[1:])
    assert "Private" not in told + str(caught.value)
    assert not list((tmp_path / "output" / "batch-prediction").glob("*"))

    if isinstance(done, dict):
        keys = keys | done if "encoding" in done or "trim" in done else {**done, "input": keys["input"]}
    else:
        keys = keys | {"input": _write(tmp_path, done)}
    assert _verified(run, model, **keys).exit_code == 0
    job = run(model, **keys)
    assert (job.record["TotalRecordCount"], job.record["InvalidRecordCount"]) == (COUNT, 0)
    assert job.manifest["unseen_values"] == dict.fromkeys(TEXTS, 0)


def test_the_parts_of_a_job_add_up_and_a_column_that_shows_nothing_is_null(
    registry: Registry, run: Runner, tmp_path: Path
) -> None:
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["workclass"]), (HashingVectorizer(n_features=8), "country")
    )
    uri = registry.register(
        make_pipeline(encode, LogisticRegression()).fit(ADULT, RICH),
        signature=columns("workclass:string", "country:string"),
    )
    data = ADULT.assign(workclass=[*["Without-pay"] * 7, *ADULT["workclass"][7:]])
    data.loc[data.index[20:30], "workclass"] = np.nan
    keys: dict[str, Any] = {"input": _write(tmp_path, data), "split_bytes": 700, "null_values": ["pandas", "?"]}

    review = _verified(run, uri, **keys)
    summary = run.summary(uri, **keys)

    expected = {"workclass": 7, "country": None}
    assert summary["unseen_values"] == run.job().manifest["unseen_values"] == expected
    assert summary["part_count"] > 5
    assert describe_plan(review)["unseen_values"] == expected
    values = COUNT - 10 - int((data["workclass"][7:] == "?").sum())
    shown = render_review(review)
    assert f"never seen      workclass: 7 of {values} values read" in shown
    assert "the model does not show which texts it knows in country" in shown
    log = run.job().path(".log").read_text()
    assert f"column workclass: the model does not know 7 of {values} values" in log


def test_many_inputs_are_judged_together_by_tasks_as_by_the_driver(
    forgiving: str, run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_look, "FEW_INPUTS", 3)
    monkeypatch.setattr(first_look, "FEW_LOCAL_INPUTS", 3)
    folder = tmp_path / "in"
    folder.mkdir()
    loud = ADULT.assign(workclass=ADULT["workclass"].str.upper())
    for number in range(8):
        loud[number * 30 : number * 30 + 30].to_csv(folder / f"{number}.csv", index=False)
    keys: dict[str, Any] = {"input": f"{folder}/", "null_values": ["pandas", "?"]}

    review = _verified(run, forgiving, **keys)
    with pytest.raises(InputError) as caught:
        run(forgiving, **keys)

    assert [fault.what for fault in review.faults if fault.fatal] == [str(caught.value)]
    assert "column workclass" in str(caught.value)


def test_the_limit_that_was_set_holds_for_the_whole_job_and_the_id_goes_on_with_another(
    forgiving: str, run: Runner, tmp_path: Path
) -> None:
    many = pd.concat([ADULT] * 200, ignore_index=True)
    text = many.to_csv(index=False)
    assert len(text.encode()) > 1_300_000
    many.loc[many.index[-2000:], "workclass"] = "Without-pay"
    keys: dict[str, Any] = {"input": _write(tmp_path, many), "null_values": ["pandas", "?"], "split_bytes": 500_000}

    assert _verified(run, forgiving, max_unseen_fraction=0.01, **keys).exit_code == 0  # it reads the beginning
    with pytest.raises(TooManyUnseenValuesError) as caught:
        run(forgiving, max_unseen_fraction=0.01, **keys)
    assert caught.value.exit_code == 5
    assert "workclass 2000 of" in str(caught.value)
    assert run.job().record["Status"] == "FAILED"
    assert not run.job().path(".manifest.json").exists()

    summary = run.summary(forgiving, max_unseen_fraction=0.5, **keys)
    assert summary["reused_part_count"] == summary["part_count"] > 1
    assert run.job().manifest["unseen_values"]["workclass"] == 2000  # of parts that are read from receipts

    config = run.registry.config(forgiving, output=str(tmp_path / "output"), max_unseen_fraction=0.01, **keys)
    assert review_job(config, tmp_path / "model-of-all", full=True).exit_code == 5


def test_a_limit_of_one_scores_what_the_model_does_not_know(forgiving: str, run: Runner, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"input": _write(tmp_path, ADULT, delimiter=", "), "max_unseen_fraction": 1}
    job = run(forgiving, **keys)
    assert job.manifest["unseen_values"] == dict.fromkeys(TEXTS, COUNT)
    assert _verified(run, forgiving, id="another", **keys | {"input": keys["input"]}).exit_code == 0


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_verify_shows_the_first_three_predictions_and_the_three_highest_with_their_tags(
    kind: str, registry: Registry, run: Runner, tmp_path: Path
) -> None:
    from sklearn.linear_model import LinearRegression

    data = pd.DataFrame({"name": [f"n{number}" for number in range(50)], "x": np.sin(np.arange(50)) * 9})
    target = {"binary": data["x"] > 2, "multiclass": np.digitize(data["x"], [-3, 3]), "regression": data["x"] * 2}
    estimator = LinearRegression() if kind == "regression" else LogisticRegression()
    fitted = estimator.fit(data[["x"]], np.asarray(target[kind]).astype(float if kind == "regression" else int))
    uri = registry.register(fitted, signature=columns("x:double"))
    data[:30].to_csv(tmp_path / "a.csv", index=False)
    data[30:].to_csv(tmp_path / "b.csv", index=False)
    keys: dict[str, Any] = {"input": [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")], "row_id": "name"}

    review = _verified(run, uri, **keys)

    labels: list[str | None] = [None] * 50
    if kind == "regression":
        scores = fitted.predict(data[["x"]])
    else:
        answered = fitted.predict_proba(data[["x"]])
        best = answered.argmax(axis=1) if kind == "multiclass" else np.ones(50, int)
        scores, labels = answered[np.arange(50), best], [str(fitted.classes_[place]) for place in best]
    order = np.argsort(-scores, kind="stable")[:3].tolist()
    told = describe_plan(review)["predictions"]
    for rows, shown in (([0, 1, 2], told["first"]), (order, told["highest"])):
        assert [item["tag"] for item in shown] == [f"n{row}" for row in rows]
        assert [item["label"] for item in shown] == [labels[row] for row in rows]
        np.testing.assert_allclose([item["score"] for item in shown], scores[rows])
        assert [item["record"] for item in shown] == [row + 1 if row < 30 else row - 29 for row in rows]
    lines = [line for line in render_review(review).splitlines() if line.startswith(("first ", "highest "))]
    assert [line.split()[1] for line in lines] == ["n0", f"n{order[0]}"]


def test_of_several_values_the_first_is_shown_under_its_name(registry: Registry, run: Runner, tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression

    data = pd.DataFrame({"name": [f"n{number}" for number in range(9)], "x": np.sin(np.arange(9)) * 9})
    values = pd.DataFrame({"heat": data["x"] * 2, "cold": data["x"] * -100})
    fitted = LinearRegression().fit(data[["x"]], values)
    uri = registry.register(fitted, signature=infer_signature(data[["x"]], values))
    data.to_csv(tmp_path / "a.csv", index=False)

    review = _verified(run, uri, input=str(tmp_path / "a.csv"), row_id="name")

    order = np.argsort(-values["heat"].to_numpy(), kind="stable")[:3].tolist()
    told = describe_plan(review)["predictions"]
    for rows, shown in (([0, 1, 2], told["first"]), (order, told["highest"])):
        assert [(item["tag"], item["label"]) for item in shown] == [(f"n{row}", None) for row in rows]
        np.testing.assert_allclose([item["score"] for item in shown], values["heat"][rows], atol=1e-9)
    [title] = [line for line in render_review(review).splitlines() if line.startswith("predictions ")]
    assert title.split() == ["predictions", "tag", "score_heat", "record", "input"]
