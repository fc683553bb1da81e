"""What Spark hands to the function, by input."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from batchscore.errors import ModelError
from batchscore.input.columns import Column, Columns
from batchscore.udf.batches import EXACT, read_batch

NAMED = Columns((Column("a", "double"), Column("b", "long"), Column("c", "long", may_be_absent=True)), (), None, True)
NAMELESS = Columns((Column("column 1", "double"), Column("column 2", "double")), (), None, True, by_position=True)
ONE = Columns((Column("column 1", "double"),), (), None, True, by_position=True)


def series(*values: Any) -> "pd.Series[Any]":
    return pd.Series(list(values))


def found(given: Any, columns: Columns) -> dict[str, list[Any]]:
    return {name: values.tolist() for name, values in read_batch(given, columns, "models:/m/1").values.items()}


def test_a_struct_is_read_by_the_names_of_its_fields_and_others_are_left_out() -> None:
    frame = pd.DataFrame({"b": [3], "id": ["x"], "a": [1.5]})

    assert found(frame, NAMED) == {"a": [1.5], "b": [3]}
    assert found(frame.assign(c=7), NAMED) == {"a": [1.5], "b": [3], "c": [7]}


def test_columns_without_names_are_read_in_order() -> None:
    assert found((series(1.5), series(3)), NAMED) == {"a": [1.5], "b": [3]}
    assert found((series(1.5), series(3), series(7)), NAMED) == {"a": [1.5], "b": [3], "c": [7]}
    assert found((series(1.5), series(3.5)), NAMELESS) == {"column 1": [1.5], "column 2": [3.5]}
    assert found(pd.DataFrame({"y": [1.5], "x": [3.5]}), NAMELESS) == {"column 1": [1.5], "column 2": [3.5]}
    assert found(series(1.5), ONE) == {"column 1": [1.5]}


def test_arrays_are_read_by_place_and_one_that_is_null_has_no_values() -> None:
    arrays = series(np.array([1.5, 2.5]), None, np.array([3.5, np.nan]))
    expected = pd.DataFrame({"column 1": [1.5, np.nan, 3.5], "column 2": [2.5, np.nan, np.nan]})

    for given in (arrays, pd.DataFrame({"features": arrays})):
        pd.testing.assert_frame_equal(pd.DataFrame(read_batch(given, NAMELESS, "models:/m/1").values), expected)
    assert found(series(np.array([4])), ONE) == {"column 1": [4]}


def test_whole_numbers_and_their_digits_come_together() -> None:
    frame, digits = pd.DataFrame({"a": [1.5], "b": [3]}), pd.DataFrame({f"{EXACT}b": ["3"]})

    batch = read_batch((frame, digits), NAMED, "models:/m/1")
    alone = read_batch((series(3), digits), NAMED, "models:/m/1")

    assert {name: values.tolist() for name, values in batch.exact.items()} == {"b": ["3"]}
    assert {name: values.tolist() for name, values in alone.values.items()} == {"b": [3]}


@pytest.mark.parametrize(
    ("given", "columns", "told"),
    [
        (pd.DataFrame({"a": [1.5], "c": [1]}), NAMED, "expected a struct with b, got none of it"),
        (pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]), NAMED, "expected one field a of the struct, got several"),
        (series(1.5), NAMED, "expected a struct, or 3 columns in the order a, b, c, got 1 without names"),
        (tuple([series(1)] * 4), NAMED, "got 4 without names"),
        (
            (pd.DataFrame({"a": [1]}), series(1)),
            NAMED,
            "expected a struct alone, or columns, got a struct among others",
        ),
        (tuple([series(1)] * 3), NAMELESS, "got 3 without names"),
        (series(1.5), NAMELESS, "expected 2 columns, or one of arrays of as many, got one column of other values"),
        (series(np.array([1.5, 2.5, 3.5])), NAMELESS, "or one of arrays of as many, got an array of 3"),
        (series(np.array([1.5, 2.5]), np.array([1.5])), NAMELESS, "or one of arrays of as many, got an array of 1"),
    ],
)
def test_other_columns_than_the_inputs_are_refused(given: Any, columns: Columns, told: str) -> None:
    with pytest.raises(ModelError, match=re.escape(told)):
        read_batch(given, columns, "models:/m/1")
