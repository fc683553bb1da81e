"""The models that a worker process has loaded: each once, the last ones used."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable
from pathlib import Path

from batchscore.environment import QUIET_MLFLOW, forget_code, set_defaults
from batchscore.model.archive import unpack_model
from batchscore.model.flavors import PredictorSettings
from batchscore.model.predictor import Predictor, load_predictor
from batchscore.model.version import ModelVersion
from batchscore.process import hide_warnings, no_garbage_collection
from batchscore.spark.worker_environment import limit_threads

# A worker outlives a job, and a query may use several models: the ones used last stay.
_MODELS_HELD = 4
_loaded: dict[str, tuple[Predictor, ModelVersion, Path]] = {}


def loaded_predictor(read_archive: Callable[[], bytes], model: ModelVersion, settings: PredictorSettings) -> Predictor:
    """Return the model, unpacked and loaded once per worker process, while it is among the last ones used."""
    key = f"{model.pinned_uri} {model.digest} {settings}"
    if key in _loaded:
        _loaded[key] = _loaded.pop(key)
    else:
        limit_threads()
        hide_warnings()
        set_defaults(QUIET_MLFLOW)
        _make_room(model)
        folder = unpack_model(read_archive())
        try:
            with no_garbage_collection():
                _loaded[key] = load_predictor(folder, model, settings), model, folder
        except BaseException:
            _let_go(folder)
            raise
        # PySpark collects garbage after each task: 50 ms to walk over libraries and a model that stay anyway.
        gc.freeze()
    return _loaded[key][0]


def _make_room(model: ModelVersion) -> None:
    """Let go of models for another: the one used longest ago, and any whose code may have modules of the same names."""
    for key, (_, held, folder) in list(_loaded.items()):
        if len(_loaded) >= _MODELS_HELD or (_brings_code(held) and _brings_code(model)):
            del _loaded[key]
            _let_go(folder)
            gc.unfreeze()


def _brings_code(model: ModelVersion) -> bool:
    return any(flavor.get("code") for flavor in model.flavors.values())


def _let_go(folder: Path) -> None:
    forget_code(folder)
    shutil.rmtree(folder, ignore_errors=True)
