"""When a job is no success, and which inputs are to be left out so that it is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchscore.commit.verdicts import Limit, Tally, judge

DEFAULT = Limit(0.5, is_set=False)
OFF = Limit(1.0, is_set=True)


def tallies(*counts: tuple[int, int]) -> list[Tally]:
    return [Tally(f"s3://b/{place}", *count) for place, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("counts", "limit", "what"),
    [
        ([], DEFAULT, None),
        ([(0, 0), (0, 0)], DEFAULT, None),
        ([(1, 1)], DEFAULT, "got none for any of 1 records"),
        ([(1, 1), (0, 0)], OFF, "got none for any of 1 records"),
        ([(1, 1), (1, 0)], DEFAULT, None),
        ([(99, 99), (200, 0)], DEFAULT, None),
        ([(100, 100), (200, 0)], DEFAULT, "got none in 1 of 2"),
        ([(100, 100), (200, 0)], OFF, "got none in 1 of 2"),
        ([(100, 99), (200, 0)], OFF, None),
        ([(60, 60), (40, 40), (200, 0)], OFF, "got none in 2 of 3"),
        ([(60, 60), (39, 39), (200, 0)], OFF, None),
        ([(60, 60), (40, 39), (200, 0)], OFF, None),
        ([(99, 98)], DEFAULT, None),
        ([(100, 50)], DEFAULT, None),
        ([(100, 51)], DEFAULT, "a fraction 0.5 of invalid records, got 51 of 100"),
        ([(100, 51)], OFF, None),
        ([(999, 998), (2000, 0)], DEFAULT, None),
        ([(1000, 501), (2000, 0)], DEFAULT, "a fraction 0.5 of invalid records in an input, got more in 1"),
        ([(1000, 501), (2000, 0)], Limit(0.5, is_set=True), None),
        ([(3, 1)], Limit(0.3, is_set=True), "a fraction 0.3 of invalid records, got 1 of 3"),
        ([(3, 1)], Limit(0.0, is_set=True), "a fraction 0 of invalid records, got 1 of 3"),
    ],
)
def test_nothing_scored_is_no_success_and_too_little_is_none_from_a_size_on(
    counts: list[tuple[int, int]], limit: Limit, what: str | None
) -> None:
    verdict = judge(tallies(*counts), limit)

    assert (verdict is None) == (what is None)
    assert verdict is None or what is None or what in verdict.what


def test_the_worst_inputs_are_left_out_until_the_others_are_a_success() -> None:
    verdict = judge(tallies((10, 4), (60, 60), (50, 40), (10, 0)), DEFAULT)

    assert verdict
    assert [item.uri for item in verdict.worst] == ["s3://b/1"]
    assert verdict.left_out == {"s3://b/1"}


def test_nothing_is_left_out_where_nothing_would_be_left() -> None:
    verdict = judge(tallies((60, 60), (50, 50), (0, 0)), DEFAULT)

    assert verdict
    assert verdict.left_out == frozenset()
    assert [item.uri for item in verdict.worst] == ["s3://b/0", "s3://b/1"]


COUNTS = st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 1200)).map(lambda pair: (max(pair), min(pair))))
LIMITS = st.sampled_from([DEFAULT, OFF, Limit(0.2, is_set=True)])


@given(COUNTS, LIMITS, st.randoms())
def test_the_verdict_does_not_depend_on_the_order_and_what_is_left_is_a_success(
    counts: list[tuple[int, int]], limit: Limit, random: object
) -> None:
    some = tallies(*counts)
    verdict = judge(some, limit)
    shuffled = list(some)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    assert judge(shuffled, limit) == verdict
    if verdict and verdict.left_out:
        rest = [item for item in some if item.uri not in verdict.left_out]
        assert judge(rest, limit) is None
        assert any(item.record_count > item.invalid_record_count for item in rest)
