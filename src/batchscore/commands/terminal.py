"""stdout as the commands write to it: lines for people on a terminal, JSON for programs."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from batchscore.errors import CommitError


class ReaderGoneError(Exception):
    """Whoever read stdout has ended, as ``head`` does: there is nobody to tell more."""


def is_terminal() -> bool:
    """Tell whether a person reads stdout."""
    return sys.stdout is not None and sys.stdout.isatty()  # closed, it is None


def tell(text: str) -> None:
    """Write a line to stdout at once; raises ReaderGoneError, or CommitError if it takes no more."""
    with _stdout_errors():
        print(text, flush=True)


class StdoutFile:
    """stdout as a file of bytes that is written to; raises what ``tell`` does."""

    closed = False

    def write(self, content: bytes) -> int:
        """Write bytes as they are."""
        with _stdout_errors():
            if sys.stdout is not None:  # closed, it is None: then print writes nothing either
                sys.stdout.buffer.write(content)
        return len(content)

    def flush(self) -> None:
        """Let whoever reads have all."""
        with _stdout_errors():
            if sys.stdout is not None:
                sys.stdout.buffer.flush()

    def close(self) -> None:
        """Leave stdout open: it is the process's own."""


@contextmanager
def _stdout_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        _give_stdout_up()
        raise ReaderGoneError from None
    except OSError as error:
        _give_stdout_up()
        raise CommitError(
            f"stdout: expected to write to it, got {error.strerror}; what the command did stands, run it again to see"
        ) from error


def _give_stdout_up() -> None:
    """Let what stdout still holds go nowhere: at its end Python would try to write it again, and complain."""
    with suppress(OSError, io.UnsupportedOperation):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextmanager
def names_that_are_no_text() -> Iterator[None]:
    """Let stdout take any name of a file."""
    stdout = sys.stdout
    if not isinstance(stdout, io.TextIOWrapper):
        yield
        return
    before = stdout.errors
    stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        with suppress(OSError):  # whoever read it is gone: what is printed next says so
            stdout.reconfigure(errors=before)
