import signal
import subprocess
import sys
import time

import pytest

from batchscore.errors import BatchTimeoutError
from batchscore.scoring.time_limit import time_limit


def test_a_call_that_hangs_is_left_and_the_error_tells_the_limit() -> None:
    told = r"expected predictions within batch_timeout_seconds, 0\.05 s, got none"
    with pytest.raises(BatchTimeoutError, match=told), time_limit(0.05):
        time.sleep(60)


def test_a_call_that_handles_every_error_is_left_all_the_same() -> None:
    def call() -> None:
        try:
            time.sleep(60)
        except Exception as error:
            raise AssertionError from error

    with pytest.raises(BatchTimeoutError), time_limit(0.05):
        call()


@pytest.mark.parametrize("seconds", [None, 60.0])
def test_a_call_in_time_leaves_the_process_as_it_was(seconds: float | None) -> None:
    before = signal.getsignal(signal.SIGALRM)

    with time_limit(seconds):
        pass

    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_error_of_the_call_passes() -> None:
    with pytest.raises(ValueError, match="of the call"), time_limit(60):
        raise ValueError("of the call")


HANGING = """
from collections import deque
from itertools import repeat
from batchscore.scoring import time_limit
time_limit.GRACE_SECONDS = 0.1
def hang(secret):
    with time_limit.time_limit(0.1):
        deque(repeat(0), maxlen=0)  # without end in native code, which no signal leaves
hang("4711")
"""


def test_a_call_that_keeps_the_interpreter_from_running_ends_the_process_and_tells_where() -> None:
    done = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("Timeout")
    assert "in hang" in done.stderr
    assert "4711" not in done.stderr
