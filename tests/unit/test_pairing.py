"""A result held against its input: what is found does not depend on how either is cut."""

import pytest

from batchscore.commands.comparison import Comparison, Failure
from batchscore.commands.pairing import pair
from batchscore.commands.result_lines import PairFormat
from batchscore.input.binding import bind
from batchscore.input.blocks import Block
from batchscore.input.columns import Columns
from batchscore.input.csv_lines import TextFormat
from batchscore.input.echo_columns import echo_columns
from batchscore.input.parsed_block import parse_blocks
from batchscore.input.roles import Roles
from batchscore.output.rejected_files import RejectedRow

COLUMNS = Columns((), echo_columns(Roles("id")), None, has_header=True)
FORM = PairFormat(("tag", "score"), 0, echoed=COLUMNS.echoed, keep_tag=True)
INPUT = b"A,1\nB,2\nC\nD,4\nE,5\nF,6\n"
REJECTED = [RejectedRow("0", "3", 8, "", "parse", "column_count")]
RESULT = b"tag,score\nA,1E0\nB,2E0\n,\nD,4E0\nE,5E0\nF,6E0\n"
CUTS = [(1, 1), (1, 1000), (2, 7), (4, 3), (6, 1), (6, 1000)]


def compared(result: bytes, records_together: int, chunk_bytes: int, rejected: list[RejectedRow]) -> Comparison:
    binding = bind(COLUMNS, ["id", "x"], "f")
    blocks = parse_blocks(Block(0, INPUT), binding, COLUMNS, TextFormat(), records_together)
    chunks = (result[first : first + chunk_bytes] for first in range(0, len(result), chunk_bytes))
    return pair(blocks, iter(rejected), chunks, FORM)


@pytest.mark.parametrize(("records_together", "chunk_bytes"), CUTS)
def test_a_result_of_its_input_is_proven_however_both_are_cut(records_together: int, chunk_bytes: int) -> None:
    found = compared(RESULT, records_together, chunk_bytes, REJECTED)
    assert (found.failed, dict(found.first)) == ({}, {})
    assert found.tried == {"records": 6, "tags": 6, "predictions": 6, "invalid records": 6}
    assert (found.record_count, found.invalid_record_count, found.reasons) == (6, 1, {"column_count": 1})


@pytest.mark.parametrize(("records_together", "chunk_bytes"), CUTS)
@pytest.mark.parametrize(
    ("result", "rejected", "failed", "first"),
    [
        (
            RESULT.replace(b"E,5E0\nF,6E0", b"F,6E0\nE,5E0"),
            REJECTED,
            {"tags": 2},
            {"tags": "record 5: expected the tag and label of the input, got others"},
        ),
        (
            RESULT.replace(b"D,4E0", b"D,4E0,1").replace(b"5E0", b"x"),
            REJECTED,
            {"predictions": 2},
            {"predictions": "record 4: expected 1 numbers, got others"},
        ),
        (
            RESULT[:-12],
            REJECTED,
            {"records": 2},
            {"records": "expected a line for each record, got 2 too few"},
        ),
        (
            RESULT + b"G,7E0\nH,8E0\nI,9E0\n",
            REJECTED,
            {"records": 3},
            {"records": "expected a line for each record, got 3 too many"},
        ),
        (
            RESULT[:-1],
            REJECTED,
            {"records": 1},
            {"records": "expected a line end after the last record, got none"},
        ),
        (
            RESULT,
            [*REJECTED, RejectedRow("0", "7", 30, "G", "model", "model_error")],
            {"invalid records": 1},
            {"invalid records": "expected rejected rows of the part's records, got others"},
        ),
    ],
)
def test_what_is_wrong_is_counted_and_first_told_by_its_record_in_the_part(
    result: bytes,
    rejected: list[RejectedRow],
    failed: dict[str, int],
    first: dict[str, str],
    records_together: int,
    chunk_bytes: int,
) -> None:
    found = compared(result, records_together, chunk_bytes, rejected)
    assert found.failed == failed
    assert {proof: str(failure) for proof, failure in found.first.items()} == first
    assert found.record_count == 6


def test_comparisons_add_up_in_the_order_of_the_records() -> None:
    some = Comparison(first={"tags": Failure("a", 1)}, record_count=3)
    more = Comparison(first={"tags": Failure("b", 0), "predictions": Failure("c", 0)}, record_count=2)
    assert [(proof, str(failure)) for proof, failure in (some + more).first.items()] == [
        ("tags", "record 2: a"),
        ("predictions", "record 4: c"),
    ]
    assert (some + more).record_count == 5
