"""What run says to people at its end."""

from typing import Any

from batchscore.commands.job_text import render_completed, render_failed

CHECK = "batchscore check bp-1 --config job.yaml"
SUMMARY: dict[str, Any] = {
    "BatchPredictionId": "bp-1",
    "OutputUri": "s3://b/out",
    "Status": "COMPLETED",
    "Message": "1234567 records, 12 of them invalid",
    "StartedAt": 1795455526,
    "FinishedAt": 1795459306,
    "TotalRecordCount": 1234567,
    "InvalidRecordCount": 12,
    "manifest": "s3://b/out/batch-prediction/bp-1.manifest",
    "invalid_reasons": {"invalid_value": 2, "missing_value": 10},
    "seconds": {"total": 3791.2},
    "records_per_second": 1234,
}


def test_a_completed_job_ends_with_six_lines() -> None:
    assert render_completed(SUMMARY, CHECK).splitlines() == [
        "status          COMPLETED",
        "records         1,234,567, 12 of them invalid (invalid_value 2, missing_value 10): "
        "see s3://b/out/batch-prediction/rejected/bp-1-*",
        "results         s3://b/out/batch-prediction/result/bp-1-*, listed in s3://b/out/batch-prediction/bp-1.manifest",
        "page            s3://b/out/batch-prediction/bp-1.report.html",
        "time            1 h 3 min; 1,234 records/s while scoring",
        "next            batchscore check bp-1 --config job.yaml",
    ]


def test_a_job_of_known_labels_has_a_line_of_its_quality() -> None:
    quality = {"BinaryAUC": 0.94123456, "precision": None, "f1": 0.5, "a": 1, "b": 2, "c": 3, "d": 4}
    lines = render_completed(SUMMARY | {"quality": quality}, CHECK).splitlines()
    assert lines[3] == "quality         BinaryAUC 0.9412, f1 0.5, a 1, b 2, c 3"
    assert len(lines) == 7


def test_a_job_that_is_reported_again_says_when_it_was_done() -> None:
    own = ("invalid_reasons", "seconds", "records_per_second")
    again = {name: value for name, value in SUMMARY.items() if name not in own} | {"reported_again": True}
    lines = render_completed(again, CHECK).splitlines()
    assert lines[0] == "status          COMPLETED (it was done before: its result stands)"
    assert lines[1].startswith("records         1,234,567, 12 of them invalid: see ")
    assert lines[4].startswith("time            1 h 3 min, until 2026-11-23 ")


def test_a_job_with_nothing_new_says_so() -> None:
    nothing = SUMMARY | {
        "Message": "nothing new: 3 files below the inputs, none to score",
        "TotalRecordCount": 0,
        "InvalidRecordCount": 0,
        "records_per_second": 0,
    }
    lines = render_completed(nothing, CHECK).splitlines()
    assert lines[1] == "records         nothing new: 3 files below the inputs, none to score"
    assert lines[4] == "time            1 h 3 min"


def test_a_failed_job_ends_with_six_lines_too() -> None:
    told = ("BatchPredictionId", "OutputUri", "StartedAt", "FinishedAt")
    record = {name: SUMMARY[name] for name in told} | {"Status": "FAILED"}
    assert render_failed(record, "batchscore describe bp-1 --config job.yaml").splitlines() == [
        "status          FAILED",
        "records         none that count: nothing is committed",
        "results         none; the parts that are scored are kept",
        "page            s3://b/out/batch-prediction/bp-1.report.html",
        "time            1 h 3 min",
        "next            mend the cause and run it again with id=bp-1; "
        "batchscore describe bp-1 --config job.yaml shows the record",
    ]
