"""Jobs of every kind as the page sees them: their record, manifest, profile and log, made of generated scores.

Buckets are cut here by numpy over a list of edges, as docs/profile.md has them, and by nothing of the package.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from batchscore.commit.job_record import BatchPrediction
from batchscore.output.paths import Outputs
from batchscore.report.job_report import Report, report_of
from batchscore.report.stored import manifest_told, profile_told

Floats = npt.NDArray[np.float64]
FOLDER = "s3://example-predictions/campaign/batch-prediction"
STARTED = 1795455526
HOSTILE = (
    "</script><script>document.title='broken out'</script>",
    '"><img src=x onerror="document.title=1">',
    "\u202egnp.txt\u2066",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u2028]]>--><!--",
    "&lt;b&gt; 'quoted' `ticked`",
    "\x00\x1b[31m\x7f\ud800",
)


def edges_of(bits: int, threshold: float | None = None, *, mirrored: bool = True) -> Floats:
    """Return the edges of buckets: the leading bits of a number, from 0.5 to 1 of what it lacks of 1."""
    steps = 1 + np.arange(2**bits) / 2**bits
    powers = range(-40, 0) if mirrored else range(-20, 31)
    low = np.concatenate([steps * 2.0**power for power in powers])
    edges = [low, 1 - low, [0.0, 1.0, 2.0]] if mirrored else [low, -low, [0.0]]
    return np.unique(np.concatenate([*edges, [] if threshold is None else [threshold]]))


def buckets_of(values: Floats, edges: Floats) -> list[list[float]]:
    """Return the filled buckets of some numbers, [lower, upper, count] each."""
    counts = np.bincount(np.searchsorted(edges, values, side="right") - 1, minlength=len(edges))
    return [[edges[at], edges[at + 1], int(counts[at])] for at in np.flatnonzero(counts)]


def answer_of(values: Floats, edges: Floats) -> dict[str, Any]:
    """Return what a profile has of the values of one name."""
    ends = {"min": float(values.min()), "max": float(values.max()), "mean": float(values.mean())} if len(values) else {}
    return {"count": len(values), **ends, "buckets": buckets_of(values, edges)}


@dataclass
class Job:
    """What a job left; the keys of the manifest and of the profile are those of their documents."""

    id: str = "campaign-2026-47"
    record: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] | None = None
    profile: dict[str, Any] | None = None
    log: str = ""
    scores: Floats = field(default_factory=lambda: np.zeros(0))
    labels: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def report(self) -> Report:
        """The report of the job, of the bytes that are stored."""
        record = BatchPrediction.from_json(json.dumps(self.record).encode(), "record")
        outputs = Outputs("s3://example-predictions/campaign", self.id, "parts")
        manifest = None if self.manifest is None else manifest_told(stored_json(self.manifest), "manifest")
        profile = None if self.profile is None else profile_told(stored_json(self.profile), "profile")
        return report_of(record, outputs, manifest, profile, self.log)


def stored_json(value: Mapping[str, Any]) -> bytes:
    """Return a manifest as jobs write it, a line for each input, and a profile likewise."""
    inputs = value.get("inputs")
    text = json.dumps({**value, "inputs": []} if inputs is not None else value, indent=1)
    if inputs is not None:
        lines = ",".join(f"\n  {json.dumps(item)}" for item in inputs)
        text = text.replace('"inputs": []', f'"inputs": [{lines}\n ]')
    return text.encode()


def record_of(batch_id: str, **changed: Any) -> dict[str, Any]:
    """Return the record of a job that completed, or of another one."""
    return {
        "BatchPredictionId": batch_id,
        "Name": "campaign of week 47",
        "MLModelId": "models:/bank-marketing/3",
        "BatchPredictionDataSourceId": "ds-2703c8f36970b10d8edccc7081d5f098",
        "InputDataLocationS3": "s3://example-data/customers/",
        "OutputUri": "s3://example-predictions/campaign",
        "Status": "COMPLETED",
        "CreatedAt": STARTED - 3,
        "LastUpdatedAt": STARTED + 102,
        "StartedAt": STARTED,
        "FinishedAt": STARTED + 102,
        "Message": "12 records, 0 of them invalid",
        "ComputeTime": 171_000,
        "LogUri": f"{FOLDER}/{batch_id}.log",
        "Parameters": {
            "batchscore": "0.2.0",
            "configuration": "cceadfec1cd2c947cae9a4e6a233ae47e06cc6d82deac3e75d59255f9196b96f",
            "model": "models:/bank-marketing/3 sha256:0f37d7f5063c8f34833e74a33d425dcb2670d98d5116b9a9d89e501f83bb1d71",
            "threshold": "0.4",
            "inputs": "1c664cc5f68f41f1f66f552f2f59f826812722b75963c777d9190965d62e5208",
            "schema": "",
        },
        **changed,
    }


def manifest_of(
    batch_id: str,
    model: Mapping[str, Any],
    records: int,
    reasons: Mapping[str, int],
    inputs: Sequence[str],
    **more: Any,
) -> dict[str, Any]:
    """Return an extended manifest with the records shared out evenly over its inputs."""
    invalid = sum(reasons.values())
    shares = (
        [records // len(inputs) + (place < records % len(inputs)) for place in range(len(inputs))] if inputs else []
    )
    return {
        "format_version": 1,
        "id": batch_id,
        "commit_id": "62e1f34021ed48908e1ac2a55df87a39",
        "model": {
            "name": "bank-marketing",
            "version": "3",
            "alias": "champion",
            "pinned_uri": "models:/bank-marketing/3",
            "sha256": "0f37d7f5063c8f34833e74a33d425dcb2670d98d5116b9a9d89e501f83bb1d71",
            **model,
        },
        "threshold": more.pop("threshold", None),
        "parameters": record_of(batch_id)["Parameters"],
        "input_format": {
            "encoding": "utf-8",
            "delimiter": ",",
            "has_header": True,
            "names": None,
            "target": "tookOffer",
        },
        "missing": {"missing_values": "auto", "null_values": ["pandas"], "invalid_values": "reject"},
        "mode": "all",
        "layout": "parts",
        "invalid_records": "keep_tag",
        "precision": "amazon",
        "columns": ["tag", "bestAnswer", "score"],
        "software": {"python": "3.11.9", "batchscore": "0.2.0", "numpy": "2.4.6", "pyspark": "4.3.0"},
        "record_count": records,
        "invalid_record_count": invalid,
        "invalid_reasons": dict(reasons),
        "invalid_values": {},
        "unseen_values": {},
        "compute_milliseconds": 171_000,
        "inputs": [
            {
                "uri": uri,
                "file_size_in_bytes": 58 * share,
                "etag": "445fdd6b0633b09ec11d8e1911ad17e8",
                "result": f"{FOLDER}/result/{batch_id}-{place}/",
                "extra_columns": [],
                "parts": [{"record_count": share, "invalid_record_count": invalid if place == 0 else 0}],
                "rejected": [],
            }
            for place, (uri, share) in enumerate(zip(inputs, shares, strict=True))
        ],
        "skipped_count": {},
        "skipped": [],
        **more,
    }


TIMES_LINE = "2026-11-23 17:40:28,001 INFO times " + json.dumps(
    {
        "seconds": {
            "load_model": 1.21,
            "plan": 0.4,
            "preflight": 2.6,
            "start_spark": 4.9,
            "score": 88.3,
            "commit": 0.21,
        },
        "records_per_second": 226_500,
        "stages": {
            "fetch": {"seconds": 21.0, "records_per_second": 952_000},
            "parse": {"seconds": 33.5, "records_per_second": 597_000},
            "predict": {"seconds": 96.1, "records_per_second": 208_000},
            "write": {"seconds": 14.2, "records_per_second": 1_408_000},
        },
    }
)
COLUMNS: dict[str, dict[str, Any]] = {
    "age": {"type": "long", "missing": 412, "invalid": 31, "unseen": None},
    "job": {"type": "string", "missing": 0, "invalid": 0, "unseen": 87},
    "balance": {"type": "double", "missing": 12, "invalid": 0, "unseen": None},
    "contact": {"type": "string", "missing": 5210, "invalid": 0, "unseen": 0},
    "campaign": {"type": "long", "missing": 0, "invalid": 0, "unseen": None},
    "pdays": {"type": "long", "missing": 0, "invalid": 0, "unseen": None},
}
INPUTS = ("s3://example-data/customers/2026/week 47/a.csv", "s3://example-data/customers/b.csv.gz")
REASONS = {"missing_value": 10, "invalid_value": 31, "column_count": 2}


def binary_job(
    records: int = 20_000, *, with_labels: bool = True, threshold: float = 0.4, positives: float = 0.11, seed: int = 7
) -> Job:
    """Return a job whose scores fit their labels well, if not perfectly."""
    chance = np.random.default_rng(seed)
    labels = (chance.random(records) < positives).astype(np.int64)
    middle = np.log(positives / (1 - positives))
    odds = chance.normal(middle - 0.6 + 2.4 * labels, 1.35)
    scores = 1 / (1 + np.exp(-odds))
    return binary_job_of(scores, labels if with_labels else None, threshold)


def binary_job_of(scores: Floats, labels: npt.NDArray[np.int64] | None, threshold: float) -> Job:
    """Return the job of some scores, with their labels or without."""
    edges, batch_id = edges_of(7, threshold), "campaign-2026-47"
    invalid = sum(REASONS.values())
    total = len(scores) + invalid
    above = int((scores >= threshold).sum())
    profile: dict[str, Any] = {
        "format_version": 1,
        "id": batch_id,
        "kind": "scores",
        "model_type": "binary",
        "threshold": threshold,
        "positive_label": "yes",
        "classes": ["no", "yes"],
        "record_count": total,
        "invalid_record_count": invalid,
        "invalid_reasons": REASONS,
        "answers": {"score": answer_of(scores, edges)},
        "best_answers": {"0": len(scores) - above, "1": above},
        "columns": COLUMNS,
    }
    if labels is not None:
        profile |= _binary_labels(scores, labels, threshold, edges)
    model = {"type": "binary", "classes": ["no", "yes"], "positive_label": "yes"}
    manifest = manifest_of(
        batch_id, model, total, REASONS, INPUTS, threshold=threshold, skipped_count={"excluded by notes.txt": 1}
    )
    counts = {"TotalRecordCount": total, "InvalidRecordCount": invalid}
    record = record_of(batch_id, **counts)
    found = np.zeros(0, dtype=np.int64) if labels is None else labels
    return Job(batch_id, record, manifest, profile, f"{TIMES_LINE}\n", scores, found)


def _binary_labels(scores: Floats, labels: npt.NDArray[np.int64], threshold: float, edges: Floats) -> dict[str, Any]:
    answers = scores >= threshold
    table = [[int(((labels == at) & (answers == to)).sum()) for to in (False, True)] for at in (0, 1)]
    hits, wrong, missed = table[1][1], table[0][1], table[1][0]
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    one, zero = int(labels.sum()), int((1 - labels).sum())
    area = (ranks[labels == 1].sum() - one * (one + 1) / 2) / (one * zero)
    rows = [
        [
            float(scores[part].min()),
            float(scores[part].max()),
            len(part),
            float(scores[part].mean()),
            float(labels[part].mean()),
        ]
        for part in np.array_split(order, min(10, len(order)))
    ]
    return {
        "labels": {
            "target": "tookOffer",
            "known": len(scores),
            "empty": 0,
            "unknown": 0,
            "buckets": {str(at): buckets_of(scores[labels == at], edges) for at in (0, 1)},
            "confusion": table,
        },
        "quality": {
            "BinaryAUC": {"value": float(area), "error_bound": 0.0004},
            "average_precision": {"value": 0.6312, "error_bound": 0.0011},
            "accuracy": (table[0][0] + table[1][1]) / len(scores),
            "precision": hits / (hits + wrong) if hits + wrong else None,
            "recall": hits / (hits + missed),
            "f1": 2 * hits / (2 * hits + wrong + missed),
            "false_positive_rate": wrong / zero,
            "log_loss": float(-np.mean(np.log(np.where(labels == 1, scores, 1 - scores)))),
            "brier": float(np.mean((scores - labels) ** 2)),
            "positive_fraction": one / len(scores),
            "calibration": rows,
        },
    }


def multiclass_job(classes: int, records: int = 9_000, *, with_labels: bool = True) -> Job:
    """Return a job of several classes, some of them rare."""
    chance = np.random.default_rng(classes)
    names = ["setosa", "versicolor", "virginica"] if classes == 3 else [f"category {at:03d}" for at in range(classes)]
    weights = 1 / np.arange(1, classes + 1)
    labels = chance.choice(classes, records, p=weights / weights.sum())
    answers = np.where(chance.random(records) < 0.85, labels, chance.integers(0, classes, records))
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (labels, answers), 1)
    quality = {
        name: {
            "precision": counts[at, at] / max(1, counts[:, at].sum()),
            "recall": counts[at, at] / max(1, counts[at].sum()),
            "f1": 2 * counts[at, at] / max(1, counts[at].sum() + counts[:, at].sum()),
            "count": int(counts[at].sum()),
        }
        for at, name in enumerate(names)
    }
    profile: dict[str, Any] = {
        "format_version": 1,
        "model_type": "multiclass",
        "threshold": None,
        "classes": names,
        "record_count": records,
        "invalid_record_count": 0,
        "answers": {name: answer_of(chance.random(50), edges_of(3)) for name in names},
        "best_answers": {name: int((answers == at).sum()) for at, name in enumerate(names)},
        "columns": COLUMNS,
    }
    if with_labels:
        profile["labels"] = {
            "target": "kind",
            "known": records,
            "empty": 40,
            "unknown": 3,
            "confusion": counts.tolist(),
        }
        f1 = float(np.mean([entry["f1"] for entry in quality.values()]))
        right = float(np.trace(counts) / records)
        profile["quality"] = {
            "MulticlassAvgFScore": f1,
            "accuracy": right,
            "log_loss": 0.61,
            "precision": f1,
            "recall": f1,
            "classes": quality,
        }
    manifest = manifest_of("kinds", {"type": "multiclass", "classes": names}, records, {}, INPUTS)
    record = record_of("kinds", TotalRecordCount=records, InvalidRecordCount=0)
    return Job("kinds", record, manifest, profile, f"{TIMES_LINE}\n")


def regression_job(values: int = 1, records: int = 12_000, *, with_labels: bool = True) -> Job:
    """Return a job of prices, or of several quantiles of them."""
    chance = np.random.default_rng(3)
    edges = edges_of(7, mirrored=False)
    titles = ["score"] if values == 1 else [f"score_q{at}" for at in range(values)]
    found = {title: chance.lognormal(12 + 0.1 * at, 0.5, records) for at, title in enumerate(titles)}
    profile: dict[str, Any] = {
        "format_version": 1,
        "kind": "full",
        "model_type": "regression",
        "record_count": records,
        "answers": {title: answer_of(scores, edges) for title, scores in found.items()},
        "columns": {
            "rooms": {
                "type": "double",
                "missing": 3,
                "invalid": 0,
                "unseen": None,
                "min": 1.0,
                "max": 11.0,
                "mean": 5.2,
                "buckets": buckets_of(chance.normal(5, 1.6, 4000), edges_of(3, mirrored=False)),
            },
            "town": {
                "type": "string",
                "missing": 0,
                "invalid": 0,
                "unseen": 12,
                "other": 210,
                "values": [
                    ["Lyon", 5000],
                    ["Gent", 3100],
                    ["Turku", 2700],
                    ["Porto", 700],
                    ["Bari", 200],
                    ["Graz", 90],
                ],
            },
            "note": {"type": "string", "missing": 9000, "invalid": 0, "unseen": None, "high_cardinality": True},
            "built": {
                "type": "datetime",
                "missing": 0,
                "invalid": 2,
                "unseen": None,
                "min": "1891-01-01",
                "max": "2026-03-01",
            },
        },
    }
    if with_labels and values == 1:
        residuals = chance.normal(1500, 40_000, records)
        profile["labels"] = {
            "target": "price",
            "known": records,
            "empty": 0,
            "unknown": 0,
            "residuals": answer_of(residuals, edges_of(3, mirrored=False)),
        }
        profile["quality"] = {"RegressionRMSE": 40_028.2, "mae": 31_962.6, "r2": 0.873, "bias": 1500.31}
    model: dict[str, Any] = {"type": "regression", "classes": [], "positive_label": None}
    manifest = manifest_of("prices", model, records, {}, INPUTS)
    record = record_of("prices", TotalRecordCount=records, InvalidRecordCount=0)
    return Job("prices", record, manifest, profile, f"{TIMES_LINE}\n", found[titles[0]])


def failed_job() -> Job:
    """Return a job that failed after its record was made."""
    message = (
        "job night-0412: expected at most 10000 invalid records, got 14310 (invalid_value 14302, column_count 8); "
        "read the rejected files below s3://example-predictions/campaign/batch-prediction/rejected/night-0412-*, "
        "or raise max_invalid_records and run it again with id=night-0412"
    )
    lines = [
        f"2026-11-23 17:39:{second:02d},121 INFO {second * 24} of 585 splits, {second * 800} records, 0 invalid"
        for second in range(1, 24)
    ]
    log = "\n".join([*lines, f"2026-11-23 17:39:24,803 ERROR job night-0412 failed: {message}"])
    lacking = {"TotalRecordCount": None, "InvalidRecordCount": None, "ComputeTime": None}
    record = record_of("night-0412", Status="FAILED", Message=message, **lacking)
    return Job("night-0412", record, None, None, log)


def wide_job(inputs: int = 1_000, columns: int = 500) -> Job:
    """Return a binary job of many inputs and columns, of long names."""
    job = binary_job(200_000)
    assert job.manifest is not None
    assert job.profile is not None
    uris = [
        f"s3://example-data/customers/region=eu-west/day=2026-11-{at % 30:02d}/part-{at:05d}-of-{inputs}.csv.gz"
        for at in range(inputs)
    ]
    job.manifest["inputs"] = manifest_of(job.id, {}, 200_043, REASONS, uris)["inputs"]
    job.profile["kind"] = "full"
    chance = np.random.default_rng(1)
    job.profile["columns"] = {
        f"customer_feature_of_the_last_quarter_{at:03d}": {
            "type": "double",
            "missing": int(chance.integers(0, 3) * at),
            "invalid": 0,
            "unseen": None,
            "min": -3.0,
            "max": 3.0,
            "mean": 0.1,
            "buckets": buckets_of(chance.normal(size=3000), edges_of(3, mirrored=False)),
        }
        for at in range(columns)
    }
    return job


def empty_job() -> Job:
    """Return a job that had nothing to score."""
    message = "nothing new: 3 files below the inputs, none to score"
    record = record_of("nightly-12", Message=message, TotalRecordCount=0, InvalidRecordCount=0, ComputeTime=0)
    model = {"type": "binary", "classes": ["no", "yes"], "positive_label": "yes"}
    manifest = manifest_of("nightly-12", model, 0, {}, (), threshold=0.5, skipped_count={"scored by an earlier job": 3})
    profile = {
        "format_version": 1,
        "model_type": "binary",
        "threshold": 0.5,
        "positive_label": "yes",
        "classes": ["no", "yes"],
        "answers": {"score": {"count": 0, "min": None, "max": None, "mean": None, "buckets": []}},
        "best_answers": {"0": 0, "1": 0},
        "columns": {"age": {"type": "long", "missing": 0, "invalid": 0, "unseen": None}},
    }
    return Job("nightly-12", record, manifest, profile, "")


def hostile_job() -> Job:
    """Return a job all of whose names want to be something else than names."""
    job = binary_job(500)
    assert job.manifest is not None
    assert job.profile is not None
    names = [name.replace("\ud800", "") for name in HOSTILE]
    job.record |= {"Name": " ".join(HOSTILE), "InputDataLocationS3": ",".join(names), "MLModelId": names[0]}
    job.record["Parameters"] = {name: name for name in names}
    job.manifest = manifest_of(
        job.id, {"type": "binary"}, 543, REASONS | dict.fromkeys(HOSTILE, 1), HOSTILE, threshold=0.4
    )
    job.manifest["model"] |= {"name": HOSTILE[0], "alias": HOSTILE[2], "positive_label": HOSTILE[1]}
    job.manifest["software"] = {name: name for name in HOSTILE}
    job.profile |= {"positive_label": HOSTILE[0], "columns": dict.fromkeys(HOSTILE, COLUMNS["age"])}
    job.profile["labels"]["target"] = HOSTILE[3]
    job.profile["columns"][HOSTILE[3]] = COLUMNS["job"] | {"values": [[name, 3] for name in HOSTILE], "other": 1}
    job.log += "\n".join(names)
    return job


def profileless_job() -> Job:
    """Return a job that was told to count nothing."""
    job = binary_job()
    job.profile = None
    return job


JOBS = {
    "binary": lambda: binary_job(with_labels=False),
    "binary-labels": binary_job,
    "binary-rare": lambda: binary_job(300_000, positives=0.0005, threshold=0.02),
    "multiclass-3": lambda: multiclass_job(3),
    "multiclass-120": lambda: multiclass_job(120),
    "regression": lambda: regression_job(with_labels=False),
    "regression-labels": regression_job,
    "regression-values": lambda: regression_job(5),
    "failed": failed_job,
    "wide": wide_job,
    "empty": empty_job,
    "hostile": hostile_job,
    "no-profile": profileless_job,
}
"""What the page is looked at for."""
