"""Clients of S3: whose they are, how they ask, and what a store that knows less than S3 is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

_KEPT_CLIENTS = 8

_lock = Lock()
_run = ""
_clients: dict[tuple[object, ...], S3Client] = {}
"""The clients of this run by what they were made for, the one used last at the end."""
_without_checksums: set[str] = set()
"""The endpoints of stores that know no checksums: a trait of the store, whatever the job."""


def begin_run(run: str) -> None:
    """Let no client of another run, and so none of its credentials, be used from now on in this process."""
    global _run
    with _lock:
        if run != _run:
            _run = run
            _clients.clear()


def client_for(settings: S3Settings, checksums: bool = True) -> S3Client:
    """Return the client that all threads of this process share, which they could not do with a session.

    The first of a process costs 0.15 s and 12 MiB, others a seventh of the time. It serves one run alone, and only as
    long as credentials come from where its own came from. Raises CredentialsError if AWS's own settings cannot be read.
    """
    key = (settings.endpoint, settings.region, settings.expected_bucket_owner, checksums, credential_sources())
    with _lock:
        client = _clients.pop(key, None) or _new_client(settings, checksums)
        _clients[key] = client
        if len(_clients) > _KEPT_CLIENTS:
            del _clients[next(iter(_clients))]
        return client


@contextmanager
def forgotten_if_refused(client: S3Client) -> Iterator[None]:
    """Let nobody be given a client whose credentials a store refuses inside: whoever comes next shares a new one."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if is_of_credentials(error):
            with _lock:  # by itself: another thread may have made a new one since
                for key in [key for key, kept in _clients.items() if kept is client]:
                    del _clients[key]
        raise


def _new_client(settings: S3Settings, checksums: bool) -> S3Client:
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
            "s3", endpoint_url=settings.endpoint, region_name=settings.region, config=config
        )
    owner = settings.expected_bucket_owner
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
    if store not in _without_checksums:
        try:
            with forgotten_if_refused(client):
                return operation(client)
        except ClientError as error:
            if not lacks_something(error) or is_of_aws(settings):
                raise
            if not repeatable:  # whoever comes again begins without
                _without_checksums.add(store)
                raise
    client = client_for(settings, checksums=False)
    with forgotten_if_refused(client):
        answer = operation(client)
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
