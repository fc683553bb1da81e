"""The configuration of a job: read, overridden from the command line, checked, frozen (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

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

from batchscore.config import uris
from batchscore.config.artifact_prefixes import check_prefix
from batchscore.config.batch_id import BatchId
from batchscore.config.faults import faults_of, raise_faults
from batchscore.config.missing_values import PANDAS, InvalidValues, MissingSettings, MissingValues
from batchscore.config.settings import given, laid_over
from batchscore.config.stray_arguments import hint_for_argument
from batchscore.config.values import (
    AMAZON_RECORD_BYTES,
    LONGEST_RECORD_BYTES,
    as_text,
    as_texts,
    as_tuple,
    canonical_encoding,
    column_name,
    column_names,
    endpoint_url,
    format_of_strptime,
    input_uri,
    lines_are_kept,
    model_uri,
    name_pattern,
    new_headers,
    one_delimiter,
    one_escape,
    one_separator,
    output_uri,
    passed_columns,
    plain_params,
    registry_address,
    spark_values_as_text,
    texts_by_name,
)
from batchscore.config.yaml_text import is_text, read_argument, read_yaml, section_of, types_of_keys
from batchscore.errors import ConfigError

ModelType = Literal["binary", "multiclass", "regression"]
InvalidRecords = Literal["blank", "keep_tag"]
MulticlassOutput = Literal["probabilities", "label"]
ProfileKind = Literal["off", "scores", "full"]

NamePatterns = Annotated[tuple[Annotated[str, AfterValidator(name_pattern)], ...], BeforeValidator(as_tuple)]
Passthrough = Annotated[Literal["all"] | tuple[str, ...], BeforeValidator(passed_columns)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    if not TYPE_CHECKING:  # to type checkers it takes the keys

        def __init__(self, /, **keys: Any) -> None:
            """Check the keys; raises ConfigError with every fault at once, and no value of pydantic's message."""
            faults: Sequence[str] = ()
            try:
                super().__init__(**keys)
            except ValidationError as error:
                faults = faults_of(error, known_keys())
            raise_faults(faults)

        __init__.__pydantic_base_init__ = True  # so that model_validate goes by itself


Section = TypeVar("Section", bound=_Section)
Overrides = Sequence[str] | Mapping[str, Any]
"""What is laid over a configuration: ``key=value`` arguments of the command line, or a program's values by key."""


class S3Settings(_Section):
    """How S3 is reached; credentials come from the usual AWS chain, never from a configuration."""

    endpoint: Annotated[str, AfterValidator(endpoint_url)] | None = None
    region: str | None = None
    kms_key_id: str | None = None
    expected_bucket_owner: Annotated[str, BeforeValidator(as_text), Field(pattern=r"^\d{12}$")] | None = None
    requester_pays: bool = False
    create_only: Literal["checked", "assumed"] = "checked"


