"""A model is resolved once, to a version that is named from then on, or refused with the reason."""

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from batchscore.errors import CommitError, ConfigError, ModelError
from batchscore.model.archive import digest_of_files, pack_model, unpack_model
from tests.broken import full_disk
from tests.models.conftest import Load
from tests.registry import Registry, columns

SIGNATURE = columns("a:double")


def _model(slope: float) -> LogisticRegression:
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    model.coef_ = np.array([[slope]])
    return model


@pytest.fixture(scope="module")
def versions(registry: Registry) -> str:
    """The name of a model with 11 versions, so that the latest is not the last by text; ``champion`` is 9."""
    for slope in (1.0, 2.0):
        registry.register(_model(slope), signature=SIGNATURE, name="many")
    source = str(registry.client.get_model_version("many", "2").source)
    for _ in range(3, 12):
        registry.client.create_model_version("many", source)
    registry.client.set_registered_model_alias("many", "champion", "9")
    return "many"


@pytest.mark.parametrize(
    ("asked", "pinned", "alias"),
    [
        ("models:/many/1", "models:/many/1", None),
        ("models:/many@champion", "models:/many/9", "champion"),
        ("models:/many/latest", "models:/many/11", None),
    ],
)
def test_a_uri_is_pinned_to_the_version_it_means(
    asked: str, pinned: str, alias: str | None, versions: str, load: Load
) -> None:
    version = load(asked).version

    assert (version.pinned_uri, version.alias, version.name) == (pinned, alias, versions)
    assert version.asked_uri == asked


def test_a_model_can_be_asked_for_by_its_id_alone(versions: str, registry: Registry, load: Load) -> None:
    source = str(registry.client.get_model_version(versions, "1").source)

    by_id, by_name = load(source), load(f"models:/{versions}/1")

    assert (by_id.version.name, by_id.version.version, by_id.version.pinned_uri) == (None, None, source)
    assert by_id.version.model_id == by_name.version.model_id == source.removeprefix("models:/")
    assert by_id.version.digest == by_name.version.digest
    assert by_id.threshold == 0.5


def test_versions_with_other_files_have_another_digest(versions: str, load: Load) -> None:
    digests = [load(f"models:/{versions}/{number}").version.digest for number in (1, 2, 2)]

    assert digests[1] == digests[2] != digests[0]
    assert len(digests[0]) == 64


