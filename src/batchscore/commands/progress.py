"""Progress of a running job: a bar on a terminal, elsewhere a log line now and then."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tqdm import tqdm

from batchscore.process import is_log_shown
from batchscore.report.figures import duration

if TYPE_CHECKING:
    from batchscore.plan import Plan
    from batchscore.spark.tasks import Progress

log = logging.getLogger(__name__)
LOG_SECONDS = 30.0
_ID_CHARACTERS = 14  # as many as a generated id has
_WRITTEN_OUT = 10_000


@contextmanager
def progress_report(plan: Plan, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[Progress], None]]:
    """Give a function that shows how far a plan has come; who does not show our log sees no bar either."""
    with _bar(plan, clock) if sys.stderr.isatty() and is_log_shown(sys.stderr) else _lines(plan, clock) as show:
        yield show


@contextmanager
def _bar(plan: Plan, clock: Callable[[], float]) -> Iterator[Callable[[Progress], None]]:
    started, total = clock(), plan.size_in_bytes
    layout = f"{_shortened(plan.spec.id)}: {{percentage:3.0f}}%|{{bar}}| {{desc}}"
    with tqdm(total=total, bar_format=layout, file=sys.stderr, dynamic_ncols=True) as bar:

        def show(now: Progress) -> None:
            bar.set_description_str(bar_text(now, len(plan.splits), total, clock() - started), refresh=False)
            bar.update(now.size_in_bytes - bar.n)

        yield show


def _shortened(batch_id: str) -> str:
    return batch_id if len(batch_id) <= _ID_CHARACTERS else f"{batch_id[: _ID_CHARACTERS - 1]}~"


def bar_text(now: Progress, split_count: int, total_bytes: int, seconds: float) -> str:
    """Return what stands behind a bar: at most 50 characters, so that a line of 80 has room for bar and id."""
    splits = f"{_short(now.splits)}/{_short(split_count)} splits"
    records = f"{_short(now.record_count)} records"
    done = now.size_in_bytes
    if not 0 < done < total_bytes:
        return f"{splits}, {records}"
    return f"{splits}, {records}, {duration(seconds * (total_bytes - done) / done)} left"


def _short(count: int) -> str:
    return str(count) if count < _WRITTEN_OUT else tqdm.format_sizeof(count)


@contextmanager
def _lines(plan: Plan, clock: Callable[[], float]) -> Iterator[Callable[[Progress], None]]:
    started = last = clock()

    def write(now: Progress) -> None:
        nonlocal last
        if clock() - last < LOG_SECONDS:
            return
        last = clock()
        log.info(
            "%d of %d splits, %d of %d bytes, %d records, %d invalid, after %.0f s",
            now.splits,
            len(plan.splits),
            now.size_in_bytes,
            plan.size_in_bytes,
            now.record_count,
            now.invalid_record_count,
            last - started,
        )

    yield write
    log.info("scored %d splits in %.1f s", len(plan.splits), clock() - started)
