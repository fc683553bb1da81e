"""The Spark side of scoring: one row a task, the pandas UDFs, and the watch over the one action."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from pyspark.accumulators import Accumulator, AccumulatorParam

from batchscore.commit.concatenation import Concatenation, concatenate_parts
from batchscore.commit.receipts import finished_parts, write_receipt
from batchscore.errors import (
    BatchScoreError,
    BatchTimeoutError,
    CommitError,
    CredentialsError,
    TooManyInvalidRecordsError,
    TransientReadError,
)
from batchscore.input.blocks import read_first
from batchscore.input.diagnosis.findings import finding_as_json, finding_from_json
from batchscore.input.factory import job_reader
from batchscore.input.files import InputFile, Split, make_splits
from batchscore.input.reader import Reader, UnparsedBlock
from batchscore.model.flavors import PredictorSettings, predictor_settings
from batchscore.model.predictor import Predictor
from batchscore.output.parts import PartFile, WrittenFile
from batchscore.plan import JobSpec, Plan, SampledInput, pack_tasks
from batchscore.preflight.beginnings import Looked
from batchscore.preflight.column_looks import ColumnTotals, looks_as_json, looks_from_json
from batchscore.preflight.first_look import INPUTS_A_TASK, look_in_task
from batchscore.preflight.model_trial import check_model
from batchscore.scoring.score_split import score_together
from batchscore.spark.action import run_tasks
from batchscore.spark.loaded_models import loaded_predictor
from batchscore.spark.task_answers import (
    AnsweredParts,
    answered_error,
    answered_parts,
    as_line,
    error_answer,
    raise_answered,
    read_file,
)
from batchscore.spark.workload import Workload, make_workload
from batchscore.storage.factory import storage_for

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Progress:
    """What finished tasks have done. For the eye and for giving up early; the truth is what the action returns."""

    splits: int = 0
    size_in_bytes: int = 0
    record_count: int = 0
    invalid_record_count: int = 0
    failure: str | None = None

    def __add__(self, other: Progress) -> Progress:
        """Add two reports."""
        return Progress(
            self.splits + other.splits,
            self.size_in_bytes + other.size_in_bytes,
            self.record_count + other.record_count,
            self.invalid_record_count + other.invalid_record_count,
            self.failure or other.failure,
        )


class _ProgressParam(AccumulatorParam[Progress]):
    def zero(self, value: Progress) -> Progress:  # noqa: ARG002 - pyspark's interface
        return Progress()

    def addInPlace(self, value1: Progress, value2: Progress) -> Progress:  # noqa: N802 - pyspark's interface
        return value1 + value2


@dataclass(frozen=True)
class ScoringBroadcast:
    """What every executor gets once: the job, the model's files, and the work of each task."""

    spec: JobSpec
    settings: PredictorSettings
    model_archive: bytes
    workload: Workload
    resuming: bool
    sample: tuple[SampledInput, ...]


_BATCHES_AT_ONCE = 4  # of one split, of which a few blocks are held, or of small ones
_SMALL_BYTES = 64 * 1024
_SMALL_COMPRESSED_BYTES = 4 * 1024
_SMALL_TOGETHER = 32


def _retryable(error: BatchScoreError) -> bool:
    return isinstance(error, TransientReadError | CommitError | CredentialsError | BatchTimeoutError)


def _error_answer(error: BatchScoreError) -> str:
    """Return an error that another attempt would meet again as an answer, so that Spark does not try three times more.

    Raises the error if it may pass.
    """
    if _retryable(error):
        raise error
    return error_answer(error)


def look_at_inputs(spark: SparkSession, spec: JobSpec, inputs: Sequence[InputFile]) -> Looked:
    """Look at the beginning of each input, all of one split, by many tasks."""
    splits = make_splits(inputs, spec.config.split_bytes)
    waiting = iter(splits)
    workload = make_workload(inputs, splits, iter(lambda: list(islice(waiting, INPUTS_A_TASK)), []))
    broadcast = spark.sparkContext.broadcast((spec, workload))

    def work(number: int) -> str:
        spec, shared = broadcast.value
        looked = look_in_task([source for _, source in shared.task(number)], spec)
        faults = {place: _error_answer(fault) for place, fault in looked.faults.items()}
        return "\n".join([json.dumps(faults), looks_as_json(looked.columns), *map(finding_as_json, looked.findings)])

    description = f"batchscore {spec.id}: look at {len(inputs)} inputs"
    answers = run_tasks(spark, len(workload), work, f"batchscore-look-{spec.id}", description, lambda: None)
    broadcast.unpersist()
    columns = ColumnTotals()
    looked = Looked(columns=columns.looks)
    for answer in answers:
        faults, looks, *findings = answer.split("\n")
        columns.add(looks_from_json(looks))
        first = len(looked.findings)
        looked.faults.update({first + int(place): answered_error(text) for place, text in json.loads(faults).items()})
        looked.findings.extend(map(finding_from_json, findings))
    return looked


