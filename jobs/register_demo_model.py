"""Train a small model, register it in a local MLflow registry, and write customers to score.

The data is made up in the manner of a bank's telephone campaign: will the customer take the offer?
"""

import argparse
import logging
import os
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

MODEL_NAME = "bank-marketing"
JOBS = ["admin", "blue-collar", "management", "retired", "services", "student", "technician", "unknown"]
MARITAL = ["divorced", "married", "single"]
CONTACT = ["cellular", "telephone"]
NUMBERS = ["age", "balance", "campaign", "duration"]
TEXTS = ["job", "marital", "contact"]
# What a list of customers to call needs, and no model: names of many places, and numbers that are nobody's.
CONTACT_DETAILS = ["name", "phone"]
FIRST_NAMES = [
    "Amina",
    "Björn",
    "Chiara",
    "Dmitri",
    "Eun-ji",
    "Fatima",
    "Grace",
    "Hugo",
    "Inés",
    "João",
    "Kofi",
    "Leila",
]
LAST_NAMES = [
    "Ångström",
    "Brown",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "García",
    "Haddad",
    "Ito",
    "Kowalski",
    "O'Neill",
]


def make_customers(count: int, seed: int) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """Return customers, and whether each took the offer."""
    rng = np.random.default_rng(seed)
    customers = pd.DataFrame(
        {
            "customerId": [f"C{number:07d}" for number in range(count)],
            "age": rng.integers(18, 90, count).astype(float),
            "job": rng.choice(JOBS, count),
            "marital": rng.choice(MARITAL, count),
            "balance": np.round(rng.normal(1500, 3000, count), 2),
            "contact": rng.choice(CONTACT, count),
            "campaign": rng.poisson(2, count).astype(float) + 1,
            "duration": np.round(rng.gamma(2, 130, count)),
        }
    )
    interest = (
        (customers["duration"] - 400) / 250
        + (customers["job"].isin(["student", "retired"])) * 1.2
        - customers["campaign"] * 0.15
        + customers["balance"] / 9000
    )
    took = rng.random(count) < 1 / (1 + np.exp(-interest))
    return customers.join(_contact_details(count, seed)), took.astype(int)


def _contact_details(count: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng([seed, 1])
    first, last, line = rng.choice(FIRST_NAMES, count), rng.choice(LAST_NAMES, count), rng.integers(100, 200, count)
    names = [f"{given} {family}" for given, family in zip(first, last, strict=True)]
    phones = [f"202-555-0{number}" for number in line]
    return pd.DataFrame({"name": names, "phone": phones})


def write_inputs(folder: Path, count: int) -> None:
    """Write two files of customers."""
    folder.mkdir(parents=True, exist_ok=True)
    customers, _ = make_customers(count, seed=2)
    half = count // 2
    customers[:half].to_csv(folder / "customers-1.csv", index=False)
    customers[half:].to_csv(folder / "customers-2.csv", index=False)


def register_model(folder: Path) -> str:
    """Train, log and register the model with the alias ``champion``; return its URI."""
    customers, took = make_customers(5000, seed=1)
    features = customers.drop(columns=["customerId", *CONTACT_DETAILS])
    model = make_pipeline(
        make_column_transformer(
            (StandardScaler(), NUMBERS), (OneHotEncoder(handle_unknown="ignore"), TEXTS), remainder="drop"
        ),
        LogisticRegression(),
    ).fit(features, took)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    name = "batchscore-demo"
    experiment = mlflow.get_experiment_by_name(name)
    experiment_id = (
        experiment.experiment_id
        if experiment
        else mlflow.create_experiment(name, artifact_location=(folder / "artifacts").as_uri())
    )
    with mlflow.start_run(experiment_id=experiment_id):
        info = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(features, took),
            input_example=features.head(),
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"],
        )
    version = mlflow.register_model(info.model_uri, MODEL_NAME)
    client = mlflow.MlflowClient()
    client.set_registered_model_alias(MODEL_NAME, "champion", version.version)
    client.set_model_version_tag(MODEL_NAME, version.version, "score_threshold", "0.4")
    return f"models:/{MODEL_NAME}@champion"


def main() -> None:
    """Make the demo's model and inputs below a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("demo"))
    parser.add_argument("--records", type=int, default=20_000)
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    write_inputs(folder / "input", options.records)
    print(f"registered {register_model(folder)}; wrote {options.records} customers to {folder / 'input'}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # MLflow's hints are for those who train in earnest
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    main()
