"""What verify, check and clean found: in lines for people, and as JSON for machines (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from batchscore.commands.check_report import PROOFS, CheckReport
from batchscore.commands.readable import SHOWN, fields, local_time, table, unread_columns
from batchscore.commands.review import Fault, Review, Sample, texts_of
from batchscore.commands.sample_predictions import prediction_lines
from batchscore.commit.provenance import missing_entry, unseen_entry
from batchscore.config.missing_values import PANDAS
from batchscore.input.header_names import first_names
from batchscore.plan import JobSpec, pack_tasks
from batchscore.preflight.parity_report import parity_lines
from batchscore.storage.base import StoredObject

_FINDINGS_SHOWN = 50


def describe_plan(review: Review) -> dict[str, Any]:
    """Return the plan and what was found, for machines."""
    plan = review.plan
    answer: dict[str, Any] = {
        "ready": review.ready,
        "faults": [asdict(fault) for fault in review.faults],
    }
    if plan is None:
        return answer
    spec = plan.spec
    return answer | {
        "id": spec.id,
        "model": {"asked": spec.model.asked_uri, "pinned": spec.model.pinned_uri, "sha256": spec.model.digest},
        "model_type": spec.model_type,
        "classes": list(spec.classes),
        "positive_label": spec.positive_label,
        "threshold": spec.threshold if spec.model_type == "binary" else None,
        "score": spec.meaning,
        "missing": missing_entry(spec),
        "categories_shown": review.model_facts.known is not None,
        "parity": asdict(review.parity) if review.parity else None,
        "unseen_values": unseen_entry(spec, texts_of(review.samples)),
        "unseen_remedies": dict(review.unseen_remedies),
        "result_columns": list(spec.result_format.header),
        "columns": _column_rows(spec),
        "inputs": [asdict(sample) for sample in review.samples],
        "predictions": asdict(review.predictions),
        "input_count": len(plan.inputs),
        "size_in_bytes": plan.size_in_bytes,
        "skipped": [{"uri": uri, "reason": reason} for uri, reason in plan.skipped],
        "skipped_count": plan.skipped_count,
        "estimated_records": sum(sample.estimated_records or sample.record_count for sample in review.samples),
        "split_count": len(plan.splits),
        "task_count": sum(1 for _ in pack_tasks(plan.splits, spec.config.split_bytes)),
        "manifest": spec.outputs.manifest,
        "extended_manifest": spec.outputs.extended_manifest,
        "results": {item.source.uri: spec.outputs.result(item.name) for item in plan.inputs},
    }


def _column_rows(spec: JobSpec) -> list[dict[str, Any]]:
    origin = "signature" if spec.model.signature is not None else "schema"
    place = "header" if spec.columns.reads_header and not spec.columns.by_position else "position"
    rows = [
        {
            "name": column.name,
            "type": column.type,
            "required": column.required,
            "from": origin,
            "found_by": place,
        }
        for column in spec.columns.inputs
    ]
    place = "header" if spec.columns.reads_header else "position"
    for name, role, key in (
        (spec.columns.row_id, "rowId", spec.config.row_id),
        (spec.columns.target, "target", spec.config.target),
    ):
        if name:
            told_by = "configuration" if key else "schema"
            rows.append({"name": name, "type": role, "required": role == "rowId", "from": told_by, "found_by": place})
    passed = (column.source for column in spec.columns.echoed if column.role is None)
    row = {"type": "passed through", "required": True, "from": "configuration", "found_by": place}
    return rows + [{"name": name, **row} for name in passed]


def render_review(review: Review) -> str:
    """Return the plan and what was found, for people."""
    facts = describe_plan(review)
    lines: list[str] = []
    if review.plan is not None:
        lines += _plan_lines(review, facts)
    if review.faults:
        lines += ["", *_fault_lines([*review.errors, *review.warnings])]
    lines += ["", "ready" if review.ready else "not ready"]
    return "\n".join(lines)


def _fault_lines(faults: Sequence[Fault]) -> list[str]:
    lines = table(["", "where", "what is wrong"], [row for fault in faults[:SHOWN] for row in _rows(fault)])
    more = faults[SHOWN:]
    if not more:
        return lines
    fatal = sum(fault.fatal for fault in more)
    return [*lines, f"and {len(more):,} more: {fatal:,} errors and {len(more) - fatal:,} warnings; --json has all"]


def _rows(fault: Fault) -> list[list[str]]:
    first, *more = fault.what.split("\n")
    return [["error" if fault.fatal else "warning", fault.where, first], *(["", "", line] for line in more)]


def _missing_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Say what of the inputs is missing, where that is not what the list says."""
    missing = facts["missing"]
    words = ", ".join(missing["null_values"]) or "the empty cell alone"
    lines = [
        ("missing", f"{missing['missing_values']}; null_values {words}; invalid_values {missing['invalid_values']}")
    ]
    for name, kept in missing["words_kept"].items():
        lines.append(("", f"{name}: {', '.join(kept)} is a value there, since the model knows it"))
    if PANDAS in missing["null_values"] and missing["missing_text"] and not facts["categories_shown"]:
        lines.append(("", "the model does not show which texts it knows: the words of the list are missing everywhere"))
    if missing["xgboost_missing"] is not None:
        lines.append(("", f"{missing['xgboost_missing']:g} is missing to the model, as it was in training"))
    return lines


