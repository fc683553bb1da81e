"""The page of a job is below 500 KB, whatever its names, texts and counts are, and says what it leaves out."""

import html
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.page_jobs import JOBS, failed_job

from batchscore.report.job_report import Report
from batchscore.report.markup import escaped, shortened
from batchscore.report.page import render
from batchscore.report.stored import ColumnTold, InputTold

MAX_BYTES = 500_000
UNITS = (
    *('"', "&", "<", ">", "'", "\u202e", "\u2066", "\u2028", "\x00", "\x1b", "\x7f", "\ud800", "\uffff", "\x85", "\t"),
    *("\U0001d518", "\U0001f469\u200d\U0001f680", "\u754c", "\u05e9", "e\u0301", "a", " ", ",s3://b/", "</script>"),
)
"""Of which hostile texts are made: each takes more room in a page than in its own file, or more than a letter."""
KINDS = ("binary-labels", "binary-rare", "multiclass-3", "multiclass-120", "regression-values", "failed", "wide")


def filled(text: str, length: int) -> str:
    """Return so many letters of a text over and over."""
    return (text * (length // len(text) + 1))[:length]


TEXTS = st.builds(filled, st.sampled_from(UNITS), st.integers(1, 1100))


def named(text: str, number: int) -> Mapping[str, int]:
    """Return so many distinct names that begin and end as a text does."""
    return {f"{text}{at}{text}": at for at in range(number)}


def hostile(report: Report, text: str, number: int) -> Report:
    """Return the report of a job all of whose names are made of a text, with so many columns, inputs and keys."""
    names, values = named(text, number), tuple((f"{text}{at}", 1000 - at) for at in range(1000))
    record = replace(
        report.record,
        Name=text[:1024],
        MLModelId=text,
        InputDataLocationS3=",s3://".join(["s3://b", *names]),
        Message=filled(text, 10_240),
        LogUri=text,
        parameters=dict.fromkeys(names, text),
    )
    found = replace(report, record=record, log_lines=(filled(text, 10_000),) * 20)
    if found.profile is not None:
        column = ColumnTold(text, 1, 10**12, 10**12, values=values, other=10**12)
        ends = ColumnTold("datetime", 1, 1, None, min=text, max=text)
        columns = {name: ends if at % 2 else column for name, at in names.items()}
        labels = found.profile.labels and replace(found.profile.labels, target=text)
        quality = {**found.profile.quality, **dict.fromkeys(names, 0.5)}
        profile = replace(found.profile, columns=columns, labels=labels, quality=quality, positive_label=text)
        found = replace(found, profile=profile)
    if found.manifest is not None:
        model = replace(found.manifest.model, name=text, version=text, alias=text, score=text, positive_label=text)
        inputs = tuple(InputTold(name, 10**15, 10**9, 10**12, 10**12, tuple(names)) for name in names)
        told: dict[str, Any] = {
            "invalid_reasons": names,
            "software": dict.fromkeys(names, text),
            "unseen_values": names,
        }
        told |= {"skipped_count": names, "input_format": dict.fromkeys(names, [text] * 9), "columns": tuple(names)}
        manifest = replace(found.manifest, model=model, shown=inputs[:100], rest_count=len(inputs[100:]), **told)
        found = replace(found, manifest=manifest)
    return found


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    return {kind: JOBS[kind]().report for kind in KINDS}


@settings(max_examples=30)
@given(kind=st.sampled_from(KINDS), text=TEXTS, number=st.sampled_from([0, 1, 40, 300]))
def test_a_page_is_below_500_kb_whatever_its_names_are(
    reports: dict[str, Report], kind: str, text: str, number: int
) -> None:
    assert len(render(hostile(reports[kind], text, number)).encode()) < MAX_BYTES


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("kind", ["binary-rare", "failed"])
def test_a_page_of_500_columns_and_1000_inputs_of_names_of_1000_hostile_characters_is_below_500_kb(
    reports: dict[str, Report], kind: str, unit: str
) -> None:
    page = render(hostile(reports[kind], filled(unit, 1000), 1000))
    assert len(page.encode()) < MAX_BYTES
    assert "; all are in <code>" in page


@pytest.mark.parametrize("unit", ['"', "\u202e", "\U0001d518", "a"])
def test_a_page_of_5000_classes_is_below_500_kb_and_counts_those_that_it_leaves_out(
    reports: dict[str, Report], unit: str
) -> None:
    names = [f"{at}{unit * 500}{at}" for at in range(5000)]
    job = reports["multiclass-3"]
    profile = job.profile
    assert profile is not None
    assert profile.labels is not None
    counts = [[(at == to) * 3 + (to == at + 1) * 2 for to in range(300)] for at in range(300)]
    one = {"precision": 0.5, "recall": 0.25, "f1": 1 / 3, "count": 7}
    profile = replace(
        profile,
        best_answers=dict.fromkeys(names, 2),
        quality=dict(profile.quality) | {"classes": dict.fromkeys(names, one)},
        classes=tuple(names[:300]),
        labels=replace(profile.labels, confusion=tuple(map(tuple, counts))),
    )
    page = render(replace(job, profile=profile))
    assert len(page.encode()) < MAX_BYTES
    [shown, left, records] = told_of(page, "The other classes")
    assert shown + left == 5000 - 30
    assert records == 2 * left
    [shown, left, labels] = told_of(page, "Quality by class")
    assert shown + left == 5000
    assert labels == 7 * left


def told_of(page: str, caption: str) -> list[int]:
    """Return the rows of a table, how many it says are left out, and the first number that it has of them."""
    [table] = [part for part in re.findall("<table.*?</table>", page, re.DOTALL) if f"<caption>{caption}" in part]
    body, _, foot = table.partition("</tbody>")
    numbers = re.findall(r"(?:>|and )([\d,]+)(?: more)?(?:;| ?<)", foot) or ["0"] * 2
    return [body.count("<tr>") - 1, *(int(number.replace(",", "")) for number in numbers[:2])]


@pytest.mark.parametrize("number", [30, 100, 500])
def test_columns_that_have_no_room_are_summed_and_said(reports: dict[str, Report], number: int) -> None:
    report = hostile(reports["binary-rare"], '"' * 1000, number)
    page = render(report)
    shown = 30
    [more, left, missing] = told_of(page, "The other columns") if number > shown else [0, 0, 0]
    assert shown + more + left == number
    assert missing == left  # one in each of them
    assert (left > 0) == (number == 500)


def test_500_columns_of_names_as_people_give_them_have_room_beside_all_else(reports: dict[str, Report]) -> None:
    page = render(reports["wide"])
    assert len(page.encode()) < MAX_BYTES
    assert sum(f"customer_feature_of_the_last_quarter_{at:03d}" in page for at in range(500)) == 500


def test_inputs_that_have_no_room_are_summed_and_said(reports: dict[str, Report]) -> None:
    page = render(hostile(reports["wide"], "\u202e" * 1000, 1000))
    [shown, left, _] = told_of(page, "1,000 inputs")
    assert shown + left == 1000
    assert 10 < shown < 100


def test_what_a_failed_job_was_asked_for_is_listed_and_how_many_more_there_are() -> None:
    job = failed_job()
    job.record["InputDataLocationS3"] = ",".join(f"s3://b/{at}.csv" for at in range(75))
    page = render(job.report)
    assert "s3://b/29.csv" in page
    assert "s3://b/30.csv" not in page
    assert f"and 45 more; all are in <code><bdi>{job.id}.json" in page
    assert "<li>and 45 more" in page
    assert "<div>and 70 more" in page


def test_a_record_s_inputs_are_parted_where_one_begins_whatever_commas_are_in_their_names() -> None:
    job = failed_job()
    job.record["InputDataLocationS3"] = "s3://b/a,b/c,/d.csv,file:///x,y/,s3://b/,"
    assert job.report.inputs_asked_for == ["s3://b/a,b/c,/d.csv", "file:///x,y/", "s3://b/,"]


def test_of_log_lines_that_are_long_both_ends_are_shown_and_that_is_said() -> None:
    job = failed_job()
    job.log = "\n".join(f"begin{at}{'<' * 10_000}end{at}" for at in range(100))
    page = render(job.report)
    assert len(page.encode()) < MAX_BYTES
    assert "Of long lines both ends are shown." in page
    assert re.search("begin99(&lt;)+…(&lt;)+end99", page)
    assert "Of long lines" not in render(failed_job().report)


@given(TEXTS, st.integers(20, 300))
def test_a_text_is_bounded_in_what_is_shown_and_in_bytes_and_else_as_it_is(text: str, longest: int) -> None:
    shown = shortened(text, longest)
    assert len(shown) <= longest
    assert len(escaped(shown).encode()) <= 3 * longest
    is_whole = len(html.unescape(escaped(text))) <= longest and len(escaped(text).encode()) <= 3 * longest
    assert (escaped(shown) == escaped(text)) == is_whole
    assert shown.count("\u2026") == (not is_whole)


def test_a_name_of_any_script_that_is_not_long_is_whole() -> None:
    for text in ("\u754c" * 80, "\u05e9" * 80, "\u0416" * 80, "a" * 80):
        assert shortened(text, 80) == text
    assert shortened('"' * 80, 80) == '"' * 19 + "\u2026" + '"' * 19
    assert shortened("\u202e" * 80, 80) == "[U+202E]" * 4 + "\u2026" + "[U+202E]" * 4


def test_a_page_of_many_stops_and_large_counts_is_below_500_kb(reports: dict[str, Report]) -> None:
    profile = reports["wide"].profile
    assert profile is not None
    edges = [10 ** (-at / 180) for at in range(2400, 0, -1)]
    buckets = tuple((low, high, 10**9 + at) for at, (low, high) in enumerate(pairwise(edges)))
    answer = replace(profile.answers["score"], buckets=buckets)
    assert profile.labels is not None
    labels = replace(profile.labels, buckets={"0": buckets, "1": buckets})
    report = replace(reports["wide"], profile=replace(profile, answers={"score": answer}, labels=labels))
    page = render(hostile(report, '"' * 1000, 1000))
    assert len(page.encode()) < MAX_BYTES
    [_, left, _] = told_of(page, "The other columns")
    assert left < 1000 - 30  # some still have room beside the first
