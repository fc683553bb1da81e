"""What a job will do, decided before it starts (pure): inputs, splits, tasks, and the digest of it all."""

from __future__ import annotations

import hashlib
import json
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, takewhile
from typing import Any

from batchscore import __version__
from batchscore.blocks import compression_of
from batchscore.config import JobConfig, ModelType
from batchscore.errors import ConfigError
from batchscore.lines import TextFormat
from batchscore.model import ModelVersion
from batchscore.outputs import Outputs, encode_name
from batchscore.predictions import ResultFormat
from batchscore.schema import Columns
from batchscore.storage import StoredObject

# What opening an object costs, in bytes that could have been scored meanwhile: packs many small files into a task.
OPEN_COST_BYTES = 256 * 1024
# Keys that change neither a result nor its place: a job that failed on a limit goes on when it is raised.
_NOT_PARAMETERS = {
    *("id", "name", "spark", "s3", "tracking_uri", "registry_uri"),
    *("max_invalid_records", "max_invalid_fraction", "allow_version_mismatch", "allowed_artifact_prefixes"),
    "batch_timeout_seconds",
    *("model", "threshold"),  # the version resolved and the threshold in force stand for them
    "mode",  # the inputs chosen stand for it
}


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input as it was planned.

    ``name`` is its place below the result folder. ``header`` is its header record where the driver has read it, which
    it does for inputs of several splits.
    """

    source: StoredObject
    name: str
    compression: str | None
    split_count: int
    header: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """A byte range of an input: the records whose first byte lies in [start, stop)."""

    index: int
    input_index: int
    number: int
    start: int
    stop: int


@dataclass(frozen=True)
class Splits:
    """All splits of a job in order, made when they are asked for: 16 bytes for each input, none for a split.

    ``firsts`` are the indices of the inputs' first splits, and at the end the number of splits.
    """

    split_bytes: int
    sizes_in_bytes: array[int]
    firsts: array[int]

    def __len__(self) -> int:
        return self.firsts[-1]

    def __getitem__(self, index: int) -> Split:
        if not 0 <= index < len(self):
            raise IndexError(f"split {index}: expected one of {len(self)}")
        input_index = bisect_right(self.firsts, index) - 1
        return self._split(index, input_index, self.firsts[input_index], self.firsts[input_index + 1])

    def __iter__(self) -> Iterator[Split]:
        for input_index, (first, after) in enumerate(pairwise(self.firsts)):
            for index in range(first, after):
                yield self._split(index, input_index, first, after)

    def _split(self, index: int, input_index: int, first: int, after: int) -> Split:
        start = (index - first) * self.split_bytes
        stop = self.sizes_in_bytes[input_index] if index == after - 1 else start + self.split_bytes
        return Split(index, input_index, index - first, start, stop)


@dataclass(frozen=True)
class JobSpec:
    """What every task must know."""

    id: str
    config: JobConfig
    model: ModelVersion
    model_type: ModelType
    classes: tuple[str, ...]
    positive_label: str | None
    threshold: float
    columns: Columns
    parameters: dict[str, str]

    @property
    def outputs(self) -> Outputs:
        """Where the job writes."""
        return Outputs(self.config.output, self.id, self.config.layout)

    @property
    def text_format(self) -> TextFormat:
        """How the inputs are spelt."""
        as_amazon = self.config.layout == "amazon"
        return TextFormat(self.config.delimiter, self.config.encoding, empty_last_line_is_record=as_amazon)

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
            has_tag=self.columns.row_id is not None,
            has_label=self.columns.target is not None,
            keep_tag=self.config.invalid_records_in_force == "keep_tag",
            escape_formulas=self.config.escape_formulas,
            numeric_tag=self.columns.row_id in self.columns.numeric_names,
            numeric_label=self.columns.target in self.columns.numeric_names,
        )


@dataclass(frozen=True, slots=True)
class SampledInput:
    """An input, and the numbers among its first complete records of those in the job's sample."""

    source: InputFile
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """A job, whole.

    ``skipped`` are the objects below the inputs that are not scored, with the reason; ``sample`` tells where the
    records are on which the model is tried.
    """

    spec: JobSpec
    inputs: tuple[InputFile, ...]
    splits: Splits
    skipped: tuple[tuple[str, str], ...]
    sample: tuple[SampledInput, ...] = ()

    @property
    def size_in_bytes(self) -> int:
        """The size of all inputs."""
        return sum(item.source.size_in_bytes for item in self.inputs)

    def part_uri(self, split: Split) -> str:
        """Return the URI of a split's part."""
        item = self.inputs[split.input_index]
        return self.spec.outputs.part(item.name, split.number, item.split_count)


def naming_root(entries: Sequence[str]) -> str:
    """Return the folder that inputs are named from: the longest that all configured inputs lie in."""
    folders = [entry.rpartition("/")[0].split("/") for entry in entries]
    shared = zip(*folders, strict=False)
    common = [names[0] for names in takewhile(lambda names: len(set(names)) == 1, shared)]
    return "/".join(common) + "/"


def check_inputs(sources: Sequence[StoredObject]) -> None:
    """Refuse an input that is listed twice; raises ConfigError."""
    twice = [uri for uri, count in Counter(source.uri for source in sources).items() if count > 1]
    if twice:
        raise ConfigError(f"key input: expected each file once, got twice: {', '.join(twice[:5])}")


def split_count(source: StoredObject, split_bytes: int) -> int:
    """Return how many splits an input gives; a compressed one gives one."""
    if compression_of(source.uri):
        return 1
    return max(1, -(-source.size_in_bytes // split_bytes))


def make_inputs(sources: Sequence[StoredObject], root: str, split_bytes: int) -> tuple[InputFile, ...]:
    """Return the inputs with their names below the result folder."""
    return tuple(
        InputFile(
            source=source,
            name=encode_name(source.uri.removeprefix(root)),
            compression=compression_of(source.uri),
            split_count=split_count(source, split_bytes),
        )
        for source in sources
    )


def with_headers(inputs: Sequence[InputFile], headers: Mapping[str, tuple[str, ...]]) -> tuple[InputFile, ...]:
    """Return the inputs with the header records that are known by URI."""
    return tuple(
        replace(item, header=headers[item.source.uri]) if item.source.uri in headers else item for item in inputs
    )


def make_splits(inputs: Sequence[InputFile], split_bytes: int) -> Splits:
    """Cut the inputs into byte ranges; the cuts depend on the inputs and ``split_bytes`` alone."""
    sizes = array("q", [item.source.size_in_bytes for item in inputs])
    firsts = array("q", accumulate((item.split_count for item in inputs), initial=0))
    return Splits(split_bytes, sizes, firsts)


def pack_tasks(splits: Iterable[Split], task_bytes: int) -> Iterator[list[Split]]:
    """Put neighbouring splits together until a task has about ``task_bytes`` of work; yield the tasks in order."""
    task: list[Split] = []
    filled = 0
    for split in splits:
        weight = split.stop - split.start + OPEN_COST_BYTES
        if task and filled + weight > task_bytes:
            yield task
            task, filled = [], 0
        task.append(split)
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
