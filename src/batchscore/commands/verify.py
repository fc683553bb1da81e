"""The checks before a job: Amazon ML's *Verify* and *Review* pages."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypeVar

from batchscore.commands.readable import missing_column_lines, repeated_column_lines
from batchscore.commands.review import Fault, Review, Sample, texts_of
from batchscore.commands.sample_predictions import SamplePredictions
from batchscore.commands.sampling import sample_input
from batchscore.commit.checks import check_unseen, describe_verdict, limit_of
from batchscore.commit.verdicts import Tally, judge
from batchscore.config.job_config import JobConfig
from batchscore.config.missing_values import ModelFacts, words_listed_but_known
from batchscore.environment import process_kept
from batchscore.errors import BatchScoreError, TooManyInvalidRecordsError
from batchscore.input.diagnosis.sample_warnings import warnings_of
from batchscore.input.files import InputFile
from batchscore.model.flavors.installed import version_warnings
from batchscore.model.predictor import Predictor
from batchscore.plan import JobSpec, Plan
from batchscore.preflight.beginnings import Looked
from batchscore.preflight.discovery import find_schema, list_inputs, uris_listed
from batchscore.preflight.first_look import FIRST_BYTES, first_look
from batchscore.preflight.lengths import check_lengths
from batchscore.preflight.misfits import input_faults
from batchscore.preflight.model_trial import try_model
from batchscore.preflight.output_check import check_output
from batchscore.preflight.parity import check_parity, compare
from batchscore.preflight.parity_report import Parity
from batchscore.preflight.passthrough import with_passed_columns
from batchscore.preflight.places import check_places
from batchscore.preflight.planner import LoadedModel, load_model, make_plan
from batchscore.preflight.sample import choose_sample
from batchscore.preflight.unseen import column_warnings, remedies_of, unseen_faults
from batchscore.spark.settings import check_settings
from batchscore.storage.base import is_present
from batchscore.storage.factory import storage_for
from batchscore.storage.s3_client import begin_run

_THREADS = 8
Found = TypeVar("Found")


@process_kept()
def review_job(config: JobConfig, folder: Path, full: bool = False) -> Review:
    """Check access, model, schema, headers and records of a job without starting it.

    ``full`` reads the inputs whole in place of a sample of each.
    """
    begin_run(uuid.uuid4().hex)
    faults = _output_faults(config)
    _attempt(faults, "spark", lambda: check_settings(config.spark))
    model = _attempt(faults, "model", lambda: load_model(config, folder / "model"))
    if model is None:
        sources, skipped = _attempt(faults, "input", lambda: list_inputs(config)) or ((), ())
        _attempt(faults, "schema", lambda: find_schema(config, uris_listed(sources, skipped)))
        return Review(None, faults=faults)
    faults += _version_faults(model, config)
    plan = _attempt(faults, "input", lambda: make_plan(config, model))
    if plan is None:
        return Review(None, faults=faults)
    plan = _attempt(faults, "header", partial(with_passed_columns, plan)) or plan
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
        faults += scored
    if not any(fault.fatal for fault in faults):
        faults += _verdict_faults(plan, samples)
    remedies = remedies_of(plan.spec, looked.columns)
    return Review(plan, samples, faults, model.predictor.facts, parity, remedies, predictions)


def _output_faults(config: JobConfig) -> list[Fault]:
    faults: list[Fault] = []
    _attempt(faults, "output", lambda: check_places(config))
    if not faults:
        warnings = _attempt(faults, "output", lambda: check_output(config)) or ()
        faults += [Fault("output", text, fatal=False) for text in warnings]
    return faults


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
