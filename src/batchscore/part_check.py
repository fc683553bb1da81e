"""One part of a finished job, read again with its input and its rejected files."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain

from batchscore import blocks
from batchscore.blocks import compression_of
from batchscore.committed import CommittedInput, CommittedJob, CommittedPart, Finding
from batchscore.config import S3Settings
from batchscore.errors import InputError, TransientReadError
from batchscore.inputs import read_header
from batchscore.lines import TextFormat
from batchscore.locations import base_name
from batchscore.manifest import WrittenFile
from batchscore.pairing import PairFormat, Tally, pair
from batchscore.plan import InputFile
from batchscore.records import ParsedBlock, parse_blocks
from batchscore.rejected import RejectedFileError, rejected_rows
from batchscore.schema import bind
from batchscore.scoring import REJECTED_HEADER, input_blocks, take_header
from batchscore.storage import storage_for


@dataclass(frozen=True)
class PartToRead:
    """A part, and what of its input and of the job is needed to read it again."""

    job: CommittedJob
    item: CommittedInput
    number: int
    rejected: tuple[WrittenFile, ...]

    @property
    def part(self) -> CommittedPart:
        """What the manifest tells of it."""
        return self.item.parts[self.number]

    @property
    def uris(self) -> set[str]:
        """Everything that is read for it."""
        return {self.item.uri, self.part.uri, *(file.uri for file in self.rejected)}

    @property
    def source(self) -> InputFile:
        """Its input, as a job reads it."""
        return InputFile(self.item.source, "", compression_of(self.item.uri), len(self.item.parts))


def parts_to_read(job: CommittedJob, item: CommittedInput) -> Iterator[PartToRead]:
    """Yield the parts of an input with their rejected files: in the Amazon layout the part has those of all splits."""
    by_name = {base_name(file.uri): file for file in item.rejected}
    for number, part in enumerate(item.parts):
        own = by_name.get(base_name(part.uri))
        rejected = item.rejected if job.layout == "amazon" else (own,) if own else ()
        yield PartToRead(job, item, number, rejected)


def check_part(todo: PartToRead, s3: S3Settings) -> tuple[Tally, list[Finding]]:
    """Hold a part and its rejected files against its input; raises TransientReadError."""
    part = todo.part
    altered = [finding for file in (part, *todo.rejected) for finding in _digest_findings(file, s3)]
    if altered:
        return Tally(), altered
    rejected = chain.from_iterable(rejected_rows(_text(file, s3), REJECTED_HEADER) for file in todo.rejected)
    try:
        tally = pair(_parsed_blocks(todo, s3), rejected, _text(part, s3), _pair_format(todo))
    except TransientReadError:
        raise
    except InputError as error:
        return Tally(), [Finding("records", part.uri, str(error))]
    except RejectedFileError as error:
        return Tally(), [Finding("invalid records", part.uri, str(error))]
    return tally, _count_findings(part, tally)


def _pair_format(todo: PartToRead) -> PairFormat:
    job, form = todo.job, todo.job.input_format
    return PairFormat(
        header=job.columns,
        has_tag=form.row_id is not None,
        has_label=form.target is not None,
        keep_tag=job.invalid_records == "keep_tag",
        escape_formulas=job.escape_formulas,
        numeric_tag=form.row_id in form.numeric,
        numeric_label=form.target in form.numeric,
        number=todo.number if job.layout == "parts" else None,
    )


def _count_findings(part: CommittedPart, tally: Tally) -> list[Finding]:
    told, found = (part.record_count, part.invalid_record_count), (tally.record_count, tally.invalid_record_count)
    if told == found:
        return []
    what = "expected {} records, {} of them invalid, as the input and the rejected file have, got {} and {}"
    return [Finding("records", part.uri, what.format(*found, *told))]


def _digest_findings(file: WrittenFile, s3: S3Settings) -> list[Finding]:
    digest = hashlib.sha256()
    for chunk in _content(file, s3):
        digest.update(chunk)
    if digest.hexdigest() == file.sha256:
        return []
    return [Finding("files", file.uri, f"expected sha256 {file.sha256}, got {digest.hexdigest()}")]


def _content(file: WrittenFile, s3: S3Settings) -> Generator[bytes]:
    storage = storage_for(file.uri, s3)
    stored = storage.stat(file.uri)

    def read(start: int, stop: int) -> bytes:
        return storage.read_range(stored, start, stop)

    return blocks.read_ranges(read, 0, stored.size_in_bytes, stored.size_in_bytes)


def _text(file: WrittenFile, s3: S3Settings) -> Iterator[bytes]:
    yield from blocks.decompressed(_content(file, s3), "gzip", file.uri)


def _parsed_blocks(todo: PartToRead, s3: S3Settings) -> Iterator[ParsedBlock]:
    """Yield the records of a part's input; their tags are those of the rowId, else the first column's texts."""
    source, (start, stop) = todo.source, todo.part.byte_range
    columns, text = todo.job.input_format.columns, todo.job.input_format.text
    header = _header(source, s3, text) if columns.has_header and start else None
    for block in input_blocks(source, s3, start, None if source.compression else stop):
        content = block
        if block.offset == 0:
            header, content = take_header(block, source, text, columns.has_header)
        binding = bind(columns, header, source.source.uri)
        if binding.row_id_position is None:  # one column has to be read for the lines to be parsed
            binding = replace(binding, row_id_position=0)
        if content.data:
            yield from parse_blocks(content, binding, columns, text)


@lru_cache(maxsize=64)
def _header(source: InputFile, s3: S3Settings, text: TextFormat) -> list[str] | None:
    """Return an input's header, read once for all of its parts."""
    return read_header(source, s3, text, has_header=True)
