"""What tests read of parsed blocks."""

from typing import Any

import pyarrow as pa

from batchscore.records import ParsedBlock


def rows(parsed: ParsedBlock) -> list[tuple[Any, ...]]:
    """Return the values of the valid records."""
    if isinstance(parsed.inputs, pa.Table):
        return [tuple(row.values()) for row in parsed.inputs.to_pylist()]
    return [tuple(row) for row in parsed.inputs.tolist()]
