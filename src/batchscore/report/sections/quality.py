"""How good the predictions are where labels are known (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from batchscore.report.cutoffs import Cutoffs, cutoffs
from batchscore.report.drawing import square_plot
from batchscore.report.figures import count, counted, measure, plain, score, share, yaml_number
from batchscore.report.job_report import Report
from batchscore.report.markup import Content, Markup, code, element, name
from batchscore.report.parts_of_page import note, number, table, words
from batchscore.report.sections.classes import by_class, confusion
from batchscore.report.sections.values import distribution
from batchscore.report.stored import LabelsTold, ProfileTold

_POINTS = 300
_MEASURES = {
    "BinaryAUC": ("BinaryAUC", "area under the ROC curve: 0.5 is chance, 1 is perfect"),
    "MulticlassAvgFScore": ("MulticlassAvgFScore", "mean of the F1 of all classes"),
    "RegressionRMSE": ("RegressionRMSE", "root of the mean squared error"),
    "average_precision": ("Average precision", "area under the precision-recall curve"),
    "accuracy": ("Accuracy", "share of answers that are right"),
    "precision": ("Precision", "share of the answers 1 that are right"),
    "recall": ("Recall", "share of the labels 1 that are found"),
    "f1": ("F1", "harmonic mean of precision and recall"),
    "false_positive_rate": ("False positive rate", "share of the labels 0 that are answered 1"),
    "log_loss": ("Log-loss", "lower is better"),
    "brier": ("Brier score", "mean squared distance of score and label: lower is better"),
    "positive_fraction": ("Labels 1", "share of the known labels"),
    "mae": ("MAE", "mean absolute error"),
    "r2": ("R\u00b2", "share of the variance that is explained"),
    "bias": ("Bias", "mean of score less label: above 0 the scores are too high"),
}
_OF_CLASSES = {"precision": "mean over the classes", "recall": "mean over the classes"}


def quality(report: Report) -> Content:
    """Return the measures, the curves of a binary model, what is mistaken, what is left over."""
    profile = report.profile
    if profile is None:
        return note("Quality is counted with the profile, which this job has not.")
    labels = profile.labels
    if labels is None:
        return note("No column of labels is named. The key ", code("target"), " names one; then quality is counted.")
    told = _coverage(labels)
    if not profile.quality:
        return [told, note("Of these there is no quality to tell.") if labels.known else None]
    return [told, _measures(profile), *_of_kind(report, profile, labels)]


def _coverage(labels: LabelsTold) -> Markup:
    total = labels.known + labels.empty + labels.unknown
    rest = [
        f"; {counted(labels.empty, 'record')} without a label" if labels.empty else "",
        f"; {counted(labels.unknown, 'label')} that the model does not know, not guessed" if labels.unknown else "",
    ]
    known = f"{counted(labels.known, 'known label')} ({share(labels.known, total)} of the predictions)"
    return note("Labels are those of the column ", code(labels.target), f": {known}", rest, ".")


def _measures(profile: ProfileTold) -> Markup:
    known = [key for key in _MEASURES if key in profile.quality]
    other = [key for key, value in profile.quality.items() if key not in _MEASURES and _number(value) is not None]
    rows = [_measure(profile, key, *_MEASURES[key]) for key in known]
    rows += [_measure(profile, key, key, "") for key in other]
    titles = [words("Measure"), number("Value"), number("Off by at most")]
    if not any(row[-1] for row in rows):
        rows, titles = [row[:-1] for row in rows], titles[:-1]
    at = f" at the threshold {yaml_number(profile.threshold)}" if profile.threshold is not None else ""
    return table(titles, rows, f"Quality{at}")


def _measure(profile: ProfileTold, key: str, title: str, text: str) -> list[Content]:
    value = profile.quality[key]
    bound = value.get("error_bound") if isinstance(value, Mapping) else None
    if profile.model_type == "multiclass":
        text = _OF_CLASSES.get(key, text)
    named = [name(title), element("span", text, class_="share what")]
    return [named, measure(_number(value)), plain(float(f"{bound:.2g}")) if bound is not None else ""]


def _number(value: Any) -> float | None:
    """Return a measure, which may come with its bound; None for what is none."""
    found = value.get("value") if isinstance(value, Mapping) else value
    return float(found) if isinstance(found, int | float) and math.isfinite(found) else None


def _of_kind(report: Report, profile: ProfileTold, labels: LabelsTold) -> list[Content]:
    if profile.model_type == "binary" and report.threshold is not None:
        return [_curves(profile, report.threshold), _confusion(("0", "1"), labels)]
    if profile.model_type == "multiclass":
        return [by_class(profile.quality, report.profile_file), _confusion(profile.classes, labels)]
    if not labels.errors:
        return []
    heading = element("h3", "Errors: score less label")
    return [heading, distribution(labels.errors, "Errors", with_zero=True)]


def _confusion(names: Sequence[str], labels: LabelsTold) -> Content:
    return confusion(names, labels.confusion) if labels.confusion else None


def _curves(profile: ProfileTold, threshold: float) -> Markup | None:
    found = cutoffs(profile, threshold)
    if not (found.positive_count and found.negative_count):
        return note("Curves need records of both labels.")
    drawn = [
        _figure(
            "ROC", square_plot("ROC curve", roc(found), ("false positive rate", "recall"), diagonal=True, mark="roc")
        ),
        _figure(
            "Precision and recall",
            square_plot(
                "Precision-recall curve", precision_recall(found), ("recall", "precision"), diagonal=False, mark="pr"
            ),
        ),
    ]
    rows = profile.quality.get("calibration")
    if isinstance(rows, list) and rows:
        drawn.append(_calibration(rows))
    return element("div", drawn, class_="curves")


def _figure(title: str, *content: Content) -> Markup:
    return element("figure", element("h3", title), *content)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that can be told apart in a picture, the ends among them."""
    kept = [points[0]]
    for point in points[1:-1]:
        if abs(point[0] - kept[-1][0]) + abs(point[1] - kept[-1][1]) >= 1 / _POINTS:
            kept.append(point)
    return [*kept, points[-1]]


