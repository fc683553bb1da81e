"""Where the workers of a session on this machine find pyspark."""

from pathlib import Path

import pytest

from batchscore.spark.worker_daemon import without_archives


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of packages in which a pyspark is installed."""
    (tmp_path / "pyspark" / "python" / "lib").mkdir(parents=True)
    (tmp_path / "pyspark" / "__init__.py").touch()
    return tmp_path


def test_an_archive_within_an_installed_pyspark_gives_way_to_the_folder_around_it(site: Path) -> None:
    lib = site / "pyspark" / "python" / "lib"

    path = without_archives(["", f"{lib}/pyspark.zip", f"{lib}/py4j-0.10.9.9-src.zip", "/somewhere/else"])

    assert path == ["", str(site), "/somewhere/else"]


def test_the_archives_of_a_spark_that_is_no_package_stay(tmp_path: Path) -> None:
    (tmp_path / "spark" / "python" / "lib").mkdir(parents=True)
    (tmp_path / "pyspark" / "python" / "lib").mkdir(parents=True)  # without __init__.py
    path = ["/x.zip", "a.zip", *(f"{tmp_path}/{home}/python/lib/pyspark.zip" for home in ("spark", "pyspark"))]

    assert without_archives(path) == path


def test_other_archives_stay(site: Path) -> None:
    path = [f"{site}/pyspark/other/lib/mine.zip", f"{site}/pyspark/mine.zip"]

    assert without_archives(path) == path