class JobConfig(_Section):
    """Every key of a job; docs/configuration.md describes each."""

    id: BatchId | None = None
    name: Annotated[str, Field(max_length=1024)] | None = None
    model: Annotated[str, AfterValidator(model_uri)]
    tracking_uri: Annotated[str, AfterValidator(registry_address)] | None = Field(None, repr=False)
    registry_uri: Annotated[str, AfterValidator(registry_address)] | None = Field(None, repr=False)
    model_type: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    positive_label: Annotated[str, BeforeValidator(as_text)] | None = None
    prediction_column: str | None = None
    model_params: Annotated[dict[str, Any], AfterValidator(plain_params)] = Field({}, repr=False)
    allow_version_mismatch: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = ()
    allowed_artifact_prefixes: Annotated[
        tuple[Annotated[str, AfterValidator(check_prefix)], ...], BeforeValidator(as_tuple)
    ] = ()
    input: Annotated[
        tuple[Annotated[str, AfterValidator(input_uri)], ...],
        BeforeValidator(as_tuple),
        Field(min_length=1),
    ]
    include: NamePatterns = ()
    exclude: NamePatterns = ()
    schema_uri: Annotated[str, AfterValidator(uris.canonical_uri)] | None = Field(None, alias="schema")
    row_id: Annotated[str, BeforeValidator(as_text), AfterValidator(column_name)] | None = None
    target: Annotated[str, BeforeValidator(as_text), AfterValidator(column_name)] | None = None
    has_header: bool | None = None
    names: Annotated[tuple[str, ...], BeforeValidator(as_texts), AfterValidator(column_names)] | None = None
    delimiter: Annotated[str, AfterValidator(one_delimiter)] = ","
    encoding: Annotated[str, AfterValidator(canonical_encoding)] = "utf-8"
    decimal: Literal[".", ","] = "."
    thousands: Annotated[str, AfterValidator(one_separator)] | None = None
    trim: bool = False
    datetime_format: Annotated[str, AfterValidator(format_of_strptime)] = "ISO8601"
    max_record_bytes: Annotated[ByteSize, Field(ge=1, le=LONGEST_RECORD_BYTES)] = ByteSize(AMAZON_RECORD_BYTES)
    multiline: bool = False
    escape: Annotated[str, AfterValidator(one_escape)] | None = None
    output: Annotated[str, AfterValidator(output_uri)]
    mode: Literal["all", "new_inputs"] = "all"
    layout: Literal["parts", "amazon"] = "parts"
    missing_values: MissingValues = "auto"
    null_values: Annotated[tuple[str, ...], BeforeValidator(as_texts)] = (PANDAS,)
    missing_text: Literal["auto", "nan", "none", "empty"] = "auto"
    invalid_values: InvalidValues = "reject"
    invalid_records: Literal["auto", "blank", "keep_tag"] = "auto"
    passthrough: Passthrough = ()
    rename: Annotated[dict[str, str], BeforeValidator(texts_by_name), AfterValidator(new_headers)] = {}
    multiclass_output: MulticlassOutput = "probabilities"
    status_column: Annotated[bool, AfterValidator(lines_are_kept)] = False
    precision: Literal["amazon", "full"] = "amazon"
    redact: bool = False
    escape_formulas: bool = False
    max_invalid_records: Annotated[int, Field(ge=0)] = 10_000
    max_invalid_fraction: Annotated[float, Field(ge=0, le=1)] = 0.5
    max_unseen_fraction: Annotated[float, Field(ge=0, le=1)] | None = None
    parity: bool = True
    profile: ProfileKind = "scores"
    batch_timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    split_bytes: Annotated[ByteSize, Field(ge=1)] = ByteSize(64 * 1024 * 1024)
    s3: S3Settings = S3Settings()
    spark: Annotated[dict[str, str], BeforeValidator(spark_values_as_text)] = Field({}, repr=False)

    @property
    def missing(self) -> MissingSettings:
        """What is missing in the inputs."""
        settings = (self.missing_values, self.null_values, self.missing_text, self.invalid_values)
        return MissingSettings(*settings, decimal=self.decimal)

    @property
    def invalid_records_in_force(self) -> InvalidRecords:
        """What ``auto`` stands for: Amazon's blank line in Amazon's layout, elsewhere a line that readers keep.

        A column that tells the reason needs one that is kept.
        """
        if self.invalid_records != "auto":
            return self.invalid_records
        return "blank" if self.layout == "amazon" and not self.status_column else "keep_tag"

    def for_tasks(self) -> JobConfig:
        """Return what tasks need: without the keys that can hold credentials."""
        return self.model_copy(update={"tracking_uri": None, "registry_uri": None, "spark": {}})

    def __getstate__(self) -> dict[Any, Any]:
        """Pickle what tasks need and no more: Spark keeps what it pickles, broadcasts and closures, on disks."""
        return super(JobConfig, self.for_tasks()).__getstate__()


