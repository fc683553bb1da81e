"""The checks before a job: Amazon ML's *Verify* and *Review* pages."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

from batchscore.commands.readable import missing_column_lines, repeated_column_lines
from batchscore.commands.review import Fault, Review, Sample, texts_of
from batchscore.commands.sample_predictions import NO_PREDICTIONS, SamplePredictions, predictions_shown
from batchscore.commit.checks import check_unseen, describe_verdict, limit_of
from batchscore.commit.verdicts import Tally, judge
from batchscore.config.job_config import JobConfig
from batchscore.config.missing_values import ModelFacts, words_listed_but_known
from batchscore.environment import process_kept
from batchscore.errors import BatchScoreError, TooManyInvalidRecordsError
from batchscore.input.binding import Binding, extra_columns
from batchscore.input.cell_diagnosis import value_hints
from batchscore.input.column_notes import missing_columns, repeated_columns
from batchscore.input.columns import Column
from batchscore.input.csv_lines import TextFormat
from batchscore.input.diagnosis import LINES_LOOKED_AT, escape_mends
from batchscore.input.factory import job_reader
from batchscore.input.files import InputFile
from batchscore.input.odd_texts import odd_text_warnings
from batchscore.input.other_spellings import Beginning
from batchscore.input.parsed_block import ParsedBlock
from batchscore.input.sample_warnings import warnings_of
from batchscore.input.text_format import text_format_of
from batchscore.input.unseen_texts import TextTotals, count_texts
from batchscore.model.flavors.installed import version_warnings
from batchscore.model.frames import ModelRecords
from batchscore.model.missing_patterns import predict_table
from batchscore.model.predictor import Predictor
from batchscore.plan import JobSpec, Plan
from batchscore.preflight.beginnings import Looked
from batchscore.preflight.discovery import find_schema, list_inputs
from batchscore.preflight.first_look import FIRST_BYTES, first_look
from batchscore.preflight.lengths import check_lengths
from batchscore.preflight.misfits import input_faults
from batchscore.preflight.model_trial import try_model
from batchscore.preflight.output_check import check_output
from batchscore.preflight.parity import check_parity, compare
from batchscore.preflight.parity_report import Parity
from batchscore.preflight.places import check_places
from batchscore.preflight.planner import LoadedModel, load_model, make_plan
from batchscore.preflight.sample import choose_sample
from batchscore.preflight.unseen import column_warnings, remedies_of, unseen_faults
from batchscore.spark.settings import check_settings
from batchscore.storage.base import is_present
from batchscore.storage.factory import storage_for
from batchscore.storage.s3_client import begin_run

_THREADS = 8
_MISSING = "missing_value"
Found = TypeVar("Found")


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
        sources, skipped = _attempt(faults, "input", lambda: list_inputs(config)) or ((), ())
        listed = {source.uri for source in sources} | {uri for uri, _ in skipped}
        _attempt(faults, "schema", lambda: find_schema(config, listed))
        return Review(None, faults=faults)
    faults += _version_faults(model, config)
    plan = _attempt(faults, "input", lambda: make_plan(config, model))
    if plan is None:
        return Review(None, faults=faults)
    _attempt(faults, "output", lambda: check_lengths(plan))
    faults += _missing_faults(plan, model.predictor.facts)
    looked = first_look(plan)
    found = input_faults(plan, looked, lambda: _has_record(plan))
    faults += [_fault("header" if place is not None else "records", error) for place, error in found]
    if looked.faults:
        return Review(plan, faults=faults)
    parity = None
    if not found:
        faults += _column_faults(plan.spec, looked)
        parity = _tried(plan, model, looked, faults)
    samples, predictions = list[Sample](), SamplePredictions()
    if not any(fault.where == "model" and fault.fatal for fault in faults):
        samples, predictions, scored = _sample_all(plan, model.predictor, None if full else FIRST_BYTES)
        faults += scored + _odd_text_faults(plan, looked)
    if not any(fault.fatal for fault in faults):
        faults += _verdict_faults(plan, samples)
    remedies = remedies_of(plan.spec, looked.columns)
    return Review(plan, samples, faults, model.predictor.facts, parity, remedies, predictions)


def _column_faults(spec: JobSpec, looked: Looked) -> list[Fault]:
    """Tell of the columns that do not hold what the model was trained on."""
    faults = [_fault("records", error) for error in unseen_faults(spec, looked.columns)]
    return faults + [Fault("records", **asdict(warning)) for warning in column_warnings(spec, looked.columns)]


def _tried(plan: Plan, model: LoadedModel, looked: Looked, faults: list[Fault]) -> Parity | None:
    """Try the model on the job's sample, and compare how the job, pandas and MLflow read its own example."""
    sample = choose_sample(plan.inputs, looked.findings)
    _attempt(faults, "model", lambda: try_model(model.predictor, plan.spec, sample, looked.heads))
    parity = _attempt(faults, "model", lambda: compare(model.predictor, plan.spec, model.folder, with_example=True))
    if parity is not None:
        _attempt(faults, "model", lambda: check_parity(parity, plan.spec.model.pinned_uri))
        if parity.csv_differs is not None:
            text = f"input_example, given to the model itself: {parity.csv_differs}"
            faults.append(Fault("model", text, fatal=False))
    return parity


