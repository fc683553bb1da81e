import gc
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.registry import Registry


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking over all that is imported by now: a sixth of what tests take."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> "Registry":
    """A real model registry, for the whole session: making one takes seconds."""
    from tests.registry import Registry

    return Registry(tmp_path_factory.mktemp("registry"))