class OutputConfig(_Section):
    """The keys that reading records back needs: where they are and how S3 is reached; and the id, if one is told."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: BatchId | None = None
    output: Annotated[str, AfterValidator(output_uri)]
    s3: S3Settings = S3Settings()


def known_keys() -> list[str]:
    """Return every key of a configuration, nested ones with a dot."""
    keys = [field.alias or name for name, field in JobConfig.model_fields.items()]
    return keys + [f"s3.{name}" for name in S3Settings.model_fields]


_YAML = "a line is key: value, indented with spaces"


def _type_of(key: str) -> Any:
    """Return the type of a key; those of a section have a dot."""
    section, dot, name = key.partition(".")
    kind = types_of_keys(JobConfig).get(section, object)
    if not dot:
        return kind
    keys = section_of(kind)
    if keys:
        return types_of_keys(keys).get(name, object)
    return str if is_text(kind) else object


def parse_overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """Turn ``key=value`` arguments into nested settings; texts are taken as they stand, other values read as YAML.

    ``s3.region=eu-west-1`` sets a key of a section; ``spark.master=local[2]`` sets Spark's ``spark.master``.
    """
    settings: dict[str, Any] = {}
    faults = []
    for place, argument in enumerate(arguments):
        key, separator, text = argument.partition("=")
        if not separator or not key:
            hint = hint_for_argument(arguments, place, known_keys())
            faults.append(f"argument {uris.without_credentials(argument)}: expected key=value{hint}")
            continue
        section, dot, name = key.partition(".")
        try:
            value, wrong = read_argument(text, _type_of(key))
        except yaml.YAMLError:
            faults.append(f"argument {key}: expected a YAML value")
            continue
        faults += [f"argument {key}: {fault}" for fault in wrong]
        if not dot:
            settings[key] = value
        elif not isinstance(settings.setdefault(section, {}), dict):
            faults.append(f"argument {key}: expected {section} to be set by its keys alone, got a value for it too")
        else:
            settings[section][f"spark.{name.removeprefix('spark.')}" if section == "spark" else name] = value
    raise_faults(faults)
    return settings


def load_config(text: str, overrides: Overrides = (), path: str = "") -> JobConfig:
    """Return the frozen configuration of YAML ``text``, of a file, with overrides laid over it.

    Raises ConfigError with every fault at once.
    """
    return _validated(JobConfig, *_merged_settings(text, overrides, path))


def make_config(settings: Mapping[str, Any]) -> JobConfig:
    """Return the frozen configuration of settings; raises ConfigError with every fault at once."""
    return _validated(JobConfig, settings)


def load_output_config(text: str, overrides: Sequence[str] = (), path: str = "") -> OutputConfig:
    """Return only where the results of a configuration lie; raises ConfigError."""
    return _validated(OutputConfig, *_merged_settings(text, overrides, path))


def s3_settings(overrides: Overrides) -> S3Settings:
    """Return the S3 settings laid over a configuration, for reading the configuration itself; raises ConfigError."""
    return _validated(S3Settings, given(_told(overrides)).get("s3", {}), section="s3")


def _validated(model: type[Section], settings: Any, faults: Sequence[str] = (), *, section: str = "") -> Section:
    try:
        config = model.model_validate(settings)
    except ValidationError as error:
        faults = [*faults, *faults_of(error, known_keys(), *filter(None, [section]))]
    raise_faults(faults)
    return config


def _merged_settings(text: str, overrides: Overrides, path: str) -> tuple[dict[str, Any], list[str]]:
    """Return the settings, and what is wrong with the keys of ``text``."""
    file = f"configuration {path}".rstrip()
    try:
        settings, faults = read_yaml(text, JobConfig)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{file}: expected YAML, got a syntax error{line}; {_YAML}") from None
    settings = settings or {}
    if not isinstance(settings, dict):
        got = "a list" if isinstance(settings, list) else "one value"
        raise ConfigError(f"{file}: expected keys with values, got {got}; {_YAML}")
    return given(laid_over(settings, _told(overrides))), faults


def _told(overrides: Overrides) -> Mapping[str, Any]:
    return overrides if isinstance(overrides, Mapping) else parse_overrides(overrides)
