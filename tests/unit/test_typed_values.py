"""Values that come typed, as from a DataFrame, are judged as a file's are."""

import datetime
import struct
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parsed import parse_block, rows

from batchscore.input.binding import bind
from batchscore.input.blocks import Block
from batchscore.input.columns import Column, Columns, ColumnType
from batchscore.input.csv_lines import TextFormat
from batchscore.input.typed_values import WrongTypeError, fitted_values

BAD = "bad"


def fitted(kind: ColumnType, value: Any, arrow: pa.DataType | None = None) -> Any:
    """Return what one value becomes: itself, None for missing, or BAD."""
    values, bad = fitted_values(pa.array([value], arrow), Column("c", kind))
    assert len(values) == 1
    return BAD if bad is not None and bad[0] else values[0].as_py()


@pytest.mark.parametrize(
    ("kind", "value", "arrow", "becomes"),
    [
        ("integer", 3_000_000_000, pa.int64(), BAD),
        ("integer", 2**40, pa.int64(), BAD),
        ("integer", -(2**31), pa.int64(), -(2**31)),
        ("integer", 7.0, pa.float64(), 7),
        ("integer", 7.5, pa.float64(), BAD),
        ("long", 2**63 - 1, pa.int64(), 2**63 - 1),
        ("long", 5.5, pa.float64(), BAD),
        ("long", float(2**53 - 1), pa.float64(), 2**53 - 1),
        ("long", float(2**53), pa.float64(), BAD),  # could have been 2**53 + 1
        ("long", -float(2**53), pa.float64(), BAD),
        ("long", float("inf"), pa.float64(), BAD),
        ("long", Decimal("9223372036854775807"), None, 2**63 - 1),
        ("long", Decimal("9223372036854775808"), None, BAD),
        ("long", Decimal("9007199254740993.0"), None, 9007199254740993),
        ("long", Decimal("5.50"), None, BAD),
        ("long", True, None, 1),
        ("double", 0.1, pa.float32(), struct.unpack("f", struct.pack("f", 0.1))[0]),
        ("double", 5, pa.int8(), 5.0),
        ("double", Decimal("0.1"), None, 0.1),
        ("double", float("inf"), pa.float64(), BAD),
        ("double", False, None, 0.0),
        ("float", 1e39, pa.float64(), BAD),
        ("float", 3e38, pa.float64(), 3e38),
        ("float", float("-inf"), pa.float32(), BAD),
        ("boolean", True, None, True),
        ("boolean", 1, pa.int64(), True),
        ("boolean", 0.0, pa.float64(), False),
        ("boolean", Decimal("1.0"), None, True),
        ("boolean", 2, pa.int64(), BAD),
        ("boolean", Decimal("0.5"), None, BAD),
        ("datetime", datetime.date(2026, 1, 31), None, pd.Timestamp("2026-01-31")),
        ("datetime", datetime.date(1600, 1, 1), None, BAD),
        ("datetime", datetime.date(9999, 12, 31), pa.date64(), BAD),
        ("datetime", datetime.datetime(2026, 1, 31, 5, 6, 7, 8), None, pd.Timestamp("2026-01-31T05:06:07.000008")),
        ("datetime", datetime.datetime(2262, 4, 11, 23), None, pd.Timestamp("2262-04-11T23:00")),
        ("datetime", datetime.datetime(2262, 4, 12), None, BAD),
        ("datetime", datetime.datetime(1, 1, 1), pa.timestamp("ms"), BAD),
        ("datetime", pd.Timestamp.max, pa.timestamp("ns"), pd.Timestamp.max),
        ("string", "", None, ""),
        ("string", 501, pa.int64(), "501"),
        ("string", -7, pa.int16(), "-7"),
    ],
)
def test_what_a_typed_value_becomes(kind: ColumnType, value: Any, arrow: pa.DataType | None, becomes: Any) -> None:
    assert fitted(kind, value, arrow) == becomes
    assert type(fitted(kind, value, arrow)) is type(becomes)


@pytest.mark.parametrize("kind", ["double", "float", "long", "integer", "boolean", "string", "datetime"])
def test_null_is_missing_and_never_bad(kind: ColumnType) -> None:
    assert fitted(kind, None) is None
    if kind not in {"string", "datetime"}:
        assert fitted(kind, None, pa.float64()) is None


@pytest.mark.parametrize(
    ("kind", "value", "named"),
    [
        *((kind, "false", "string") for kind in ("double", "float", "long", "integer", "boolean")),
        *(("string", value, name) for value, name in [(5.0, "double"), (Decimal("5"), "decimal"), (True, "bool")]),
        *((kind, datetime.date(2026, 1, 1), "date") for kind in ("string", "double", "long", "boolean")),
        *((kind, datetime.datetime(2026, 1, 1), "timestamp") for kind in ("string", "long")),
        *(("datetime", value, name) for value, name in [("2026-01-01", "string"), (5, "int"), (True, "bool")]),
        ("datetime", datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "timestamp with a zone"),
        *((kind, b"x", "binary") for kind in ("string", "double")),
        *((kind, [1.0], "list") for kind in ("string", "double")),
        *((kind, {"a": 1}, "struct") for kind in ("string", "boolean")),
    ],
)
def test_a_type_that_cannot_fit_is_refused_by_its_name(kind: ColumnType, value: Any, named: str) -> None:
    with pytest.raises(WrongTypeError, match=f"^{named}$"):
        fitted(kind, value)


NUMBERS: st.SearchStrategy[Any] = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([2**31, 2**31 - 1, -(2**31) - 1, 2**53, 2**53 + 1, 0, 1]),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**22), max_value=10**22),
    st.sampled_from([1e39, -1e39, 0.5, 2.0, 1e300, 123456.0]),
)


@given(NUMBERS, st.sampled_from(["double", "float", "long", "integer"]))
def test_a_number_is_judged_as_its_text_is_in_a_required_column_of_a_file(value: Any, kind: ColumnType) -> None:
    columns = Columns((Column("c", kind, required=True),), (), ("c",), has_header=False)
    parsed = parse_block(Block(0, f"{value}\n".encode()), bind(columns, None, "x"), columns, TextFormat())
    read = BAD if parsed.invalid else rows(parsed)[0][0]

    assert fitted(kind, value) == read


def test_a_column_of_several_values_keeps_each_in_its_place() -> None:
    values, bad = fitted_values(
        pa.array(pd.Series([1.0, np.nan, 2.5, 3.0]), from_pandas=True), Column("c", "long", required=True)
    )
    assert values.to_pylist() == [1, None, None, 3]
    assert bad is not None
    assert bad.tolist() == [False, False, True, False]
