"""What a job leaves behind when it ends: the classic manifest, profile, log, page and record, and its summary."""

from __future__ import annotations

import io
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batchscore.commands.report import write_report
from batchscore.commands.summary import log_times, summary
from batchscore.commit import job_record
from batchscore.commit.job_profile import stored_quality, write_profile
from batchscore.commit.job_record import BatchPrediction
from batchscore.commit.manifest import classic_manifest, committed_counts, committed_skipped_count
from batchscore.commit.receipts import remove_work
from batchscore.output.parts import Counts
from batchscore.output.paths import Outputs
from batchscore.plan import Plan
from batchscore.process import written_down
from batchscore.scoring.stage_clock import StageClock
from batchscore.storage.base import Storage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobEnding:
    """The end of a job: ``folder`` is for files that are on their way, ``log_path`` is the log so far."""

    storage: Storage
    outputs: Outputs
    folder: Path
    log_path: Path

    def complete(self, plan: Plan, prediction: BatchPrediction, counts: Counts, clock: StageClock) -> dict[str, Any]:
        """Write what a job leaves that has committed, and return its summary."""
        with clock("profile"):
            quality = write_profile(self.storage, plan, counts)
        done = self._completed(plan, prediction, counts, sum(plan.skipped_count.values()))
        log.info("job %s completed: %s", plan.spec.id, done.Message)
        log_times(counts, clock.seconds)
        self._write_log()
        self._write_completed(done)
        if quality is not None:  # the same id writes it from the receipts
            remove_work(self.storage, self.outputs.work)
        return done.to_dict() | summary(plan, counts, clock.seconds, self.outputs, quality or {})

    def report_again(self, plan: Plan, existing: BatchPrediction) -> dict[str, Any]:
        """Report a finished job; do what a driver that died right after its commit left undone."""
        log.info("job %s is finished: its result stands", existing.BatchPredictionId)
        is_completed, quality = existing.Status == "COMPLETED", stored_quality(self.storage, plan)
        if not is_completed or quality is None:
            existing, quality = self._make_up(plan, existing, quality)
        told = {"manifest": self.outputs.manifest, "reported_again": True}
        return existing.to_dict() | told | ({"quality": quality} if quality else {})

    def _make_up(
        self, plan: Plan, existing: BatchPrediction, quality: dict[str, float | None] | None
    ) -> tuple[BatchPrediction, dict[str, float | None] | None]:
        """Write what a committed job lacks; return its record, and its quality, None if there is still no profile."""
        content = self.storage.read(self.outputs.extended_manifest)
        counts = committed_counts(content, self.outputs.extended_manifest)
        quality = write_profile(self.storage, plan, counts) if quality is None else quality
        if quality is not None:
            remove_work(self.storage, self.outputs.work)
        if existing.Status != "COMPLETED":
            self.write_classic_manifest(plan)
            self._write_log()
            skipped = committed_skipped_count(content, self.outputs.extended_manifest)
            existing = self._write_completed(self._completed(plan, existing, counts, skipped))
        elif quality is not None:
            write_report(self.storage, self.outputs, existing)  # the page was made without the profile
        return existing, quality

    def fail(self, prediction: BatchPrediction, message: str) -> BatchPrediction:
        """Write what a job leaves that has failed, and return its record; raises CommitError."""
        self._write_log()
        failed = self.write_record(job_record.failed(prediction, message, self.outputs.log, now()))
        write_report(self.storage, self.outputs, failed)  # last: who stopped the job waits for its record
        return failed

    def write_classic_manifest(self, plan: Plan) -> None:
        """Write Amazon's manifest; raises CommitError."""
        with written_down(classic_manifest(plan), self.folder) as file:
            self.storage.put(self.outputs.manifest, file)

    def write_record(self, new: BatchPrediction) -> BatchPrediction:
        """Write the record and return it; raises CommitError."""
        self.storage.put(self.outputs.record, io.BytesIO(new.to_json()))
        return new

    def _write_completed(self, done: BatchPrediction) -> BatchPrediction:
        # The page first: what a driver that is killed in between lacks, the next run makes.
        write_report(self.storage, self.outputs, done)
        return self.write_record(done)

    def _completed(self, plan: Plan, prediction: BatchPrediction, counts: Counts, skipped: int) -> BatchPrediction:
        done = job_record.completed(prediction, counts, self.outputs.log, now())
        nothing = f"nothing new: {skipped} files below the inputs, none to score"
        return done if plan.inputs else replace(done, Message=nothing)

    def _write_log(self) -> None:
        self.storage.put(self.outputs.log, io.BytesIO(self.log_path.read_bytes()))


def now() -> int:
    """Return the time as records have it: whole seconds since 1970."""
    return int(time.time())
