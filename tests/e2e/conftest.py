from pathlib import Path

import pytest
from tests.e2e.demo import register_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    register_demo(folder, records=3000)
    return folder
