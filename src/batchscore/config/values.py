"""What the values of single keys may be, and how they are spelt from then on (pure); ValueError says what is wrong."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime

from pydantic import ValidationInfo

from batchscore.config import uris
from batchscore.config.globs import NO_BRACES, has_braces, has_wildcards

AMAZON_RECORD_BYTES = 100 * 1024
"""Amazon ML's limit of 100 KB a record, without its line end."""
ALL_COLUMNS = "all"
"""The word for all columns of the inputs but the row id and the target."""
LONGEST_RECORD_BYTES = 8 * 1024 * 1024
"""What the limit can be raised to: as much as is read of an input at a time."""

_ENCODINGS = re.compile(r"utf-8|ascii|iso8859-\d+|cp125\d")
_DATABASES = ("mysql", "postgresql", "mssql")
_FILES = ("sqlite", "file")
_SECRET_PARAMETER = re.compile(r"[?&][^=&]*(password|passwd|pwd|secret|token)[^=&]*=", re.IGNORECASE)


def as_tuple(value: object) -> object:
    """Return a list of the one text that is given in place of a list."""
    return (value,) if isinstance(value, str) else value


def spark_values_as_text(value: object) -> object:
    """YAML reads ``true`` and ``2``; Spark wants text."""
    if not isinstance(value, Mapping):
        return value
    return {str(key): _spark_value(item) for key, item in value.items()}


def _spark_value(item: object) -> object:
    if isinstance(item, bool):
        return str(item).lower()
    return str(item) if isinstance(item, int | float) else item


def as_text(value: object) -> object:
    """Labels such as ``1`` and ``true`` in YAML are meant as their text."""
    return str(value) if isinstance(value, int | float) else value


def as_texts(value: object) -> tuple[object, ...]:
    """Return a list of texts for one, and the texts of numbers."""
    values = value if isinstance(value, list | tuple) else (value,)
    return tuple(as_text(item) for item in values)


def name_pattern(value: str) -> str:
    """Return a pattern of names as it is, if it holds no alternatives in braces, which would match nothing."""
    if has_braces(value):
        raise ValueError(f"expected a pattern of *, ? and [...], since {NO_BRACES}; [{{] is a brace of a name")
    return value


def column_name(value: str) -> str:
    """Return the name of a column as it is."""
    if not value:
        raise ValueError("expected the name of a column, or no value where there is none")
    return value


