"""How the inputs of a job are spelt, as its configuration says (pure)."""

from __future__ import annotations

from batchscore.config.job_config import JobConfig
from batchscore.input.csv_lines import TextFormat


def text_format_of(config: JobConfig) -> TextFormat:
    """Return how bytes become cells."""
    return TextFormat(
        delimiter=config.delimiter,
        encoding=config.encoding,
        empty_last_line_is_record=config.layout == "amazon",
        decimal=config.decimal,
        thousands=config.thousands,
        trim=config.trim,
        datetime_format=config.datetime_format,
        max_record_bytes=config.max_record_bytes,
        multiline=config.multiline,
        escape=config.escape,
    )
