"""What a job needs of its process: a log file, a private folder, and signals that end it in order."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any

from batchscore.errors import BatchScoreError, ScoringError, no_room, raised_from, told_without_content

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_LOGGER = logging.getLogger("batchscore")


def hide_warnings() -> None:
    """Keep Python's warnings out of streams and logs, as a model's could show records; ``python -W`` shows them."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep the collector from walking over libraries while a block imports them, a quarter of what that takes."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def is_log_shown(stream: object) -> bool:
    """Tell whether our log is written to a stream: the command line does so, and a program that wants to see it."""
    return any(getattr(handler, "stream", None) is stream for handler in _LOGGER.handlers)


class _LogFiles:
    """Our loggers tell all while a job's log is written; what other handlers get is what they got before.

    Jobs of several threads overlap: the first one finds how it was, the last one puts it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._before = ExitStack()

    def begin(self) -> None:
        with self._lock:
            if self._count == 0 and not _LOGGER.isEnabledFor(logging.INFO):
                self._before.callback(_LOGGER.setLevel, _LOGGER.level)
                self._keep_from_others(_LOGGER.getEffectiveLevel())
                _LOGGER.setLevel(logging.INFO)
            self._count += 1

    def end(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                self._before.close()

    def _keep_from_others(self, level: int) -> None:
        """Keep what was below the level in force from whoever handles our log, as the root logger's handlers do."""

        def was_told(record: logging.LogRecord) -> bool:
            return record.levelno >= level or record.name.partition(".")[0] != _LOGGER.name

        logger: logging.Logger | None = _LOGGER
        while logger is not None:
            for handler in logger.handlers:
                handler.addFilter(was_told)
                self._before.callback(handler.removeFilter, was_told)
            logger = logger.parent if logger.propagate else None


_log_files = _LogFiles()


@contextmanager
def log_file() -> Iterator[Path]:
    """Log to a file as well, which becomes the job's log."""
    descriptor, name = tempfile.mkstemp(prefix="batchscore-", suffix=".log")
    os.close(descriptor)
    handler = logging.FileHandler(name, encoding="utf-8", errors="backslashreplace")  # names need be no text
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    _log_files.begin()
    _LOGGER.addHandler(handler)
    try:
        yield Path(name)
    finally:
        _LOGGER.removeHandler(handler)
        _log_files.end()
        handler.close()
        Path(name).unlink()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a private folder that is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="batchscore-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def written_down(chunks: Iterable[bytes], folder: Path) -> Iterator[IO[bytes]]:
    """Give an unnamed file in a private folder that holds the chunks; raises CommitError if there is no room."""
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            file.writelines(chunks)
            file.seek(0)
        except OSError as error:
            raise no_room(folder, "a file", error) from error
        yield file


class StopRequested(BaseException):
    """SIGTERM, YARN's and EMR's cancel. No handler of errors on the way up takes it for one."""


def _stop_behind(error: BaseException) -> BaseException | None:
    """Return the signal that a foreign error was raised over: py4j, cut short in a call, fails to give it up."""
    if isinstance(error, BatchScoreError):
        return None
    return next((link for link in raised_from(error) if isinstance(link, KeyboardInterrupt | StopRequested)), None)


def message_of_end(error: BaseException) -> str:
    """Return what is told of whatever ended a job: our own words, and of a foreign error no content."""
    error = _stop_behind(error) or error
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "stopped by Ctrl-C"
    return str(error) if isinstance(error, StopRequested) else told_without_content(error)


def _is_no_interrupt(record: logging.LogRecord) -> bool:
    """Keep py4j from showing where Ctrl-C met it, with a traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], KeyboardInterrupt))


class _EndingSignals:
    """Handlers by which SIGTERM raises StopRequested and Ctrl-C a KeyboardInterrupt that tells the remedy.

    What is raised in a finalizer or a callback is told to ``sys.unraisablehook`` and then forgotten, so a signal that
    was heard there is sent again, until an error comes of it.
    """

    _AGAIN_SECONDS = 0.01

    def __init__(self, remedy: str) -> None:
        self._remedy = remedy
        self._interrupt_before: Any = signal.getsignal(signal.SIGINT)  # Python's own, PySpark's or a host's
        self._hook_before = sys.unraisablehook
        self._raised: dict[int, BaseException] = {}
        self._sending = threading.Lock()
        self._is_over = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Install the handlers for a block, unless this is not the main thread: there the host handles signals."""
        with ExitStack() as undo:
            undo.callback(logging.root.removeFilter, _is_no_interrupt)
            with suppress(ValueError):  # not in the main thread
                undo.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, self._stop))
                if callable(self._interrupt_before):  # below nohup it is ignored
                    undo.callback(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, self._interrupt))
                undo.callback(setattr, sys, "unraisablehook", self._hook_before)
                sys.unraisablehook = self._send_again
            undo.callback(self._send_no_more)
            yield

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if number not in self._raised:  # a second one must not cut the tidying up short
            self._raised[number] = StopRequested(f"stopped by {signal.Signals(number).name}; {self._remedy}")
            raise self._raised[number]

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        try:
            self._interrupt_before(number, frame)
        except KeyboardInterrupt:
            if number in self._raised:  # a second one is from somebody who will not wait
                raise
            logging.root.addFilter(_is_no_interrupt)
            self._raised[number] = KeyboardInterrupt(f"stopped by Ctrl-C; {self._remedy}")
            raise self._raised[number] from None

    def _send_again(self, forgotten: sys.UnraisableHookArgs) -> None:
        links = [] if forgotten.exc_value is None else list(raised_from(forgotten.exc_value))
        # While things are tidied up behind a signal, every error has it for its context, and it has been heard.
        heard = list(raised_from(handled)) if (handled := sys.exception()) else []
        number = next((number for number, error in self._raised.items() if error in links and error not in heard), None)
        if number is None:
            self._hook_before(forgotten)
        else:
            timer = threading.Timer(self._AGAIN_SECONDS, self._send, [number])
            timer.daemon = True
            timer.start()

    def _send(self, number: int) -> None:
        """Send a signal to the thread that is to hear it, whose waiting it ends; past what was no place for it."""
        with self._sending:  # never to a host, whose handlers are there as soon as the block is over
            if not self._is_over:
                del self._raised[number]
                signal.pthread_kill(threading.main_thread().ident or 0, number)

    def _send_no_more(self) -> None:
        self._is_over = True
        with self._sending:  # one that is just being sent comes before the handlers are taken away
            pass


@contextmanager
def signals_as_errors(remedy: str = "run it again") -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the job as an error does: FAILED, and to be gone on with; ``remedy`` says how.

    SIGTERM becomes a ScoringError, Ctrl-C stays a KeyboardInterrupt, which says so. What else is to be tidied up
    belongs inside of this block.
    """
    try:
        with _EndingSignals(remedy).installed():
            yield
    except StopRequested as request:
        raise ScoringError(str(request)) from None
    except Exception as error:
        stopped = _stop_behind(error)
        if stopped is None:
            raise
        raise (ScoringError(str(stopped)) if isinstance(stopped, StopRequested) else stopped) from None