def column_names(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of all columns of a file as they are."""
    if not values or "" in values:
        raise ValueError("expected the name of each column, in order, got one that is empty or none at all")
    _check_named_once(values)
    return values


def _check_named_once(names: Iterable[object]) -> None:
    twice = [str(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"expected each name once, got twice: {', '.join(twice)}")


def passed_columns(value: object) -> object:
    """Return the word ``all`` as it is, and other columns as a list of texts: ``[all]`` is the column of that name."""
    values = as_texts(value)
    if not all(isinstance(name, str) and name for name in values):
        raise ValueError("expected all, or a list of the names of columns")
    _check_named_once(values)
    return value if value == ALL_COLUMNS else values


def texts_by_name(value: object) -> object:
    """Return a mapping of texts, and of the texts of numbers."""
    if not isinstance(value, Mapping):
        return value
    return {str(as_text(name)): as_text(text) for name, text in value.items()}


def new_headers(values: Mapping[str, str]) -> dict[str, str]:
    """Return the names that columns have in results as they are, each a text of one line."""
    wrong = [name for name, header in values.items() if not header or "\n" in header or "\r" in header]
    if wrong:
        raise ValueError(f"expected a name without line ends for each column, got another for {', '.join(wrong)}")
    return dict(values)


def canonical_encoding(name: str) -> str:
    """Return Python's name of an encoding that extends ASCII byte by byte."""
    try:
        canonical = codecs.lookup(name).name
    except LookupError:
        raise ValueError("expected a known encoding such as utf-8, latin-1 or cp1252") from None
    canonical = canonical.removesuffix("-sig")
    if not _ENCODINGS.fullmatch(canonical):
        raise ValueError(
            "expected utf-8, latin-1, cp1252 or another encoding that extends ASCII byte by byte; "
            "convert the files first, for example with iconv"
        )
    return canonical


def one_delimiter(value: str) -> str:
    r"""Return the delimiter, a tab for ``\t``."""
    character = "\t" if value == "\\t" else value
    if len(character) != 1 or not character.isascii() or character.isalnum() or character in '"\r\n\0.+-':
        raise ValueError("expected one ASCII character that is no quote, no line end and no part of a number")
    return character


def one_separator(value: str, told: ValidationInfo) -> str:
    """Return the character between the groups of digits of a number; it does not begin the fraction."""
    if len(value) != 1 or value.isalnum() or value in '"\r\n\0+-':
        raise ValueError(
            'expected one character, such as ".", "\'" or " ", that is no quote and no other part of a number'
        )
    if value == told.data.get("decimal"):
        raise ValueError(f"expected another character than that of the key decimal, {value}")
    return value


def format_of_strptime(value: str) -> str:
    """Return ISO8601, or a format of strptime that pandas takes and that has no zone."""
    directives = re.findall(r"%(.)", value)
    if value == "ISO8601":
        return value
    if {"z", "Z"} & set(directives):
        raise ValueError("expected a format without %z and %Z, since MLflow refuses times with a zone")
    if not _can_be_read(value) or not set(directives) - {"%"}:
        raise ValueError("expected ISO8601 or a format of strptime, such as %d.%m.%Y or %Y-%m-%d %H:%M:%S")
    return value


def _can_be_read(form: str) -> bool:
    import pandas as pd  # takes a third of a second

    try:
        pd.to_datetime([datetime(2001, 12, 31, 23, 59, 58).strftime(form)], format=form)
    except (ValueError, re.error):
        return False
    return True


def one_escape(value: str, told: ValidationInfo) -> str:
    """Return the character that stands before a quote within a quoted value; it is not the delimiter."""
    if len(value) != 1 or not value.isascii() or value.isalnum() or value in '"\r\n\0 \t':
        raise ValueError(r'expected one ASCII character such as "\\", no quote, space, line end, letter or digit')
    if value == told.data.get("delimiter"):
        raise ValueError("expected another character than that of the key delimiter")
    return value


def lines_are_kept(value: bool, told: ValidationInfo) -> bool:
    """Return whether results have a column of reasons as it is; a blank line has no room for one."""
    if value and told.data.get("invalid_records") == "blank":
        raise ValueError(
            "expected false where invalid_records is blank, since a blank line has no status; leave invalid_records "
            "out, or set it to keep_tag"
        )
    return value


def input_uri(value: str) -> str:
    """Return the canonical URI of an input: of an object, a folder, or a glob."""
    bucket = re.match(r"s3[an]?://([^/]*)", value)
    if bucket and has_wildcards(bucket[1]):
        raise ValueError("expected a bucket without wildcards")
    uri = uris.canonical_uri(value)
    if uris.is_s3(uri) and not uris.split_s3_uri(uri)[1] and not uri.endswith("/"):
        raise ValueError("expected s3://bucket/key, or s3://bucket/ for the whole bucket")
    return uri


def output_uri(value: str) -> str:
    """Return the canonical URI of an output."""
    uri = uris.canonical_uri(value)
    uris.check_output_uri(uri)
    return uri


def plain_params(values: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of a model, each a value, a list or a mapping of values as YAML has them."""
    wrong = [name for name, value in values.items() if value is None or not _is_plain(value)]
    if wrong:
        raise ValueError(f"expected a value for each parameter, got none or another thing for {', '.join(wrong)}")
    return dict(values)


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_plain(item) for name, item in value.items())
    return value is None or isinstance(value, str | bool | int | float | date)


def endpoint_url(value: str) -> str:
    """Return the URL of an S3 server as it is, if it holds no credentials."""
    if not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#@\s]*)?", value):
        raise ValueError("expected http://host:port or https://host:port without credentials")
    return value


def registry_address(value: str) -> str:
    """Return the URI of a tracking server or registry as it is, if it holds no credentials.

    A database's may name its user; the password comes from where its driver looks for one.
    """
    scheme, _, rest = value.lower().partition(":")
    user = "" if scheme in _FILES else rest.rpartition("@")[0]
    if _SECRET_PARAMETER.search(value) or (user and (":" in user or not scheme.startswith(_DATABASES))):
        raise ValueError(
            "expected a URI without credentials; MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD may hold them, "
            "or MLFLOW_TRACKING_URI the whole URI"
        )
    return value


def checked_id(value: str) -> str:
    """``x.manifest.json`` would be both the record of ``x.manifest`` and the extended manifest of ``x``.

    So would ``x.profile.json`` be the record of ``x.profile`` and the profile of ``x``.
    """
    if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", value):
        raise ValueError("expected 1 to 64 of a-z A-Z 0-9 _ . -")
    if value.endswith((".manifest", ".profile")):
        raise ValueError("expected an id that does not end in .manifest or .profile")
    if not value.strip("."):
        raise ValueError("expected an id of more than dots, which would name a folder")
    return value


def model_uri(value: str) -> str:
    """Return a URI of the registry as it is."""
    if not re.fullmatch(r"models:/(m-[^/@]+|[^/@]+@[^/@]+|[^/@]+/(\d+|latest))", value):
        forms = "models:/name/version, models:/name@alias, models:/name/latest or models:/m-<id>"
        raise ValueError(f"expected {forms}{_form_to_use(value)}")
    return value


def _form_to_use(uri: str) -> str:
    """Return how the message of another URI of MLflow's goes on: what to do to have one of the registry."""
    staged = re.fullmatch(r"models:/([^/@]+)/([A-Za-z]+)", uri)
    if staged and staged[2].lower() == "latest":
        return f"; use models:/{staged[1]}/latest"
    if staged:
        alias = staged[2].lower()
        return (
            f"; {staged[2]} is a stage, which MLflow has given up: set an alias, MlflowClient()."
            f'set_registered_model_alias("{staged[1]}", "{alias}", version), and use models:/{staged[1]}@{alias}'
        )
    named = re.fullmatch(r"models:/([^/@]+)/?", uri)
    if named:
        return f"; use models:/{named[1]}/latest for its highest version"
    if uri.startswith("runs:/"):
        return (
            "; a model of a run is used by its id, models:/m-<id>, or registered, "
            'mlflow.register_model("runs:/...", name), and used as models:/name/version'
        )
    return ""
