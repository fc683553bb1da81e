"""From a configuration to a plan: resolve the model, find the inputs, hold one against the other and try them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from batchscore.config.job_config import JobConfig
from batchscore.config.missing_values import ModelFacts, Vocabulary
from batchscore.environment import forget_code_at_end
from batchscore.errors import ConfigError, ModelError
from batchscore.input.columns import Columns, resolve_columns
from batchscore.input.factory import job_reader
from batchscore.input.files import make_splits, with_headers
from batchscore.input.roles import Roles
from batchscore.model.archive import pack_model
from batchscore.model.flavors import predictor_settings
from batchscore.model.flavors.installed import version_warnings
from batchscore.model.frames import fitting_array, with_missing_rules
from batchscore.model.predictor import Predictor, load_predictor
from batchscore.model.registry import resolve_model
from batchscore.model.version import ModelVersion, threshold_in_force
from batchscore.output.echoed_text import label_texts
from batchscore.output.paths import new_id
from batchscore.output.result_text import COLUMN_NAMES, STATUS
from batchscore.plan import JobSpec, Plan, check_inputs, make_inputs, naming_root, parameters_of
from batchscore.preflight.discovery import find_schema
from batchscore.preflight.first_look import LookByTasks, first_look
from batchscore.preflight.misfits import input_faults, raise_together
from batchscore.preflight.model_trial import try_model
from batchscore.preflight.new_inputs import choose_inputs
from batchscore.preflight.parity import check_parity, compare
from batchscore.preflight.passthrough import with_passed_columns
from batchscore.preflight.sample import choose_sample
from batchscore.preflight.unseen import column_warnings, unseen_faults

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A model version with its files in ``folder``, loaded on the driver."""

    version: ModelVersion
    folder: Path
    predictor: Predictor
    threshold: float

    @cached_property
    def archive(self) -> bytes:
        """The model's files, as they reach the workers."""
        return pack_model(self.folder)


def load_model(config: JobConfig, folder: Path) -> LoadedModel:
    """Resolve, download and load the model of a configuration; raises ModelError."""
    log.info("loading the model %s", config.model)
    version = resolve_model(config, folder)
    settings = predictor_settings(config, None if config.model_type == "auto" else config.model_type)
    forget_code_at_end(folder)
    predictor = load_predictor(folder, version, settings)
    log.info("model %s is %s, a %s model", config.model, version.pinned_uri, predictor.model_type)
    for warning in version_warnings(version, config.allow_version_mismatch):
        log.warning("%s", warning)
    return LoadedModel(version, folder, predictor, threshold_in_force(config.threshold, version))


def make_plan(config: JobConfig, model: LoadedModel) -> Plan:
    """Return the plan as far as listings and schema tell: enough to tell whether a finished job is the same.

    Its inputs are not read: see preflight. Raises ConfigError, InputError or ModelError.
    """
    version = model.version
    _check_output_of_model(config, model)
    choice = choose_inputs(config)
    check_inputs(choice.sources)
    schema, schema_digest = find_schema(config, choice.listed)
    keys = Roles(config.row_id, config.target)
    columns = resolve_columns(version.pinned_uri, version.signature, schema, config.has_header, keys, config.names)
    _check_order(columns, version)
    columns, facts = fitting_array(columns, version.tensor_dtype), model.predictor.facts
    columns = with_missing_rules(columns, config.missing, facts, version.signature is not None, version.tensor_dtype)
    spec = JobSpec(
        id=config.id or new_id(),
        config=config,
        model=version,
        model_type=model.predictor.model_type,
        classes=model.predictor.classes,
        positive_label=model.predictor.positive_label,
        threshold=model.threshold,
        columns=columns,
        parameters=parameters_of(config, version, model.threshold, choice.sources, schema_digest),
        value_names=model.predictor.value_names,
        meaning=model.predictor.meaning,
        vocabularies=_vocabularies(columns, facts),
    )
    root, reader = naming_root(config.input, choice.listed), job_reader(config, columns)
    inputs = make_inputs(choice.sources, root, config.split_bytes, reader)
    return Plan(
        spec,
        inputs,
        make_splits(inputs, config.split_bytes),
        tuple(choice.skipped),
        not_new=choice.not_new,
        manifests_read=choice.manifests_read,
    )


