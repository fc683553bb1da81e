"""Files of this machine, or of a file system that every machine of the cluster mounts."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, takewhile
from pathlib import Path
from typing import IO

from batchscore.config import uris
from batchscore.config.globs import Glob
from batchscore.config.uris import FOLDER
from batchscore.errors import (
    CommitError,
    InputError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectMissingError,
    TransientReadError,
)
from batchscore.storage.base import NAMES_TOLD, StoredObject
from batchscore.storage.local_walk import files_below, folders_below

# What file systems answer that sync no folders, or whose folder may be written to but not read.
_NO_SYNC_OF_FOLDERS = {errno.EINVAL, errno.ENOTSUP, errno.EACCES}


@contextmanager
def _local_errors(what: str, uri: str, wrong: type[InputError | CommitError]) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if wrong is CommitError:
            raise CommitError(f"{what} {uri}: expected a folder to write to, got none") from error
        raise ObjectMissingError(f"{what} {uri}: expected a file, got none") from error
    except NotADirectoryError as error:
        if wrong is InputError:  # nothing lies below a file
            raise ObjectMissingError(f"{what} {uri}: expected a file, got none below another one") from error
        raise wrong(f"{what} {uri}: expected access, got {error.strerror}") from error
    except OSError as error:
        got = "a folder" if isinstance(error, IsADirectoryError) else error.strerror or type(error).__name__
        raise wrong(f"{what} {uri}: expected access, got {got}") from error


def _stored(uri: str, status: os.stat_result) -> StoredObject:
    return StoredObject(uri, status.st_size, _local_etag(status), status.st_mtime)


def _local_etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


@dataclass(frozen=True)
class LocalStorage:
    """Files of this machine, or of a file system that every machine of the cluster mounts.

    Writes stay below the folder ``root``, which may be a link, through folders that are none: whoever can put a link
    into an output could else send them, and removals, anywhere.
    """

    root: str | None = None

    def _place(self, uri: str) -> Path:
        path = Path(uris.local_path(uri))
        if self.root is None:
            return path
        root = Path(self.root)
        if root not in path.parents or ".." in path.parts:
            raise CommitError(f"output {uri}: expected a place below {root}, got another")
        real = Path(os.path.realpath(root), path.parent.relative_to(root))
        if Path(os.path.realpath(path.parent)) != real:
            raise CommitError(f"output {uri}: expected folders below {root}, got a link among them")
        return path

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """See Storage.list; a missing folder has no files."""
        with _local_errors("input", prefix, InputError):
            for path in sorted(files_below(uris.local_path(prefix).rstrip("/"))):
                yield _stored(f"file://{path}", Path(path).stat())

    def list_glob(self, glob: Glob) -> Iterator[StoredObject]:
        """See Storage.list_glob: folders in which nothing can match are not looked into."""
        with _local_errors("input", glob.text, InputError):
            for path in sorted(files_below(uris.local_path(glob.folder).rstrip("/"), glob)):
                yield _stored(f"file://{path}", Path(path).stat())

    def names_in_folder(self, prefix: str) -> Sequence[str]:
        """See Storage.names_in_folder; a missing folder has none."""
        with _local_errors("input", prefix, InputError):
            folder = Path(uris.local_path(prefix))
            found = islice(folder.iterdir(), NAMES_TOLD) if folder.is_dir() else ()
            return sorted(f"{path.name}/" if path.is_dir() else path.name for path in found)

    def list_folder(self, prefix: str) -> Iterator[StoredObject]:
        """See Storage.list_folder; a missing folder has no files."""
        with _local_errors("input", prefix, InputError):
            folder = Path(uris.local_path(prefix))
            for path in sorted(folder.iterdir()) if folder.is_dir() else []:
                if path.is_file():
                    yield _stored(f"file://{path}", path.stat())

    def stat(self, uri: str) -> StoredObject:
        """See Storage.stat."""
        with _local_errors("file", uri, InputError):
            path = Path(uris.local_path(uri))
            status = path.stat()
            if path.is_dir():
                raise ObjectMissingError(f"file {uri}: expected a file, got a folder (a prefix ends in /)")
            return _stored(uri, status)

    def read(self, uri: str) -> bytes:
        """See Storage.read."""
        with _local_errors("file", uri, InputError), Path(uris.local_path(uri)).open("rb") as file:
            content = file.read()
            return _checked_length(uri, content, os.fstat(file.fileno()).st_size)

    def read_range(self, source: StoredObject, start: int, stop: int) -> bytes:
        """See Storage.read_range."""
        with (
            _local_errors("input", source.uri, InputError),
            Path(uris.local_path(source.uri)).open("rb") as file,
        ):
            file.seek(start)
            content = _read_whole(file, stop - start)
            etag = _local_etag(os.fstat(file.fileno()))  # afterwards: nothing has changed before, nor meanwhile
            if etag != source.etag:
                raise _changed(source, etag)
            return _checked_length(source.uri, content, stop - start)

    def is_create_only_known(self) -> bool:
        """See Storage.is_create_only_known: a link is made once."""
        return True

    def check_writable(self, uri: str) -> None:
        """See Storage.check_writable."""
        path = self._place(uri)
        with _local_errors("output", uri, CommitError):
            _temporary_beside(path, delete=True).close()
        self.delete(uri)  # and the folders that were made for it

    def put(self, uri: str, content: IO[bytes], content_type: str | None = None) -> str:  # noqa: ARG002 # files have none
        """See Storage.put: written beside its place and moved there."""
        path = self._place(uri)
        with _local_errors("output", uri, CommitError):
            with _temporary_beside(path, delete=False) as file:
                try:
                    digest = _fill(file, content)
                    file.close()
                    os.replace(file.name, path)  # noqa: PTH105 - a NamedTemporaryFile has no Path
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
            _sync_folder(path.parent)
            return digest

    def put_new(self, uri: str, content: IO[bytes]) -> str:
        """See Storage.put_new: a hard link is atomic, so no reader ever sees half a file."""
        path = self._place(uri)
        with _local_errors("output", uri, CommitError):
            with _temporary_beside(path, delete=True) as file:
                content.seek(0)
                digest = _fill(file, content)
                try:
                    os.link(file.name, path)
                except FileExistsError:
                    raise ObjectExistsError(f"output {uri}: expected no object, got one") from None
            _sync_folder(path.parent)
            return digest

    def delete(self, *uris: str) -> None:
        """See Storage.delete; our own folders go too when they are left empty, as on S3."""
        for uri in uris:
            path = self._place(uri)
            with _local_errors("output", uri, CommitError):
                path.unlink(missing_ok=True)
            with suppress(OSError):  # a folder that holds more, or is no more
                for folder in self._own_folders(path):
                    folder.rmdir()

    def _own_folders(self, path: Path) -> Sequence[Path]:
        """Return the folders above a file that jobs made, the deepest first; the output and those above it are not."""
        folders = list(path.parents)
        top = Path(self.root, FOLDER) if self.root else next((f for f in folders if f.name == FOLDER), None)
        return folders[: folders.index(top) + 1] if top in folders else []


def leads_into(uri: str, written: str) -> bool:
    """Tell whether what a URI names lies in the folder ``written``, links followed."""
    place = Path(os.path.realpath(uris.local_path(written)))
    return place in Path(os.path.realpath(uris.local_path(uri))).parents


def listed_at(folder: str, written: str, glob: Glob | None = None) -> Iterator[str]:
    """Yield under which paths below a folder is listed what is or will be below ``written``, links followed.

    Of a folder the path ends in ``/``. Folders that a glob does not look into are left out. Raises InputError.
    """
    path, place = uris.local_path(folder), Path(os.path.realpath(uris.local_path(written)))
    with _local_errors("input", folder, InputError):
        there = next(above for above in (place, *place.parents) if above.exists())
        for root, real, names in folders_below(path.rstrip("/"), glob):
            below = f"{root}/".removeprefix(path)
            if Path(real).samefile(there):  # also where the file system takes A for a
                yield "/".join([below.rstrip("/"), *place.relative_to(there).parts, ""]).lstrip("/")
            elif place in Path(real).parents:
                yield below
            for name in names:
                if Path(root, name).is_symlink() and place in Path(os.path.realpath(f"{root}/{name}")).parents:
                    yield f"{below}{name}"


def _read_whole(file: IO[bytes], length: int) -> bytes:
    """Return so many bytes, fewer only where the file ends: a read may give less than it is asked for."""
    pieces: list[bytes] = []
    while length > 0 and (piece := file.read(length)):
        pieces.append(piece)
        length -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _checked_length(uri: str, content: bytes, length: int) -> bytes:
    """Return what was read; raises TransientReadError if it is less than the file system says is there."""
    if len(content) < length:
        raise TransientReadError(f"file {uri}: expected {length} bytes, got {len(content)}")
    return content


def _temporary_beside(path: Path, delete: bool) -> tempfile._TemporaryFileWrapper[bytes]:
    for tries_left in reversed(range(5)):
        try:
            _make_folder(path.parent)
            return tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".tmp", delete=delete)
        except FileNotFoundError:  # another job has just removed the folder, since it was empty
            if not tries_left:
                raise
    raise AssertionError


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, on the disk too: each is an entry of the one above."""
    missing = list(takewhile(lambda place: not place.exists(), [folder, *folder.parents]))
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        _sync_folder(made.parent)


def _sync_folder(folder: Path) -> None:
    """See the entries of a folder on the disk: a manifest must not outlast a power cut that its parts do not."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC_OF_FOLDERS:
            raise


def _fill(file: tempfile._TemporaryFileWrapper[bytes], content: IO[bytes]) -> str:
    """Copy content to a temporary file, see it on the disk, and return its MD5 digest."""
    digest = hashlib.md5(usedforsecurity=False)
    while chunk := content.read(1 << 20):
        digest.update(chunk)
        file.write(chunk)
    os.fchmod(file.fileno(), 0o666 & ~_umask())
    file.flush()
    os.fsync(file.fileno())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _changed(source: StoredObject, etag: str) -> ObjectChangedError:
    return ObjectChangedError(f"input {source.uri}: expected etag {source.etag} as planned, got {etag}")
