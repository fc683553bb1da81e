"""Local folders as they are walked: each folder and file once, whatever links lead to it, by the path that is read."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from batchscore.config.globs import Glob
from batchscore.config.selection import is_hidden


def folders_below(folder: str, glob: Glob | None = None) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each folder once, with its real path and the names of its files: those that a glob looks into.

    A folder that several paths lead to is walked by one that is not hidden, where it has one: files would be skipped
    by the hidden path, though they are there by the other.
    """
    seen: set[str] = set()
    waiting = deque([folder] if Path(folder).is_dir() else [])
    hidden: deque[str] = deque()
    while waiting or hidden:
        for root, folders, names in os.walk(waiting.popleft() if waiting else hidden.popleft(), onerror=_raise):
            real = os.path.realpath(root)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            entered = sorted(name for name in folders if glob is None or glob.enters(f"file://{root}/{name}/"))
            folders[:] = [name for name in entered if not is_hidden(f"{name}/")]
            hidden += [f"{root}/{name}" for name in entered if is_hidden(f"{name}/")]
            waiting += [f"{root}/{name}" for name in folders if Path(root, name).is_symlink()]
            yield root, real, names


def files_below(folder: str, glob: Glob | None = None) -> Iterable[str]:
    """Return each file once, of those that a glob matches: by a path that is not hidden, else by one without a link."""
    found: list[tuple[bool, bool, str, str]] = []
    for root, real, names in folders_below(folder, glob):
        for name in names:
            path = f"{root}/{name}"
            if glob is None or glob.matches(f"file://{path}"):
                is_link = Path(path).is_symlink()
                target = os.path.realpath(path) if is_link else f"{real}/{name}"
                found.append((is_hidden(path.removeprefix(f"{folder}/")), is_link, path, target))
    paths: dict[str, str] = {}  # by real path
    for _, _, path, target in sorted(found):
        paths.setdefault(target, path)
    return paths.values()


def _raise(error: OSError) -> None:
    raise error
