"""What is scored by what: the cases of the benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.data import DATA_SETS, DataSet

ModelType = Literal["binary", "regression"]


@dataclass(frozen=True)
class Case:
    """A data set and a model; the model is registered under the case's name."""

    name: str
    data_set: DataSet
    model_type: ModelType
    title: str

    def record_count(self, asked: int) -> int:
        """Return how many records are scored where ``asked`` are asked for."""
        return max(asked // self.data_set.scale, 1)

    @property
    def model_uri(self) -> str:
        """The model's version in the registry."""
        return f"models:/{self.name}/1"


CASES = {
    case.name: case
    for case in (
        Case("bank-logistic", DATA_SETS["bank"], "binary", "Bank set, logistic regression"),
        Case("bank-lightgbm", DATA_SETS["bank"], "binary", "Bank set, LightGBM of 100 trees"),
        Case("narrow-linear", DATA_SETS["narrow"], "regression", "Narrow set, linear regression"),
        Case("wide-linear", DATA_SETS["wide"], "regression", "Wide set, linear regression"),
    )
}

MODELS = CASES | {"thousand-linear": Case("thousand-linear", DATA_SETS["thousand"], "regression", "A thousand columns")}
"""The cases, and what only an experiment scores."""
