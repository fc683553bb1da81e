"""The first picture: scores with the cut-off slider, classes, or the values of a regression (pure)."""

from __future__ import annotations

from batchscore.report.job_report import Report
from batchscore.report.markup import Content, code
from batchscore.report.parts_of_page import note
from batchscore.report.sections.classes import class_counts
from batchscore.report.sections.cutoff import cutoff_panel
from batchscore.report.sections.values import value_distributions


def scores(report: Report) -> Content:
    """Return the picture that fits the model."""
    profile = report.profile
    if profile is None:
        return _without_profile()
    if not any(answer.buckets for answer in profile.answers.values()) and not any(profile.best_answers.values()):
        return note("No record has a prediction, so there is nothing to draw.")
    if report.model_type == "binary" and report.threshold is not None:
        return cutoff_panel(report, report.threshold)
    return (
        class_counts(report) if report.model_type == "multiclass" else value_distributions(profile, report.profile_file)
    )


def _without_profile() -> Content:
    return note(
        "This job has no profile, so the page can show neither scores nor quality. The key ",
        code("profile: scores"),
        " has the next one count them in the same pass.",
    )
