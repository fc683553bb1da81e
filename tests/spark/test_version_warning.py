"""What a job tells of a model of another minor version of its library."""

from pathlib import Path

import pandas as pd
from sklearn import __version__ as installed
from sklearn.linear_model import LinearRegression

from tests.registry import Registry, columns
from tests.spark.conftest import Runner


def test_a_job_tells_in_its_summary_and_its_log_of_another_minor_version_of_sklearn(
    run: Runner, registry: Registry, tmp_path: Path
) -> None:
    uri = registry.register(
        LinearRegression().fit(pd.DataFrame({"a": [0.0, 1.0]}), [0.0, 2.0]), signature=columns("a:double")
    )
    mlmodel = registry.files(uri) / "MLmodel"
    trained = f"{installed.split('.')[0]}.99.0"
    mlmodel.write_text(mlmodel.read_text().replace(f"sklearn_version: {installed}", f"sklearn_version: {trained}"))
    (tmp_path / "in.csv").write_text("a\n1\n2\n3\n")

    told = run.summary(uri, input=str(tmp_path / "in.csv"), split_bytes=2)
    silent = run.summary(uri, "silent", input=str(tmp_path / "in.csv"), allow_version_mismatch="sklearn")

    said = (
        f"model {uri}: expected sklearn {trained} as in training, got {installed}, which may predict otherwise; "
        "install that version, or allow_version_mismatch: [sklearn] silences this"
    )
    assert (told["Status"], told["warnings"], silent["warnings"]) == ("COMPLETED", [said], [])
    assert run.job().path(".log").read_text().count(said) == 1
    assert "silences this" not in run.job("silent").path(".log").read_text()
