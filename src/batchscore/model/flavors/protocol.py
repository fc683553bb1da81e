"""What a library's module says of it, and what it makes of a model's files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from batchscore.config.job_config import JobConfig, ModelType
from batchscore.config.missing_values import NO_FACTS, ModelFacts
from batchscore.model.rowwise import Transform
from batchscore.model.version import ModelVersion


@dataclass(frozen=True)
class PredictorSettings:
    """What a configuration says of the model."""

    model_type: ModelType | None = None
    positive_label: str | None = None
    prediction_column: str | None = None
    allow_version_mismatch: tuple[str, ...] = ()
    model_params: Mapping[str, Any] = field(default_factory=dict)


def predictor_settings(config: JobConfig, model_type: ModelType | None) -> PredictorSettings:
    """Return what a configuration says of the model; ``model_type`` is what is known of it, None for nothing yet."""
    return PredictorSettings(
        model_type,
        config.positive_label,
        config.prediction_column,
        config.allow_version_mismatch,
        config.model_params,
    )


@dataclass(frozen=True)
class RawModel:
    """What a flavor finds: (n,) or (n, classes) or (n, values) numbers, and the labels where the library knows them.

    ``value_names`` names the values of a regression that gives several for each record, none where it gives one.
    ``meaning`` says what a value is that is no estimate of a target, for people.
    ``categorical`` names the text columns that the model takes as pandas categoricals; ``facts`` are what it tells of
    how missing values and texts are known to it. ``loaded`` is the library's own object, in which whoever would use
    several threads is looked for. ``transform`` makes of records what ``predict`` takes in their place, row by row;
    None where no part of the model is known to work so.
    """

    model_type: ModelType
    classes: tuple[str, ...]
    predict: Callable[[Any], Any]
    categorical: frozenset[str] = frozenset()
    facts: ModelFacts = NO_FACTS
    loaded: Any = None
    value_names: tuple[str, ...] = ()
    meaning: str | None = None
    transform: Transform | None = None


class Flavor(Protocol):
    """A library as MLflow keeps its models. What has a value here is what most libraries need not say.

    ``name`` is the flavor's in MLmodel, and in ``allow_version_mismatch``; ``module`` is what is imported;
    ``version_key`` is where MLmodel has the version of training, None where it has none that matters; ``distributions``
    are the names under which the library may be installed.
    """

    name: str
    module: str
    version_key: str | None
    distributions: tuple[str, ...]

    minor_matters: bool = False
    """Whether a model may predict otherwise with another minor version of the library: that is warned of."""

    thread_places: tuple[str, ...] | None = None
    """Attributes of its estimators that hold parameters by name, the number of threads among them; None: as
    scikit-learn's estimators they have no other than ``n_jobs``."""

    takes_params: bool = False
    """Whether its models take parameters of a prediction, ``model_params``."""

    def load(self, folder: Path, model: ModelVersion, settings: PredictorSettings, /) -> RawModel:
        """Load a model's files by the library's own interface; raises ModelError for one that cannot be used."""
        ...

    def limit_threads(self, estimator: Any, /) -> None:  # noqa: ARG002 - for others
        """Hold an estimator of the library to one thread, where its parameters do not."""
        return

    def missing_number(self, model_id: str | None, run_id: str | None, /) -> float | None:  # noqa: ARG002 - for others
        """Return the number that meant missing in training, where MLflow has logged it and the files do not hold it."""
        return None
