"""One part of a finished job, read again with its input and its rejected files."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain

from batchscore.commands.comparison import Comparison
from batchscore.commands.pairing import pair
from batchscore.commands.result_lines import PairFormat
from batchscore.commit.discrepancies import Discrepancy
from batchscore.commit.manifest_reader import CommittedInput, CommittedJob, CommittedPart
from batchscore.commit.reading_back import read_by_ranges, sha256_of
from batchscore.config.job_config import S3Settings
from batchscore.config.uris import base_name
from batchscore.errors import InputError, ObjectChangedError, ObjectMissingError, TransientReadError
from batchscore.input import blocks
from batchscore.input.factory import committed_reader
from batchscore.input.files import InputFile
from batchscore.input.parsed_block import ParsedBlock
from batchscore.input.reader import Reader
from batchscore.output.parts import WrittenFile
from batchscore.output.rejected_files import REJECTED_HEADER, RejectedFileError, rejected_rows
from batchscore.storage.base import StoredObject
from batchscore.storage.factory import storage_for

_ETAG = re.compile(r"[\w-]+", re.ASCII)  # what can stand in a request; a manifest can hold anything


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
    def files(self) -> tuple[WrittenFile, ...]:
        """What was written for it."""
        return (self.part, *self.rejected)

    @property
    def size_in_bytes(self) -> int:
        """How much is read for it, compressed or not."""
        start, stop = self.part.byte_range
        return stop - start + sum(file.file_size_in_bytes for file in self.files)

    @property
    def source(self) -> InputFile:
        """Its input, as a job reads it."""
        return InputFile(self.item.source, "", len(self.item.parts))


def parts_to_read(job: CommittedJob, item: CommittedInput) -> Iterator[PartToRead]:
    """Yield the parts of an input with their rejected files: in the Amazon layout the part has those of all splits."""
    by_name = {base_name(file.uri): file for file in item.rejected}
    for number, part in enumerate(item.parts):
        own = by_name.get(base_name(part.uri))
        rejected = item.rejected if job.layout == "amazon" else (own,) if own else ()
        yield PartToRead(job, item, number, rejected)


def check_part(todo: PartToRead, s3: S3Settings) -> tuple[Comparison | None, list[Discrepancy]]:
    """Hold a part and its rejected files against its input; raises TransientReadError.

    Without a comparison where a file is not as the manifest tells: then nothing of the part was compared.
    """
    part = todo.part
    opened = [_open(file, s3) for file in todo.files]
    altered = [file for file in opened if isinstance(file, Discrepancy)]
    written = [file for file in opened if isinstance(file, _Written)]
    if altered:
        return None, altered
    rejected = chain.from_iterable(rejected_rows(_text(file), REJECTED_HEADER) for file in written[1:])
    try:
        compared = pair(_parsed_blocks(todo, s3), rejected, _text(written[0]), _pair_format(todo))
    except TransientReadError:
        raise
    except InputError as error:
        return Comparison(), [Discrepancy("records", part.uri, str(error))]
    except RejectedFileError as error:
        return Comparison(), [Discrepancy("invalid records", part.uri, str(error))]
    return compared, _count_discrepancies(part, compared)


def look_at_file(file: WrittenFile, s3: S3Settings) -> StoredObject | Discrepancy:
    """Return a written file as it is stored, or what is wrong with it as far as that shows without reading it."""
    try:
        stored = storage_for(file.uri, s3).stat(file.uri)
    except ObjectMissingError:
        return Discrepancy("files", file.uri, "expected a file, got none")
    if stored.size_in_bytes != file.file_size_in_bytes:
        return Discrepancy("files", file.uri, f"expected {file.file_size_in_bytes} bytes, got {stored.size_in_bytes}")
    return stored


def _pair_format(todo: PartToRead) -> PairFormat:
    job, form = todo.job, todo.job.input_format
    return PairFormat(
        header=job.columns,
        echoed=form.columns.echoed,
        keep_tag=job.invalid_records == "keep_tag",
        quotes_lone_cell=form.quotes_lone_cell,
        escape_formulas=job.escape_formulas,
        spelling=form.text,
        labels=job.model.classes if job.multiclass_output == "label" else None,
        tells_status=job.status_column,
        number=todo.number if job.layout == "parts" else None,
    )


def _count_discrepancies(part: CommittedPart, compared: Comparison) -> list[Discrepancy]:
    told = (part.record_count, part.invalid_record_count)
    found = (compared.record_count, compared.invalid_record_count)
    if told == found:
        return []
    what = "expected {} records, {} of them invalid, as the input and the rejected file have, got {} and {}"
    return [Discrepancy("records", part.uri, what.format(*found, *told))]


@dataclass(frozen=True)
class _Written:
    """A part or rejected file that is as the manifest tells, to be read from its start as often as it is asked for."""

    uri: str
    chunks: Callable[[], Generator[bytes]]


def _open(file: WrittenFile, s3: S3Settings) -> _Written | Discrepancy:
    """Read a small file once, whole, and a large one range by range; return what is wrong if its digest differs."""
    try:
        stored = _as_told(file, s3) or look_at_file(file, s3)
        if isinstance(stored, Discrepancy):
            return stored
        found = stored if isinstance(stored, _Written) else _pinned(stored, s3)
        return _with_digest(found, file)
    except (ObjectMissingError, ObjectChangedError) as error:
        return Discrepancy("files", file.uri, str(error))


def _as_told(file: WrittenFile, s3: S3Settings) -> _Written | None:
    """Read a small file by the one request that its ETag allows; None where it has another by now, as a copy has.

    A size that the manifest tells wrong looks like a broken answer: then the file is looked at, and read by what it is.
    Its size is not asked for: the digest that it is held to is that of the whole file.
    """
    size = file.file_size_in_bytes
    if not 0 < size <= blocks.CHUNK_BYTES or not _ETAG.fullmatch(file.etag):
        return None
    with suppress(ObjectMissingError, ObjectChangedError, TransientReadError):
        content = storage_for(file.uri, s3).read_range(StoredObject(file.uri, size, file.etag), 0, size)
        if len(content) == size:
            return _held(file.uri, content)
    return None


def _pinned(stored: StoredObject, s3: S3Settings) -> _Written:
    storage = storage_for(stored.uri, s3)
    if stored.size_in_bytes <= blocks.CHUNK_BYTES:
        return _held(stored.uri, b"".join(read_by_ranges(storage, stored)))
    return _Written(stored.uri, lambda: blocks.read_ahead(read_by_ranges(storage, stored)))


def _held(uri: str, content: bytes) -> _Written:
    return _Written(uri, lambda: (chunk for chunk in [content]))


def _with_digest(written: _Written, file: WrittenFile) -> _Written | Discrepancy:
    digest = sha256_of(written.chunks())
    if digest == file.sha256:
        return written
    return Discrepancy("files", file.uri, f"expected sha256 {file.sha256}, got {digest}")


def _text(written: _Written) -> Iterator[bytes]:
    yield from blocks.inflated(written.chunks(), "gzip", written.uri)


def _parsed_blocks(todo: PartToRead, s3: S3Settings) -> Iterator[ParsedBlock]:
    """Yield the records of a part's input; an input's header is read once for all of its parts."""
    form, source, (start, stop) = todo.job.input_format, todo.source, todo.part.byte_range
    reader = committed_reader(form.text, form.columns, s3, has_delimiter_line=form.has_delimiter_line)
    if start:
        source = replace(source, header=_header(reader, source))
    for block in reader.read(source, start, stop):
        yield from block.parse()


@lru_cache(maxsize=64)
def _header(reader: Reader, source: InputFile) -> tuple[str, ...] | None:
    return reader.columns(source)