def _vocabularies(columns: Columns, facts: ModelFacts) -> dict[str, Vocabulary]:
    """Return what the model shows that it knows, for the columns that it takes as text."""
    known = facts.vocabularies
    texts = (column for column in columns.inputs if column.type == "string" and column.name in known)
    return {column.name: replace(known[column.name], words=column.missing.words) for column in texts}


def _check_order(columns: Columns, version: ModelVersion) -> None:
    """Refuse to take the columns of files without names in an order that MLflow made of a type hint's fields."""
    if not version.inputs_in_order and not columns.has_header and columns.names is None:
        raise ConfigError(
            f"key names: expected the columns of files without a header, in their order, since the inputs of "
            f"{version.pinned_uri} are fields of a type hint ({', '.join(column.name for column in version.inputs)}), "
            "got none"
        )


def _check_output_of_model(config: JobConfig, model: LoadedModel) -> None:
    """Refuse a class whose column readers of results would take for another, even where that one is not there."""
    uri, kind = model.version.pinned_uri, model.predictor.model_type
    if config.multiclass_output == "label":
        _check_labels(config, model.predictor, uri)
        return
    reserved = (*COLUMN_NAMES, STATUS) if config.status_column else COLUMN_NAMES
    taken = [name for name in model.predictor.classes if name in reserved and kind == "multiclass"]
    if taken:
        raise ModelError(
            f"model {uri}: expected classes of other names than {', '.join(reserved)}, which are columns of results, "
            f"got {', '.join(taken)}; train it with other labels"
        )


def _check_labels(config: JobConfig, predictor: Predictor, uri: str) -> None:
    """Refuse a model that predicts no label, or whose labels cannot be told apart as they are written."""
    if predictor.model_type != "multiclass":
        raise ConfigError(
            f"key multiclass_output: expected a multiclass model for label, got {uri}, which is "
            f"{predictor.model_type}; leave the key out"
        )
    written = label_texts(predictor.classes, escape_formulas=config.escape_formulas).to_pylist()
    twice = sorted(text for text, count in Counter(written).items() if count > 1)
    if twice:
        raise ModelError(
            f"model {uri}: expected classes that differ as they are written, got {', '.join(twice)} for several; "
            "train it with other labels, or leave multiclass_output out"
        )


def preflight(plan: Plan, model: LoadedModel, look_by_tasks: LookByTasks | None, is_known: Callable[[], bool]) -> Plan:
    """Return the plan with what is passed through, the headers that tasks need and the job's sample.

    Raises ConfigError, InputError or ModelError.

    A fault of a file goes before one of the model: what the model would be given is not what the file means. So do
    texts that the model does not know: where it refuses them it would say no more than that it raises. The model's own
    example comes last.
    ``is_known`` tells whether the id has a record; it is asked only where an input is at fault.
    """
    plan = with_passed_columns(plan)
    looked = first_look(plan, look_by_tasks)
    raise_together([fault for _, fault in input_faults(plan, looked, is_known)])
    raise_together(unseen_faults(plan.spec, looked.columns))
    for warning in column_warnings(plan.spec, looked.columns):
        log.warning("%s", warning.what)
    sample = choose_sample(plan.inputs, looked.findings)
    try_model(model.predictor, plan.spec, sample, looked.heads)
    parity = compare(model.predictor, plan.spec, model.folder, with_example=False)
    check_parity(parity, plan.spec.model.pinned_uri)
    log.info(
        "parity: %s", parity.not_compared or f"the job reads {parity.compared_count} rows of the model's example well"
    )
    needed = {item.source.uri for item in plan.inputs if item.split_count > 1}
    headers = {uri: header for uri, header in looked.headers.items() if uri in needed}
    return replace(plan, inputs=with_headers(plan.inputs, headers), sample=sample)


def log_plan(plan: Plan) -> None:
    """Log what a job is about to do."""
    log.info(
        "plan: %d inputs of %d bytes in %d splits, %d skipped",
        len(plan.inputs),
        plan.size_in_bytes,
        len(plan.splits),
        sum(plan.skipped_count.values()),
    )
    for name, words in plan.spec.words_kept.items():
        log.info("column %s: the model knows %s, which are values there", name, ", ".join(words))
    for uri, reason in plan.skipped:
        log.info("skipped %s: %s", uri, reason)
    for reason, number in plan.not_new.items():
        log.info("skipped %d files: %s", number, reason)
