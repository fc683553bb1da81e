"""A small registered model with its files on S3, people to score, and what the model itself says of them."""

import gzip
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from batchscore.config.job_config import JobConfig
from tests.registry import Registry, columns

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCHEMA = json.dumps(
    {
        "version": "1.0",
        "rowId": "id",
        "dataFormat": "CSV",
        "dataFileContainsHeader": True,
        "attributes": [
            {"attributeName": "id", "attributeType": "CATEGORICAL"},
            {"attributeName": "age", "attributeType": "NUMERIC"},
            {"attributeName": "amount", "attributeType": "NUMERIC"},
        ],
    }
).encode()


class _RegistryOnS3(Registry):
    def __init__(self, folder: Path, artifact_location: str) -> None:
        super().__init__(folder)
        self._experiment = self.client.create_experiment("on-s3", artifact_location=artifact_location)


@dataclass(frozen=True)
class Loans:
    """The model: where it is registered, and itself."""

    model_uri: str
    tracking_uri: str
    model: Any = field(repr=False)

    def settings(self, **keys: Any) -> dict[str, Any]:
        """Return the keys of a job with this model; predictions are written to the last bit."""
        return {"model": self.model_uri, "tracking_uri": self.tracking_uri, "precision": "full", **keys}

    def config(self, **keys: Any) -> JobConfig:
        """Return the configuration of a job with this model."""
        return JobConfig.model_validate(self.settings(**keys))

    def check(self, text: str, people: pd.DataFrame) -> None:
        """Hold a result against what the model says when called directly."""
        result = pd.read_csv(io.StringIO(text), float_precision="round_trip")
        assert list(result.columns) == ["tag", "bestAnswer", "score"]
        assert list(result["tag"]) == list(people["id"])
        expected = self.model.predict_proba(people[["age", "amount"]])[:, 1]
        np.testing.assert_allclose(result["score"], expected, rtol=1e-12)
        assert list(result["bestAnswer"]) == [int(score >= 0.5) for score in expected]
        assert set(result["bestAnswer"]) == {0, 1}


def register_loans(folder: Path, artifact_location: str) -> Loans:
    """Train and register the model."""
    people = make_people(500, seed=1)
    inputs = people[["age", "amount"]]
    model = LogisticRegression().fit(inputs, (people["amount"] < people["age"] * 100).astype(int))
    registry = _RegistryOnS3(folder, artifact_location)
    uri = registry.register(model, signature=columns("age:double", "amount:double"), name="loans")
    return Loans(uri, registry.uri, model)


def make_people(count: int, seed: int) -> pd.DataFrame:
    """Return made-up people."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": [f"{seed}-{number}" for number in range(count)],
            "age": rng.integers(18, 90, count).astype(float),
            "amount": np.round(rng.uniform(0, 10_000, count), 2),
        }
    )


def put_people(s3: "S3Client", bucket: str, key: str, count: int, seed: int) -> pd.DataFrame:
    """Write people to an object and return them."""
    people = make_people(count, seed)
    s3.put_object(Bucket=bucket, Key=key, Body=people.to_csv(index=False).encode())
    return people


def keys_below(s3: "S3Client", bucket: str, prefix: str = "") -> list[str]:
    """Return the keys of a bucket that begin with a prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def content_of(s3: "S3Client", uri: str) -> bytes:
    """Return the bytes of an object."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def json_of(s3: "S3Client", uri: str) -> dict[str, Any]:
    """Return the JSON object that an object holds."""
    content: dict[str, Any] = json.loads(content_of(s3, uri))
    return content


def joined_text(s3: "S3Client", uris: Sequence[str]) -> str:
    """Return the text of gzip parts as one file: the header of the first alone."""
    texts = [gzip.decompress(content_of(s3, uri)).decode().splitlines(keepends=True) for uri in uris]
    assert len({lines[0] for lines in texts}) == 1
    return "".join([texts[0][0], *(line for lines in texts for line in lines[1:])])
