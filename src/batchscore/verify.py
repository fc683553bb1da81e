"""The checks before a job: Amazon ML's *Verify* and *Review* pages."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from batchscore.config import JobConfig
from batchscore.errors import BatchScoreError, TooManyInvalidRecordsError
from batchscore.inputs import check_headers, find_schema, list_inputs
from batchscore.lengths import check_lengths
from batchscore.model_input import ModelRecords
from batchscore.output_check import check_output
from batchscore.places import check_places
from batchscore.plan import InputFile, JobSpec, Plan
from batchscore.planning import load_model, plan_without_headers
from batchscore.predict_table import predict_table
from batchscore.predictor import Predictor
from batchscore.process_state import process_kept
from batchscore.records import parse_blocks
from batchscore.s3_client import begin_run
from batchscore.schema import bind, extra_columns
from batchscore.scoring import input_blocks, take_header
from batchscore.spark_settings import check_settings

SAMPLE_BYTES = 256 * 1024
_THREADS = 8
Found = TypeVar("Found")


@dataclass(frozen=True)
class Fault:
    """What is wrong. ``fatal`` ones would keep the job from starting or finishing; others cost single records."""

    where: str
    what: str
    fatal: bool
    exit_code: int = 0


@dataclass(frozen=True)
class Sample:
    """What a sample of one input shows; counts are of the sample.

    ``estimated_records`` are those of the whole input; None where the sample cannot tell: of a compressed input that
    was not read whole.
    """

    uri: str
    size_in_bytes: int
    record_count: int
    estimated_records: int | None
    invalid_reasons: dict[str, int]
    invalid_values: dict[str, int]
    extra_columns: list[str]


@dataclass(frozen=True)
class Review:
    """The plan of a job, what samples show, and what is wrong. Without a plan, planning itself failed."""

    plan: Plan | None
    samples: list[Sample] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 only if the job would start."""
        return next((fault.exit_code for fault in self.faults if fault.fatal), 0)


@process_kept()
def review_job(config: JobConfig, folder: Path, full: bool = False) -> Review:
    """Check access, model, schema, headers and records of a job without starting it.

    ``full`` reads the inputs whole in place of a sample of each.
    """
    begin_run(uuid.uuid4().hex)
    faults: list[Fault] = []
    _attempt(faults, "output", lambda: check_places(config))
    if not faults:
        warnings = _attempt(faults, "output", lambda: check_output(config)) or ()
        faults += [Fault("output", text, fatal=False) for text in warnings]
    _attempt(faults, "spark", lambda: check_settings(config.spark))
    model = _attempt(faults, "model", lambda: load_model(config, folder / "model"))
    if model is None:
        _attempt(faults, "input", lambda: list_inputs(config))
        _attempt(faults, "schema", lambda: find_schema(config))
        return Review(None, faults=faults)
    plan = _attempt(faults, "input", lambda: plan_without_headers(config, model))
    if plan is None:
        return Review(None, faults=faults)
    _attempt(faults, "output", lambda: check_lengths(plan))
    _, header_faults = check_headers(plan.inputs if plan.spec.columns.has_header else (), plan.spec)
    faults += [_fault("header", error) for error in header_faults]
    samples: list[Sample] = []
    if not header_faults:
        spec, predictor = plan.spec, model.predictor
        found, record_faults = _sample_all(plan.inputs, spec, predictor, None if full else SAMPLE_BYTES)
        samples += found
        faults += record_faults
    return Review(plan, samples, faults)


def _attempt(faults: list[Fault], where: str, step: Callable[[], Found]) -> Found | None:
    """Return what a step of the checks gives; keep its fault and go on, so that all are shown at once."""
    try:
        return step()
    except BatchScoreError as error:
        faults.append(_fault(where, error))
        return None


def _fault(where: str, error: BatchScoreError) -> Fault:
    return Fault(where, str(error), fatal=True, exit_code=error.exit_code)


def _sample_all(
    inputs: Sequence[InputFile],
    spec: JobSpec,
    predictor: Predictor,
    sample_bytes: int | None,
) -> tuple[list[Sample], list[Fault]]:
    def sample(source: InputFile) -> tuple[Sample | None, BatchScoreError | None]:
        try:
            return sample_input(source, spec, predictor, sample_bytes), None
        except BatchScoreError as error:
            return None, error

    samples, faults = [], []
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="sample") as pool:
        for found, error in pool.map(sample, inputs):
            if error:
                faults.append(_fault("records", error))
            if found:
                samples.append(found)
                faults += _record_faults(found)
    limit = spec.config.max_invalid_records
    invalid = sum(sum(found.invalid_reasons.values()) for found in samples)
    if invalid > limit:
        text = f"job: expected at most {limit} invalid records, got {invalid} in what was read"
        faults.append(Fault("records", text, fatal=True, exit_code=TooManyInvalidRecordsError.exit_code))
    return samples, faults


def _record_faults(found: Sample) -> list[Fault]:
    faults = []
    for reason, number in found.invalid_reasons.items():
        text = f"input {found.uri}: {number} of {found.record_count} records read are invalid: {reason}"
        faults.append(Fault("records", text, fatal=False))
    for attribute, number in found.invalid_values.items():
        text = f"input {found.uri}: {number} invalid values in {attribute}"
        faults.append(Fault("records", text, fatal=False))
    return faults


def sample_input(source: InputFile, spec: JobSpec, predictor: Predictor, sample_bytes: int | None) -> Sample:
    """Parse and score the first ``sample_bytes`` of an input, or all; raises InputError or ModelError."""
    reasons, values = Counter[str](), Counter[str]()
    records = sampled = header_bytes = 0
    extra: list[str] = []
    binding = None
    for block in input_blocks(source, spec.config.s3, 0, sample_bytes):
        content = block
        if binding is None:
            names, content = take_header(block, source, spec.text_format, spec.columns.has_header)
            binding = bind(spec.columns, names, source.source.uri)
            extra = extra_columns(spec.columns, names or ())
            header_bytes = len(block.data) - len(content.data)
        if not content.data:
            continue
        sampled += len(content.data)
        for parsed in parse_blocks(content, binding, spec.columns, spec.text_format):
            records_read = ModelRecords(
                parsed.inputs, spec.columns.inputs, spec.model.tensor_dtype, predictor.categorical
            )
            _, failures = predict_table(predictor, records_read, records_read.groups(), spec.config.max_invalid_records)
            records += parsed.record_count
            reasons.update(record.reason for record in parsed.invalid)
            reasons.update(failure.reason for failure in failures)
            values.update(parsed.invalid_values)
    return Sample(
        uri=source.source.uri,
        size_in_bytes=source.source.size_in_bytes,
        record_count=records,
        estimated_records=_estimate(source, sample_bytes, records, sampled, header_bytes),
        invalid_reasons=dict(reasons),
        invalid_values=dict(values),
        extra_columns=extra,
    )


def _estimate(source: InputFile, sample_bytes: int | None, records: int, sampled: int, header_bytes: int) -> int | None:
    size = source.source.size_in_bytes
    if sample_bytes is None or sampled == 0:
        return records
    if source.compression:
        return records if sampled + header_bytes < sample_bytes else None
    return round(records * (size - header_bytes) / sampled)