def _odd_text_faults(plan: Plan, looked: Looked) -> list[Fault]:
    warnings = odd_text_warnings(looked.findings, plan.spec.columns.inputs)
    return [Fault("records", **asdict(warning)) for warning in warnings]


def _version_faults(model: LoadedModel, config: JobConfig) -> list[Fault]:
    told = version_warnings(model.version, config.allow_version_mismatch)
    return [Fault("model", text, fatal=False) for text in told]


def _missing_faults(plan: Plan, facts: ModelFacts) -> list[Fault]:
    """Warn of words that the user calls missing though the model knows them as values."""
    known = words_listed_but_known(plan.spec.config.missing, facts)
    text = "column {}: the model knows {} as a value, and null_values calls it missing; leave it out of null_values"
    return [Fault("model", text.format(name, ", ".join(words)), fatal=False) for name, words in known.items()]


def _has_record(plan: Plan) -> bool:
    uri = plan.spec.outputs.record
    try:
        return plan.spec.config.id is not None and is_present(storage_for(uri, plan.spec.config.s3), uri)
    except BatchScoreError:  # an output that cannot be read is told as a fault of its own
        return False


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
    plan: Plan, predictor: Predictor, sample_bytes: int | None
) -> tuple[list[Sample], SamplePredictions, list[Fault]]:
    def sample(source: InputFile) -> tuple[Sample, SamplePredictions] | BatchScoreError:
        try:
            return sample_input(source, plan.spec, predictor, sample_bytes)
        except BatchScoreError as error:
            return error

    samples, predictions, faults = list[Sample](), SamplePredictions(), list[Fault]()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="sample") as pool:
        for found in pool.map(sample, plan.inputs):
            if isinstance(found, BatchScoreError):
                faults.append(_fault("records", found))
                continue
            samples.append(found[0])
            predictions += found[1]
    faults += [Fault("header", text, fatal=False) for text in _header_warnings(samples)]
    faults += [Fault("records", **asdict(warning)) for warning in warnings_of(samples, plan.spec.columns)]
    return samples, predictions, faults


def _header_warnings(samples: Sequence[Sample]) -> list[str]:
    return [
        *missing_column_lines((sample.uri, sample.missing_columns, sample.extra_columns) for sample in samples),
        *repeated_column_lines((sample.uri, sample.repeated_columns) for sample in samples),
    ]


def _verdict_faults(plan: Plan, samples: Sequence[Sample]) -> list[Fault]:
    """Hold what was read to what a job must have scored to succeed."""
    invalid = sum(sum(found.invalid_reasons.values()) for found in samples)
    limit, code = plan.spec.config.max_invalid_records, TooManyInvalidRecordsError.exit_code
    if invalid > limit:
        text = f"job: expected at most {limit} invalid records, got {invalid} in what was read"
        return [Fault("records", text, fatal=True, exit_code=code)]
    tallies = [Tally(found.uri, found.record_count, sum(found.invalid_reasons.values())) for found in samples]
    verdict = judge(tallies, limit_of(plan.spec.config))
    if verdict is None:
        faults = list[Fault]()
        _attempt(faults, "records", lambda: check_unseen(plan.spec, texts_of(samples), " in what was read"))
        return faults
    reasons = {found.uri: found.invalid_reasons for found in samples}
    text = describe_verdict(plan, verdict, reasons, " in what was read", has_record=_has_record(plan))
    return [Fault("records", text, fatal=True, exit_code=code)]


