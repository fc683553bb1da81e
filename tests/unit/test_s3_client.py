"""Threads of a process share one S3 client of a run, as long as its credentials are good. None is asked anything."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from batchscore.config.job_config import S3Settings
from batchscore.storage import s3_client
from batchscore.storage.s3_client import ask, begin_run, client_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SETTINGS = S3Settings(endpoint="http://127.0.0.1:9", region="us-east-1")


@pytest.fixture(autouse=True)
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(s3_client, "_without_checksums", set())
    begin_run("one")
    yield
    begin_run("after")


def refuse(code: str, status: int) -> None:
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    raise ClientError(answer, "GetObject")  # type: ignore[arg-type] # of an answer, only what is read


def expired(_: "S3Client") -> None:
    refuse("ExpiredToken", 400)


def test_threads_that_begin_at_once_share_one_client_and_those_of_another_run_another() -> None:
    with ThreadPoolExecutor(16) as pool:
        first = set(pool.map(lambda _: client_for(SETTINGS), range(64)))
        begin_run("two")
        second = set(pool.map(lambda _: client_for(SETTINGS), range(64)))
    assert (len(first), len(second), len(first | second)) == (1, 1, 2)


@pytest.mark.parametrize("without_checksums", [False, True])
def test_a_client_whose_credentials_are_refused_is_not_used_again(without_checksums: bool) -> None:
    if without_checksums:
        s3_client._without_checksums.add("http://127.0.0.1:9")
    before = ask(SETTINGS, lambda client: client)
    with pytest.raises(ClientError, match="ExpiredToken"):
        ask(SETTINGS, expired)
    assert ask(SETTINGS, lambda client: client) is not before


def test_a_refusal_that_comes_late_does_not_end_the_client_that_another_thread_has_made_since() -> None:
    asked, renewed = Event(), Event()

    def refused_late(client: "S3Client") -> None:
        asked.set()
        assert renewed.wait(60)
        expired(client)

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(ask, SETTINGS, refused_late)
        assert asked.wait(60)
        with pytest.raises(ClientError):
            ask(SETTINGS, expired)
        new = client_for(SETTINGS)
        renewed.set()
        with pytest.raises(ClientError):
            late.result()
    assert client_for(SETTINGS) is new


def test_a_refusal_of_something_else_leaves_the_client_as_it_is() -> None:
    before = client_for(SETTINGS)
    with pytest.raises(ClientError, match="AccessDenied"):
        ask(SETTINGS, lambda _: refuse("AccessDenied", 403))
    assert client_for(SETTINGS) is before


def test_few_clients_are_kept_and_of_those_the_ones_used_last() -> None:
    settings = [S3Settings(endpoint=f"http://127.0.0.1:{port}", region="us-east-1") for port in range(1, 10)]
    first = client_for(settings[0])
    second = client_for(settings[1])
    for other in settings[2:8]:
        client_for(other)
    assert client_for(settings[0]) is first
    client_for(settings[8])
    assert client_for(settings[0]) is first
    assert client_for(settings[1]) is not second