def test_an_alias_is_resolved_once(
    versions: str, registry: Registry, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.client.set_registered_model_alias(versions, "moving", "1")
    original = mlflow.MlflowClient.get_model_version_by_alias
    asked: list[str] = []

    def resolve_and_move(self: mlflow.MlflowClient, name: str, alias: str) -> Any:
        asked.append(alias)
        found = original(self, name, alias)
        self.set_registered_model_alias(name, alias, "2")  # before the files are downloaded
        return found

    monkeypatch.setattr(mlflow.MlflowClient, "get_model_version_by_alias", resolve_and_move)

    loaded = load(f"models:/{versions}@moving")

    assert asked == ["moving"]
    assert loaded.version.pinned_uri == f"models:/{versions}/1"
    np.testing.assert_array_equal(loaded.predictor.predict(np.array([[3.0]])), _model(1.0).predict_proba([[3.0]])[:, 1])


@pytest.mark.parametrize(
    "uri",
    ["models:/unknown/1", "models:/many/77", "models:/many@nobody", "models:/unknown/latest", "models:/m-unknown"],
)
@pytest.mark.usefixtures("versions")
def test_what_the_registry_does_not_know_is_refused_by_its_name(uri: str, load: Load) -> None:
    with pytest.raises(ModelError, match=f"model {uri}: expected it in the registry, got [A-Z_]+$") as caught:
        load(uri)

    assert caught.value.exit_code == 4
    assert caught.value.__cause__ is not None


def test_files_that_are_gone_are_refused_by_the_model_s_name(registry: Registry, load: Load) -> None:
    uri = registry.register(_model(1.0), signature=SIGNATURE)
    for path in registry.files(uri).iterdir():
        path.unlink()

    with pytest.raises(ModelError, match=f"files of {uri}: expected to download them"):
        load(uri)


def test_a_registry_that_does_not_answer_is_refused(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    with pytest.raises(ModelError, match=r"registry of models:/any/1: expected an answer, got .*reached") as caught:
        load("models:/any/1", tracking_uri="http://127.0.0.1:9")

    assert caught.value.exit_code == 4


def test_a_job_waits_for_a_registry_that_does_not_answer_for_less_than_a_minute() -> None:
    program = (
        "from pathlib import Path\n"
        "from batchscore.config.job_config import JobConfig\n"
        "from batchscore.model.registry import resolve_model\n"
        "keys = {'model': 'models:/any/1', 'tracking_uri': 'http://127.0.0.1:9', 'input': 'none', 'output': 'none'}\n"
        "resolve_model(JobConfig.model_validate(keys), Path('none'))\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    started = time.monotonic()

    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)

    assert time.monotonic() - started < 60
    assert "ModelError: registry of models:/any/1: expected an answer" in done.stderr


# ---------------------------------------------------------------- the archive for the workers


def test_a_packed_model_is_unpacked_with_the_same_digest(versions: str, load: Load) -> None:
    folder = load(f"models:/{versions}/1").folder

    unpacked = unpack_model(pack_model(folder))

    assert digest_of_files(unpacked) == digest_of_files(folder)
    assert unpacked.stat().st_mode & 0o077 == 0


def _archive(member: tarfile.TarInfo, content: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    member.size = len(content)
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a worker unpacks."""
    monkeypatch.setenv("SPARK_LOCAL_DIRS", str(tmp_path))
    return tmp_path


def test_a_model_for_which_a_worker_has_no_room_is_told_and_nothing_is_left(temporary: Path) -> None:
    archive = _archive(tarfile.TarInfo("model.bin"), bytes(10_000))
    with full_disk(100), pytest.raises(CommitError, match="expected room for a model, got File too large"):
        unpack_model(archive)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("name", ["../outside", "inside/../../outside", "/outside", "inside/../file", ".."])
def test_a_path_that_is_absolute_or_goes_up_is_refused_and_nothing_is_left(name: str, temporary: Path) -> None:
    with pytest.raises(ModelError, match="model archive: expected paths below its folder, got one that leaves it"):
        unpack_model(_archive(tarfile.TarInfo(name), b"x"))
    assert list(temporary.iterdir()) == []
    assert not (temporary.parent / "outside").exists()


@pytest.mark.parametrize(
    "kind",
    [
        *(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE),
        tarfile.GNUTYPE_SPARSE,
    ],
)
@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "model.pkl"])
def test_what_is_no_plain_file_is_refused_and_nothing_is_left(kind: bytes, target: str, temporary: Path) -> None:
    member = tarfile.TarInfo("member")
    member.type, member.linkname = kind, target

    with pytest.raises(ModelError, match="model archive: expected plain files, got a link, a folder or a device"):
        unpack_model(_archive(member))
    assert list(temporary.iterdir()) == []


NO_ARCHIVES = {"empty": b"", "text": b"no archive", "gzip": gzip.compress(b"x" * 10_000), "zeros": b"\0" * 100}


@pytest.mark.parametrize("content", NO_ARCHIVES.values(), ids=NO_ARCHIVES)
def test_what_is_no_archive_is_refused_and_nothing_is_left(content: bytes, temporary: Path) -> None:
    with pytest.raises(ModelError, match="model archive: expected"):
        unpack_model(content)
    assert list(temporary.iterdir()) == []


def test_an_archive_that_is_cut_is_refused_and_nothing_is_left(temporary: Path) -> None:
    whole = _archive(tarfile.TarInfo("model.pkl"), b"x" * 5000)
    with pytest.raises(ModelError, match="model archive: expected to unpack it, got"):
        unpack_model(whole[:3000])
    assert list(temporary.iterdir()) == []


def test_links_among_a_model_s_files_are_packed_as_what_they_lead_to(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "MLmodel").write_text("one")
    (folder / "same").hardlink_to(folder / "MLmodel")
    (folder / "link").symlink_to(folder / "MLmodel")

    unpacked = unpack_model(pack_model(folder))

    assert {path.name: path.read_text() for path in unpacked.iterdir()} == {
        "MLmodel": "one",
        "same": "one",
        "link": "one",
    }
    assert not any(path.is_symlink() for path in unpacked.iterdir())
    assert digest_of_files(unpacked) == digest_of_files(folder)


def test_an_unpacked_model_is_for_this_user_alone_and_goes_with_the_process(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from batchscore.model.archive import unpack_model\n"
        "folder = unpack_model(open(sys.argv[1], 'rb').read())\n"
        "print(oct(folder.stat().st_mode & 0o777), [path.name for path in folder.iterdir()])\n"
    )
    (tmp_path / "archive").write_bytes(_archive(tarfile.TarInfo("model.pkl"), b"x"))
    (tmp_path / "temporary").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    environment.pop("SPARK_LOCAL_DIRS", None)
    command = [sys.executable, "-c", program, str(tmp_path / "archive")]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "0o700 ['model.pkl']\n"
    assert list((tmp_path / "temporary").iterdir()) == []


# ---------------------------------------------------------------- where a model may come from


def test_with_allowed_artifact_prefixes_a_model_comes_only_from_below_one(registry: Registry, load: Load) -> None:
    uri = registry.register(_model(1.0), signature=SIGNATURE)
    files = registry.files(uri)

    for prefix in (files.as_uri(), files.parent.as_uri(), str(files.parent.parent)):
        allowed = load(uri, allowed_artifact_prefixes=["s3://elsewhere/models", prefix])
        assert allowed.version.digest == load(uri).version.digest
        assert allowed.version.pinned_uri == uri
    for prefix in ("s3://elsewhere/models", f"{files.as_uri()}-evil", f"{files.as_uri()}/deeper", "file:///etc"):
        with pytest.raises(ModelError, match=f"files of {uri}: expected them below one of allowed_artifact_prefixes"):
            load(uri, allowed_artifact_prefixes=prefix)


def test_allowed_artifact_prefixes_hold_for_a_model_asked_for_by_its_id(registry: Registry, load: Load) -> None:
    uri = registry.register(_model(1.0), signature=SIGNATURE)
    by_id = f"models:/{load(uri).version.model_id}"

    assert load(by_id, allowed_artifact_prefixes=registry.files(uri).as_uri()).version.pinned_uri == by_id
    with pytest.raises(ModelError, match=f"files of {by_id}: expected them below one of allowed_artifact_prefixes"):
        load(by_id, allowed_artifact_prefixes="s3://elsewhere/models")


def test_a_version_whose_files_were_put_elsewhere_is_refused_before_they_are_read(
    registry: Registry, load: Load, tmp_path: Path
) -> None:
    uri = registry.register(_model(1.0), signature=SIGNATURE)
    name = uri.split("/")[1]
    evil = tmp_path / "evil"
    shutil.copytree(registry.files(uri), evil)
    version = registry.client.create_model_version(name, evil.as_uri())
    asked = f"models:/{name}/{version.version}"

    assert load(asked).version.name == name
    with pytest.raises(ModelError, match=f"files of {asked}: expected them below .*, got file://{evil}"):
        load(asked, allowed_artifact_prefixes=registry.files(uri).parent.as_uri())


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_S3_IGNORE_TLS"])
@pytest.mark.parametrize("value", ["true", "1", "TRUE"])
def test_a_model_is_not_fetched_without_tls_verification(
    name: str, value: str, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"variable {name}: expected TLS verification, got it turned off"):
        load("models:/any/1")
