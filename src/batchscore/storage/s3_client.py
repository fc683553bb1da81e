"""Clients of S3: whose they are, how they ask, and what a store that knows less than S3 is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from batchscore.config.job_config import S3Settings
from batchscore.storage.s3_credentials import credential_sources, new_session, settings_error
from batchscore.storage.s3_errors import LACKING_STATUSES, is_of_credentials, lacks_something

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Answer = TypeVar("Answer")

_CONNECT_TIMEOUT_SECONDS = 10
_READ_TIMEOUT_SECONDS = 60
_CHECKSUM_SETTINGS = ("request_checksum_calculation", "response_checksum_validation")
# Of every partition that botocore knows; a name of the secret ones that is not here costs a probe, no more.
_OF_AWS = ("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws", "api.amazonwebservices.com.cn")

_lock = Lock()
_run = ""
_without_checksums: set[str] = set()
"""The endpoints of stores that know no checksums: a trait of the store, whatever the job."""


def begin_run(run: str) -> None:
    """Let no client of another run, and so none of its credentials, be used from now on in this process."""
    global _run
    if run != _run:
        _run = run
        _client.cache_clear()


def client_for(settings: S3Settings, checksums: bool = True) -> S3Client:
    """Return the client of this process: making one costs 0.1 s, and clients are safe to share between threads.

    It serves one run alone, and only as long as credentials come from where its own came from. Raises CredentialsError
    if AWS's own settings cannot be read.
    """
    keys = (settings.endpoint, settings.region, settings.expected_bucket_owner, checksums)
    with _lock:
        return _client(*keys, credential_sources())


@lru_cache(maxsize=8)
def _client(
    endpoint: str | None,
    region: str | None,
    owner: str | None,
    checksums: bool,
    sources: tuple[object, ...],  # noqa: ARG001 - part of the key
) -> S3Client:
    import boto3
    from botocore.config import Config

    required: Any = {} if checksums else dict.fromkeys(_CHECKSUM_SETTINGS, "when_required")
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 10},
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        read_timeout=_READ_TIMEOUT_SECONDS,
        tcp_keepalive=True,
        max_pool_connections=16,
        user_agent_extra="batchscore",
        **required,
    )
    with _aws_settings():
        client = boto3.Session(botocore_session=new_session()).client(
            "s3", endpoint_url=endpoint, region_name=region, config=config
        )
    if owner:

        def add_owner(params: dict[str, Any], **_: Any) -> None:
            params.setdefault("ExpectedBucketOwner", owner)

        # s3transfer sends the owner with all requests of an upload but the one that gives it up.
        client.meta.events.register("before-parameter-build.s3.AbortMultipartUpload", add_owner)
    return client


@contextmanager
def _aws_settings() -> Iterator[None]:
    """Say what of AWS's own settings cannot be used; a ValueError is that of an endpoint or a region."""
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except (BotoCoreError, OSError, ValueError) as error:
        raise settings_error(error) from error


def ask(settings: S3Settings, operation: Callable[[S3Client], Answer], *, repeatable: bool = True) -> Answer:
    """Return what an operation of a client gives.

    A store that is not AWS's and lacks something is asked again without the checksums that S3 does not require, unless
    the operation cannot be repeated, and from then on without them at once.
    """
    from botocore.exceptions import ClientError

    client = client_for(settings)
    store = client.meta.endpoint_url
    if store in _without_checksums:
        return operation(client_for(settings, checksums=False))
    try:
        return operation(client)
    except ClientError as error:
        if is_of_credentials(error):  # whoever comes again looks them up anew
            _client.cache_clear()
        if not lacks_something(error) or is_of_aws(settings):
            raise
        if not repeatable:  # whoever comes again begins without
            _without_checksums.add(store)
            raise
    answer = operation(client_for(settings, checksums=False))
    _without_checksums.add(store)
    return answer


def is_of_aws(settings: S3Settings) -> bool:
    """Tell whether requests go to AWS itself, by whatever setting an endpoint is given."""
    host = urlsplit(client_for(settings).meta.endpoint_url).hostname or ""
    return any(host.endswith(f".{name}") for name in _OF_AWS)


@contextmanager
def clients_of_libraries(settings: S3Settings) -> Iterator[None]:
    """Let the S3 clients that a library makes inside, as MLflow does, have the credentials and the manners of ours.

    They come from boto3's default session, which is a new one inside: what it signs with is looked up anew, and again
    if that fails. It sends the requester-pays flag if asked to, and no checksums to a store that knows none.
    """
    import boto3

    with _aws_settings():
        inner = new_session()
        session = boto3.Session(botocore_session=inner)
    if _without_checksums and client_for(settings).meta.endpoint_url in _without_checksums:
        for name in _CHECKSUM_SETTINGS:
            inner.set_config_variable(name, "when_required")
    if settings.requester_pays:

        def add_payer(params: dict[str, Any], **_: Any) -> None:
            params["headers"]["x-amz-request-payer"] = "requester"

        session.events.register("before-call.s3", add_payer)
    # None of our requests may have shown it yet. MLflow reads a whole model by one operation: it is asked again inside.
    session.events.register("needs-retry.s3", _ask_without_checksum)  # type: ignore[arg-type] # its answer counts
    before, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, session
    try:
        yield
    finally:
        boto3.DEFAULT_SESSION = before


def _ask_without_checksum(response: tuple[Any, Any] | None, request_dict: dict[str, Any], **_: Any) -> int | None:
    """Return the seconds to wait before a read is sent again without asking for its checksum; None for no such read."""
    if response is None or response[0].status_code not in LACKING_STATUSES:
        return None
    return None if request_dict["headers"].pop("x-amz-checksum-mode", None) is None else 0
