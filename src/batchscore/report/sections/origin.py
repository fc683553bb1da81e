"""What the results come from: parameters, software, digests (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from batchscore.report.job_report import Report
from batchscore.report.markup import Content, Markup, code, shortened
from batchscore.report.parts_of_page import folded, more, table, words
from batchscore.report.stored import ManifestTold

_COLUMNS = 20
_TOLD = ("mode", "layout", "invalid_records", "precision")


def origin(report: Report) -> Content:
    """Return what binds the id, the digests, the settings, and the versions."""
    bound = _pairs(dict(report.record.parameters), "Parameters, to which the id is bound", "Parameter")
    if report.manifest is None:
        return bound
    return [bound, _pairs(_digests(report.manifest), "Model and commit", "What"), _folded(report.manifest)]


def _digests(manifest: ManifestTold) -> dict[str, Any]:
    model = manifest.model
    told = {"model": model.pinned_uri, "SHA-256 of its files": model.sha256, "commit": manifest.commit_id}
    return {title: value for title, value in told.items() if value}


def _folded(manifest: ManifestTold) -> Markup:
    settings = {key: getattr(manifest, key) for key in _TOLD} | manifest.input_format | manifest.missing
    left = len(manifest.columns) - _COLUMNS
    more = f", and {left:,} more" if left > 0 else ""
    settings |= {"columns of the results": shortened(", ".join(manifest.columns[:_COLUMNS]), 250) + more}
    return folded(
        "How the inputs were read, and with which software",
        _pairs(settings, "How inputs were read and results written", "Key"),
        _pairs(manifest.software, "Software of the driver", "Package"),
    )


def _pairs(pairs: Mapping[str, Any], caption: str, title: str) -> Markup | None:
    told = [(key, value) for key, value in pairs.items() if value != ""]
    rows = ([code(key), code(_text(value), 300)] for key, value in told)

    def rest(place: int) -> Sequence[Content]:
        return [more(len(told) - place), None] if place < len(told) else ()

    return table([words(title), words("Value")], rows, caption, rest) if told else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