def roc(found: Cutoffs) -> list[tuple[float, float]]:
    """Return false positive rate and recall at each stop, from all answered 1 to none."""
    pairs = zip(found.false_positives, found.true_positives, strict=True)
    inner = [(wrong / found.negative_count, hits / found.positive_count) for wrong, hits in pairs]
    return _thinned([(1.0, 1.0), *inner, (0.0, 0.0)])


def precision_recall(found: Cutoffs) -> list[tuple[float, float]]:
    """Return recall and precision at each stop at which anything is answered 1."""
    inner = [
        (hits / found.positive_count, hits / (hits + wrong))
        for wrong, hits in zip(found.false_positives, found.true_positives, strict=True)
        if hits + wrong
    ]
    return _thinned(inner) if inner else [(0.0, 1.0)]


def _calibration(rows: Sequence[Sequence[float]]) -> Markup:
    found = [(row[3], row[4]) for row in rows]
    end = _round_end(max(max(point) for point in found))
    points = [(mean / end, part / end) for mean, part in found]
    titles_of_axes = ("mean score", "share of label 1")
    drawn = square_plot("Calibration", points, titles_of_axes, diagonal=True, dots=True, end=plain(end))
    titles = [words("Scores"), number("Records"), number("Mean score"), number("Labels 1")]
    listed: list[list[Content]] = [
        [f"{score(lower)} to {score(upper)}", count(int(records)), measure(mean), measure(part)]
        for lower, upper, records, mean, part in rows
    ]
    return _figure(
        "Calibration", drawn, element("details", element("summary", "As a table"), table(titles, listed, "Calibration"))
    )


def _round_end(highest: float) -> float:
    """Return where the axes of probabilities end: scores of rare labels are all near 0."""
    ends = (factor * 10.0**power for power in range(-7, 0) for factor in (1, 2, 5))
    return next((end for end in ends if end >= highest), 1.0)
