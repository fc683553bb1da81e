"""Trains the models of the cases and registers them in a local MLflow registry: `python -m bench.models WORK CASE...`.

A program of its own: what measures the ways imports neither mlflow nor a model's library.
"""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
from lightgbm import LGBMClassifier
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from bench.cases import MODELS, Case
from bench.data import ID, make_piece

EXPERIMENT = "bench"


def _training_frame(case: Case) -> pd.DataFrame:
    """Return records to train with; numbers are all double, as the ways read them."""
    frame: pd.DataFrame = make_piece(case.data_set, 0, case.data_set.records_per_piece // 5).to_pandas()
    return frame.drop(columns=ID).astype({name: float for name in frame.columns if frame[name].dtype != object})


def _bank_labels(frame: pd.DataFrame) -> Any:
    student = frame["job"].isin(["student", "retired"])
    logits = (frame["duration"] - 2000) / 800 + student * 1.2 - frame["campaign"] / 20 - frame["euribor3m"] / 5
    return (np.random.default_rng(0).random(len(frame)) < 1 / (1 + np.exp(-logits))).astype(int)


def _logistic(frame: pd.DataFrame) -> Any:
    texts, numbers = _texts_and_numbers(frame)
    encoder = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), texts))
    return make_pipeline(encoder, LogisticRegression(max_iter=1000)).fit(frame, _bank_labels(frame))


def _lightgbm(frame: pd.DataFrame) -> Any:
    texts, _ = _texts_and_numbers(frame)
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encoder = make_column_transformer((codes, texts), remainder="passthrough")
    # One thread: every way scores in as many processes or threads of its own as there are cores.
    trees = LGBMClassifier(n_estimators=100, n_jobs=1, random_state=0, deterministic=True, verbose=-1)
    return make_pipeline(encoder, trees).fit(frame, _bank_labels(frame))


def _linear(frame: pd.DataFrame) -> Any:
    weights = np.random.default_rng(0).normal(size=frame.shape[1])
    return LinearRegression().fit(frame, frame.to_numpy() @ weights + 10)


def _texts_and_numbers(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    texts = [str(name) for name in frame.columns if frame[name].dtype == object]
    return texts, [str(name) for name in frame.columns if name not in texts]


TRAINING = {
    "bank-logistic": _logistic,
    "bank-lightgbm": _lightgbm,
    "narrow-linear": _linear,
    "wide-linear": _linear,
    "thousand-linear": _linear,
}


def _register(case: Case, experiment_id: str) -> None:
    frame = _training_frame(case)
    model = TRAINING[case.name](frame)
    function = "predict" if case.model_type == "regression" else "predict_proba"
    with mlflow.start_run(experiment_id=experiment_id):
        info = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(frame, getattr(model, function)(frame)),
            serialization_format="cloudpickle",
            pyfunc_predict_fn=function,
            pip_requirements=["scikit-learn", "lightgbm"],
        )
    mlflow.register_model(info.model_uri, case.name)


def register_models(work: Path, cases: list[Case]) -> None:
    """Train and register the models that the registry of a work folder does not have."""
    work.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{work}/mlflow.db")
    known = {model.name for model in mlflow.MlflowClient().search_registered_models()}
    experiment = mlflow.get_experiment_by_name(EXPERIMENT)
    experiment_id = (
        experiment.experiment_id
        if experiment
        else mlflow.create_experiment(EXPERIMENT, artifact_location=(work / "artifacts").as_uri())
    )
    for case in cases:
        if case.name not in known:
            _register(case, experiment_id)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # MLflow's hints are for those who train in earnest
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    pa.set_cpu_count(1)
    register_models(Path(sys.argv[1]), [MODELS[name] for name in sys.argv[2:]])
