"""An extended manifest read back (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeInt

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
from batchscore.output.paths import Layout
from batchscore.output.result_text import PREDICTED_LABEL, SCORE, STATUS
from batchscore.storage.base import StoredObject


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
        return (*echoed, *((PREDICTED_LABEL, SCORE) if self.multiclass_output == "label" else predictions), *status)


@dataclass(frozen=True)
class _Sources:
    inputs: tuple[CommittedSource, ...]


@dataclass(frozen=True)
class _Files:
    inputs: tuple[CommittedInput, ...]


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
