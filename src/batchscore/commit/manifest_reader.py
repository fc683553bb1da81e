"""An extended manifest read back, and whether it agrees with itself and with what stands beside it (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeInt

from batchscore.commit.job_record import BatchPrediction
from batchscore.commit.manifest import stored_manifest
from batchscore.config.job_config import MulticlassOutput
from batchscore.config.values import (
    AMAZON_RECORD_BYTES,
    LONGEST_RECORD_BYTES,
    canonical_encoding,
    one_delimiter,
    one_escape,
    one_separator,
)
from batchscore.input.columns import Columns
from batchscore.input.csv_lines import TextFormat
from batchscore.input.echo_columns import EchoColumn, echo_columns
from batchscore.input.roles import Roles
from batchscore.output.parts import WrittenFile
from batchscore.output.paths import Layout, Outputs
from batchscore.output.result_text import PREDICTED_LABEL, STATUS
from batchscore.plan import digest_of
from batchscore.storage.base import StoredObject
from batchscore.storage.stored_json import read_json, typed


@dataclass(frozen=True)
class CommittedPart(WrittenFile):
    """A part: the records whose first byte lies in ``byte_range``, [start, stop), of its input."""

    byte_range: tuple[NonNegativeInt, NonNegativeInt]
    record_count: int
    invalid_record_count: int


@dataclass(frozen=True)
class CommittedSource:
    """An input as it was scored."""

    uri: str
    file_size_in_bytes: int
    etag: str

    @property
    def source(self) -> StoredObject:
        """The input as a listing showed it."""
        return StoredObject(self.uri, self.file_size_in_bytes, self.etag)


@dataclass(frozen=True)
class CommittedInput(CommittedSource):
    """An input as it was scored, and what came of it."""

    result: str
    parts: tuple[CommittedPart, ...]
    rejected: tuple[WrittenFile, ...]

    @property
    def files(self) -> list[WrittenFile]:
        """What was written for it."""
        return [*self.parts, *self.rejected]


@dataclass(frozen=True)
class InputFormat:
    """How the inputs were read; ``numeric`` are those of ``row_id`` and ``target`` that the schema calls NUMERIC.

    ``names`` are the columns of files whose header does not tell them, since there is none, or they replace it.
    ``echoed`` are the echoed columns where there are others than these two, else None.
    ``empty_last_line_is_record`` is None in the manifests of batchscore 0.1, to which such a line was one, and which
    left the line of an invalid record blank where the score is the only column, and judged each line by itself. The
    keys after it are there where they are not the default.
    """

    encoding: Annotated[str, AfterValidator(canonical_encoding)]
    delimiter: Annotated[str, AfterValidator(one_delimiter)]
    has_header: bool
    names: tuple[str, ...] | None
    row_id: str | None
    target: str | None
    numeric: frozenset[str]
    empty_last_line_is_record: bool | None = None
    echoed: tuple[EchoColumn, ...] | None = None
    decimal: Literal[".", ","] = "."
    thousands: Annotated[str, AfterValidator(one_separator)] | None = None
    trim: bool = False
    datetime_format: str = "ISO8601"
    max_record_bytes: Annotated[int, Field(ge=1, le=LONGEST_RECORD_BYTES)] = AMAZON_RECORD_BYTES
    multiline: bool = False
    escape: Annotated[str, AfterValidator(one_escape)] | None = None

    @property
    def columns(self) -> Columns:
        """What can be read again: what is echoed, no inputs of the model."""
        told = echo_columns(Roles(self.row_id, self.target), self.numeric)
        return Columns((), told if self.echoed is None else self.echoed, self.names, self.has_header)

    @property
    def text(self) -> TextFormat:
        """How bytes become cells."""
        return TextFormat(
            self.delimiter,
            self.encoding,
            self.empty_last_line_is_record is not False,
            decimal=self.decimal,
            thousands=self.thousands,
            trim=self.trim,
            datetime_format=self.datetime_format,
            max_record_bytes=self.max_record_bytes,
            multiline=self.multiline,
            escape=self.escape,
            covers_lines=self.empty_last_line_is_record is not None,
        )

    @property
    def has_delimiter_line(self) -> bool:
        """Whether a first line that tells the delimiter was no record."""
        return self.empty_last_line_is_record is not None

    @property
    def quotes_lone_cell(self) -> bool:
        """Whether a kept line of nothing but an empty score was written as a cell in quotes."""
        return self.empty_last_line_is_record is not None


@dataclass(frozen=True)
class CommittedModel:
    """What a manifest tells of the model."""

    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CommittedJob:
    """What an extended manifest tells of a job; ``columns`` are those of its results."""

    id: str
    parameters: dict[str, str]
    input_format: InputFormat
    layout: Layout
    invalid_records: Literal["blank", "keep_tag"]
    escape_formulas: bool
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    record_count: int
    invalid_record_count: int
    invalid_reasons: dict[str, int]
    inputs: tuple[CommittedInput, ...]
    model: CommittedModel = CommittedModel()
    multiclass_output: MulticlassOutput = "probabilities"
    status_column: bool = False
    commit_id: str = ""

    @property
    def told_columns(self) -> tuple[str, ...]:
        """The columns of the results by all that tells of them, those of ``columns`` where nothing else does."""
        echoed = tuple(column.header for column in self.input_format.columns.echoed)
        status = (STATUS,) if self.status_column else ()
        predictions = self.columns[len(echoed) : len(self.columns) - len(status)]
        return (*echoed, *((PREDICTED_LABEL, "score") if self.multiclass_output == "label" else predictions), *status)


@dataclass(frozen=True)
class _Sources:
    inputs: tuple[CommittedSource, ...]


@dataclass(frozen=True)
class _Files:
    inputs: tuple[CommittedInput, ...]


@dataclass(frozen=True)
class _Profiled:
    id: str
    record_count: int
    invalid_record_count: int
    invalid_reasons: dict[str, int]


@dataclass(frozen=True)
class Discrepancy:
    """What is wrong: which proof fails, where, and how."""

    proof: str
    where: str
    what: str


def read_manifest(content: bytes, uri: str) -> CommittedJob:
    """Return what an extended manifest tells; raises InputError, also for one of batchscore 0.1, which tells less."""
    return stored_manifest(CommittedJob, content, uri)


def read_sources(content: bytes, uri: str) -> list[StoredObject]:
    """Return the inputs that an extended manifest holds, in its order; raises InputError."""
    return [item.source for item in stored_manifest(_Sources, content, uri).inputs]


def read_file_uris(content: bytes, uri: str) -> set[str]:
    """Return the URIs of everything that an extended manifest names; raises InputError."""
    items = stored_manifest(_Files, content, uri).inputs
    return {file.uri for item in items for file in item.files} | {item.result for item in items}


def manifest_discrepancies(job: CommittedJob, outputs: Outputs) -> Iterator[Discrepancy]:
    """Yield where an extended manifest contradicts itself, or names what the job's id could not have written."""

    def discrepancy(where: str, what: str) -> Discrepancy:
        return Discrepancy("manifest", where, what)

    here = outputs.extended_manifest
    if job.id != outputs.id:
        yield discrepancy(here, f"expected id {outputs.id}, got {job.id}")
    listed = [[item.uri, item.file_size_in_bytes, item.etag] for item in job.inputs]
    if digest_of(listed) != job.parameters.get("inputs"):
        yield discrepancy(here, "expected the inputs that the id is bound to, got others")
    if job.columns != job.told_columns:
        yield discrepancy(here, "columns: expected those that the other keys tell, got others")
    parts = [part for item in job.inputs for part in item.parts]
    for name, total, added in (
        ("record_count", job.record_count, sum(part.record_count for part in parts)),
        ("invalid_record_count", job.invalid_record_count, sum(part.invalid_record_count for part in parts)),
        ("invalid_reasons", sum(job.invalid_reasons.values()), job.invalid_record_count),
    ):
        if total != added:
            yield discrepancy(here, f"{name}: expected {added} in all, got {total}")
    files = Counter(file.uri for item in job.inputs for file in item.files)
    for uri, count in files.items():
        if count > 1:
            yield discrepancy(uri, f"expected to be named once, got {count} times")
    for item in job.inputs:
        yield from _input_discrepancies(item, outputs)


