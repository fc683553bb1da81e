"""A model's files: their digest, and the archive in which they reach the workers."""

from __future__ import annotations

import atexit
import errno
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from batchscore.errors import ModelError, no_room

# mlflow writes this one while downloading; it names the way a model was asked for, not the model.
_NOT_OF_THE_MODEL = {"registered_model_meta"}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def digest_of_files(folder: Path) -> str:
    """Return the SHA-256 over the relative names and contents of a model's files, as hexadecimal text."""
    digest = hashlib.sha256()
    for path in _files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{content}  {path.relative_to(folder).as_posix()}\n".encode())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(
        (path for path in folder.rglob("*") if path.is_file() and path.name not in _NOT_OF_THE_MODEL),
        key=lambda path: path.relative_to(folder).as_posix(),
    )


def pack_model(folder: Path) -> bytes:
    """Return the model's files as one archive, for broadcast; of links it holds what they lead to."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as archive:
        for path in _files(folder):
            archive.add(path, path.relative_to(folder).as_posix())
    return buffer.getvalue()


def unpack_model(archive: bytes) -> Path:
    """Unpack into a private folder of this process and return it.

    Under Spark it lies in the executor's own folder, which Spark removes; elsewhere it goes with the process. Whatever
    is no plain file below the folder is refused, and nothing of the archive is left then. Raises ModelError, or
    CommitError if there is no room.
    """
    parent = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or None
    folder = Path(tempfile.mkdtemp(prefix="batchscore-model-", dir=parent))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        _unpack_into(folder, archive)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return folder


def _unpack_into(folder: Path, archive: bytes) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as files:
            for member in files:
                _check_member(member)
                files.extract(member, folder, filter="data")
    except (tarfile.TarError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise no_room(folder, "a model", error) from error
        raise ModelError(f"model archive: expected to unpack it, got {type(error).__name__}") from error


def _check_member(member: tarfile.TarInfo) -> None:
    """Hold a member to what pack_model writes; raises ModelError."""
    path = PurePosixPath(member.name)
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        raise ModelError("model archive: expected plain files, got a link, a folder or a device")
    if path.is_absolute() or ".." in path.parts:
        raise ModelError("model archive: expected paths below its folder, got one that leaves it")
