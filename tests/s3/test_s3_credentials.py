"""Where credentials come from, what becomes of a look-up that fails, and that no older ones are used."""

import io
import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.loaders import JSONFileLoader

from batchscore.config.job_config import S3Settings
from batchscore.errors import ConfigError, CredentialsError, InputError
from batchscore.storage import s3_credentials
from batchscore.storage.s3 import S3Storage
from batchscore.storage.s3_client import begin_run, clients_of_libraries
from tests.s3.proxy import Proxy, refuse

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession

SECRET = "a-secret-that-is-told-to-nobody"


@pytest.fixture
def uri(s3: "S3Client", bucket: str) -> str:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=b"content")
    return f"s3://{bucket}/a.csv"


@pytest.fixture
def no_keys(storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - it sets the variables
    """An environment without keys, in which look-ups that fail are made again at once."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(s3_credentials, "_WAITS_SECONDS", (0, 0, 0, 0))


class Metadata:
    """The metadata service of a machine with a role, which refuses its first so many requests."""

    def __init__(self) -> None:
        self.refused = 0
        self.asked = 0

    def answer(self, path: str) -> bytes | None:
        self.asked += 1
        if self.refused:
            self.refused -= 1
            return None
        if path.endswith("/token"):
            return b"token"
        if path.endswith("/security-credentials/"):
            return b"role"
        keys = {"AccessKeyId": "OF-THE-ROLE", "SecretAccessKey": SECRET, "Token": "token"}
        times = {"Expiration": "2999-01-01T00:00:00Z", "LastUpdated": "2026-01-01T00:00:00Z"}
        return json.dumps(keys | times | {"Code": "Success"}).encode()


@contextmanager
def running(metadata: Metadata) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = metadata.answer(self.path)
            self.send_response(429 if content is None else 200)
            self.send_header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
            self.end_headers()
            self.wfile.write(content or b"")

        do_PUT = do_GET  # noqa: N815 - http.server's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def metadata(no_keys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Metadata]:  # noqa: ARG001
    metadata = Metadata()
    with running(metadata) as endpoint:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", endpoint)
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        yield metadata


def key_of(proxy: Proxy) -> str:
    """Return the id of the key that the last request was signed with."""
    found = re.search(r"Credential=([^/]+)/", proxy.requests[-1].headers["authorization"])
    assert found
    return found[1]


# Look-ups that fail


@pytest.mark.parametrize("refused", [0, 1, 2, 4])
def test_a_look_up_that_fails_is_made_again(
    refused: int, metadata: Metadata, storage: S3Storage, proxy: Proxy, uri: str
) -> None:
    metadata.refused = refused

    assert storage.read(uri) == b"content"
    assert (key_of(proxy), metadata.refused) == ("OF-THE-ROLE", 0)


def test_look_ups_that_all_fail_are_an_error_of_credentials_and_nothing_of_them_is_kept(
    metadata: Metadata, storage: S3Storage, proxy: Proxy, uri: str
) -> None:
    metadata.refused = 1000
    for ask in (lambda: storage.read(uri), lambda: storage.put(uri, io.BytesIO(b"new")), lambda: storage.delete(uri)):
        with pytest.raises(CredentialsError, match="credentials of profile default: expected to find some, got none"):
            ask()
    assert proxy.requests == []

    metadata.refused = 0
    assert storage.read(uri) == b"content"


def test_credentials_that_cannot_be_renewed_are_looked_up_anew(
    metadata: Metadata, storage: S3Storage, proxy: Proxy, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.read(uri)
    metadata.refused = 3
    # Botocore must renew them before it signs; they have not expired yet (0).
    needed = "botocore.credentials.RefreshableCredentials.refresh_needed"
    monkeypatch.setattr(needed, lambda _, refresh_in=None: refresh_in != 0)

    assert storage.read(uri) == b"content"
    assert (key_of(proxy), metadata.refused) == ("OF-THE-ROLE", 0)


def test_credentials_are_looked_up_once_for_many_requests(metadata: Metadata, storage: S3Storage, uri: str) -> None:
    for _ in range(5):
        storage.read(uri)
    assert metadata.asked == 3


# What can be wrong with them


def process(text: str, code: int = 0) -> str:
    return f'{sys.executable} -c "import sys; print({text!r}); sys.stderr.write({SECRET!r}); sys.exit({code})"'


SSO = "sso_start_url = https://x.awsapps.com/start\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = r"
KEYS = f"aws_access_key_id = A\naws_secret_access_key = {SECRET}"
# The profile `prod` as the configuration file has it, and what is said of it.
PROFILES = {
    "rubbish of a process": (f"[profile prod]\ncredential_process = {process(SECRET)}", "JSONDecodeError"),
    "a list of a process": (f"[profile prod]\ncredential_process = {process('[]')}", "AttributeError"),
    "no key of a process": (f"[profile prod]\ncredential_process = {process('{}')}", "CredentialRetrievalError"),
    "a process that fails": (
        f"[profile prod]\ncredential_process = {process('', 1)}",
        r"CredentialRetrievalError \(provider custom-process\)",
    ),
    "no such process": ("[profile prod]\ncredential_process = /none/of/these", "FileNotFoundError"),
    "no such profile": (f"[profile other]\n{KEYS}", r"ProfileNotFound \(profile prod\)"),
    "half a pair": ("[profile prod]\naws_access_key_id = A", r"PartialCredentialsError \(.*aws_secret_access_key\)"),
    "no section": (KEYS, r"ConfigParseError \(path .*config\)"),
    "no bytes of text": ("[profile prod]\nx = \xff\xfe", "ConfigParseError|got none"),
    "a session that has ended": (f"[profile prod]\n{SSO}", "SSOTokenLoadError|UnauthorizedSSOTokenError"),
    "a source that is none": (
        "[profile prod]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = x",
        "InvalidConfigError",
    ),
    "a token that is none": (
        "[profile prod]\nrole_arn = arn:aws:iam::1:role/r\nweb_identity_token_file = /none/of/these",
        "FileNotFoundError",
    ),
    "nothing": ("[profile prod]\nregion = us-east-1", "got none"),
}


@pytest.mark.parametrize(("text", "cause"), PROFILES.values(), ids=list(PROFILES))
def test_what_is_wrong_with_credentials_is_told_with_the_profile_and_without_a_secret(
    text: str,
    cause: str,
    no_keys: None,  # noqa: ARG001
    storage: S3Storage,
    proxy: Proxy,
    uri: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "config").write_bytes(text.encode("latin-1"))
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/config")
    monkeypatch.setenv("AWS_PROFILE", "prod")
    for ask in (
        lambda: storage.read(uri),
        lambda: storage.stat(uri),
        lambda: list(storage.list(f"{uri}/")),
        lambda: storage.put(uri, io.BytesIO(b"new")),
        lambda: storage.put_new(uri, io.BytesIO(b"new")),
        lambda: storage.delete(uri),
    ):
        with pytest.raises(CredentialsError, match=f"credentials of profile prod: expected .*({cause})") as raised:
            ask()
        assert SECRET not in str(raised.value)
        assert raised.value.exit_code == 2
    assert proxy.requests == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("AWS_ACCESS_KEY_ID", r"PartialCredentialsError \(provider env, cred_var AWS_SECRET_ACCESS_KEY\)"),
        ("AWS_SECRET_ACCESS_KEY", "got none; AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not"),
    ],
)
def test_half_a_pair_of_variables_is_told(
    name: str,
    told: str,
    no_keys: None,  # noqa: ARG001
    storage: S3Storage,
    uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name, SECRET)
    with pytest.raises(CredentialsError, match=told) as raised:
        storage.read(uri)
    assert SECRET not in str(raised.value)


def test_a_look_up_whose_end_is_certain_is_not_made_again(
    no_keys: None,  # noqa: ARG001
    storage: S3Storage,
    uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits = list[float]()
    monkeypatch.setattr("batchscore.storage.s3_credentials.time", SimpleNamespace(sleep=waits.append))
    for name, value in (("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_PROFILE", "none"), ("AWS_ACCESS_KEY_ID", "A")):
        monkeypatch.setenv(name, value)
        with pytest.raises(CredentialsError):
            storage.read(uri)
    assert waits == []


@pytest.mark.usefixtures("aws_variables")
def test_a_region_that_is_none_is_a_configuration_error() -> None:
    with pytest.raises(
        ConfigError, match="AWS settings of profile default: expected usable ones, got InvalidRegionError"
    ):
        S3Storage(S3Settings(region="eu west")).read("s3://bucket/x")


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_credentials_that_the_store_refuses_are_named_and_no_right_to_list_is_hinted_at(
    code: str, storage: S3Storage, proxy: Proxy, uri: str
) -> None:
    proxy.play("GET", "a.csv", refuse(403, code))
    with pytest.raises(InputError, match=f"got {code}: the store does not take the credentials of profile") as raised:
        storage.read(uri)
    assert "s3:ListBucket" not in str(raised.value)


# Older ones


def write_keys(path: Path, key: str) -> None:
    path.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {SECRET}\n[other]\n{KEYS}\n")


def print_keys(path: Path, key: str) -> None:
    path.write_text(json.dumps({"Version": 1, "AccessKeyId": key, "SecretAccessKey": SECRET}))


def test_variables_a_profile_and_files_that_have_changed_are_heeded_at_once(
    no_keys: None,  # noqa: ARG001
    storage: S3Storage,
    proxy: Proxy,
    uri: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def key_in_use() -> str:
        storage.stat(uri)
        return key_of(proxy)

    write_keys(tmp_path / "keys", "FIRST")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/keys")
    assert key_in_use() == "FIRST"
    write_keys(tmp_path / "keys", "SECOND-ONE")
    assert key_in_use() == "SECOND-ONE"
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert key_in_use() == "A"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OF-VARIABLES")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.delenv("AWS_PROFILE")
    assert key_in_use() == "OF-VARIABLES"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert key_in_use() == "SECOND-ONE"


def process_that_prints(printed: Path) -> str:
    """Return a configuration file by which credentials come from a program that prints a file."""
    path = printed.with_name("config")
    path.write_text(f"[default]\ncredential_process = cat {printed}\n")
    return str(path)


def test_a_run_does_not_use_what_the_run_before_has_looked_up(
    no_keys: None,  # noqa: ARG001
    storage: S3Storage,
    proxy: Proxy,
    uri: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    printed = tmp_path / "printed"
    monkeypatch.setenv("AWS_CONFIG_FILE", process_that_prints(printed))
    print_keys(printed, "OF-THE-FIRST")
    storage.read(uri)
    print_keys(printed, "OF-THE-SECOND")
    storage.read(uri)
    assert key_of(proxy) == "OF-THE-FIRST"  # within a run they are kept

    begin_run("another")
    storage.read(uri)
    assert key_of(proxy) == "OF-THE-SECOND"


def test_what_describes_s3_is_read_for_the_first_client_alone(
    storage: S3Storage, uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begin_run("first")
    storage.stat(uri)
    read: list[str] = []
    load_file = JSONFileLoader.load_file

    def watched(self: JSONFileLoader, file_path: str) -> object:
        read.append(file_path)
        return load_file(self, file_path)

    monkeypatch.setattr(JSONFileLoader, "load_file", watched)
    begin_run("second")
    storage.stat(uri)
    assert read == []

    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))  # whoever has descriptions of his own is not given others
    storage.stat(uri)
    assert any(path.endswith("/s3/2006-03-01/service-2") for path in read)


def test_a_worker_that_outlives_a_job_does_not_use_its_credentials(
    spark: "SparkSession", proxy: Proxy, uri: str, tmp_path: Path
) -> None:
    from batchscore.spark.action import run_tasks

    endpoint, config = proxy.endpoint, process_that_prints(tmp_path / "printed")

    def work(_: int) -> str:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            os.environ.pop(name, None)
        os.environ["AWS_CONFIG_FILE"] = config
        S3Storage(S3Settings(endpoint=endpoint)).read(uri)
        return str(os.getpid())

    workers: list[set[str]] = []
    for key in ("OF-THE-FIRST", "OF-THE-SECOND"):
        print_keys(tmp_path / "printed", key)
        proxy.requests.clear()
        workers.append(set(run_tasks(spark, 4, work, key, key, lambda: None)))
        used = {
            request.headers["authorization"].partition("Credential=")[2].partition("/")[0] for request in proxy.requests
        }
        assert used == {key}
    assert workers[0] & workers[1] != set()


def test_a_client_that_a_library_makes_has_the_credentials_of_now_and_looks_them_up_again(
    metadata: Metadata, proxy: Proxy, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = boto3.Session(aws_access_key_id="OF-BEFORE", aws_secret_access_key=SECRET)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", older)
    before, metadata.refused = boto3.DEFAULT_SESSION, 3
    bucket = uri.removeprefix("s3://").partition("/")[0]

    with clients_of_libraries(S3Settings(requester_pays=True)):
        boto3.client("s3", endpoint_url=proxy.endpoint).head_object(Bucket=bucket, Key="a.csv")

    assert key_of(proxy) == "OF-THE-ROLE"
    assert proxy.requests[-1].headers["x-amz-request-payer"] == "requester"
    assert boto3.DEFAULT_SESSION is before
