"""What verify and a job tell of many inputs is readable."""

import logging
from dataclasses import replace

import pytest
from tests.scored import csv_inputs
from tests.unit.test_plan import make_part, make_plan

from batchscore.commands.report_text import describe_plan, render_review
from batchscore.commands.review import Fault, Review, Sample
from batchscore.commands.summary import telling_extra_columns
from batchscore.input.files import make_splits
from batchscore.plan import Plan
from batchscore.storage.base import StoredObject


def plan_of(count: int) -> Plan:
    sources = [StoredObject(f"s3://b/in/{number:04d}.csv", 100, "e") for number in range(count)]
    inputs = csv_inputs(sources, "s3://b/in/", 100)
    return replace(make_plan(), inputs=inputs, splits=make_splits(inputs, 100))


def sample_of(uri: str, **changes: object) -> Sample:
    plain = Sample(
        uri=uri,
        size_in_bytes=100,
        record_count=5,
        estimated_records=5,
        invalid_reasons={},
        invalid_values={},
        missing_values={},
        empty_values={},
        extra_columns=["city", "zip"],
    )
    return replace(plain, **changes)  # type: ignore[arg-type] # fields of a Sample


def review_of(count: int) -> Review:
    plan = plan_of(count)
    samples = [sample_of(item.source.uri) for item in plan.inputs]
    samples[2990] = replace(samples[2990], invalid_reasons={"missing_value": 2})
    fault = Fault("records", "input s3://b/in/2000.csv: expected another header", fatal=True, exit_code=3)
    return Review(plan, samples, [fault])


def test_verify_shows_twenty_inputs_those_with_faults_first_and_the_totals_of_the_others() -> None:
    lines = render_review(review_of(3000)).splitlines()

    first = next(place for place, line in enumerate(lines) if line.startswith("input "))
    rows = [line.split()[0].rpartition("/")[2] for line in lines[first + 2 : first + 22]]
    assert rows == ["2000.csv", "2990.csv", *(f"{number:04d}.csv" for number in range(18))]
    assert lines[first + 3].split() == [
        "s3://b/in/2990.csv", "100", "5", "2", "of", "5", "s3://b/out/batch-prediction/result/bp-1-2990.csv/",
    ]  # fmt: skip
    assert lines[first + 22] == (
        "and 2,980 more of 298000 bytes and about 14900 records, 0 invalid of those read; --json has all"
    )
    assert "not read        city, zip (in 3,000 files, the first s3://b/in/0000.csv)" in lines
    assert len(lines) < 60


def test_verify_has_all_inputs_in_their_order_for_machines() -> None:
    uris = [item["uri"] for item in describe_plan(review_of(3000))["inputs"]]
    assert uris == [f"s3://b/in/{number:04d}.csv" for number in range(3000)]


def test_verify_shows_twenty_faults_errors_first() -> None:
    faults = [Fault("records", f"warning {number}", fatal=False) for number in range(30)]
    faults += [Fault("header", f"error {number}", fatal=True, exit_code=3) for number in range(3000)]
    lines = render_review(Review(None, faults=faults)).splitlines()
    assert lines[3].split() == ["error", "header", "error", "0"]
    assert lines[23] == "and 3,010 more: 2,980 errors and 30 warnings; --json has all"


def test_verify_shows_twenty_skipped_files_one_to_a_line() -> None:
    plan = replace(plan_of(1), skipped=tuple((f"s3://b/in/{number}.txt", "excluded") for number in range(3000)))
    lines = render_review(Review(plan)).splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("skipped"))
    assert lines[first] == "skipped         s3://b/in/0.txt (excluded)"
    assert lines[first + 20] == "                and 2,980 more; --json has all"


def test_a_job_logs_the_columns_that_it_does_not_read_once_for_all_files(caplog: pytest.LogCaptureFixture) -> None:
    plan = plan_of(3000)
    parts = [make_part(number, extra_columns=["city", "zip"]) for number in range(3000)]
    with caplog.at_level(logging.INFO, "batchscore"):
        assert list(telling_extra_columns(plan, parts)) == parts
    assert [record.getMessage() for record in caplog.records] == [
        "columns that are not read: city, zip (in 3,000 files, the first s3://b/in/0000.csv)"
    ]