def _unseen_lines(review: Review, facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Say how many of the texts read the model does not know, by column, and of which columns it shows none."""
    texts, remedies = texts_of(review.samples), facts["unseen_remedies"]
    if not facts["unseen_values"] or not review.samples:
        return []
    lines = [
        f"{name}: {number} of {texts.value_count(name)} values read"
        + (f"; what helps: {remedies[name]}" if name in remedies else "")
        for name, number in texts.unseen.items()
    ]
    more = [f"and in {len(lines) - SHOWN:,} more columns; --json has all"] if len(lines) > SHOWN else []
    hidden = [name for name, number in facts["unseen_values"].items() if number is None]
    told = [f"the model does not show which texts it knows in {first_names(hidden)}"] if hidden else []
    return _named_once("never seen", [*lines[:SHOWN], *more, *told])


def _plan_lines(review: Review, facts: dict[str, Any]) -> list[str]:
    model = facts["model"]
    shown: list[tuple[str, Any]] = [
        ("id", facts["id"]),
        ("model", f"{model['asked']} = {model['pinned']}"),
        ("model files", f"sha256 {model['sha256'][:16]}..."),
        ("type", facts["model_type"] + (f" ({', '.join(facts['classes'])})" if facts["classes"] else "")),
    ]
    if facts["score"] is not None:
        shown.append(("score", facts["score"]))
    if facts["threshold"] is not None:
        shown.append(("threshold", f"{facts['threshold']} for label {facts['positive_label']}"))
    shown += [
        ("inputs", f"{facts['input_count']} files, {facts['size_in_bytes']} bytes"),
        *_skipped_lines(facts["skipped"], facts["skipped_count"]),
        ("records", f"about {facts['estimated_records']}"),
        ("splits", f"{facts['split_count']} in {facts['task_count']} tasks"),
        *_missing_lines(facts),
        *_unseen_lines(review, facts),
        *(parity_lines(review.parity) if review.parity else ()),
        *_named_once("not read", unread_columns((sample.uri, sample.extra_columns) for sample in review.samples)),
        ("result columns", ",".join(facts["result_columns"])),
        ("manifest", facts["manifest"]),
    ]
    rows = [
        [row["name"], row["type"], "yes" if row["required"] else "no", row["from"], row["found_by"]]
        for row in facts["columns"]
    ]
    columns = table(["column", "type", "required", "type from", "found by"], rows)
    inputs = _input_lines(review, facts["results"])
    predictions = prediction_lines(review.predictions, review.plan.spec) if review.plan else []
    return [*fields(shown), "", *columns, *inputs, *predictions]


def _input_lines(review: Review, results: Mapping[str, str]) -> list[str]:
    """Return a row for each of the first inputs, those with faults before all others."""
    if not review.samples:
        return []
    faulty = sorted(review.samples, key=lambda sample: not _has_faults(sample, review.faults))
    shown, more = faulty[:SHOWN], faulty[SHOWN:]
    rows = [
        [
            sample.uri,
            sample.size_in_bytes,
            sample.estimated_records or f"over {sample.record_count}",
            f"{sum(sample.invalid_reasons.values())} of {sample.record_count}" if sample.invalid_reasons else "none",
            results[sample.uri],
        ]
        for sample in shown
    ]
    return ["", *table(["input", "bytes", "records", "invalid of those read", "result"], rows), *_more_inputs(more)]


def _has_faults(sample: Sample, faults: Sequence[Fault]) -> bool:
    return bool(sample.invalid_reasons or sample.invalid_values) or any(sample.uri in fault.what for fault in faults)


def _more_inputs(samples: Sequence[Sample]) -> list[str]:
    if not samples:
        return []
    size = sum(sample.size_in_bytes for sample in samples)
    records = sum(sample.estimated_records or sample.record_count for sample in samples)
    invalid = sum(sum(sample.invalid_reasons.values()) for sample in samples)
    return [
        f"and {len(samples):,} more of {size} bytes and about {records} records, {invalid} invalid of those read; "
        "--json has all"
    ]


def _skipped_lines(skipped: Sequence[dict[str, str]], counts: Mapping[str, int]) -> list[tuple[str, str]]:
    lines = [f"{item['uri']} ({item['reason']})" for item in skipped[:SHOWN]]
    if len(skipped) > SHOWN:
        lines.append(f"and {len(skipped) - SHOWN:,} more; --json has all")
    told = {item["reason"] for item in skipped}
    lines += [f"{number} {reason}" for reason, number in counts.items() if reason not in told]
    return _named_once("skipped", lines)


def _named_once(name: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    return [("" if place else name, line) for place, line in enumerate(lines or ["none"])]


def describe_check(report: CheckReport) -> dict[str, Any]:
    """Return what a check looked at and found, for machines."""
    return {
        "id": report.id,
        "ok": not report.findings,
        "manifest": report.manifest,
        "input_count": report.input_count,
        "part_count": report.part_count,
        "record_count": report.record_count,
        "parts_read": report.parts_read,
        "records_read": report.records_read,
        "proofs": {proof: {"tried": report.tried[proof], "failed": report.failed[proof]} for proof in PROOFS},
        "findings": [asdict(finding) for finding in report.findings],
    }


def render_check(report: CheckReport) -> str:
    """Return what a check looked at and found, for people."""
    shown = [
        ("id", report.id),
        ("manifest", report.manifest),
        ("inputs", report.input_count),
        ("parts", f"{report.part_count}, {report.parts_read} of them read again"),
        ("records", f"{report.record_count}, {report.records_read} of them read again"),
    ]
    lines = fields(shown)
    rows = [[proof, report.tried[proof], report.failed[proof], meaning] for proof, meaning in PROOFS.items()]
    lines += ["", *table(["proof", "tried", "failed", "what it says"], rows)]
    if report.findings:
        found = [[finding.proof, finding.where, finding.what] for finding in report.findings[:_FINDINGS_SHOWN]]
        lines += ["", *table(["proof", "where", "what is wrong"], found)]
    if len(report.findings) > _FINDINGS_SHOWN:
        lines.append(f"and {len(report.findings) - _FINDINGS_SHOWN} more; --json has all")
    return "\n".join([*lines, "", "wrong" if report.findings else "proven"])


def describe_orphan_files(objects: Sequence[StoredObject], removed: Sequence[StoredObject] | None) -> dict[str, Any]:
    """Return the orphan files, and which of them were removed, None if that was not asked for, for machines."""
    return {
        "object_count": len(objects),
        "size_in_bytes": sum(item.size_in_bytes for item in objects),
        "removed_count": len(removed or ()),
        "objects": [
            {"uri": item.uri, "size_in_bytes": item.size_in_bytes, "modified": round(item.modified_epoch_seconds)}
            for item in objects
        ],
    }


def render_orphan_files(objects: Sequence[StoredObject], removed: Sequence[StoredObject] | None) -> str:
    """Return the orphan files, and which of them were removed, for people."""
    if not objects:
        return "nothing to clean"
    rows = [[item.size_in_bytes, local_time(item.modified_epoch_seconds), item.uri] for item in objects]
    size = sum(item.size_in_bytes for item in objects)
    done = "nothing removed; --yes removes them" if removed is None else f"{len(removed)} of them removed"
    return "\n".join(
        [*table(["bytes", "last change", "file"], rows), "", f"{len(objects)} orphan files, {size} bytes: {done}"]
    )