def _input_discrepancies(item: CommittedInput, outputs: Outputs) -> Iterator[Discrepancy]:
    uri = item.uri
    ends = [0, *(part.byte_range[1] for part in item.parts)]
    starts = [*(part.byte_range[0] for part in item.parts), item.file_size_in_bytes]
    if ends != starts:
        what = "expected parts that cover the input from start to end, got a gap or an overlap"
        yield Discrepancy("manifest", uri, what)
    stem = f"{outputs.folder}/result/{outputs.id}-"
    named = item.result.removeprefix(stem).removesuffix("/" if outputs.layout == "parts" else ".gz")
    if not item.result.startswith(stem) or item.result != outputs.result(named):
        yield Discrepancy("manifest", uri, f"expected a result of id {outputs.id}, got {item.result}")
        return
    # In the Amazon layout there is one part, the result itself, whatever the number of splits was.
    expected = [outputs.part(named, number, 1) for number in range(len(item.parts))]
    if [part.uri for part in item.parts] != expected:
        yield Discrepancy("manifest", uri, "expected parts numbered in the order of the records, got others")
    if outputs.layout == "parts":
        rejecting = [number for number, part in enumerate(item.parts) if part.invalid_record_count]
        if [file.uri for file in item.rejected] != [outputs.rejected(named, number) for number in rejecting]:
            what = "expected a rejected file for each part with invalid records, got others"
            yield Discrepancy("manifest", uri, what)


