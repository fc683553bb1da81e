"""How the inputs of a job are spelt, as its configuration says (pure)."""

from __future__ import annotations

from batchscore.config.job_config import JobConfig
from batchscore.input.csv_lines import TextFormat


def text_format_of(config: JobConfig) -> TextFormat:
    """Return how bytes become cells."""
    as_amazon = config.layout == "amazon"
    return TextFormat(config.delimiter, config.encoding, as_amazon, config.decimal, config.thousands, config.trim)
