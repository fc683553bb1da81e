"""The ``exclude`` key that leaves some inputs out and scores the others, to be pasted (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence

from batchscore.config import uris
from batchscore.config.entries import path_below
from batchscore.config.job_config import JobConfig

_PATTERNS_TOLD = 100
_WILD = re.compile(r"([*?\[{}])")


def exclude_advice(config: JobConfig, left_out: Collection[str], all_uris: Sequence[str], *, has_record: bool) -> str:
    """Return the key that scores all inputs but those left out; empty where none would be left to score."""
    others = [uri for uri in all_uris if uri not in left_out]
    if not others or not left_out:
        return ""
    new_id = "; the id has a record with all inputs, so this needs a new id" if has_record else ""
    if len(left_out) > _PATTERNS_TOLD:
        return f"key exclude: to leave out these {len(left_out)} inputs scores the others{new_id}"
    names = [_path(uri, config) for uri in all_uris if uri in left_out]
    patterns = [*config.exclude, *(_pattern(name) for name in names)]
    told = json.dumps(list(dict.fromkeys(patterns)), ensure_ascii=False)
    also = _also_matched(set(names), others, config)
    note = f", but for {also} of the same name" if also else ""
    return f"exclude: {told} scores the others{note}{new_id}"


def _path(uri: str, config: JobConfig) -> str:
    """Return what a pattern is held against: the path below the entry, or the last name."""
    if uri in config.input:
        return uris.base_name(uri)
    paths = (path_below(entry, uri) for entry in config.input)
    return next((path for path in paths if path is not None), uris.base_name(uri))


def _pattern(name: str) -> str:
    """Return a pattern that matches a name; what cannot be written in YAML stands as ``?``."""
    escaped = _WILD.sub(r"[\1]", name)
    return "".join(character if character.isprintable() else "?" for character in escaped)


def _also_matched(names: Collection[str], others: Sequence[str], config: JobConfig) -> int:
    """Count the inputs whose last name is the whole path of one that is left out: no pattern tells them apart."""
    return sum(1 for uri in others if uris.base_name(uri) in names or _path(uri, config) in names)
