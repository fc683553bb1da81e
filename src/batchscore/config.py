"""The configuration of a job: read, overridden from the command line, checked, frozen."""

from __future__ import annotations

import codecs
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
)

from batchscore import locations
from batchscore.errors import ConfigError

ModelType = Literal["binary", "multiclass", "regression"]

_ENCODINGS = re.compile(r"utf-8|ascii|iso8859-\d+|cp125\d")


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _spark_values_as_text(value: object) -> object:
    """YAML reads ``true`` and ``2``; Spark wants text."""
    if not isinstance(value, Mapping):
        return value
    return {str(key): str(item).lower() if isinstance(item, bool) else str(item) for key, item in value.items()}


def _as_text(value: object) -> object:
    """Labels such as ``1`` and ``true`` in YAML are meant as their text."""
    return str(value) if isinstance(value, int | float) else value


def _canonical_encoding(name: str) -> str:
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


def _one_delimiter(value: str) -> str:
    character = "\t" if value == "\\t" else value
    if len(character) != 1 or not character.isascii() or character.isalnum() or character in '"\r\n\0.+-':
        raise ValueError("expected one ASCII character that is no quote, no line end and no part of a number")
    return character


def _input_uri(value: str) -> str:
    uri = locations.canonical_uri(value)
    if locations.is_s3(uri) and not locations.split_s3_uri(uri)[1] and not uri.endswith("/"):
        raise ValueError("expected s3://bucket/key, or s3://bucket/ for the whole bucket")
    return uri


def _output_uri(value: str) -> str:
    uri = locations.canonical_uri(value)
    locations.check_output_uri(uri)
    return uri


def _id(value: str) -> str:
    """``x.manifest.json`` would be both the record of ``x.manifest`` and the extended manifest of ``x``."""
    if value.endswith(".manifest"):
        raise ValueError("expected an id that does not end in .manifest")
    if not value.strip("."):
        raise ValueError("expected an id of more than dots, which would name a folder")
    return value


def _model_uri(value: str) -> str:
    if not re.fullmatch(r"models:/(m-[^/@]+|[^/@]+@[^/@]+|[^/@]+/(\d+|latest))", value):
        raise ValueError("expected models:/name/version, models:/name@alias, models:/name/latest or models:/m-<id>")
    return value


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class S3Settings(_Section):
    """How S3 is reached; credentials come from the usual AWS chain, never from a configuration."""

    endpoint: str | None = None
    region: str | None = None
    kms_key_id: str | None = None
    expected_bucket_owner: Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^\d{12}$")] | None = None
    requester_pays: bool = False


class JobConfig(_Section):
    """Every key of a job; docs/configuration.md describes each."""

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,64}$"), AfterValidator(_id)] | None = None
    name: Annotated[str, Field(max_length=1024)] | None = None
    model: Annotated[str, AfterValidator(_model_uri)]
    tracking_uri: str | None = None
    registry_uri: str | None = None
    model_type: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    positive_label: Annotated[str, BeforeValidator(_as_text)] | None = None
    prediction_column: str | None = None
    allow_version_mismatch: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    input: Annotated[
        tuple[Annotated[str, AfterValidator(_input_uri)], ...],
        BeforeValidator(_as_tuple),
        Field(min_length=1),
    ]
    exclude: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    schema_uri: Annotated[str, AfterValidator(locations.canonical_uri)] | None = Field(None, alias="schema")
    has_header: bool | None = None
    delimiter: Annotated[str, AfterValidator(_one_delimiter)] = ","
    encoding: Annotated[str, AfterValidator(_canonical_encoding)] = "utf-8"
    output: Annotated[str, AfterValidator(_output_uri)]
    mode: Literal["all", "new_inputs"] = "all"
    layout: Literal["parts", "amazon"] = "parts"
    invalid_records: Literal["blank", "keep_tag"] = "blank"
    precision: Literal["amazon", "full"] = "amazon"
    redact: bool = False
    escape_formulas: bool = False
    max_invalid_records: Annotated[int, Field(ge=0)] = 10_000
    max_invalid_fraction: Annotated[float, Field(ge=0, le=1)] | None = None
    batch_timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    split_bytes: Annotated[ByteSize, Field(ge=1)] = ByteSize(64 * 1024 * 1024)
    s3: S3Settings = S3Settings()
    spark: Annotated[dict[str, str], BeforeValidator(_spark_values_as_text)] = {}


