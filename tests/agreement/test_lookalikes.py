"""Look-alikes of whole files: by the keys of docs/dialects.md the library's own answers; without one, it is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.models import infer_signature

from batchscore.commands.verify import review_job
from batchscore.config.job_config import JobConfig
from batchscore.errors import BatchScoreError
from batchscore.preflight.planner import load_model
from tests.agreement.lookalikes import LIKES, LookAlike, model_of
from tests.agreement.oracle import FloatArray
from tests.agreement.whole import score_all
from tests.registry import Registry

pytestmark = pytest.mark.filterwarnings("ignore")  # hints for those who train in earnest


@dataclass(frozen=True)
class Case:
    """A look-alike, its model in the registry, and the library's own answers to pandas' reading."""

    like: LookAlike
    model_uri: str
    expected: FloatArray


@pytest.fixture(scope="module")
def case(registry: Registry) -> Callable[[str], Case]:
    @cache
    def make(name: str) -> Case:
        like = LIKES[name]()
        model, frame = model_of(like), like.frame()[[*like.numbers, *like.texts, *like.dates]]
        return Case(like, registry.register(model, signature=infer_signature(frame.head())), model.predict(frame))

    return make


def config_of(registry: Registry, case: Case, folder: Path, keys: Mapping[str, Any]) -> JobConfig:
    (folder / "in").mkdir(parents=True)
    for name, content in case.like.files.items():
        (folder / "in" / name).write_bytes(content)
    places = {"input": str(folder / "in"), "output": str(folder / "out")}
    return registry.config(case.model_uri, precision="full", **places, **keys)


def tags_of(like: LookAlike) -> list[str]:
    """Return the column of the row id as pandas reads its text."""
    row_id = like.keys.get("row_id")
    texts = like.frame(as_text=True)
    return texts[row_id].tolist() if row_id else [""] * len(texts)


@pytest.mark.parametrize("name", LIKES)
def test_by_its_keys_a_file_gets_the_answers_of_the_library_in_any_splits(
    name: str, case: Callable[[str], Case], registry: Registry, tmp_path: Path
) -> None:
    found = case(name)
    config = config_of(registry, found, tmp_path / "whole", found.like.keys)
    review = review_job(config, tmp_path / "verify")
    assert review.exit_code == 0
    assert {fault.reason for fault in review.faults if fault.reason} <= {"empty"}
    model = load_model(config, tmp_path / "model")
    for split_bytes in (10_000_000, 4_000):
        changed = config.model_copy(update={"split_bytes": split_bytes, "output": f"{tmp_path}/{split_bytes}"})
        whole = score_all(changed, model)
        assert len(whole.scores) == len(found.expected) >= 600
        np.testing.assert_allclose(whole.predictions, found.expected, rtol=1e-9)
        assert whole.tags == tags_of(found.like)


@pytest.mark.parametrize("left_out", [("trim",), ("trim", "null_values")])
def test_adult_with_the_spaces_after_its_commas_is_refused_with_the_keys_that_read_it(
    left_out: tuple[str, ...], case: Callable[[str], Case], registry: Registry, tmp_path: Path
) -> None:
    found = case("adult.data")
    keys = {key: value for key, value in found.like.keys.items() if key not in left_out}
    review = review_job(config_of(registry, found, tmp_path / "whole", keys), tmp_path / "verify")
    assert review.exit_code == 3
    told = {fault.what.partition(":")[0]: fault.what for fault in review.faults if fault.fatal}
    assert list(told) == [f"column {name}" for name in found.like.texts]
    for name in found.like.texts:
        markers = name in ("workclass", "occupation", "native-country") and "null_values" in left_out
        keys_told = '`trim: true` and `null_values: [pandas, "?"]`' if markers else "`trim: true`"
        assert f"got others in 1200 of 1200 values read; what helps: {keys_told} (1200 of " in told[f"column {name}"]


# What is told of a file where keys are left out; where there is nothing, the answers are the same without them.
TOLD: dict[tuple[str, tuple[str, ...]], str] = {
    ("adult.data", ("trim",)): "`trim: true`",
    ("adult.data", ("null_values",)): r"workclass: the model does not know .*`null_values: \[pandas, \"\?\"\]`",
    ("adult.data", ("names",)): "`has_header: false`.*`names`",
    ("adult.data", ("names", "trim", "null_values")): "`has_header: false`.*`names`.*`trim: true`",
    ("adult.test", ("has_header",)): "1 of 1201 are records with another number of values",
    ("adult.test", ("has_header", "names", "trim", "null_values")): "`has_header: true` with `names`",
    ("AirQuality", ("decimal",)): '`decimal: ","` reads them',
    ("AirQuality", ("delimiter",)): '`delimiter: ";"` reads all of the first 100 records',
    ("AirQuality", ("decimal", "delimiter", "null_values")): (
        '`delimiter: ";"` and `decimal: ","` read all of the first 100 records'
    ),
    ("Spark, header", ("escape",)): r'`escape: "\\\\"` reads them',
    ("Spark, header", ("has_header",)): "",
    ("Spark, no header", ("names",)): "`has_header: false`.*`names`",
    ("Spark, no header", ("names", "escape")): "`has_header: false`.*`names`",
    ("R write.csv2", ("decimal",)): '`decimal: ","` reads them',
    ("R write.csv2", ("delimiter",)): '`delimiter: ";"` reads all of the first 100 records',
    ("R write.csv2", ("decimal", "delimiter")): '`delimiter: ";"` and `decimal: ","` read all',
    ("Excel, UTF-8", ("multiline",)): "`multiline: true`",
    ("Excel, sep=", ("delimiter",)): '"sep=": `delimiter: ";"`',
    ("Excel, sep=", ("delimiter", "decimal", "multiline")): '`delimiter: ";"` and `decimal: ","`',
    ("Excel, sep=", ("decimal", "multiline")): '`decimal: ","` reads them',
    ("Excel, European", ("encoding",)): "name the encoding",
    ("Excel, European", ("decimal", "encoding")): '`decimal: ","` reads them',
    ("Excel, European", ("delimiter", "decimal", "encoding", "multiline")): '`delimiter: ";"` and `decimal: ","`',
    ("European", ("thousands",)): '`thousands: "."` reads them',
    ("European", ("decimal", "thousands")): '`decimal: ","` and `thousands: "."` reads them',
    ("European", ("datetime_format",)): '`datetime_format: "%d.%m.%Y"` reads them',
    (
        "European",
        ("datetime_format", "thousands"),
    ): 'datetime_format: "%d.%m.%Y"` .*other columns need `thousands: "."`',
    ("European", ("null_values",)): "marker - .*`null_values`",
    ("European", ("encoding",)): "`encoding: cp1252` reads all",
    ("European", ("delimiter", "encoding")): '`delimiter: ";"` and `encoding: cp1252` read all',
    ("European", ("delimiter", "decimal", "thousands", "datetime_format", "null_values")): (
        '`delimiter: ";"` and `d.*"%d.%m.%Y"`'
    ),
}


@pytest.mark.parametrize(("name", "left_out"), TOLD, ids=str)
def test_without_a_key_verify_names_it_and_a_job_stops_or_says_so(
    name: str,
    left_out: tuple[str, ...],
    case: Callable[[str], Case],
    registry: Registry,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    found, told = case(name), TOLD[name, left_out]
    keys = {key: value for key, value in found.like.keys.items() if key not in left_out}
    config = config_of(registry, found, tmp_path / "whole", keys)
    review = review_job(config, tmp_path / "verify")
    said = "\n".join(fault.what for fault in review.faults)
    assert re.search(told, said)
    assert not any(value in said for value in ("Trinadad", "blue-collar", "groß"))
    model = load_model(config, tmp_path / "model")
    if review.exit_code:
        with pytest.raises(BatchScoreError) as caught:
            score_all(config, model)
        assert caught.value.exit_code == review.exit_code
        return
    whole = score_all(config, model)
    if len(whole.scores) == len(found.expected) and np.allclose(whole.predictions, found.expected, rtol=1e-9):
        assert told == ""
    else:  # records without a prediction are counted; of others the log tells
        assert np.isnan(whole.predictions).any() or re.search(told, caplog.text)
