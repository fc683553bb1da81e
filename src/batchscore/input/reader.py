"""What is asked of a format of inputs (pure: protocols): a reader for each, and the blocks of records that it reads.

Who scores, looks, verifies and checks knows this and no format; ``input/factory`` says which reader reads what.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, Self

from batchscore.input.binding import Binding
from batchscore.input.diagnosis.findings import FaultKind
from batchscore.input.files import InputFile
from batchscore.input.parsed_block import RECORDS_TOGETHER, ParsedBlock
from batchscore.storage.base import StoredObject


class UnparsedBlock(Protocol):
    """Consecutive records of an input: fetched, and not made into values yet."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the input's columns as it tells them itself, None where it does not."""

    @property
    def binding(self) -> Binding:
        """Where the job's columns stand among them."""

    @property
    def is_first(self) -> bool:
        """Whether it is the first of its input; it may hold no record, as of an input that is a header alone."""

    @property
    def offset(self) -> int:
        """The byte of the input's content at which its first record begins."""

    @property
    def size_in_bytes(self) -> int:
        """The bytes of its records, as many as it holds of memory."""

    @property
    def record_count(self) -> int:
        """Its records, as far as that shows before they are parsed: an empty last line may turn out to be none."""

    def parse(self, records_together: int = RECORDS_TOGETHER) -> Iterator[ParsedBlock]:
        """Yield its records in the types of the job's columns, so many at a time at the most."""

    def joined(self, others: Sequence[Self]) -> Self:
        """Return its records and those of blocks of other inputs as one; all have the same binding."""

    def explain(self, kind: FaultKind, number: int, record_count: int) -> str:
        """Say why so many of the records read have a fault, as far as these show; no value is quoted."""


class Reader(Protocol):
    """Reads the inputs of a job, all of one format, from their store; reading raises InputError.

    A split is a range of an input's bytes, and each record belongs to one: the reader says where it begins.
    """

    def __hash__(self) -> int:
        """Readers of the same settings are the same, so that what one tells can be kept."""

    def split_count(self, source: StoredObject, split_bytes: int) -> int:
        """Return how many splits of so many bytes an input gives; one where it can only be read from its start."""

    def columns(self, source: InputFile) -> tuple[str, ...] | None:
        """Return the names of an input's columns, None where it tells none."""

    def read(self, source: InputFile, start: int, stop: int) -> Iterator[UnparsedBlock]:
        """Yield the records of a split, [start, stop); of a later one by ``source.header``, if it is known."""

    def read_beginning(self, source: InputFile, size_in_bytes: int | None) -> Iterator[UnparsedBlock]:
        """Yield the records that begin in the first bytes of an input's content, or all."""

    def content_bytes(self, source: StoredObject) -> int | None:
        """Return the size of an input's content, None where only reading tells it, as of a compressed one."""
