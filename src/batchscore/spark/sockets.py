"""Unix sockets between Spark's JVM and its workers on this machine, which Spark has from 4.1 on.

By TCP what the JVM writes in pieces waits 40 ms in each task for a worker that puts off its acknowledgement. Where TCP
has a secret that a worker asks for, here the rights of a private folder take its place.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
import uuid
from functools import cache
from pathlib import Path

_LONGEST_FOLDER = 61  # Spark refuses a longer name


def socket_settings() -> dict[str, str]:
    """Return the settings of a session that are to use them, none where there can be no such sockets."""
    folder = _folder(os.getpid())
    if folder is None or not holds_sockets(folder):  # it may be gone by now
        return {}
    return {"spark.python.unix.domain.socket.enabled": "true", "spark.python.unix.domain.socket.dir": str(folder)}


@cache
def _folder(_process: int) -> Path | None:
    """Make a folder that is there for as long as this process: no session of it can be left without."""
    for place in (tempfile.gettempdir(), "/tmp"):
        try:
            folder = Path(tempfile.mkdtemp(prefix="batchscore-", dir=place))
        except OSError:
            continue
        if holds_sockets(folder):
            atexit.register(_remove, folder, os.getpid())
            return folder
        folder.rmdir()
    return None


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not in a child that was forked
        shutil.rmtree(folder, ignore_errors=True)


def holds_sockets(folder: Path) -> bool:
    """Try a socket: what names systems and file systems take differs, and Java's may have two bytes less than ours."""
    if len(str(folder)) > _LONGEST_FOLDER or not str(folder).isascii() or not hasattr(socket, "AF_UNIX"):
        return False
    path = folder / f".{uuid.uuid4()}.sock--"
    try:
        with socket.socket(socket.AF_UNIX) as tried:
            tried.bind(str(path))
        path.unlink()
    except OSError:
        return False
    return True
