"""What a job will do, decided before it starts (pure): inputs, splits, tasks, and the digest of it all."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, TypeVar

from batchscore import __version__
from batchscore.config.entries import folder_of
from batchscore.config.job_config import JobConfig, ModelType
from batchscore.config.missing_values import MissingRule, Vocabulary
from batchscore.errors import ConfigError
from batchscore.input.columns import Column, Columns
from batchscore.input.files import InputFile, Split, Splits
from batchscore.input.reader import Reader
from batchscore.input.text_format import text_format_of
from batchscore.model.version import ModelVersion
from batchscore.output.paths import Outputs, encode_name
from batchscore.output.result_text import ResultFormat
from batchscore.profile.format import ProfileFormat
from batchscore.storage.base import StoredObject

Item = TypeVar("Item")
# What opening an object costs, in bytes that could have been scored meanwhile: packs many small files into a task.
OPEN_COST_BYTES = 256 * 1024
# Keys that change neither a result nor its place: a job that failed on a limit goes on when it is raised.
_NOT_PARAMETERS = {
    *("id", "name", "spark", "s3", "tracking_uri", "registry_uri"),
    *("max_invalid_records", "max_invalid_fraction", "max_unseen_fraction", "parity"),
    *("allow_version_mismatch", "allowed_artifact_prefixes", "batch_timeout_seconds", "profile"),
    *("model", "threshold"),  # the version resolved and the threshold in force stand for them
    "mode",  # the inputs chosen stand for it
}


@dataclass(frozen=True)
class JobSpec:
    """What every task must know; ``vocabularies`` are what the model shows that it knows, by text column."""

    id: str
    config: JobConfig
    model: ModelVersion
    model_type: ModelType
    classes: tuple[str, ...]
    positive_label: str | None
    threshold: float
    columns: Columns
    parameters: dict[str, str]
    value_names: tuple[str, ...] = ()
    meaning: str | None = None
    vocabularies: Mapping[str, Vocabulary] = field(default_factory=dict, repr=False)

    @property
    def outputs(self) -> Outputs:
        """Where the job writes."""
        return Outputs(self.config.output, self.id, self.config.layout)

    @property
    def words_kept(self) -> dict[str, list[str]]:
        """The words of the default list of null values that stay values, by column: the model knows them there."""
        settings = self.config.missing
        texts = {column.name: column.missing for column in self.columns.inputs if column.type == "string"}
        kept = {name: sorted(settings.words - rule.words) for name, rule in texts.items()}
        return {name: words for name, words in kept.items() if words}

    @property
    def result_format(self) -> ResultFormat:
        """How the results are written."""
        return ResultFormat(
            model_type=self.model_type,
            classes=self.classes if self.model_type == "multiclass" else (),
            threshold=self.threshold,
            precision=self.config.precision,
            echoed=self.columns.echoed,
            keep_tag=self.config.invalid_records_in_force == "keep_tag",
            escape_formulas=self.config.escape_formulas,
            spelling=text_format_of(self.config),
            value_names=self.value_names,
            names_label=self.model_type == "multiclass" and self.config.multiclass_output == "label",
            tells_status=self.config.status_column,
        )

    @property
    def profile_format(self) -> ProfileFormat | None:
        """What is counted of the records, None for nothing."""
        if self.config.profile == "off":
            return None
        target, missing = self.columns.target, self.config.missing
        rule = MissingRule(words=missing.words, numbers=missing.numbers)
        return ProfileFormat(
            kind=self.config.profile,
            model_type=self.model_type,
            classes=self.classes,
            positive_label=self.positive_label,
            threshold=self.threshold,
            value_names=self.value_names,
            meaning=self.meaning,
            columns=self.columns,
            label=None if target is None else Column(target, "double", missing=rule),
            text=text_format_of(self.config),
            vocabularies=self.vocabularies,
            lists_texts=not self.config.redact,
        )


@dataclass(frozen=True, slots=True)
class SampledInput:
    """An input, and the numbers among its first complete records of those in the job's sample."""

    source: InputFile
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """A job, whole.

    ``skipped`` are the objects below the inputs that are no inputs, with the reason; ``sample`` tells where the records
    are on which the model is tried. With ``mode: new_inputs``, ``not_new`` is the number of inputs that are not scored,
    by reason, and ``manifests_read`` are the manifests of other jobs that the inputs were held against.
    """

    spec: JobSpec
    inputs: tuple[InputFile, ...]
    splits: Splits
    skipped: tuple[tuple[str, str], ...]
    sample: tuple[SampledInput, ...] = ()
    not_new: Mapping[str, int] = field(default_factory=dict)
    manifests_read: frozenset[StoredObject] = frozenset()

    @property
    def skipped_count(self) -> dict[str, int]:
        """The number of all objects below the inputs that are not scored, by reason."""
        return dict(sorted((Counter(reason for _, reason in self.skipped) + Counter(self.not_new)).items()))

    @property
    def size_in_bytes(self) -> int:
        """The size of all inputs."""
        return sum(item.source.size_in_bytes for item in self.inputs)


