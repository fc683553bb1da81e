"""The files that a job skips as hidden are those that Spark's own reader skips."""

from pathlib import Path
from typing import TYPE_CHECKING

from batchscore.config.job_config import JobConfig
from batchscore.preflight.discovery import list_inputs

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAMES = [
    *("a.csv", "_SUCCESS", "_committed_1", "_started_1", ".zz.csv.crc", ".hidden.csv", "_x.csv", "_x=1.csv", "a_.csv"),
    *("_a=1/p.csv", "_a/p.csv", "a=1/_p.csv", "a=1/p.csv", ".a=1/p.csv", "_temporary/0/p.csv", "sub/_t/p.csv"),
    *("sub/.t/p.csv", "sub/p.csv", "_metadata", "_common_metadata", "_metadata.csv", "sub/_metadata/p.csv"),
    *(
        "_metadata_x/p.csv",
        "sub/_common_metadata/p.csv",
        "b.csv._COPYING_",
        "sub/_spark_metadata/0",
        "-p.csv",
        "~p.csv",
    ),
    *("_delta_log/0.json", "_a/b/c=1/p.csv", "_b=1/_c/p.csv", "__MACOSX/p.csv", "a._b/p.csv", "x._COPYING_/p.csv"),
    *(
        "_metadata._COPYING_/p.csv",
        "sub/_metadata/_p.csv",
        "sub/_metadata/.p.csv",
        "sub/_metadata=1",
        "#p.csv",
        "~p.csv",
    ),
]


def test_what_sparks_reader_skips_is_hidden_and_nothing_else(spark: "SparkSession", tmp_path: Path) -> None:
    for name in NAMES:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
    reader = spark.read.option("recursiveFileLookup", "true").schema("name string")

    read = {row.name for row in reader.csv(f"{tmp_path}/in").collect()}

    config = JobConfig.model_validate({"model": "models:/m/1", "input": f"{tmp_path}/in", "output": f"{tmp_path}/out"})
    sources, skipped = list_inputs(config)
    assert {source.uri.removeprefix(f"file://{tmp_path}/in/") for source in sources} == read
    assert {uri.removeprefix(f"file://{tmp_path}/in/") for uri, _ in skipped} == set(NAMES) - read
    assert all(reason.startswith("hidden ") for _, reason in skipped)
