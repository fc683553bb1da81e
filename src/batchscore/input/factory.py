"""Which reader reads the inputs of a job: all are CSV."""

from __future__ import annotations

from batchscore.config.job_config import JobConfig, S3Settings
from batchscore.input.columns import Columns
from batchscore.input.csv_lines import TextFormat
from batchscore.input.csv_reader import CsvReader
from batchscore.input.reader import Reader
from batchscore.input.text_format import text_format_of


def job_reader(config: JobConfig, columns: Columns) -> Reader:
    """Return the reader of the inputs that a configuration names."""
    return CsvReader(columns, text_format_of(config), config.s3)


def committed_reader(text: TextFormat, columns: Columns, s3: S3Settings, *, has_delimiter_line: bool = True) -> Reader:
    """Return the reader of inputs as a manifest tells that they were read."""
    return CsvReader(columns, text, s3, has_delimiter_line)
