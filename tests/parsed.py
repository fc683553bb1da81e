"""What tests read of parsed blocks."""

from typing import Any

import pyarrow as pa

from batchscore.config.missing_values import NO_FACTS, MissingSettings
from batchscore.input.binding import Binding
from batchscore.input.blocks import Block
from batchscore.input.columns import Columns
from batchscore.input.csv_lines import TextFormat
from batchscore.input.parsed_block import ParsedBlock, parse_blocks
from batchscore.model.frames import with_missing_rules

V01 = MissingSettings("reject", (), "auto", "missing")
"""The rules of missing values that version 0.1 had."""


def as_in_01(columns: Columns, *, has_signature: bool = True) -> Columns:
    """Return columns with the rules of version 0.1."""
    return with_missing_rules(columns, V01, NO_FACTS, has_signature)


def parse_block(block: Block, binding: Binding, columns: Columns, text: TextFormat) -> ParsedBlock:
    """Read all records of a block together."""
    [parsed] = parse_blocks(block, binding, columns, text, max(len(block.data), 1))
    return parsed


def rows(parsed: ParsedBlock) -> list[tuple[Any, ...]]:
    """Return the values of the valid records."""
    if isinstance(parsed.inputs, pa.Table):
        return [tuple(row.values()) for row in parsed.inputs.to_pylist()]
    return [tuple(row) for row in parsed.inputs.tolist()]