class OutputConfig(_Section):
    """The keys that reading records back needs: where they are and how S3 is reached."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    output: Annotated[str, AfterValidator(_output_uri)]
    s3: S3Settings = S3Settings()


def known_keys() -> list[str]:
    """Return every key of a configuration, nested ones with a dot."""
    keys = [field.alias or name for name, field in JobConfig.model_fields.items()]
    return keys + [f"s3.{name}" for name in S3Settings.model_fields]


# Keys whose values on the command line are text as it stands: `id=2024-01-01` is no date, `positive_label=no` no false.
_TEXT_KEYS = {
    *("id", "name", "model", "tracking_uri", "registry_uri", "positive_label", "prediction_column", "schema", "output"),
    *("delimiter", "encoding", "s3.endpoint", "s3.region", "s3.kms_key_id", "s3.expected_bucket_owner"),
}
_LIST_KEYS = {"input", "exclude", "allow_version_mismatch"}


def _override_value(key: str, text: str) -> Any:
    if key.startswith("spark.") or key in _TEXT_KEYS or (key in _LIST_KEYS and not text.startswith("[")):
        return text or None
    return yaml.safe_load(text)


def parse_overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """Turn ``key=value`` arguments into nested settings; values are read as YAML scalars or lists.

    ``s3.region=eu-west-1`` sets a key of a section; ``spark.master=local[2]`` sets Spark's ``spark.master``.
    """
    settings: dict[str, Any] = {}
    faults = []
    for argument in arguments:
        key, separator, text = argument.partition("=")
        if not separator or not key:
            faults.append(f"argument {argument}: expected key=value")
            continue
        section, dot, name = key.partition(".")
        try:
            value = _override_value(key, text)
        except yaml.YAMLError:
            faults.append(f"argument {key}: expected a YAML value")
            continue
        if dot and section == "spark":
            settings.setdefault("spark", {})[f"spark.{name.removeprefix('spark.')}"] = value
        elif dot:
            settings.setdefault(section, {})[name] = value
        else:
            settings[key] = value
    _raise_faults(faults)
    return settings


def load_config(text: str, overrides: Sequence[str] = ()) -> JobConfig:
    """Return the frozen configuration of YAML ``text`` with ``key=value`` overrides laid over it.

    Raises ConfigError with every fault at once.
    """
    return make_config(_merged_settings(text, overrides))


def make_config(settings: Mapping[str, Any]) -> JobConfig:
    """Return the frozen configuration of settings; raises ConfigError with every fault at once."""
    try:
        return JobConfig.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(_describe_faults(error)) from None


def load_output_config(text: str, overrides: Sequence[str] = ()) -> OutputConfig:
    """Return only where the results of a configuration lie; raises ConfigError."""
    try:
        return OutputConfig.model_validate(_merged_settings(text, overrides))
    except ValidationError as error:
        raise ConfigError(_describe_faults(error)) from None


def _merged_settings(text: str, overrides: Sequence[str]) -> dict[str, Any]:
    try:
        settings = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"configuration: expected YAML, got a syntax error{line}") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"configuration: expected keys with values, got {type(settings).__name__}")
    # A key without a value in YAML is None: it means the default, as if it were not there.
    settings = {key: value for key, value in settings.items() if value is not None}
    for key, value in parse_overrides(overrides).items():
        nested = isinstance(value, dict) and isinstance(settings.get(key), dict)
        settings[key] = {**settings[key], **value} if nested else value
    return {key: value for key, value in settings.items() if value is not None}


def _describe_faults(error: ValidationError) -> str:
    faults = []
    for fault in error.errors(include_url=False, include_input=True):
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            swapped = [known for known in known_keys() if sorted(known) == sorted(key)]  # modle is model, not mode
            near = swapped or difflib.get_close_matches(key, known_keys(), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            faults.append(f"key {key}: expected a known key{hint}")
        elif fault["type"] == "missing":
            faults.append(f"key {key}: expected a value, got none")
        else:
            message = fault["msg"].removeprefix("Value error, ")
            faults.append(f"key {key}: {message[0].lower()}{message[1:]}{_got(key, fault['input'])}")
    return _joined(faults)


def _got(key: str, value: object) -> str:
    """Quote a wrong value unless it may hold credentials: URIs are not quoted."""
    if isinstance(value, str) and ("://" in value or key.endswith("_uri")):
        return ""
    return f", got {value!r}" if isinstance(value, str | int | float | bool) else ""


def _joined(faults: Sequence[str]) -> str:
    return faults[0] if len(faults) == 1 else "\n  ".join([f"{len(faults)} faults:", *faults])


def _raise_faults(faults: Sequence[str]) -> None:
    if faults:
        raise ConfigError(_joined(faults))
