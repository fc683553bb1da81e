"""Which column of a call is which input, before Spark is asked for anything."""

import re

import pytest

from batchscore.errors import ConfigError
from batchscore.input.columns import Column
from batchscore.udf.arguments import Argument, bind, last_part

TWO = (Column("age", "double"), Column("job", "string"))
LAST_OPTIONAL = (*TWO, Column("visits", "long", may_be_absent=True))
FIRST_OPTIONAL = (Column("visits", "long", may_be_absent=True), *TWO)


def named(*texts: str | None) -> list[Argument]:
    """Return arguments that are columns of these names; None is an expression without one."""
    return [Argument(text or "upper(x)", text) for text in texts]


@pytest.mark.parametrize(
    ("inputs", "given", "expected"),
    [
        (TWO, ["age", "job"], {"age": 0, "job": 1}),
        (TWO, ["job", "age"], {"age": 1, "job": 0}),  # MLflow would take job for age
        (TWO, ["id", "job", "other", "age"], {"age": 3, "job": 1}),
        (TWO, ["people.age", "`job`"], {"age": 0, "job": 1}),
        (TWO, ["JOB", "Age"], {"age": 1, "job": 0}),  # names are the same to Spark in any letters
        (TWO, ["x", "y"], {"age": 0, "job": 1}),
        (TWO, [None, None], {"age": 0, "job": 1}),
        (TWO, ["age", None], {"age": 0, "job": 1}),
        (LAST_OPTIONAL, ["age", "job"], {"age": 0, "job": 1}),
        (LAST_OPTIONAL, ["x", "y"], {"age": 0, "job": 1}),
        (LAST_OPTIONAL, ["x", "y", "z"], {"age": 0, "job": 1, "visits": 2}),
        (LAST_OPTIONAL, ["age", "job", None], {"age": 0, "job": 1, "visits": 2}),
        (LAST_OPTIONAL, ["id", "age", "job"], {"age": 1, "job": 2}),
        (FIRST_OPTIONAL, ["age", "job"], {"age": 0, "job": 1}),
        (FIRST_OPTIONAL, ["x", "y", "z"], {"visits": 0, "age": 1, "job": 2}),
    ],
)
def test_columns_are_taken_by_name_if_all_inputs_are_named_else_in_order(
    inputs: tuple[Column, ...], given: list[str | None], expected: dict[str, int]
) -> None:
    assert bind(named(*given), inputs) == expected


@pytest.mark.parametrize(
    ("inputs", "given", "told"),
    [
        (TWO, ["age"], "expected columns of the names age, job, or 2 columns in that order, got age;"),
        (TWO, ["x", "y", "z"], "or 2 columns in that order, got x, y, z;"),
        (TWO, ["job", "x"], "got job, x;"),  # by position job would be the age
        (TWO, ["JOB", "x"], "got JOB, x;"),
        (TWO, ["age", "age"], "expected one column for input age, got 2"),
        (LAST_OPTIONAL, ["age", "job", "id"], "got age, job, id, which may be meant by name or in that order;"),
        (LAST_OPTIONAL, ["job", "age", None], "visits (optional), or 3 columns in that order, got job, age, upper(x);"),
        (FIRST_OPTIONAL, ["x", "y"], "names visits (optional), age, job, or 3 columns in that order, got x, y;"),
    ],
)
def test_columns_that_may_be_meant_for_other_inputs_are_refused(
    inputs: tuple[Column, ...], given: list[str | None], told: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        bind(named(*given), inputs)


def test_inputs_that_differ_in_letters_alone_are_each_taken_by_their_own() -> None:
    inputs = (Column("a", "double"), Column("A", "double"))

    assert bind(named("A", "a"), inputs) == {"a": 1, "A": 0}


@pytest.mark.parametrize(
    ("name", "own"), [("a", "a"), ("t.a", "a"), ("`a.b`", "a.b"), ("t.`a``b`", "a`b"), ("s.t.c d", "c d")]
)
def test_a_column_s_own_name_is_its_last_part(name: str, own: str) -> None:
    assert last_part(name) == own