def score(
    spark: SparkSession, plan: Plan, model_archive: bytes, resuming: bool, report: Callable[[Progress], None]
) -> AnsweredParts:
    """Score every split of a plan on Spark; raises what the tasks raise, or ScoringError."""
    context = spark.sparkContext
    tasks = pack_tasks(plan.splits, plan.spec.config.split_bytes)
    workload = make_workload(plan.inputs, plan.splits, tasks)
    broadcast = context.broadcast(
        ScoringBroadcast(
            spec=plan.spec,  # pickled without what can hold credentials: see JobConfig
            settings=predictor_settings(plan.spec.config, plan.spec.model_type),
            model_archive=model_archive,
            workload=workload,
            resuming=resuming,
            sample=plan.sample,
        )
    )
    progress = context.accumulator(Progress(), _ProgressParam())
    work = _score_task(broadcast, progress)

    def watch() -> None:
        now = progress.value
        report(now)
        if now.failure:
            raise_answered(now.failure)
        limit = plan.spec.config.max_invalid_records
        if now.invalid_record_count > limit:
            raise TooManyInvalidRecordsError(
                f"job {plan.spec.id}: expected at most {limit} invalid records, got {now.invalid_record_count} in "
                f"{now.splits} of {len(plan.splits)} splits; see the rejected files, or raise max_invalid_records"
            )

    description = f"batchscore {plan.spec.id}: score {len(plan.splits)} splits of {len(plan.inputs)} inputs"
    answers = run_tasks(spark, len(workload), work, f"batchscore-score-{plan.spec.id}", description, watch)
    broadcast.unpersist()
    return answered_parts(answers)


def _score_task(broadcast: Broadcast[ScoringBroadcast], progress: Accumulator[Progress]) -> Callable[[int], str]:
    """Return the work of a scoring task."""

    def work(number: int) -> str:
        try:
            return "\n".join(map(as_line, _task_parts(broadcast.value, number, progress)))
        except BatchScoreError as error:
            answer = _error_answer(error)
            progress.add(Progress(failure=answer))
            return answer

    return work


def _task_parts(shared: ScoringBroadcast, number: int, progress: Accumulator[Progress]) -> list[PartFile]:
    """Return the parts of a task: those that an earlier run of the job finished, or newly scored ones."""
    spec = shared.spec
    work = shared.workload.task(number)
    storage, receipt = storage_for(spec.config.output, spec.config.s3), spec.outputs.receipt(number)
    finished = finished_parts(storage, receipt, spec, work) if shared.resuming else [None] * len(work)
    missing = [item for item, part in zip(work, finished, strict=True) if part is None]
    scored: Iterator[PartFile] = iter(())
    if missing:
        predictor = loaded_predictor(lambda: shared.model_archive, spec.model, shared.settings)
        doubting = _doubting(predictor, spec, shared.sample)
        scored = score_splits(missing, spec, doubting, job_reader(spec.config, spec.columns))
    parts = []
    for (split, _), part in zip(work, finished, strict=True):
        parts.append(part or next(scored))
        progress.add(_progress_of(split, parts[-1]))
    if missing:
        write_receipt(storage, receipt, spec.parameters, parts)
    return parts


def _doubting(predictor: Predictor, spec: JobSpec, sample: Sequence[SampledInput]) -> Predictor:
    """Return a model that, where it seems to work on nothing, is tried once on the sample that the driver tried."""
    tried = False

    def try_once() -> None:
        nonlocal tried
        if not tried:
            tried = True
            check_model(predictor, spec, sample, {})

    return replace(predictor, in_doubt=try_once)


def score_splits(
    work: Sequence[tuple[Split, InputFile]], spec: JobSpec, predictor: Predictor, reader: Reader
) -> Iterator[PartFile]:
    """Score the splits of a task one after another, small ones together, and yield their parts in order.

    Small files share a task, and fetching and storing one takes longer than scoring it: the next ones are begun to be
    read, and the last ones are being stored, while some are scored.
    """
    waiting = _together(work, reader)
    reading = deque[list[tuple[Iterator[UnparsedBlock], Split, InputFile]]]()
    storing = deque[list[Future[PartFile]]]()
    with ThreadPoolExecutor(4 * _BATCHES_AT_ONCE, thread_name_prefix="splits") as pool:
        while True:
            for batch in islice(waiting, _BATCHES_AT_ONCE - len(reading)):
                contents = ((reader.read(source, split.start, split.stop), split, source) for split, source in batch)
                reading.append([(read_first(content, pool), split, source) for content, split, source in contents])
            if not reading:
                break
            scored = score_together(reading.popleft(), spec, predictor)
            storing.append([pool.submit(one.store) for one in scored])
            if len(storing) == _BATCHES_AT_ONCE:
                yield from (part.result() for part in storing.popleft())
        while storing:
            yield from (part.result() for part in storing.popleft())


def _together(work: Sequence[tuple[Split, InputFile]], reader: Reader) -> Iterator[list[tuple[Split, InputFile]]]:
    """Yield splits in order: each alone, but small ones together."""
    batch: list[tuple[Split, InputFile]] = []
    for split, source in work:
        most = _SMALL_COMPRESSED_BYTES if reader.content_bytes(source.source) is None else _SMALL_BYTES
        small = split.stop - split.start <= most
        if batch and not (small and len(batch) < _SMALL_TOGETHER):
            yield batch
            batch = []
        batch.append((split, source))
        if not small:
            yield batch
            batch = []
    if batch:
        yield batch


def _progress_of(split: Split, part: PartFile) -> Progress:
    return Progress(1, split.stop - split.start, part.record_count, part.invalid_record_count)


def concatenate(spark: SparkSession, spec: JobSpec, tasks: Sequence[Concatenation]) -> dict[int, WrittenFile]:
    """Concatenate the parts of inputs into one object each, by a task each; returns the objects by input index."""
    broadcast = spark.sparkContext.broadcast((spec.config.s3, tuple(tasks)))

    def work(number: int) -> str:
        s3, shared = broadcast.value
        try:
            return as_line(concatenate_parts(shared[number], s3))
        except BatchScoreError as error:
            return _error_answer(error)

    description = f"batchscore {spec.id}: concatenate the parts of {len(tasks)} inputs"
    answers = run_tasks(spark, len(tasks), work, f"batchscore-concatenate-{spec.id}", description, lambda: None)
    broadcast.unpersist()
    concatenated = {}
    for task, answer in zip(tasks, answers, strict=True):
        raise_answered(answer)
        concatenated[task.input_index] = read_file(answer)
    return concatenated
