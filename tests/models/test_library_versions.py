"""A model of another minor version of scikit-learn is scored, and that is told; others read their old files."""

import logging
import re
import warnings
from pathlib import Path
from typing import Any

import lightgbm
import pandas as pd
import pytest
from sklearn import __version__ as installed
from sklearn.linear_model import LinearRegression

from batchscore.commands.review import Fault
from batchscore.commands.verify import review_job
from batchscore.model.flavors import PredictorSettings
from batchscore.model.predictor import load_predictor
from batchscore.preflight.planner import LoadedModel
from tests.models.conftest import Load
from tests.registry import Registry, columns

MAJOR, MINOR = (int(number) for number in installed.split(".")[:2])
SIGNATURE = columns("a:double", "b:double")
RECORDS, VALUES = pd.DataFrame({"a": [0.0, 1.0, 2.0], "b": [1.0, 0.0, 5.0]}), [1.0, 2.0, 4.0]


def _trained_with(version: str | None, registry: Registry, flavor: str = "sklearn") -> str:
    """Register a model of which MLmodel says that it was trained with a version of its library."""
    key = {"sklearn": "sklearn_version", "lightgbm": "lgb_version"}[flavor]
    model: Any = lightgbm.LGBMRegressor(verbose=-1) if flavor == "lightgbm" else LinearRegression()
    uri = registry.register(model.fit(RECORDS, VALUES), flavor, SIGNATURE)
    mlmodel = registry.files(uri) / "MLmodel"
    text, count = re.subn(f" +{key}: .*\n", f"    {key}: {version}\n" if version else "", mlmodel.read_text())
    assert count == 1
    mlmodel.write_text(text)
    return uri


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def _load(load: Load, caplog: pytest.LogCaptureFixture, uri: str, **keys: Any) -> tuple[LoadedModel, list[str]]:
    caplog.clear()
    with caplog.at_level(logging.WARNING, "batchscore"):
        return load(uri, **keys), _warnings(caplog)


def _said(uri: str, trained: str) -> str:
    return (
        f"model {uri}: expected sklearn {trained} as in training, got {installed}, which may predict otherwise; "
        "install that version, or allow_version_mismatch: [sklearn] silences this"
    )


@pytest.mark.parametrize("minor", [MINOR - 1, MINOR + 1, MINOR * 10])
def test_another_minor_version_of_sklearn_than_in_training_is_told_once(
    minor: int, registry: Registry, load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    uri = _trained_with(f"{MAJOR}.{minor}.2", registry)

    assert _load(load, caplog, uri)[1] == [_said(uri, f"{MAJOR}.{minor}.2")]
    assert _load(load, caplog, uri, allow_version_mismatch="sklearn")[1] == []
    assert _load(load, caplog, uri, allow_version_mismatch="lightgbm")[1] == [_said(uri, f"{MAJOR}.{minor}.2")]


@pytest.mark.parametrize(
    "version", [None, installed, f"{MAJOR}.{MINOR}.99", f"{MAJOR}.{MINOR}rc1", str(MAJOR), f"{MAJOR}.{MINOR}.dev0"]
)
def test_a_model_of_the_same_minor_version_or_of_none_says_nothing(
    version: str | None, registry: Registry, load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    assert _load(load, caplog, _trained_with(version, registry))[1] == []


def test_another_minor_version_of_a_library_with_files_of_its_own_says_nothing(
    registry: Registry, load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    major = lightgbm.__version__.split(".")[0]

    assert _load(load, caplog, _trained_with(f"{major}.99.0", registry, "lightgbm"))[1] == []


def test_a_worker_says_nothing_of_what_the_driver_has_told(
    registry: Registry, load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    loaded, _ = _load(load, caplog, _trained_with(f"{MAJOR}.{MINOR - 1}.0", registry))
    caplog.clear()

    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        load_predictor(loaded.folder, loaded.version, PredictorSettings())

    assert (_warnings(caplog), raised) == ([], [])


def test_verify_warns_of_another_minor_version_and_is_ready(registry: Registry, tmp_path: Path) -> None:
    uri = _trained_with(f"{MAJOR}.{MINOR - 1}.0", registry)
    (tmp_path / "in.csv").write_text("a,b\n1,2\n3,4\n")
    keys = {"input": str(tmp_path / "in.csv"), "output": str(tmp_path / "out")}

    review = review_job(registry.config(uri, **keys), tmp_path / "folder")
    silent = review_job(registry.config(uri, allow_version_mismatch="sklearn", **keys), tmp_path / "silent")

    assert review.exit_code == 0
    assert review.faults == [Fault("model", _said(uri, f"{MAJOR}.{MINOR - 1}.0"), fatal=False)]
    assert silent.faults == []