def reason_discrepancies(job: CommittedJob, found: Counter[str], uri: str) -> Iterator[Discrepancy]:
    """Yield whether the counts by reason are those of all rejected rows."""
    counted = Counter(job.invalid_reasons)
    # No reason is named: in a file that was shifted or altered it could be a record's text.
    if counted != found:
        differing = (counted - found).total()
        yield Discrepancy(
            "invalid records", uri, f"invalid_reasons: expected those of the rows, got {differing} others"
        )


def classic_discrepancies(job: CommittedJob, content: bytes | None, uri: str) -> Iterator[Discrepancy]:
    """Yield where Amazon's manifest disagrees with the extended one; None means that it is not there."""
    if content is None:
        yield Discrepancy(
            "classic manifest", uri, "expected a manifest, got none; run the same id again to complete it"
        )
        return
    try:
        entries = read_json(content)
    except ValueError:
        entries = None
    if entries != {item.uri: item.result for item in job.inputs}:
        what = "expected the inputs and results of the extended manifest, got others"
        yield Discrepancy("classic manifest", uri, what)


def record_discrepancies(job: CommittedJob, record: BatchPrediction | None, uri: str) -> Iterator[Discrepancy]:
    """Yield where the record of the batch prediction disagrees with the extended manifest; None: it is not there."""
    if record is None:
        yield Discrepancy("record", uri, "expected a record, got none; run the same id again to complete it")
        return
    if record.Status != "COMPLETED":
        what = f"expected COMPLETED, got {record.Status}; run the same id again to complete it"
        yield Discrepancy("record", uri, what)
        return
    expected = (job.record_count, job.invalid_record_count, dict(job.parameters))
    if (record.TotalRecordCount, record.InvalidRecordCount, dict(record.parameters)) != expected:
        yield Discrepancy("record", uri, "expected the counts and parameters of the extended manifest, got others")


def profile_discrepancies(job: CommittedJob, content: bytes | None, uri: str) -> Iterator[Discrepancy]:
    """Yield whether a profile is of other counts than the extended manifest; None: it is not there, as it may be."""
    if content is None:
        return
    try:
        found = typed(_Profiled, read_json(content))
    except ValueError:
        yield Discrepancy("profile", uri, "expected a profile, got something else; remove it: no result depends on it")
        return
    if found != _Profiled(job.id, job.record_count, job.invalid_record_count, job.invalid_reasons):
        yield Discrepancy("profile", uri, "expected the id and counts of the extended manifest, got others")