def naming_root(entries: Sequence[str], listed: Collection[str] = ()) -> str:
    """Return the folder that inputs are named from: the longest that the folders of all entries lie in.

    ``listed`` tells which entries are objects, folders and globs. What else lies there does not move the folder, so
    that names are the same from job to job; and every input lies below it, so that no two have one name.
    """
    known = frozenset(listed)
    folders = [folder_of(entry, known).split("/")[:-1] for entry in entries]
    shared = zip(*folders, strict=False)
    common = [names[0] for names in takewhile(lambda names: len(set(names)) == 1, shared)]
    return "/".join(common) + "/"


def check_inputs(sources: Sequence[StoredObject]) -> None:
    """Refuse an input that is listed twice; raises ConfigError."""
    twice = [uri for uri, count in Counter(source.uri for source in sources).items() if count > 1]
    if twice:
        raise ConfigError(f"key input: expected each file once, got twice: {', '.join(twice[:5])}")


def make_inputs(sources: Sequence[StoredObject], root: str, split_bytes: int, reader: Reader) -> tuple[InputFile, ...]:
    """Return the inputs with their names below the result folder, and as many splits as their reader cuts them into."""
    return tuple(
        InputFile(
            source=source,
            name=encode_name(source.uri.removeprefix(root)),
            split_count=reader.split_count(source, split_bytes),
        )
        for source in sources
    )


def pack_tasks(splits: Iterable[Split], task_bytes: int) -> Iterator[list[Split]]:
    """Put neighbouring splits together until a task has about ``task_bytes`` of work; yield the tasks in order."""
    return pack(splits, lambda split: split.stop - split.start, task_bytes)


def pack(items: Iterable[Item], size_in_bytes: Callable[[Item], int], task_bytes: int) -> Iterator[list[Item]]:
    """Put neighbours together until there are about ``task_bytes`` of work, opening them included."""
    task: list[Item] = []
    filled = 0
    for item in items:
        weight = size_in_bytes(item) + OPEN_COST_BYTES
        if task and filled + weight > task_bytes:
            yield task
            task, filled = [], 0
        task.append(item)
        filled += weight
    if task:
        yield task


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def parameters_of(
    config: JobConfig, model: ModelVersion, threshold: float, sources: Sequence[StoredObject], schema_digest: str
) -> dict[str, str]:
    """Return what binds an id to its job, in groups, so that a mismatch can be named."""
    settings = config.model_dump(mode="json", exclude=_NOT_PARAMETERS)
    return {
        "batchscore": __version__,
        "configuration": digest_of(settings),
        "model": f"{model.pinned_uri} sha256:{model.digest}",
        "threshold": repr(threshold),
        "inputs": digest_of([[source.uri, source.size_in_bytes, source.etag] for source in sources]),
        "schema": schema_digest,
    }
