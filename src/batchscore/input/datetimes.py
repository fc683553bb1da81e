"""Texts -> dates and times as MLflow's ``datetime`` has them and pandas reads them: datetime64[ns], no zone (pure)."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.input.csv_lines import BoolArray

DATETIME = pa.timestamp("ns")
_SEEN_AS_MISSING = ["", "NaT", "nat", "NAT", "NaN", "nan", "NAN"]  # pandas' nat_strings
_OF_THE_CLOCK = ["now", "today"]  # which pandas reads as the time of reading
# A zone ends a text, after a time or right after a date: Z, +02, +02:00, -0500.
_HAS_ZONE = r"[Zz]$|\+|[0-9][T ].*-"
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def read_datetimes(values: pa.DictionaryArray, form: str) -> tuple[pa.Array, BoolArray | None]:
    """Return texts as dates and times, null where they are missing or bad, and which are bad.

    ``form`` is ``ISO8601`` or a format of strptime. A time with a zone is bad, since MLflow refuses it; so are ``now``
    and ``today``, which would depend on when they are read.
    """
    refused = pc.is_in(values.dictionary, pa.array(_OF_THE_CLOCK))
    if form == "ISO8601":  # others have no zone
        refused = pc.or_(refused, pc.match_substring_regex(values.dictionary, _HAS_ZONE))
    texts = pc.if_else(refused, None, values.dictionary).to_pylist()
    # With utc each text is read for itself: in the company of one with a zone pandas refuses one without.
    times = pd.to_datetime(pd.Series(texts, dtype=object), format=form, errors="coerce", utc=True)
    read = pa.array(times.dt.tz_localize(None).dt.as_unit("ns"), DATETIME, from_pandas=True)
    absent = pc.is_in(values.dictionary, pa.array(_SEEN_AS_MISSING)).to_numpy(zero_copy_only=False)
    bad = read.is_null().to_numpy(zero_copy_only=False) & ~absent
    given = read.take(values.indices)
    if not bad.any():
        return given, None
    present = values.indices.is_valid().to_numpy(zero_copy_only=False)
    return given, present & bad[values.indices.fill_null(0).to_numpy()]


def fitted_datetimes(values: pa.Array) -> tuple[pa.Array, BoolArray | None]:
    """Return a DataFrame's timestamps or dates, null where they are missing or bad, and which are bad: out of range."""
    unit = values.type.unit if pa.types.is_timestamp(values.type) else "s"
    counts = values.cast(pa.timestamp(unit)).cast(pa.int64())
    # The limits of int64 in this unit; the least value stands for a missing one.
    low, high = (-(2**63) // _NANOSECONDS[unit] + 1, (2**63 - 1) // _NANOSECONDS[unit])
    fits = pc.and_(pc.greater_equal(counts, low), pc.less_equal(counts, high))
    counts = pc.if_else(fits, counts, None)
    bad = pc.invert(fits).fill_null(False).to_numpy(zero_copy_only=False)
    return counts.cast(pa.timestamp(unit)).cast(DATETIME), bad if bad.any() else None
