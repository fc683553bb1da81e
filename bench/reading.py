"""Reading a file alone, as a job reads it, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from batchscore.config.job_config import make_config
from batchscore.input.columns import Columns
from batchscore.input.factory import job_reader
from batchscore.input.files import InputFile
from batchscore.input.parsed_block import ParsedBlock
from batchscore.storage.local import LocalStorage

NO_KEYS: Mapping[str, object] = {}


def read_file(path: Path, columns: Columns, keys: Mapping[str, object] = NO_KEYS) -> tuple[list[ParsedBlock], float]:
    """Return the records of a file, and the CPU seconds of reading and parsing them."""
    given = {"id": "bench", "model": "models:/m/1", "input": str(path), "output": "out"}
    reader = job_reader(make_config(given | dict(keys)), columns)
    source = InputFile(LocalStorage().stat(f"file://{path}"), path.name, 1)
    started = time.process_time()
    parsed = [part for block in reader.read(source, 0, source.source.size_in_bytes) for part in block.parse()]
    return parsed, time.process_time() - started
