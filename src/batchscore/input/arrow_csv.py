"""CSV read by Arrow without its handlers of signals (pure but for these, which are on afterwards)."""

from __future__ import annotations

import threading

import pyarrow as pa
import pyarrow.csv


def read_csv(
    data: bytes,
    read: pyarrow.csv.ReadOptions,
    parse: pyarrow.csv.ParseOptions | None = None,
    convert: pyarrow.csv.ConvertOptions | None = None,
) -> pa.Table:
    """Read a table as ``pyarrow.csv.read_csv`` does, whose handlers lose a signal now and then that comes as they end.

    Arrow has handlers in the main thread alone. Afterwards they are on, its default: it tells nobody whether they were.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if is_main:
        pa.enable_signal_handlers(False)
    try:
        return pyarrow.csv.read_csv(pa.py_buffer(data), read, parse, convert)
    finally:
        if is_main:
            pa.enable_signal_handlers(True)
