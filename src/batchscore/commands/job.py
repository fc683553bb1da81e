"""The main flow of a job, from its model to its commit, top to bottom."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchscore.commands.ending import JobEnding, now
from batchscore.commands.progress import progress_report
from batchscore.commands.summary import log_unseen, software_versions, telling_extra_columns
from batchscore.commit import job_record
from batchscore.commit.checks import Tallies, check_limits, check_scored, checked_parts
from batchscore.commit.commit_manifest import commit_manifest
from batchscore.commit.concatenation import plan_concatenations
from batchscore.commit.job_profile import keeping_profile
from batchscore.commit.job_record import BatchPrediction
from batchscore.commit.manifest import committed_parameters, extended_manifest, named_files
from batchscore.commit.manifest_reader import read_sources
from batchscore.commit.receipts import check_present, remove_work
from batchscore.config.job_config import JobConfig
from batchscore.errors import AlreadyCommittedError, BatchScoreError, ObjectExistsError
from batchscore.input.files import InputFile
from batchscore.output.parts import Counts, PartFile, WrittenFile, count
from batchscore.output.paths import Outputs
from batchscore.plan import Plan
from batchscore.preflight.lengths import check_lengths
from batchscore.preflight.new_inputs import bind_inputs, check_still_new
from batchscore.preflight.output_check import check_create_only, put_record
from batchscore.preflight.planner import LoadedModel, load_model, log_plan, make_plan, preflight
from batchscore.process import message_of_end, no_garbage_collection, written_down
from batchscore.scoring.stage_clock import StageClock
from batchscore.spark.session import BackgroundSpark
from batchscore.storage.base import Storage, StoredObject, is_present, read_if_present
from batchscore.storage.factory import storage_for

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from batchscore.preflight.beginnings import Looked

log = logging.getLogger(__name__)


class Job:
    """One run: what its steps share. ``folder`` is for its files, ``log_path`` its log so far."""

    def __init__(self, config: JobConfig, folder: Path, log_path: Path, clock: StageClock) -> None:
        self.config = config
        self.folder = folder
        self.storage: Storage = storage_for(config.output, config.s3)
        self.outputs = Outputs(config.output, str(config.id), config.layout)
        self.ending = JobEnding(self.storage, self.outputs, folder, log_path)
        self.clock = clock
        self.committed = False

    def score_and_commit(self, spark: BackgroundSpark, finished: bool) -> Callable[[], dict[str, Any]]:
        """Score what is not ``finished``, and commit it; return what does the rest and tells the summary."""
        with self.clock("load_model"), no_garbage_collection():
            model = load_model(self.config, self.folder / "model")
        with self.clock("plan"):
            plan = make_plan(self.config, model)
        self._check_committed(plan)
        if not finished:
            plan = self._preflight(spark, plan, model)
        prediction, existed = self._create_record(plan, finished or check_create_only(self.config))
        plan = keeping_profile(plan, prediction)
        if self._is_finished():
            told = self.ending.report_again(plan, prediction)
            return lambda: told
        try:
            prediction = job_record.in_progress(prediction, now())
            self.ending.write_record(prediction)
            parts, counts = self._score(spark, plan, model, existed)
            concatenated = self._concatenate(spark, plan, parts)
            if existed:
                check_present(self.storage, named_files(plan, parts, concatenated))
            with self.clock("commit"):
                self._commit(plan, parts, counts, concatenated)
        except BaseException as error:
            if self._yields_to_another(plan) and not isinstance(error, AlreadyCommittedError):
                raise AlreadyCommittedError(
                    f"job {plan.spec.id}: expected to commit, got overtaken by another run; its result stands"
                ) from error
            self._fail(prediction, error)
            raise
        return partial(self.ending.complete, plan, prediction, counts, self.clock)

    def _is_finished(self) -> bool:
        return is_present(self.storage, self.outputs.extended_manifest)

    def _is_known(self) -> bool:
        return self._is_finished() or is_present(self.storage, self.outputs.record)

    def _check_committed(self, plan: Plan) -> None:
        """Refuse an id that a committed result of other parameters has, even if its record was removed."""
        content = read_if_present(self.storage, self.outputs.extended_manifest)
        if content is not None:
            committed = committed_parameters(content, self.outputs.extended_manifest)
            if committed != plan.spec.parameters:
                scored = set(read_sources(content, self.outputs.extended_manifest))
                others = scored.symmetric_difference(item.source for item in plan.inputs)
                _check_same_parameters(plan, committed, others)

    def _preflight(self, spark: BackgroundSpark, plan: Plan, model: LoadedModel) -> Plan:
        """Look at inputs and model before anything is written, so that no fault shows when most is scored."""

        def look_by_tasks(inputs: Sequence[InputFile]) -> Looked:
            from batchscore.spark.tasks import look_at_inputs

            return look_at_inputs(self._session(spark), plan.spec, inputs)

        check_lengths(plan)
        with self.clock("preflight"):
            plan = preflight(plan, model, look_by_tasks, self._is_known)
        if plan.inputs:
            spark.load_in_workers(plan, model)
            self._session(spark)  # where it does not start, no record is written
        log_plan(plan)
        return plan

    def _session(self, spark: BackgroundSpark) -> SparkSession:
        with self.clock("start_spark"):
            return spark.session()

    def _create_record(self, plan: Plan, create_only_known: bool) -> tuple[BatchPrediction, bool]:
        """Bind the id to this job, or find it bound to the same one before."""
        new = job_record.pending(plan.spec, now())
        if self.config.mode == "new_inputs" and not self._is_known():
            bind_inputs(self.config, [item.source for item in plan.inputs])
        try:
            put_record(self.config, self.outputs.record, new.to_json(), create_only_known)
        except ObjectExistsError:
            existing = self._read_record()
            # Which inputs it began with is not known, but that what was written since is not among them.
            sources = [item.source for item in plan.inputs]
            younger = [source for source in sources if int(source.modified_epoch_seconds) > existing.CreatedAt]
            _check_same_parameters(plan, existing.parameters, younger)
            return existing, True
        return new, False

    def _read_record(self) -> BatchPrediction:
        return BatchPrediction.from_json(self.storage.read(self.outputs.record), self.outputs.record)

    def _score(
        self, spark: BackgroundSpark, plan: Plan, model: LoadedModel, resuming: bool
    ) -> tuple[Sequence[PartFile], Counts]:
        if not plan.inputs:
            return [], count([])
        from batchscore.spark.tasks import score

        session = self._session(spark)
        with self.clock("score"), progress_report(plan) as report:
            parts = score(session, plan, model.archive, resuming, report)
        tallies = Tallies(plan)
        counts = count(tallies.adding(telling_extra_columns(plan, checked_parts(plan, parts))))
        if resuming:
            log.info("%d of %d parts were there already", counts.reused_part_count, len(parts))
        log_unseen(plan.spec, counts.texts)
        check_limits(plan.spec, counts)
        check_scored(plan, parts, counts, tallies)
        return parts, counts

    def _concatenate(self, spark: BackgroundSpark, plan: Plan, parts: Sequence[PartFile]) -> dict[int, WrittenFile]:
        tasks = plan_concatenations(plan, parts)
        if not tasks:
            return {}
        from batchscore.spark.tasks import concatenate

        with self.clock("join"):
            return concatenate(spark.session(), plan.spec, tasks)

    def _commit(
        self, plan: Plan, parts: Sequence[PartFile], counts: Counts, concatenated: Mapping[int, WrittenFile]
    ) -> None:
        content = extended_manifest(plan, parts, counts, concatenated, software_versions(plan), uuid.uuid4().hex)
        with written_down(content, self.folder) as file:
            check_still_new(self.config, [item.source for item in plan.inputs], plan.manifests_read)
            commit_manifest(self.storage, self.outputs.extended_manifest, file)
        self.committed = True
        self.ending.write_classic_manifest(plan)

    def _yields_to_another(self, plan: Plan) -> bool:
        """Tell whether another run's commit stands; if so, undo what this one has done to its record and work."""
        try:
            if self.committed or not self._is_finished():
                return False
            self.ending.report_again(plan, self._read_record())
            remove_work(self.storage, self.outputs.work)
        except BatchScoreError as error:
            log.error("record %s: expected to hold it against the manifest, got: %s", self.outputs.record, error)  # noqa: TRY400
            return False
        return True

    def _fail(self, prediction: BatchPrediction, error: BaseException) -> None:
        """Leave a FAILED record and a log; another driver's commit is not touched."""
        message = message_of_end(error)
        log.error("job %s failed: %s", prediction.BatchPredictionId, message)
        if isinstance(error, AlreadyCommittedError):
            return
        try:
            if not self._is_finished():
                failed = self.ending.fail(prediction, message)
                if isinstance(error, BatchScoreError):
                    error.record = failed.to_dict()
        except BatchScoreError as second:
            log.error("record %s: expected to write FAILED, got: %s", self.outputs.record, second)  # noqa: TRY400


def _check_same_parameters(plan: Plan, bound: Mapping[str, str], other_inputs: Iterable[StoredObject]) -> None:
    named = sorted({source.uri for source in other_inputs})
    job_record.check_same_parameters(plan.spec.id, bound, plan.spec.parameters, named)
