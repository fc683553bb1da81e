"""A time limit for calls that may never return, as those of a model that hangs."""

from __future__ import annotations

import faulthandler
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from batchscore.errors import BatchTimeoutError

# How much longer a call may take that does not let the interpreter run: then the process ends.
GRACE_SECONDS = 5.0


class _TimeIsUp(BaseException):
    """Raised in the middle of the call; nothing that handles errors in between takes it for one."""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise BatchTimeoutError if the block takes longer; None is no limit. For the main thread of a worker process.

    A block that hangs in native code and keeps the interpreter from running cannot be left: GRACE_SECONDS later the
    process ends, with a trace of its stack, without locals, on stderr. Spark then starts another.
    """
    if seconds is None:
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    faulthandler.dump_traceback_later(seconds + GRACE_SECONDS, exit=True, file=sys.__stderr__ or sys.stderr)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TimeIsUp:
        raise BatchTimeoutError(
            f"batch: expected predictions within batch_timeout_seconds, {seconds:g} s, got none; mend the model"
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)
