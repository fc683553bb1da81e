from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.registry import Registry


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> "Registry":
    """A real model registry, for the whole session: making one takes seconds."""
    from tests.registry import Registry

    return Registry(tmp_path_factory.mktemp("registry"))
