"""What an extended manifest says of a job as a whole: its model, how its inputs were read, what was missing (pure)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from batchscore.input.columns import Columns
from batchscore.input.csv_lines import PLAIN, TextFormat
from batchscore.input.echo_columns import echo_columns
from batchscore.input.roles import Roles
from batchscore.input.text_format import text_format_of
from batchscore.input.unseen_texts import TextCounts
from batchscore.plan import JobSpec


def model_entry(spec: JobSpec) -> dict[str, Any]:
    """Return the model: what was asked for, and what it meant when the job was planned."""
    model = spec.model
    return {
        "name": model.name,
        "version": model.version,
        "alias": model.alias,
        "asked_uri": model.asked_uri,
        "pinned_uri": model.pinned_uri,
        "model_id": model.model_id,
        "sha256": model.digest,
        "type": spec.model_type,
        "classes": list(spec.classes),
        "positive_label": spec.positive_label,
        **({"values": list(spec.value_names)} if spec.value_names else {}),
        **({"score": spec.meaning} if spec.meaning else {}),
    }


def input_format_entry(spec: JobSpec) -> dict[str, Any]:
    """Return how the records were read, so that they can be read again and held against the results."""
    columns, text = spec.columns, text_format_of(spec.config)
    names = None if columns.reads_header else list(columns.names or (column.name for column in columns.inputs))
    return {
        "encoding": spec.config.encoding,
        "delimiter": spec.config.delimiter,
        "has_header": columns.has_header,
        "names": names,
        "row_id": columns.row_id,
        "target": columns.target,
        "numeric": sorted(_numeric_sources(columns)),
        "empty_last_line_is_record": text.empty_last_line_is_record,
        **_echo_entry(columns),
        **_dialect(text),
    }


def _numeric_sources(columns: Columns) -> set[str]:
    return {column.source for column in columns.echoed if column.is_numeric and column.role}


def _echo_entry(columns: Columns) -> dict[str, Any]:
    """Return the echoed columns, if row id and target do not tell all of them."""
    told = echo_columns(Roles(columns.row_id, columns.target), _numeric_sources(columns))
    return {} if columns.echoed == told else {"echoed": [asdict(column) for column in columns.echoed]}


def _dialect(text: TextFormat) -> dict[str, Any]:
    """Return how values and records are spelt, as far as it is not the default."""
    keys = ("decimal", "thousands", "trim", "datetime_format", "max_record_bytes", "multiline", "escape")
    return {key: getattr(text, key) for key in keys if getattr(text, key) != getattr(PLAIN, key)}


def missing_entry(spec: JobSpec) -> dict[str, Any]:
    """Return what was missing in the inputs, and what became of it."""
    config = spec.config
    texts = {column.name: column.missing.text for column in spec.columns.inputs if column.type == "string"}
    return {
        "missing_values": config.missing_values,
        "null_values": list(config.null_values),
        "words_kept": spec.words_kept,
        "missing_text": texts,
        "invalid_values": config.invalid_values,
        "xgboost_missing": spec.model.xgboost_missing,
    }


def unseen_entry(spec: JobSpec, texts: TextCounts) -> dict[str, int | None]:
    """Return for each text column how many records hold a text that the model does not know; None: it shows none."""
    names = [column.name for column in spec.columns.inputs if column.type == "string"]
    return {name: texts.unseen.get(name, 0) if name in spec.vocabularies else None for name in names}
