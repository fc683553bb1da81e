"""What a URI means is asked of the whole registry, which is there already; the unknown is told with what is like it."""

import logging
import re
import sqlite3
from pathlib import Path
from typing import Any

import mlflow
import pytest
from sklearn.linear_model import LinearRegression

from batchscore.errors import ModelError
from batchscore.model.registry import resolve_model
from tests.models.conftest import Load
from tests.registry import Registry, columns

SIGNATURE = columns("a:double")


@pytest.fixture
def versions(registry: Registry, request: pytest.FixtureRequest) -> str:
    """The name of a model with 12 versions, of which the first two were changed last."""
    name = f"paged-{request.node.name}"
    registry.register(_model(), signature=SIGNATURE, name=name)
    source = str(registry.client.get_model_version(name, "1").source)
    for _ in range(11):
        registry.client.create_model_version(name, source)
    for version in ("1", "2"):
        registry.client.update_model_version(name, version, "changed")
    return name


def _model() -> LinearRegression:
    return LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])


def _set_status(registry: Registry, name: str, status: str, *versions: int) -> None:
    with sqlite3.connect(registry.uri.removeprefix("sqlite:///")) as database:
        for version in versions:
            database.execute(
                "update model_versions set status = ? where name = ? and version = ?", (status, name, version)
            )
    database.close()


def test_the_latest_version_is_the_highest_of_all_pages(
    versions: str, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = mlflow.MlflowClient.search_model_versions
    pages: list[list[int]] = []

    def with_small_pages(self: mlflow.MlflowClient, filter_string: str, **options: Any) -> Any:
        page = original(self, filter_string, **options | {"max_results": 2})
        pages.append([int(item.version) for item in page])
        return page

    monkeypatch.setattr(mlflow.MlflowClient, "search_model_versions", with_small_pages)

    assert load(f"models:/{versions}/latest").version.version == "12"
    assert sorted(pages[0]) == [1, 2]
    assert len(pages) == 6


def test_a_version_that_is_not_ready_is_not_the_latest_and_that_is_logged(
    versions: str, registry: Registry, load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    _set_status(registry, versions, "PENDING_REGISTRATION", 12)
    _set_status(registry, versions, "FAILED_REGISTRATION", 11, 3)

    with caplog.at_level(logging.WARNING, "batchscore"):
        assert load(f"models:/{versions}/latest").version.version == "10"

    assert [record.getMessage() for record in caplog.records] == [
        f"version 11 of model {versions} is FAILED_REGISTRATION, not READY: it is not the latest",
        f"version 12 of model {versions} is PENDING_REGISTRATION, not READY: it is not the latest",
    ]
    _set_status(registry, versions, "PENDING_REGISTRATION", *range(1, 13))
    with pytest.raises(ModelError, match=r"expected it in the registry, got RESOURCE_DOES_NOT_EXIST$"):
        load(f"models:/{versions}/latest")


# ---------------------------------------------------------------- names that are like an unknown one


@pytest.fixture(scope="module")
def bank(registry: Registry) -> None:
    for name in ("bank-marketing", "bank-marketing-2", "Churn"):
        registry.register(_model(), signature=SIGNATURE, name=name)


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("models:/bank-marketting/1", "bank-marketing, bank-marketing-2"),
        ("models:/bank-marketting@champion", "bank-marketing, bank-marketing-2"),
        ("models:/bank_marketing/latest", "bank-marketing, bank-marketing-2"),
        ("models:/CHURN/1", "Churn"),
    ],
)
def test_an_unknown_model_is_told_with_the_names_like_it(asked: str, near: str, load: Load) -> None:
    with pytest.raises(ModelError) as caught:
        load(asked)

    assert re.fullmatch(
        f"model {asked}: expected it in the registry, got [A-Z_]+; near names there: {near}", str(caught.value)
    )
    assert caught.value.exit_code == 4


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize("asked", ["models:/zzz/1", "models:/bank-marketing/7", "models:/m-arketing"])
def test_nothing_is_offered_for_a_name_that_is_there_or_like_none(asked: str, load: Load) -> None:
    with pytest.raises(ModelError, match=f"model {asked}: expected it in the registry, got [A-Z_]+$"):
        load(asked)


@pytest.mark.usefixtures("bank")
def test_an_unknown_model_is_told_where_the_names_cannot_be_listed(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise PermissionError("secret")

    monkeypatch.setattr(mlflow.MlflowClient, "search_registered_models", refused)

    with pytest.raises(ModelError, match=r"model models:/bank-marketting/1: expected it in the registry, got [A-Z_]+$"):
        load("models:/bank-marketting/1")


@pytest.mark.usefixtures("bank")
def test_the_names_of_a_registry_are_asked_for_a_few_times_at_most(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    original = mlflow.MlflowClient.search_registered_models
    asked: list[Any] = []

    def without_end(self: mlflow.MlflowClient, **options: Any) -> Any:
        asked.append(options)
        page = original(self, **options | {"max_results": 1, "page_token": None})
        page.token = "more"
        return page

    monkeypatch.setattr(mlflow.MlflowClient, "search_registered_models", without_end)

    with pytest.raises(ModelError, match="expected it in the registry"):
        load("models:/bank-marketting/1")
    assert len(asked) == 5


# ---------------------------------------------------------------- a registry that is not there


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("sqlite:///mlfow.db", "mlfow.db"),
        ("sqlite:///new/folder/mlfow.db", "new/folder/mlfow.db"),
        ("sqlite+pysqlite:///mlfow.db", "mlfow.db"),
        ("sqlite:////{folder}/mlfow.db", "mlfow.db"),
        ("sqlite:///my%20registry.db", "my registry.db"),
        ("sqlite:///file:mlfow.db?uri=true", "mlfow.db"),
    ],
)
@pytest.mark.parametrize("key", ["tracking_uri", "registry_uri", "MLFLOW_TRACKING_URI"])
def test_a_database_that_is_not_there_is_told_and_not_made(
    key: str, uri: str, place: str, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    uri = uri.format(folder=str(tmp_path)[1:])
    keys: dict[str, Any] = {key: uri}
    if key.isupper():
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type] # as in a new process
        mlflow.set_registry_uri(None)  # type: ignore[arg-type]
        monkeypatch.setenv(key, uri)
        keys = {"tracking_uri": None}

    with pytest.raises(ModelError) as caught:
        resolve_model(registry.config("models:/bank-marketing/1", **keys), tmp_path / "model")

    named = "registry_uri" if key == "registry_uri" else "tracking_uri"
    assert str(caught.value) == (
        f"registry of models:/bank-marketing/1: expected a database at {tmp_path / place}, got no such file; correct "
        f"{named} (or MLFLOW_{named.upper()}), of which a relative path is seen from the working directory {tmp_path}"
    )
    assert caught.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_registry_is_told_and_not_made(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")

    for uri in ("mlrnus", (tmp_path / "mlrnus").as_uri()):
        with pytest.raises(ModelError, match=f"expected a folder at {tmp_path}/mlrnus, got no such file"):
            resolve_model(registry.config("models:/bank-marketing/1", tracking_uri=uri), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("bank")
def test_a_database_at_a_relative_path_is_seen_from_the_working_directory(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(registry.uri.removeprefix("sqlite:///"))
    monkeypatch.chdir(place.parent)
    config = registry.config("models:/bank-marketing/1", tracking_uri=f"sqlite:///{place.name}")

    assert resolve_model(config, tmp_path / "model").pinned_uri == "models:/bank-marketing/1"
