"""Blocks of a few records, of many inputs, parsed at once: that costs as much for two as for hundreds (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from batchscore.input.parsed_block import RECORDS_TOGETHER, ParsedBlock
from batchscore.input.reader import UnparsedBlock


def parse_together(
    blocks: Sequence[UnparsedBlock], records_together: int = RECORDS_TOGETHER
) -> list[list[ParsedBlock]]:
    """Return what each block's ``parse`` gives, for blocks that begin their inputs or come from others.

    Only records without a fault are parsed with those of other blocks; where there is one, the blocks are halved until
    it stands alone, so that what is told of it is told of its own input.
    """
    if len(blocks) == 1:
        return [list(blocks[0].parse(records_together))]
    together = _parsed_as_one(blocks)
    if together is not None:
        return together
    middle = len(blocks) // 2
    return [*parse_together(blocks[:middle], records_together), *parse_together(blocks[middle:], records_together)]


def _parsed_as_one(blocks: Sequence[UnparsedBlock]) -> list[list[ParsedBlock]] | None:
    first, *others = blocks
    if any(block.binding != first.binding for block in others):
        return None
    joined = first.joined(others)
    parsed = next(joined.parse(max(joined.record_count, 1)), None)
    if parsed is None:
        return [[] for _ in blocks]
    # Block k has the records from ends[k - 1] to ends[k].
    ends = list(accumulate((block.record_count for block in blocks), initial=0))
    if parsed.has_faults or parsed.record_count != ends[-1]:  # an empty last line is a record only among others
        return None
    return [
        [parsed.records(start, stop, block.offset)] if stop > start else []
        for block, (start, stop) in zip(blocks, pairwise(ends), strict=True)
    ]
