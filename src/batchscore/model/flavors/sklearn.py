"""scikit-learn: pickled estimators and pipelines, whose text encoders are given each distinct value once."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

from batchscore.model.encoders import encode_distinct_values
from batchscore.model.facts import estimator_facts, with_categories
from batchscore.model.flavors.catboost import adapt_catboost, is_catboost
from batchscore.model.flavors.estimator import adapt_estimator, as_it_is
from batchscore.model.flavors.libraries import check_classifiers, trained_categories, value_count
from batchscore.model.flavors.protocol import Flavor, PredictorSettings, RawModel
from batchscore.model.flavors.text_column import text_column
from batchscore.model.flavors.values import with_value_names
from batchscore.model.rowwise import TransformedRows, split_pipeline
from batchscore.model.version import ModelVersion


class Sklearn(Flavor):
    """The flavor of ``mlflow.sklearn``."""

    name = "sklearn"
    module = "sklearn"
    version_key = "sklearn_version"
    distributions = ("scikit-learn",)
    # Its files are pickles, which it promises to read with the very version that wrote them alone: with another minor
    # one attributes are renamed and defaults change, and a model may load and predict otherwise.
    # https://scikit-learn.org/stable/model_persistence.html
    minor_matters = True

    def load(self, folder: Path, model: ModelVersion, settings: PredictorSettings, /) -> RawModel:
        """Load an estimator; raises ModelError."""
        loaded = _load_estimator(folder, model)
        categories = trained_categories(loaded)
        facts = estimator_facts(loaded, [column.name for column in model.inputs])
        facts = with_categories(facts, categories, model.inputs)
        adapt = adapt_catboost if is_catboost(loaded) else adapt_estimator
        prepare = text_column(loaded, model) or (categories.give if categories.values else as_it_is)
        raw = adapt(loaded, prepare)
        if raw.model_type != "regression":
            check_classifiers(loaded)
        raw = replace(raw, categorical=encode_distinct_values(loaded), facts=facts)
        if adapt is adapt_estimator and prepare is as_it_is:
            raw = _in_two_parts(raw, loaded)
        return with_value_names(raw, value_count(loaded), model, settings)


FLAVOR: Flavor = Sklearn()


def _in_two_parts(raw: RawModel, estimator: Any) -> RawModel:
    """Return a model that takes records which the leading steps of its pipeline have transformed, if it has such."""
    parts = split_pipeline(estimator)
    if parts is None:
        return raw
    transform, rest = parts
    answer = adapt_estimator(rest).predict

    def predict(records: Any) -> Any:
        return answer(records.values) if isinstance(records, TransformedRows) else raw.predict(records)

    return replace(raw, predict=predict, transform=transform)


def _load_estimator(folder: Path, model: ModelVersion) -> Any:
    """Load a pickled model as mlflow.sklearn does, without the seconds that importing mlflow takes.

    It loads the others: of another format, or with code of their own.
    """
    conf = model.flavors["sklearn"]
    if conf.get("code") or conf.get("serialization_format") not in {"pickle", "cloudpickle"}:
        import mlflow.sklearn

        return mlflow.sklearn.load_model(str(folder))
    with (folder / str(conf["pickled_model"])).open("rb") as file:
        return pickle.load(file)  # cloudpickle writes what pickle reads
