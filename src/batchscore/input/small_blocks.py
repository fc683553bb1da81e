"""Inputs of a few records, parsed at once: that costs as much for two records as for hundreds (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain, islice, pairwise

from batchscore.input.parsed_block import ParsedBlock
from batchscore.input.reader import UnparsedBlock


def parse_together(inputs: Sequence[Sequence[UnparsedBlock]]) -> list[list[ParsedBlock]]:
    """Return for each input what its blocks' ``parse`` gives; they are all its blocks, in order.

    Only records without a fault are parsed with those of other inputs; where there is one, the inputs are halved until
    it stands alone, so that what is told of it is told of its own input.
    """
    if len(inputs) == 1:
        return [[parsed for block in inputs[0] for parsed in block.parse()]]
    together = _parsed_as_one(inputs)
    if together is not None:
        return together
    middle = len(inputs) // 2
    return [*parse_together(inputs[:middle]), *parse_together(inputs[middle:])]


def parsed_as_one(blocks: Sequence[UnparsedBlock]) -> ParsedBlock | None:
    """Return the records of blocks of the same columns, one block after the other; None if one of them has a fault."""
    first, *others = blocks
    joined = first.joined(others)
    parsed = next(joined.parse(max(joined.record_count, 1)), None)
    return None if parsed is None or parsed.has_faults else parsed


def _parsed_as_one(inputs: Sequence[Sequence[UnparsedBlock]]) -> list[list[ParsedBlock]] | None:
    blocks = list(chain.from_iterable(inputs))
    if any(block.binding != blocks[0].binding for block in blocks):
        return None
    parsed = parsed_as_one(blocks)
    # Block k has the records from ends[k - 1] to ends[k].
    ends = list(accumulate((block.record_count for block in blocks), initial=0))
    if parsed is None or parsed.record_count != ends[-1]:  # an empty last line is a record only among others
        return None
    bounds = pairwise(ends)
    return [
        [
            parsed.records(start, stop, block.offset)
            for block, (start, stop) in zip(some, islice(bounds, len(some)), strict=True)
            if stop > start
        ]
        for some in inputs
    ]
