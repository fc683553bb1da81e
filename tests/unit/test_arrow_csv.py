"""CSV that Arrow reads: its handlers of signals stay out of the way of ours."""

import ctypes
import signal
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest

from batchscore.input.arrow_csv import read_csv
from batchscore.process import signals_as_errors


def _handler() -> bytes:
    action = ctypes.create_string_buffer(1024)  # struct sigaction: the address of the handler, then the rest
    assert ctypes.CDLL(None).sigaction(signal.SIGTERM, None, action) == 0
    return action.raw[: ctypes.sizeof(ctypes.c_void_p)]


class Asking:
    """A handler of rows that finds out whose handler of signals is there meanwhile."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def __call__(self, _: Any) -> str:
        self.seen.append(_handler())
        return "skip"

    def options(self) -> pyarrow.csv.ParseOptions:
        return pyarrow.csv.ParseOptions(invalid_row_handler=self)


DATA = b"a\n1\n2,3\n"
ONE_THREAD = pyarrow.csv.ReadOptions(use_threads=False)


def test_arrow_puts_no_handlers_of_its_own_in_place_of_ours() -> None:
    asking = Asking()

    with signals_as_errors():
        ours = _handler()
        assert read_csv(DATA, ONE_THREAD, asking.options()).to_pydict() == {"a": [1]}

    assert asking.seen == [ours]


def test_a_host_s_own_reading_has_them_again_after_an_error_too() -> None:
    asking = Asking()

    with signals_as_errors():
        ours = _handler()
        with pytest.raises(pa.ArrowInvalid):
            read_csv(DATA, ONE_THREAD)
        pyarrow.csv.read_csv(pa.py_buffer(DATA), parse_options=asking.options())

    assert [found == ours for found in asking.seen] == [False]
