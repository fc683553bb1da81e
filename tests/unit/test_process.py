"""Temporary files are for this user alone, and gone however a job ends."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from batchscore.errors import AlreadyCommittedError, ScoringError
from batchscore.process import log_file, message_of_end, signals_as_errors, temporary_folder


def test_the_folder_and_the_log_of_a_job_are_private_and_removed_after_an_error() -> None:
    kept: list[Path] = []

    def fail() -> None:
        with log_file() as log, temporary_folder() as folder:
            (folder / "model").mkdir()
            (folder / "model" / "MLmodel").write_text("x")
            kept.extend([folder, log])
            assert [path.stat().st_mode & 0o777 for path in kept] == [0o700, 0o600]
            raise KeyError("broken")

    with pytest.raises(KeyError):
        fail()
    assert not any(path.exists() for path in kept)


def test_a_job_s_log_has_all_and_other_handlers_get_what_they_got_before(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, shown = logging.getLogger("batchscore"), list[str]()

    class Shown(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            shown.append(record.getMessage())

    monkeypatch.setattr(logging.root, "handlers", [Shown()])
    for logger, level in ((logging.root, logging.WARNING), (ours, logging.NOTSET)):
        monkeypatch.setattr(logger, "level", level)
        logger.manager._clear_cache()  # type: ignore[attr-defined] # as setLevel does
    first = log_file()
    one = first.__enter__()
    with log_file() as two:
        logging.getLogger("batchscore.commands.job").info("both")
        first_text = one.read_text()
        first.__exit__(None, None, None)
        logging.getLogger("batchscore.commands.job").info("the second alone")
        logging.getLogger("batchscore.commands.job").warning("a warning")
        logging.getLogger("another").error("another's")
        second_text = two.read_text()

    assert [line.split(" INFO ")[-1] for line in first_text.splitlines()] == ["both"]
    assert [line.split(" ", 3)[3] for line in second_text.splitlines()] == ["both", "the second alone", "a warning"]
    assert shown == ["a warning", "another's"]
    assert (ours.level, [handler.filters for handler in logging.root.handlers]) == (logging.NOTSET, [[]])


def test_a_program_that_configures_no_logging_sees_nothing_of_ours_on_stderr() -> None:
    program = "import logging, batchscore.process; logging.getLogger('batchscore.x').warning('a warning')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_sigterm_is_an_error_and_a_second_one_does_not_cut_the_tidying_up_short() -> None:
    before = signal.getsignal(signal.SIGTERM)
    tidied = []

    def stopped() -> None:
        with signals_as_errors():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(10)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                tidied.append("all")

    with pytest.raises(ScoringError, match=r"^stopped by SIGTERM; run it again$"):
        stopped()
    assert tidied == ["all"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c_is_a_keyboard_interrupt_in_words_and_a_second_one_is_not_kept_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # another test may have left PySpark's
    told = []

    def stopped() -> None:
        with signals_as_errors("run it again with id=bp-1 to go on"):
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(10)
            except KeyboardInterrupt as error:
                told.append(str(error))
                logging.exception("as py4j does")
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert told == ["stopped by Ctrl-C; run it again with id=bp-1 to go on"]
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler
    assert caplog.records == []
    logging.warning("as before")
    assert len(caplog.records) == 1


EACH_SIGNAL = pytest.mark.parametrize(
    ("number", "kind", "words"),
    [(signal.SIGINT, KeyboardInterrupt, "Ctrl-C"), (signal.SIGTERM, ScoringError, "SIGTERM")],
)


@EACH_SIGNAL
def test_an_error_of_a_library_that_was_cut_short_is_the_signal(
    number: signal.Signals, kind: type[BaseException], words: str
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    told = []

    def stopped() -> None:
        with signals_as_errors():
            try:
                try:
                    os.kill(os.getpid(), number)
                    time.sleep(10)
                finally:
                    raise RuntimeError("as py4j, which cannot close its socket")
            except RuntimeError as error:
                told.append(message_of_end(error))
                raise

    try:
        with pytest.raises(kind, match=rf"^stopped by {words}; run it again$"):
            stopped()
    finally:
        signal.signal(signal.SIGINT, before)
    assert told == [f"stopped by {words}; run it again"]


class SentWhileCollected:
    """Sends a signal from where Python ignores errors, and raises one over it if it is told to."""

    def __init__(self, number: signal.Signals, *, raises: bool = False) -> None:
        self._number = number
        self._raises = raises

    def __del__(self) -> None:
        try:
            signal.raise_signal(self._number)
        finally:
            if self._raises:
                raise OSError("it is closed")


@EACH_SIGNAL
def test_a_signal_that_comes_where_python_ignores_errors_is_heard_behind_it(
    number: signal.Signals, kind: type[BaseException], words: str
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    hook = sys.unraisablehook
    ended = []

    def stopped() -> None:
        with signals_as_errors():
            SentWhileCollected(number)
            ended.append("the finalizer")
            time.sleep(10)

    try:
        with pytest.raises(kind, match=rf"^stopped by {words}; run it again$"):
            stopped()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (ended, sys.unraisablehook) == (["the finalizer"], hook)


def test_it_is_heard_though_an_error_was_raised_over_it_or_a_second_one_came_meanwhile() -> None:
    def stopped(*, raises: bool, count: int) -> None:
        with signals_as_errors():
            for _ in range(count):
                SentWhileCollected(signal.SIGTERM, raises=raises)
            time.sleep(10)

    for raises, count in ((True, 1), (False, 2)):
        with pytest.raises(ScoringError, match=r"^stopped by SIGTERM"):
            stopped(raises=raises, count=count)


@EACH_SIGNAL
def test_what_a_finalizer_raises_while_things_are_tidied_up_cuts_that_short_by_no_second_signal(
    number: signal.Signals, kind: type[BaseException], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda ignored: told.append(ignored.exc_type))

    class Broken:
        def __del__(self) -> None:
            raise OSError("it is closed")

    def stopped() -> None:
        with signals_as_errors():
            try:
                os.kill(os.getpid(), number)
                time.sleep(10)
            finally:
                Broken()
                time.sleep(0.1)
                told.append("all is tidied up")

    try:
        with pytest.raises(kind, match=rf"^stopped by {words}; run it again$"):
            stopped()
    finally:
        signal.signal(signal.SIGINT, before)
    assert told == [OSError, "all is tidied up"]


def test_it_is_not_sent_to_a_host_whose_job_has_ended_meanwhile() -> None:
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append("by the host"))
    try:
        with signals_as_errors():
            SentWhileCollected(signal.SIGTERM)
        time.sleep(0.1)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == []


def test_one_that_is_about_to_be_sent_again_as_the_job_ends_meets_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, sent, begun = [], [], list[Any]()
    monkeypatch.setattr(signal, "pthread_kill", lambda _, number: sent.append(number))
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append("by the host"))

    class AboutToSend(threading.Timer):
        def start(self) -> None:
            begun.append((self.function, self.args))

    monkeypatch.setattr(threading, "Timer", AboutToSend)
    try:
        with signals_as_errors():
            SentWhileCollected(signal.SIGTERM)
        for function, arguments in begun:
            function(*arguments)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (len(begun), heard, sent) == (1, [], [])


def test_other_errors_that_python_ignores_are_told_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda ignored: told.append(ignored.exc_type))

    class Broken:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    with signals_as_errors():
        Broken()
    assert told == [KeyboardInterrupt]


def test_a_job_that_was_overtaken_says_so_though_it_was_stopped_too() -> None:
    def overtaken() -> None:
        with signals_as_errors():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(10)
            except BaseException as error:
                raise AlreadyCommittedError("job x: got overtaken") from error

    with pytest.raises(AlreadyCommittedError):
        overtaken()


def test_a_host_s_own_way_with_ctrl_c_stays() -> None:
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append("host"))
    try:
        with signals_as_errors():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == ["host", "host"]


def test_verify_that_is_told_to_stop_leaves_no_temporary_folder(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from batchscore import cli\n"
        "from batchscore.commands import verify\n"
        "def wait(config, folder, full):\n"
        "    print(oct(folder.stat().st_mode & 0o777), flush=True)\n"
        "    time.sleep(60)\n"
        "verify.review_job = wait\n"
        "sys.exit(cli.main(['verify', 'model=models:/m/1', 'input=none', 'output=none']))\n"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0o700\n"
        process.terminate()
        _, errors = process.communicate(timeout=60)

    assert process.returncode == ScoringError.exit_code
    assert errors == "batchscore: ScoringError: stopped by SIGTERM; run it again\n"
    assert list(tmp_path.iterdir()) == []
