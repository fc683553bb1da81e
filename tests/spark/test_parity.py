"""A job whose model answers otherwise in other company ends before a record is written; one that agrees runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

from batchscore.commands.report_text import render_review
from batchscore.commands.verify import review_job
from batchscore.errors import ModelError
from tests.registry import Registry

if TYPE_CHECKING:
    from tests.spark.conftest import Runner

FRAME = pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [1.0, np.nan, 2.0]})


class InCompany(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined] # mlflow has no types
    """Answers by what else is there."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:  # noqa: ARG002
        return model_input["x"] - model_input["x"].mean()


@pytest.fixture(scope="module")
def by_company(registry: Registry) -> str:
    signature = infer_signature(FRAME, np.array([1.0]))
    return registry.register(InCompany(), "pyfunc", signature, input_example=FRAME)


def test_a_job_whose_example_is_answered_otherwise_writes_nothing(by_company: str, run: Runner, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("x,y\n1,2\n")
    with pytest.raises(ModelError, match="got a difference in the answers to 3 of 3 rows"):
        run(by_company, input=str(tmp_path / "in.csv"))
    assert not (tmp_path / "output").exists()


def test_verify_shows_a_line_for_each_way_to_read_the_example(registry: Registry, tmp_path: Path) -> None:
    frame = FRAME.fillna(0.0)
    model = LinearRegression().fit(frame, [1.0, 2.0, 3.0])
    uri = registry.register(model, signature=infer_signature(frame), input_example=frame)
    (tmp_path / "in.csv").write_text("x,y\n1,2\n")
    config = registry.config(uri, input=str(tmp_path / "in.csv"), output=str(tmp_path / "out"))

    review = review_job(config, tmp_path)

    assert review.exit_code == 0
    lines = [line for line in render_review(review).splitlines() if line.startswith("parity")]
    assert lines == [
        "parity A        the model's example as the job reads it from CSV: 3 of 3 rows",
        "parity B        as pandas reads that CSV: the same values, types and answers",
        "parity C        the model on the example itself: the same answers",
    ]
