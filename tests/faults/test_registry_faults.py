"""A registry that goes, and models that are moved, deleted, damaged or altered while a job runs or after it."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest

from batchscore.errors import CommitError, IdempotentParameterMismatchError, ModelError
from tests.faults.bench import SOAK_SEEDS, Bench, in_soak, register_orderly
from tests.registry import Registry
from tests.s3.proxy import after, refuse

RECORD, COMMIT = "/job.json?", "/job.manifest.json?"


@pytest.fixture
def copied(bench: Bench, tmp_path: Path) -> Bench:
    """The bench with a registry of its own: a copy of the database, whose models' files are those of the other."""
    return with_copied_registry(bench, tmp_path / "registry.db")


def with_copied_registry(bench: Bench, copy: Path) -> Bench:
    shutil.copyfile(bench.registry_uri.removeprefix("sqlite:///"), copy)
    return replace(bench, registry_uri=f"sqlite:///{copy}")


def client_of(bench: Bench) -> "mlflow.MlflowClient":
    return mlflow.MlflowClient(bench.registry_uri, bench.registry_uri)


def fail_at_commit(bench: Bench) -> None:
    bench.proxy.play("PUT", COMMIT, refuse(403, "AccessDenied"), times=1)
    with pytest.raises(CommitError):
        bench.run()


def test_a_registry_that_goes_while_the_job_runs_is_not_missed(copied: Bench) -> None:
    database = Path(copied.registry_uri.removeprefix("sqlite:///"))
    copied.proxy.play("PUT", RECORD, after(lambda: database.rename(f"{database}-gone")), times=1)

    copied.run()

    Path(f"{database}-gone").rename(database)
    copied.prove()


@pytest.mark.skipif(not SOAK_SEEDS, reason="waits for MLflow to give up")
def test_a_registry_that_is_down_fails_the_job_before_it_writes_anything(bench: Bench) -> None:
    down = replace(bench, registry_uri="http://127.0.0.1:9")

    with pytest.raises(ModelError, match="registry of models:/orderly/1: expected an answer, got"):
        down.run()

    assert bench.proxy.seen("PUT") == []
    bench.run()
    bench.prove()


def test_an_alias_that_moves_while_the_job_runs_means_what_it_meant_at_the_start(
    copied: Bench, registry: Registry, orders: Path
) -> None:
    other = register_orderly(registry, orders, name="orderly-other", seed=5)
    client = client_of(copied)
    client.set_registered_model_alias("orderly", "live", "1")
    second = client_of(copied).create_model_version("orderly", registry.files(other).as_uri()).version
    aliased = replace(copied, model_uri="models:/orderly@live")
    copied.proxy.play(
        "PUT", RECORD, after(lambda: client.set_registered_model_alias("orderly", "live", second)), times=1
    )
    fail_at_commit(aliased)
    assert copied.record()["MLModelId"] == "models:/orderly/1"

    with pytest.raises(IdempotentParameterMismatchError, match="got another model"):
        aliased.run()
    copied.run()

    copied.prove()


@pytest.fixture
def doomed(copied: Bench, registry: Registry) -> Bench:
    """A job of a version of its own, which can be deleted."""
    files = registry.files("models:/orderly/1").as_uri()
    version = client_of(copied).create_model_version("orderly", files).version
    return replace(copied, model_uri=f"models:/orderly/{version}")


def delete_while_it_runs(doomed: Bench) -> None:
    version = doomed.model_uri.rpartition("/")[2]
    delete = after(lambda: client_of(doomed).delete_model_version("orderly", version))
    doomed.proxy.play("PUT", RECORD, delete, times=1)


def test_a_version_deleted_while_the_job_runs_is_not_missed(doomed: Bench, tmp_path: Path) -> None:
    # The undisturbed run comes after the deletion: it asks where the version is still known.
    knowing = with_copied_registry(doomed, tmp_path / "before.db")
    delete_while_it_runs(doomed)

    doomed.run()

    with pytest.raises(ModelError, match=f"model {doomed.model_uri}: expected it in the registry"):
        doomed.run(id="later")
    knowing.prove()


def test_an_id_does_not_go_on_without_its_version(doomed: Bench) -> None:
    delete_while_it_runs(doomed)
    fail_at_commit(doomed)
    assert doomed.record()["MLModelId"] == doomed.model_uri
    assert "manifest" in doomed.record()["Message"]

    with pytest.raises(ModelError, match=f"model {doomed.model_uri}: expected it in the registry"):
        doomed.run()

    assert doomed.manifests() == []


def missing(files: Path) -> Callable[[], object]:
    (pickled,) = files.glob("*.pkl")
    content = pickled.read_bytes()
    pickled.unlink()
    return lambda: pickled.write_bytes(content)


def damaged(files: Path) -> Callable[[], object]:
    (pickled,) = files.glob("*.pkl")
    content = pickled.read_bytes()
    pickled.write_bytes(content[: len(content) // 2])
    return lambda: pickled.write_bytes(content)


@pytest.mark.parametrize("harm", [missing, *in_soak(damaged)])
def test_a_model_with_a_file_missing_or_cut_short_fails_the_job_and_mended_its_id_goes_on(
    harm: Callable[[Path], Callable[[], object]], bench: Bench, registry: Registry, orders: Path, tmp_path: Path
) -> None:
    own = replace(bench, model_uri=register_orderly(registry, orders, name=f"orderly-{tmp_path.name}"))
    mend = harm(registry.files(own.model_uri))

    with pytest.raises(ModelError, match=f"{own.model_uri}: expected to load it as sklearn"):
        own.run()

    assert bench.proxy.seen("PUT") == []
    mend()
    own.run()
    own.prove()


def test_a_model_whose_files_were_altered_between_two_runs_is_another_model(
    bench: Bench, registry: Registry, orders: Path
) -> None:
    own = replace(bench, model_uri=register_orderly(registry, orders, name="orderly-altered"))
    altered = registry.files(own.model_uri) / "requirements.txt"
    before = altered.read_bytes()
    fail_at_commit(own)
    altered.write_bytes(before + b"\n")

    with pytest.raises(IdempotentParameterMismatchError, match="got another model"):
        own.run()

    altered.write_bytes(before)
    assert own.run()["reused_part_count"] == 5
    own.prove()
