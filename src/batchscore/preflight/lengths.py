"""How long keys and paths may be: what a store would refuse for its length is refused before anything is scored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchscore.config import uris
from batchscore.errors import ConfigError
from batchscore.output.paths import Outputs

if TYPE_CHECKING:
    from batchscore.input.files import InputFile
    from batchscore.plan import JobSpec, Plan

_S3_KEY_BYTES = 1024
_NAME_BYTES = 255  # of file systems that do not tell
_PATH_BYTES = 4096  # with the zero at the end
_NAMED = 10


@dataclass(frozen=True)
class Limits:
    """What a store takes: the bytes of a whole key or path, and of each name in it where that has a limit too."""

    whole: int
    name: int | None = None

    def excess(self, uri: str) -> str | None:
        """Tell what is too long about a URI, None where nothing is."""
        if self.name is None:
            length = _bytes(uris.split_s3_uri(uri)[1])
            return f"expected a key of at most {self.whole} bytes, got {length}" if length > self.whole else None
        path = uris.local_path(uri)
        longest = max(map(_bytes, path.split("/")))
        if longest > self.name:
            return f"expected a name of at most {self.name} bytes, got one of {longest}"
        length = _bytes(path)
        return f"expected a path of at most {self.whole} bytes, got {length}" if length > self.whole else None


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogateescape"))


def limits_of(uri: str) -> Limits:
    """Return the limits of S3, or of the file system that a local URI lies on or would lie on."""
    if uris.is_s3(uri):
        return Limits(_S3_KEY_BYTES)
    path = Path(uris.local_path(uri))
    folder = next(folder for folder in (path, *path.parents) if _is_folder(folder))
    path_bytes, name_bytes = _asked(folder, "PC_PATH_MAX", _PATH_BYTES), _asked(folder, "PC_NAME_MAX", _NAME_BYTES)
    return Limits(path_bytes - 1, name_bytes)


def _is_folder(path: Path) -> bool:
    with suppress(OSError):  # its name may be too long to be asked for
        return path.is_dir()
    return False


def _asked(folder: Path, name: str, otherwise: int) -> int:
    with suppress(OSError, ValueError):
        return os.pathconf(folder, name)
    return otherwise


def is_too_long(uri: str) -> bool:
    """Tell whether nothing can have a URI, since its store takes none of that length."""
    return limits_of(uri).excess(uri) is not None


def check_own_lengths(outputs: Outputs) -> None:
    """Refuse an output that is too long for what a job of any inputs writes; raises ConfigError."""
    limits = limits_of(outputs.output)
    for uri in (outputs.extended_manifest, outputs.receipt(0)):
        if excess := limits.excess(uri):
            raise ConfigError(f"key output: {excess}, for {uri}; choose a shorter output or id")


def check_lengths(plan: Plan) -> None:
    """Refuse a plan with results or rejected files that are too long for the store; raises ConfigError."""
    limits = limits_of(plan.spec.config.output)
    found = [(item.source.uri, excess) for item in plan.inputs if (excess := _excess(item, plan.spec, limits))]
    if found:
        told = f", the first {_NAMED} of them" if len(found) > _NAMED else ""
        lines = [f"input {uri}: for its results {excess}" for uri, excess in found[:_NAMED]]
        text = (
            f"key input: expected names that leave room for the results, got {len(found)} that are too long; choose a "
            "shorter id or output, or rename or exclude these inputs (a letter beyond ASCII is percent-encoded, three "
            f"bytes for each of its own){told}:"
        )
        raise ConfigError("\n  ".join([text, *lines]))


def _excess(item: InputFile, spec: JobSpec, limits: Limits) -> str | None:
    written = sorted(_written(item, spec), key=len, reverse=True)
    return next((excess for uri in written if (excess := limits.excess(uri))), None)


def _written(item: InputFile, spec: JobSpec) -> Iterator[str]:
    """Yield the longest URIs that a job may write for an input."""
    last, outputs = item.split_count - 1, spec.outputs
    yield outputs.part(item.name, last, item.split_count)
    if outputs.layout == "amazon":
        yield outputs.result(item.name)
    yield outputs.rejected(item.name, last)