def sample_input(
    source: InputFile, spec: JobSpec, predictor: Predictor, sample_bytes: int | None
) -> tuple[Sample, SamplePredictions]:
    """Parse and score the first ``sample_bytes`` of an input, or all; raises InputError or ModelError."""
    found, sampled, header_bytes = _Found(source.source.uri, spec), 0, 0
    extra, lacking, repeated, hints = list[str](), list[str](), dict[str, list[int]](), dict[str, str]()
    reader = job_reader(spec.config, spec.columns)
    for block in reader.read_beginning(source, sample_bytes):
        if block.is_first:
            extra, header_bytes = extra_columns(spec.columns, block.names or ()), block.offset
            lacking = missing_columns(spec.columns, block.binding)
            repeated = repeated_columns(spec.columns, block.names or ())
        sampled += block.size_in_bytes
        for parsed in block.parse():
            found.add(parsed, predictor, block.binding.column_count)
            hints = _value_hints(parsed, block.binding, spec) | hints
    content_bytes = reader.content_bytes(source.source)
    sample = Sample(
        uri=source.source.uri,
        size_in_bytes=source.source.size_in_bytes,
        record_count=found.records,
        estimated_records=_estimate(content_bytes, sample_bytes, found.records, sampled, header_bytes),
        invalid_reasons=dict(found.reasons),
        invalid_values=dict(found.values),
        missing_values=dict(found.missing),
        empty_values={name: number for name, number in found.empty.items() if name not in lacking},
        extra_columns=extra,
        mended_by_escape=dict(found.mended),
        missing_columns=lacking,
        repeated_columns=repeated,
        value_hints=hints,
        texts=found.texts.sum(),
    )
    return sample, found.predictions


@dataclass
class _Found:
    """What the records of an input show, added up while they are scored."""

    uri: str
    spec: JobSpec
    records: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    empty: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    texts: TextTotals = field(default_factory=TextTotals)
    predictions: SamplePredictions = NO_PREDICTIONS

    def add(self, parsed: ParsedBlock, predictor: Predictor, column_count: int) -> None:
        """Score some more records, and count what is wrong with them; raises ModelError."""
        spec, inputs = self.spec, self.spec.columns.inputs
        records = ModelRecords(parsed.inputs, inputs, spec.model.tensor_dtype, predictor.categorical)
        predicted, failures = predict_table(predictor, records, records.groups(), spec.config.max_invalid_records)
        failed = [failure.row for failure in failures]
        self.predictions += predictions_shown(self.uri, self.records, parsed, predicted, failed, spec)
        self.records += parsed.record_count
        self.reasons.update(record.reason for record in parsed.invalid)
        self.reasons.update(failure.reason for failure in failures)
        self.mended.update(_mended_by_escape(parsed, column_count, text_format_of(spec.config)))
        self.values.update(parsed.invalid_values)
        self.missing.update(item.attribute for item in parsed.invalid if item.attribute and item.reason == _MISSING)
        self.empty.update(_empty_cells(parsed, inputs))
        self.texts.add(count_texts(parsed.inputs, spec.vocabularies))


def _value_hints(parsed: ParsedBlock, binding: Binding, spec: JobSpec) -> dict[str, str]:
    """Return what reads the values that cannot be read, by column, tried on the first records that hold one."""
    text = text_format_of(spec.config)
    raws = (record.raw for record in parsed.invalid if record.reason == "invalid_value")
    lines = [raw.replace(b"\n", b" ").decode(text.encoding, "replace") for raw in islice(raws, LINES_LOOKED_AT)]
    return value_hints(Beginning(None, "", lines, binding, spec.columns, text)) if lines else {}


def _mended_by_escape(parsed: ParsedBlock, column_count: int, text: TextFormat) -> Iterator[str]:
    """Yield the reasons of the records that could be parsed with the key ``escape``."""
    for record in parsed.invalid:
        if record.stage == "parse" and escape_mends(record.raw, column_count, text):
            yield record.reason


def _empty_cells(parsed: ParsedBlock, columns: Sequence[Column]) -> Counter[str]:
    """Count the missing values of the valid records by column; values that cannot be read are none."""
    numbers = ModelRecords(parsed.inputs, columns).absent().sum(axis=0).tolist()
    counts = zip(columns, numbers, strict=True)
    return +Counter({column.name: number - _read_as_missing(parsed, column) for column, number in counts})


def _read_as_missing(parsed: ParsedBlock, column: Column) -> int:
    return parsed.invalid_values[column.name] if column.missing.invalid_is_missing else 0


def _estimate(size: int | None, sample_bytes: int | None, records: int, sampled: int, header_bytes: int) -> int | None:
    if sample_bytes is None or sampled == 0:
        return records
    if size is None:
        return records if sampled + header_bytes < sample_bytes else None
    return round(records * (size - header_bytes) / sampled)
