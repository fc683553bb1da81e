"""URIs of inputs and outputs in one canonical spelling (pure)."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath

FOLDER = "batch-prediction"

_S3_URI = re.compile(r"s3://([^/]+)(/.*)?", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9._-]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_ARN = re.compile(r"\s*arn:", re.IGNORECASE)
_USER_INFO = re.compile(r":/+\S*@")
_MAX_OUTPUT_URI_CHARACTERS = 2048
_FORBIDDEN_IN_OUTPUT_KEY = (":", "//", "/./", "/../")


def canonical_uri(text: str) -> str:
    """Return ``s3://bucket/key`` or ``file:///absolute/path``; a trailing ``/`` is kept: it marks a prefix.

    ``s3a://`` and ``s3n://`` mean ``s3://``. Raises ValueError for other schemes and for URIs that hold
    credentials.
    """
    if not _is_encodable(text):
        raise ValueError("expected text that can name a file, got other characters")
    scheme, separator, rest = text.partition("://")
    if _ARN.match(rest if separator else text):
        raise ValueError("expected s3://bucket/key, got an ARN; an access point has an alias to use as the bucket")
    if separator and scheme in {"s3", "s3a", "s3n"}:
        if not _BUCKET.fullmatch(rest.partition("/")[0]):
            raise ValueError("expected s3://bucket/key with neither credentials nor a port")
        return f"s3://{rest}"
    mistyped = _SCHEME.fullmatch(text.partition(":/")[0]) and ":/" in text  # s3:/bucket is no path
    if scheme != "file" and (separator or mistyped):
        got = f", got {scheme}://" if separator and _SCHEME.fullmatch(scheme) else ""
        raise ValueError(f"expected a local path, file://, s3:// or s3a://{got}")
    path = rest if separator else text
    if not path:
        raise ValueError("expected a path, got an empty string")
    try:
        absolute = os.path.abspath(path)  # noqa: PTH100 - Path.resolve would follow links and lose the spelling
    except FileNotFoundError:
        raise ValueError("expected a path, got one below a working folder that is gone; cd to another") from None
    return f"file://{absolute}{'/' if path.endswith('/') and absolute != '/' else ''}"


def _is_encodable(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def without_credentials(text: str) -> str:
    """Return a text for messages: what stands between a scheme and the last ``@`` may be credentials."""
    return _USER_INFO.sub("://***@", text)


def check_output_uri(uri: str) -> None:
    """Hold an S3 output URI to the rules of the Amazon ML API (OutputUri); raises ValueError."""
    match = _S3_URI.fullmatch(uri)
    if match is None:
        return
    if len(uri) > _MAX_OUTPUT_URI_CHARACTERS:
        raise ValueError(f"expected at most {_MAX_OUTPUT_URI_CHARACTERS} characters, got {len(uri)}")
    key = (match[2] or "/").removesuffix("/") + "/"
    found = [text for text in _FORBIDDEN_IN_OUTPUT_KEY if text in key]
    if found:
        raise ValueError(f"expected a key without {' '.join(_FORBIDDEN_IN_OUTPUT_KEY)}, got {' '.join(found)}")


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of an ``s3://`` URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def local_path(uri: str) -> str:
    """Return the path of a ``file://`` URI; it is not percent-decoded."""
    return uri.removeprefix("file://")


def is_s3(uri: str) -> bool:
    """Tell whether a canonical URI lies on S3."""
    return uri.startswith("s3://")


def join(uri: str, *names: str) -> str:
    """Return the URI of ``names`` below ``uri``."""
    return "/".join([uri.rstrip("/") if not uri.endswith("://") else uri, *names])


def base_name(uri: str) -> str:
    """Return the last name of a URI."""
    return PurePosixPath(uri).name
