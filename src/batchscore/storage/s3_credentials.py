"""The credentials that requests to S3 are signed with: looked up when first needed, and again when that fails."""

from __future__ import annotations

import logging
import os
import random
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from batchscore.errors import ConfigError, CredentialsError

if TYPE_CHECKING:
    import botocore.session
    from botocore.credentials import Credentials, ReadOnlyCredentials
    from botocore.loaders import Loader

log = logging.getLogger(__name__)

# Longest wait in seconds before each further look-up: a metadata service that many workers ask at once throttles them.
_WAITS_SECONDS = (0.25, 0.5, 1.0, 2.0)
_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
# What botocore says of settings that another look-up would meet again.
_CERTAIN = {
    *("ProfileNotFound", "ConfigParseError", "ConfigNotFound", "InvalidConfigError", "InfiniteLoopConfigError"),
    *("PartialCredentialsError", "UnknownCredentialError", "SSOTokenLoadError", "UnauthorizedSSOTokenError"),
    *("LoginRefreshRequired", "LoginTokenLoadError", "MissingDependencyException"),
}
# Those of an error's values that hold no secret: what a credential process prints may be one.
_TOLD = ("profile", "path", "provider", "cred_var")


def credential_sources() -> tuple[object, ...]:
    """Return what tells where credentials come from: AWS's variables, and the versions of its files."""
    variables = (
        item for item in os.environ.items() if item[0].startswith("AWS_") or item[0] in {"HOME", "BOTO_CONFIG"}
    )
    return *sorted(variables), *(_version(os.environ.get(name) or path) for name, path in _FILES.items())


def _version(path: str) -> tuple[int, int, int] | None:
    with suppress(OSError, RuntimeError):  # no such file, or no home to look for it in
        status = Path(path).expanduser().stat()
        return status.st_ino, status.st_mtime_ns, status.st_size
    return None


def new_session() -> botocore.session.Session:
    """Return a session with no setting of any other, whose clients sign with LookedUpCredentials."""
    session = _bare_session()
    session.register_component("credential_provider", LookedUpCredentials())
    return session


def _bare_session() -> botocore.session.Session:
    import botocore.session

    session = botocore.session.get_session()
    loader = _data_loader(session.get_config_variable("data_path"))
    loader.search_paths[:] = dict.fromkeys(loader.search_paths)  # each session of boto3 adds its own folder
    session.register_component("data_loader", loader)
    return session


@cache
def _data_loader(search_path: str | None) -> Loader:
    """Return what reads botocore's descriptions of services, once a process: to parse those of S3 takes 0.1 s."""
    from botocore.loaders import create_loader

    return create_loader(search_path)


class LookedUpCredentials:
    """What botocore asks for credentials, as its Credentials and as the provider of these.

    A look-up that finds none, or cannot renew them, is made again in a new session, a few times; what it then raises is
    CredentialsError. None found are never kept.
    """

    method = "batchscore"

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: Credentials | None = None

    def load_credentials(self) -> LookedUpCredentials:
        """Be the provider of a session."""
        return self

    def get_deferred_property(self, name: str) -> Any:
        """Return a function that gives a property of the credentials, as botocore's do; S3 asks for none."""
        return lambda: getattr(self._found, name, None)

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the credentials of this moment; raises CredentialsError."""
        for wait_seconds in (*_WAITS_SECONDS, None):
            try:
                return self._kept_or_new().get_frozen_credentials()
            except Exception as error:
                fault = error if isinstance(error, CredentialsError) else _lookup_error(error)
                self._found = None
                if wait_seconds is None or _is_certain(error):
                    raise fault from error
                log.info("%s; asked again", fault)
                time.sleep(random.uniform(0.5, 1) * wait_seconds)
        raise AssertionError("unreachable")

    def _kept_or_new(self) -> Credentials:
        with self._lock:
            if self._found is None:
                self._found = _look_up()
            return self._found


def _look_up() -> Credentials:
    found: Credentials | None = _bare_session().get_credentials()
    if found is None:
        raise CredentialsError(f"credentials{of_profile()}: expected to find some, got none{_half_a_pair()}")
    return found


def _is_certain(error: Exception) -> bool:
    """Tell whether another look-up would end as this one: no metadata service is there to be asked."""
    if isinstance(error, CredentialsError):
        return os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    return type(error).__name__ in _CERTAIN


def settings_error(error: Exception) -> ConfigError:
    """Return what it means that no client could be made: of a profile or its file, or of an endpoint or a region."""
    if type(error).__name__ in _CERTAIN:
        return _lookup_error(error)
    return ConfigError(
        f"AWS settings{of_profile()}: expected usable ones, got {_cause(error)}; see s3.endpoint, s3.region"
    )


def _lookup_error(error: Exception) -> CredentialsError:
    return CredentialsError(
        f"credentials{of_profile()}: expected usable ones, got {_cause(error)}; mend the AWS settings of this machine, "
        "or sign in again"
    )


def _cause(error: Exception) -> str:
    """Name an error of botocore, without its message, which may hold secrets."""
    values, response = getattr(error, "kwargs", {}), getattr(error, "response", None) or {}
    told = [f"{name} {values[name]}" for name in _TOLD if values.get(name)]
    told += [str(response["Error"].get("Code"))] if "Error" in response else []
    return f"{type(error).__name__} ({', '.join(told)})" if told else type(error).__name__


def of_profile() -> str:
    """Name the profile that credentials are looked up for, for messages."""
    return f" of profile {os.environ.get('AWS_DEFAULT_PROFILE') or os.environ.get('AWS_PROFILE') or 'default'}"


def _half_a_pair() -> str:
    if os.environ.get("AWS_SECRET_ACCESS_KEY") and not os.environ.get("AWS_ACCESS_KEY_ID"):
        return "; AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not"
    return "; give the machine a role, or set the variables or the profile of AWS"
