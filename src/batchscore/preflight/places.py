"""Where a job writes, held against what its inputs list: a later run must not take results for inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from glob import escape

from batchscore.config import uris
from batchscore.config.job_config import JobConfig
from batchscore.errors import ConfigError
from batchscore.output.paths import Outputs, new_id
from batchscore.preflight.lengths import check_own_lengths
from batchscore.storage.local import listed_at

_TOLD = 5


def check_places(config: JobConfig) -> None:
    """Refuse an output that is too long, or whose results a configured input would list; raises ConfigError.

    Whether they are there yet or not: else the first run would pass and the second one would not.
    """
    outputs = Outputs(config.output, config.id or new_id(), config.layout)
    check_own_lengths(outputs)
    written = f"{outputs.folder}/"
    faults = [fault for entry in config.input for fault in _faults(entry, written, config.exclude)]
    if faults:
        raise ConfigError(f"key output: expected results outside of the inputs, got {'; '.join(faults[:_TOLD])}")


def _faults(entry: str, written: str, exclude: Sequence[str]) -> Iterator[str]:
    if entry.startswith(written):
        yield f"the input {entry} below {written}"
        return
    for path in _without_deeper(sorted(_paths_listed(entry, written))):
        if not path:
            yield f"the input {entry} in {written}"
        elif not any(_excludes(pattern, path) for pattern in exclude):
            yield f"{written} below the input {entry}; choose another output, or exclude {escape(path)}*"


def _paths_listed(entry: str, written: str) -> set[str]:
    """Return the paths below an input under which it lists results; the empty one where it lies among them itself."""
    found = {written.removeprefix(entry)} if entry.endswith("/") and written.startswith(entry) else set()
    if not uris.is_s3(entry) and not uris.is_s3(written):
        found.update(listed_at(entry, written))
    return found


def _without_deeper(paths: Sequence[str]) -> list[str]:
    """Return sorted paths without those below another one."""
    kept: list[str] = []
    for path in paths:
        if not kept or not (kept[-1][-1:] in {"", "/"} and path.startswith(kept[-1])):
            kept.append(path)
    return kept


def _excludes(pattern: str, path: str) -> bool:
    """Tell whether a pattern excludes a file, or whatever may come to lie below a path ending in ``/``.

    It does the latter if it matches the path and ends in ``*``, which matches ``/`` too. That patterns of single files
    (``*.gz``) match all that a job writes cannot be told.
    """
    if path.endswith("/"):
        return pattern.endswith("*") and fnmatchcase(path, pattern)
    return fnmatchcase(path, pattern) or fnmatchcase(uris.base_name(path), pattern)
