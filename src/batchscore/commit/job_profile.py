"""The profile of a committed job: the counts of its receipts added up in the order of the splits, and written.

It observes: whatever keeps it from being written is told in the log, and fails no job.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from batchscore.commit.job_record import BatchPrediction
from batchscore.commit.provenance import unseen_entry
from batchscore.commit.receipts import stored_parts
from batchscore.errors import InputError, ScoringError, told_without_content
from batchscore.output.parts import Counts, PartFile, count
from batchscore.plan import Plan, pack_tasks
from batchscore.profile.document import JobTotals, as_bytes, profile_document, stored_profile
from batchscore.profile.format import ProfileFormat
from batchscore.profile.quality import main_measures
from batchscore.profile.split_profile import ProfileTotals, SplitProfile
from batchscore.storage.base import Storage, read_if_present

log = logging.getLogger(__name__)


def keeping_profile(plan: Plan, record: BatchPrediction) -> Plan:
    """Return the plan with the kind of profile that the id's record was made with: parts may be counted by it."""
    config = plan.spec.config
    if config.profile == record.profile:
        return plan
    level = logging.WARNING if "profile" in config.model_fields_set else logging.INFO
    log.log(
        level,
        "key profile: expected %s, which id %s began with, got %s; the job goes on with %s",
        *(record.profile, plan.spec.id, config.profile, record.profile),
    )
    return replace(plan, spec=replace(plan.spec, config=config.model_copy(update={"profile": record.profile})))


@dataclass(frozen=True)
class _StoredQuality:
    quality: dict[str, Any] = field(default_factory=dict)


def stored_quality(storage: Storage, plan: Plan) -> dict[str, float | None] | None:
    """Return the main measures of a profile that is there; None where one is to be and is not."""
    uri = plan.spec.outputs.profile
    if plan.spec.profile_format is None:
        return {}
    content = read_if_present(storage, uri)
    if content is None:
        return None
    try:
        return main_measures(stored_profile(_StoredQuality, content, uri).quality)
    except InputError as error:
        log.warning("%s; what it tells of quality is left out", error)
        return {}


def write_profile(storage: Storage, plan: Plan, counts: Counts) -> dict[str, float | None] | None:
    """Write the profile of a committed job; return the main measures of its quality.

    ``counts`` are the manifest's. None where it could not be written, which is told in the log.
    """
    form, uri = plan.spec.profile_format, plan.spec.outputs.profile
    if form is None:
        return {}
    try:
        document = _document(storage, plan, form, counts)
        storage.put(uri, io.BytesIO(as_bytes(document)))
    except Exception as error:
        got = told_without_content(error)
        log.warning("profile %s: expected to write it, got: %s; the result of the job stands", uri, got)
        return None
    return main_measures(document.get("quality", {}))


def _document(storage: Storage, plan: Plan, form: ProfileFormat, counts: Counts) -> dict[str, Any]:
    spec, totals = plan.spec, ProfileTotals(form)
    tasks = pack_tasks(plan.splits, spec.config.split_bytes)
    told = count(_added(totals, stored_parts(storage, spec, tasks)))
    found = (told.record_count, told.invalid_record_count)
    if found != (counts.record_count, counts.invalid_record_count):
        raise ScoringError(
            f"receipts of job {spec.id}: expected {counts.record_count} records, {counts.invalid_record_count} of them "
            f"invalid, as the manifest tells, got {found[0]} and {found[1]}"
        )
    job = JobTotals(
        spec.id,
        *found,
        invalid_reasons=told.invalid_reasons,
        invalid_values=told.invalid_values,
        unseen_values=unseen_entry(spec, told.texts),
    )
    return profile_document(totals, job)


def _added(totals: ProfileTotals, parts: Iterable[PartFile]) -> Iterator[PartFile]:
    """Pass parts on, and add up their counts."""
    for part in parts:
        totals.add(SplitProfile.from_json(part.profile or ""))
        yield part
