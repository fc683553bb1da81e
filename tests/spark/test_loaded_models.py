"""The models that a worker process holds: few, and each with its own code."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow.pyfunc.model import PythonModel
from sklearn.linear_model import LinearRegression

from batchscore.config.job_config import make_config
from batchscore.environment import forget_code, process_kept
from batchscore.model.archive import pack_model
from batchscore.model.flavors import predictor_settings
from batchscore.model.registry import resolve_model
from batchscore.preflight.planner import load_model
from batchscore.spark import loaded_models
from tests.registry import Registry, columns

SETTINGS = predictor_settings(make_config({"model": "models:/m/1", "input": "none", "output": "none"}), None)


@pytest.fixture(autouse=True)
def _new_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(loaded_models, "_loaded", {})
    monkeypatch.setenv("SPARK_LOCAL_DIRS", str(tmp_path))
    yield
    gc.unfreeze()


class AnswersByItsModule(PythonModel):
    """A model that answers what a module says that comes with it."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002 - mlflow's interface
        return importlib.import_module("of_the_model").answer(model_input)


def test_of_many_models_a_worker_holds_the_last_ones_used_and_none_of_the_files_of_others(
    registry: Registry, tmp_path: Path
) -> None:
    people = pd.DataFrame({"x": [1.0, 2.0]})
    model = LinearRegression().fit(people, [1.0, 2.0])
    packed = []
    for number in range(5):
        uri = registry.register(model, signature=columns("x:double"), name=f"held-{number}")
        version = resolve_model(registry.config(uri), tmp_path / "driver" / str(number))
        packed.append((partial(pack_model, tmp_path / "driver" / str(number)), version))

    first = loaded_models.loaded_predictor(*packed[0], SETTINGS)
    for archive, version in packed[1:4]:
        loaded_models.loaded_predictor(archive, version, SETTINGS)
    assert loaded_models.loaded_predictor(*packed[0], SETTINGS) is first
    loaded_models.loaded_predictor(*packed[4], SETTINGS)

    names = [version.name for _, version, _ in loaded_models._loaded.values()]
    assert names == ["held-2", "held-3", "held-0", "held-4"]
    assert len(list(tmp_path.glob("batchscore-model-*"))) == 4


def test_models_that_bring_modules_of_one_name_are_each_scored_with_their_own(
    registry: Registry, tmp_path: Path
) -> None:
    people = pd.DataFrame({"x": [1.0, 2.0]})
    path, modules = sys.path[:], set(sys.modules)
    by_driver, by_worker, packed = [], [], []
    for factor in (10, 20):
        code = tmp_path / f"code-{factor}" / "of_the_model.py"
        code.parent.mkdir()
        code.write_text(f"def answer(frame):\n    return frame['x'] * {factor}\n")
        signature = columns("x:double", outputs=["y"])
        uri = registry.register(AnswersByItsModule(), "pyfunc", signature, code_paths=[str(code)])
        with process_kept():
            loaded = load_model(registry.config(uri), tmp_path / str(factor))
            by_driver.append(loaded.predictor.predict(people).tolist())
            packed.append((partial(pack_model, loaded.folder), loaded.version))
    for archive, version in packed:
        by_worker.append(loaded_models.loaded_predictor(archive, version, SETTINGS).predict(people).tolist())

    assert by_driver == [[10.0, 20.0], [20.0, 40.0]]
    assert by_worker == [[10.0, 20.0], [20.0, 40.0]]
    for _, _, folder in loaded_models._loaded.values():
        forget_code(folder)
    assert sys.path == path
    assert "of_the_model" not in set(sys.modules) - modules
