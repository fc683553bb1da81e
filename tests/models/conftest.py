from collections.abc import Callable
from typing import Any

import pytest

from batchscore.preflight.planner import LoadedModel, load_model
from tests.registry import Registry

Load = Callable[..., LoadedModel]


@pytest.fixture
def load(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Load a registered model as a job's driver does; keys are those of the configuration."""

    def load(model_uri: str, **keys: Any) -> LoadedModel:
        return load_model(registry.config(model_uri, **keys), tmp_path_factory.mktemp("loaded") / "model")

    return load
