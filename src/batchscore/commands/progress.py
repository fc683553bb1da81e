"""Progress of a running job: a bar on a terminal, elsewhere a log line now and then."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from batchscore.plan import Plan
    from batchscore.spark.tasks import Progress

log = logging.getLogger(__name__)
LOG_SECONDS = 30.0


@contextmanager
def progress_report(plan: Plan, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[Progress], None]]:
    """Give a function that shows how far a plan has come."""
    if sys.stderr.isatty():
        with tqdm(total=plan.size_in_bytes, unit="B", unit_scale=True, desc=plan.spec.id, file=sys.stderr) as bar:

            def show(now: Progress) -> None:
                bar.set_postfix_str(
                    f"{now.splits}/{len(plan.splits)} splits, {now.record_count} records", refresh=False
                )
                bar.update(now.size_in_bytes - bar.n)

            yield show
        return
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
