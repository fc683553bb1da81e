"""Results written to a file of one's own, local or on S3: whole, or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

import pyarrow as pa
import pyarrow.parquet as pq

from batchscore.config import uris
from batchscore.config.job_config import OutputConfig, S3Settings
from batchscore.errors import CommitError, ConfigError
from batchscore.output.paths import Outputs
from batchscore.results.texts import text_chunks
from batchscore.storage.factory import storage_for
from batchscore.storage.local import leads_into

FileKind = Literal["csv", "json", "parquet"]
_KINDS: dict[str, FileKind] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
}
_GZIP_LEVEL = 1
_GZIP_CONTAINER = 16 + zlib.MAX_WBITS
_MEMORY_BYTES = 32 * 1024 * 1024
_GROUP_BYTES = 32 * 1024 * 1024  # of records in memory, before they are a row group of Parquet


@dataclass(frozen=True)
class Target:
    """A file to be written: where, as what, and whether gzip is laid around it."""

    uri: str
    kind: FileKind
    is_gzip: bool = False


def target_of(text: str, kind: FileKind | None, config: OutputConfig) -> Target:
    """Return what is to be written where; raises ConfigError, before anything is read."""
    if text == "-":
        raise ConfigError("argument --to -: expected a file, got none; without --to a pipe gets all records")
    try:
        uri = uris.canonical_uri(text)
    except ValueError as error:  # a URI that is refused is not repeated
        raise ConfigError(f"argument --to: {error}") from error
    if uri.endswith("/"):
        raise ConfigError(f"argument --to {uri}: expected a file, got a folder; add a name")
    _check_place(uri, config)
    name = uris.base_name(uri).lower()
    is_gzip = name.endswith(".gz")
    told = _KINDS.get(Path(name.removesuffix(".gz")).suffix)
    if told is None and kind is None:
        raise ConfigError(
            f"argument --to {uri}: expected a name that ends in {', '.join(_KINDS)}, got another; or --format"
        )
    if told and kind and told != kind:
        raise ConfigError(f"argument --format {kind}: expected {told}, as the name after --to ends, got another")
    if is_gzip and (told or kind) == "parquet":
        raise ConfigError(
            f"argument --to {uri}: expected Parquet without gzip around it, got .gz; it is compressed itself"
        )
    return Target(uri, cast("FileKind", told or kind), is_gzip)


def _check_place(uri: str, config: OutputConfig) -> None:
    folder = Outputs(config.output, "", "parts").folder
    own = uri.startswith(f"{folder}/")
    if not uris.is_s3(uri):
        path = Path(uris.local_path(uri))
        if path.exists() and not path.is_file():
            got = "a folder" if path.is_dir() else "something else"
            raise ConfigError(f"argument --to {uri}: expected a file, got {got}")
        if not path.parent.is_dir():
            raise ConfigError(f"argument --to {uri}: expected a folder to write to, got none; make it first")
        own |= not uris.is_s3(folder) and leads_into(uri, folder)
    if own:
        raise ConfigError(f"argument --to {uri}: expected a place of its own, got one among the results of jobs")


def write_file(target: Target, schema: pa.Schema, batches: Iterable[pa.RecordBatch], s3: S3Settings) -> int:
    """Write batches to a file and return how many records they have; raises CommitError.

    What was there is replaced when all is written, and stays as it was if anything fails before.
    """
    counted = _Counted(batches)
    place = _stored if uris.is_s3(target.uri) else _moved
    with place(target.uri, s3) as file:
        if target.is_gzip and target.kind != "parquet":
            # Not a GzipFile, which tries to write what it has left when it is collected, though the disk is full.
            deflate = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_CONTAINER)
            for chunk in text_chunks(target.kind, schema, counted):
                file.write(deflate.compress(chunk))
            file.write(deflate.flush())
        else:
            write_to(file, target.kind, schema, counted)
    return counted.record_count


def write_to(file: Any, kind: FileKind, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write batches to an open file, which need only be written to."""
    if kind != "parquet":
        for chunk in text_chunks(kind, schema, batches):
            file.write(chunk)
        return
    with pq.ParquetWriter(file, schema) as writer:
        for group in _groups(batches):
            writer.write_table(pa.Table.from_batches(group, schema), row_group_size=sum(map(len, group)))


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Yield batches together that make a row group: small parts would have one each."""
    group: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        group.append(batch)
        size += batch.nbytes
        if size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


class _Counted:
    """Batches on their way, counted."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self.record_count = 0
        self._batches = batches

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.record_count += len(batch)
            yield batch


@contextmanager
def _moved(uri: str, _: S3Settings) -> Iterator[IO[bytes]]:
    """Give a file beside the one that is wanted, which takes its place at the end; a link stays one."""
    path = Path(os.path.realpath(uris.local_path(uri)))
    with (
        _write_errors(f"file {uri}"),
        tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".tmp", delete=False) as file,
    ):
        try:
            yield cast("IO[bytes]", file)
            os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask())
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


@contextmanager
def _stored(uri: str, s3: S3Settings) -> Iterator[IO[bytes]]:
    """Give a file in memory, or on disk when it grows large, which is stored at the end; a large one in pieces."""
    with tempfile.SpooledTemporaryFile(_MEMORY_BYTES) as file:
        with _write_errors(f"temporary folder {tempfile.gettempdir()}"):
            yield cast("IO[bytes]", file)
        storage_for(uri, s3).put(uri, cast("IO[bytes]", file))


@contextmanager
def _write_errors(what: str) -> Iterator[None]:
    """Tell what writing met; the errors of reading are our own by then."""
    try:
        yield
    except OSError as error:
        raise CommitError(
            f"{what}: expected to write the results, got {error.strerror or type(error).__name__}"
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
