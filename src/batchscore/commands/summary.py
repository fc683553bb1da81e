"""What a job tells at its end."""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from batchscore.commands.readable import missing_column_lines, repeated_column_lines, unread_columns
from batchscore.commit.provenance import unseen_entry
from batchscore.input.header_names import first_names
from batchscore.input.unseen_texts import TextCounts
from batchscore.model.flavors import flavor_of
from batchscore.model.flavors.installed import version_warnings
from batchscore.output.parts import Counts, PartFile
from batchscore.output.paths import Outputs
from batchscore.plan import JobSpec, Plan
from batchscore.report.job_report import TIMES

log = logging.getLogger(__name__)

_LIBRARIES = ("batchscore", "mlflow-skinny", "numpy", "pandas", "pyarrow", "pyspark", "boto3")


def summary(
    plan: Plan, counts: Counts, seconds: Mapping[str, float], outputs: Outputs, quality: Mapping[str, float | None]
) -> dict[str, Any]:
    """Return counts, quality if labels are known, warnings, and seconds by step and by stage in the tasks."""
    return {
        "manifest": outputs.manifest,
        "model_type": plan.spec.model_type,
        "input_count": len(plan.inputs),
        "part_count": counts.part_count,
        "reused_part_count": counts.reused_part_count,
        "invalid_reasons": counts.invalid_reasons,
        "invalid_values": counts.invalid_values,
        "unseen_values": unseen_entry(plan.spec, counts.texts),
        **({"quality": quality} if quality else {}),
        "warnings": version_warnings(plan.spec.model, plan.spec.config.allow_version_mismatch),
        **_times(counts, seconds),
    }


def _times(counts: Counts, seconds: Mapping[str, float]) -> dict[str, Any]:
    scored = counts.scored_record_count
    return {
        "seconds": {step: round(value, 3) for step, value in seconds.items()},
        "records_per_second": _rate(scored, seconds.get("score", 0.0)),
        "stages": {
            stage: {"seconds": round(value, 3), "records_per_second": _rate(scored, value)}
            for stage, value in counts.seconds.items()
        },
    }


def log_times(counts: Counts, seconds: Mapping[str, float]) -> None:
    """Log where the time went, as the page reads it."""
    log.info("%s%s", TIMES, json.dumps(_times(counts, seconds)))


def log_unseen(spec: JobSpec, texts: TextCounts) -> None:
    """Log of which columns records hold texts that the model does not know."""
    for name, number in texts.unseen.items():
        log.info("column %s: the model does not know %d of %d values", name, number, texts.value_count(name))
    if hidden := [name for name, number in unseen_entry(spec, texts).items() if number is None]:
        log.info("the model does not show which texts it knows in %s", first_names(hidden))


def _rate(records: int, seconds: float) -> int:
    return round(records / seconds) if seconds else 0


def software_versions(plan: Plan) -> dict[str, str]:
    """Return the versions of what makes the result."""
    versions = {"python": platform.python_version()}
    for name in (*_LIBRARIES, *flavor_of(plan.spec.model.flavors).distributions):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    if "pyspark" not in versions:  # a cluster's Spark is no installed package
        import pyspark

        versions["pyspark"] = pyspark.__version__
    return versions


def telling_extra_columns(plan: Plan, parts: Iterable[PartFile]) -> Iterator[PartFile]:
    """Pass parts on, and log the columns of their inputs that the job does not read, once for all of the same ones.

    So are optional columns that inputs lack, and those that they have more than once.
    """
    found = []
    for part in parts:
        if part.extra_columns or part.missing_columns or part.repeated_columns:
            found.append((plan.inputs[plan.splits[part.split_index].input_index].source.uri, part))
        yield part
    for line in unread_columns((uri, part.extra_columns) for uri, part in found):
        log.info("columns that are not read: %s", line)
    for line in missing_column_lines((uri, part.missing_columns, part.extra_columns) for uri, part in found):
        log.warning("%s", line)
    for line in repeated_column_lines((uri, part.repeated_columns) for uri, part in found):
        log.warning("%s", line)
