"""Where a job writes, held against what its inputs list: a later run must not take results for inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from glob import escape

from batchscore.config import uris
from batchscore.config.entries import as_folder
from batchscore.config.globs import Glob, has_wildcards, spelt_names
from batchscore.config.job_config import JobConfig
from batchscore.config.selection import Selection, excluded
from batchscore.errors import ConfigError
from batchscore.output.paths import Outputs, new_id
from batchscore.preflight.lengths import check_own_lengths
from batchscore.storage.local import leads_into, listed_at

_TOLD = 5


def check_places(config: JobConfig) -> None:
    """Refuse an output that is too long, or whose results a configured input would list; raises ConfigError.

    Whether they are there yet or not: else the first run would pass and the second one would not.
    """
    outputs = Outputs(config.output, config.id or new_id(), config.layout)
    check_own_lengths(outputs)
    written = f"{outputs.folder}/"
    faults = [fault for entry in config.input for fault in _faults(entry, written, config)]
    if faults:
        raise ConfigError(f"key output: expected results outside of the inputs, got {'; '.join(faults[:_TOLD])}")


def _faults(entry: str, written: str, config: JobConfig) -> Iterator[str]:
    if as_folder(entry).startswith(written):
        yield f"the input {entry} below {written}"
        return
    selection = Selection(config.include, config.exclude, spelt_names(entry))
    for path in _without_deeper(sorted(_paths_listed(entry, written))):
        if not path:
            yield f"the input {entry} in {written}"
        elif not excluded(config.exclude, path) and selection.hidden_by(path) is None:
            yield f"{written} below the input {entry}; choose another output, or exclude {escape(path)}*"


def _paths_listed(entry: str, written: str) -> set[str]:
    """Return the paths below an input under which it lists results; the empty one where it lies among them itself.

    What the entry is may change as results are written, so it is taken for an object, a folder and a glob.
    """
    is_local = not uris.is_s3(entry) and not uris.is_s3(written)
    found = {""} if is_local and not entry.endswith("/") and leads_into(entry, written) else set[str]()
    found |= _listed_below(as_folder(entry), written, None, is_local)
    return found | _listed_below(Glob(entry).folder, written, Glob(entry), is_local) if has_wildcards(entry) else found


def _listed_below(folder: str, written: str, glob: Glob | None, is_local: bool) -> set[str]:
    found = {written.removeprefix(folder)} if written.startswith(folder) else set[str]()
    if is_local:
        found.update(listed_at(folder, written, glob))
    return {path for path in found if glob is None or _can_match(glob, f"{folder}{path}")}


def _can_match(glob: Glob, uri: str) -> bool:
    return glob.enters(uri) if uri.endswith("/") else glob.matches(uri)


def _without_deeper(paths: Sequence[str]) -> list[str]:
    """Return sorted paths without those below another one."""
    kept: list[str] = []
    for path in paths:
        if not kept or not (kept[-1][-1:] in {"", "/"} and path.startswith(kept[-1])):
            kept.append(path)
    return kept
