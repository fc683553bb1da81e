"""The page of a job as text: its sections, its policy, and names that want to be something else than names."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from tests.page_jobs import HOSTILE, JOBS, Job, binary_job, empty_job, failed_job, record_of, wide_job

from batchscore.report.page import render

MAX_BYTES = 500_000
ORDER = [
    "Status",
    "Scores and cut-off",
    "Quality",
    "Columns",
    "Rejected records",
    "Inputs",
    "Stages and throughput",
    "Parameters, software, digests",
]


class Page(HTMLParser):
    """A page as a browser's parser takes it: tags with their attributes, and the texts of some."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.names: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append("")
        if tag not in {"meta", "link", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(job: Job) -> Page:
    return Page(render(job.report))


def text_of(job: Job) -> str:
    [body] = page_of(job).texts["body"]
    return body


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: render(job().report) for name, job in JOBS.items()}


@pytest.mark.parametrize("name", JOBS)
def test_a_page_is_one_well_formed_file_that_asks_nothing_of_anywhere(pages: dict[str, str], name: str) -> None:
    page = Page(pages[name])
    assert page.open == []
    outside = [value for _, found in page.tags for key, value in found.items() if key in {"href", "src", "action"}]
    assert {value for value in outside if value and not value.startswith("#")} == {"data:,"}
    assert not re.search(r"@import|url\((?!#)", page.texts["style"][0])
    assert not re.search(r"fetch\(|XMLHttp|WebSocket|import\(|sendBeacon", page.texts["script"][-1])


@pytest.mark.parametrize("name", JOBS)
def test_a_page_has_no_handler_and_no_style_in_its_attributes(pages: dict[str, str], name: str) -> None:
    keys = {key for _, found in Page(pages[name]).tags for key in found}
    assert not {key for key in keys if key.startswith("on") or key == "style"}


@pytest.mark.parametrize("name", JOBS)
def test_the_policy_allows_the_page_s_own_style_and_script_alone(pages: dict[str, str], name: str) -> None:
    page = Page(pages[name])
    [policy] = [tag["content"] for tag in page.all("meta") if tag.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    told = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    code = page.texts["script"][-1]
    assert told == {
        "default-src": "'none'",
        "script-src": f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'",
        "style-src": f"'sha256-{base64.b64encode(hashlib.sha256(page.texts['style'][0].encode()).digest()).decode()}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_sections_stand_in_their_order() -> None:
    assert page_of(binary_job()).texts["h2"] == ORDER
    assert page_of(JOBS["multiclass-3"]()).texts["h2"] == [ORDER[0], "Classes", *ORDER[2:]]
    assert page_of(JOBS["regression"]()).texts["h2"] == [ORDER[0], "Values", *ORDER[2:]]


def test_a_page_is_below_500_kb_with_1000_inputs_and_500_columns() -> None:
    job = wide_job(1000, 500)
    html = render(job.report)
    assert len(html.encode()) < MAX_BYTES
    assert all(f"customer_feature_of_the_last_quarter_{at:03d}" in html for at in (0, 250, 499))


@pytest.mark.parametrize("name", JOBS)
def test_every_page_is_below_500_kb(pages: dict[str, str], name: str) -> None:
    assert len(pages[name].encode()) < MAX_BYTES


def test_names_of_a_thousand_characters_are_shortened_in_the_middle() -> None:
    job = wide_job(200, 500)
    assert job.profile is not None
    columns = job.profile["columns"].values()
    job.profile["columns"] = {f"begin{at:03d}{'x' * 1000}end{at:03d}": column for at, column in enumerate(columns)}
    html = render(job.report)
    assert len(html.encode()) < MAX_BYTES
    assert re.search(r"begin007x+…x+end007<", html)


def test_a_hostile_name_is_text_between_marks_that_keep_its_direction_to_itself() -> None:
    html = render(JOBS["hostile"]().report)
    page = Page(html)
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in page_of(wide_job(2, 40)).tags} | {"summary", "details"}
    shown = page.texts["bdi"]
    assert HOSTILE[0] in shown
    assert HOSTILE[1] in shown
    assert HOSTILE[3] in shown
    assert "[U+202E]gnp.txt[U+2066]" in shown
    assert "&lt;b&gt; 'quoted' `ticked`" in shown
    assert "\u2400\u241b[31m\u2421\ufffd" in shown
    assert "\u2028" not in html


def test_the_numbers_of_the_script_hold_nothing_that_ends_their_element() -> None:
    from batchscore.report.markup import json_in_script

    value = ["</script>", "<!--", "&", "\u2028\u2029", 0.1]
    assert json.loads(json_in_script(value)) == value
    assert not re.search("[<>&\u2028\u2029]", json_in_script(value))


def test_the_page_of_a_job_that_failed_says_what_went_wrong_and_what_helps() -> None:
    page = page_of(failed_job())
    assert page.texts["h2"] == ["What went wrong", "Status", "Inputs", "Stages and throughput", ORDER[-1]]
    [body] = page.texts["body"]
    assert "The job failed after 1\u00a0min\u00a042\u00a0s" in body
    assert "Nothing is committed: use none of its files." in body
    assert "expected at most 10000 invalid records, got 14310" in body
    assert "batchscore run --config job.yaml id=night-0412" in body
    assert "17:39:23,121 INFO 552 of 585 splits" in body
    assert "17:39:01,121" not in body  # the last 20 lines of 24


def test_of_a_foreign_error_the_page_says_why_its_text_is_not_shown() -> None:
    job = failed_job()
    job.record["Message"] = "ValueError in predict (model.py:12)"
    assert "This is an error that batchscore did not foresee" in text_of(job)
    assert "did not foresee" not in text_of(failed_job())


def test_the_ends_of_a_range_are_read_whatever_their_size() -> None:
    job = JOBS["regression"]()
    assert job.profile is not None
    job.profile["columns"]["rooms"] |= {"min": -1.7976931348623157e308, "max": 123456.0, "mean": None}
    assert "\u22121.798e+308 to 123,456" in text_of(job)


def test_whole_ends_of_a_range_are_shown_to_the_last_digit() -> None:
    job = JOBS["regression"]()
    assert job.profile is not None
    job.profile["columns"]["rooms"] |= {"min": -(2**63), "max": 2**53 + 1, "mean": None}
    assert "\u22129,223,372,036,854,775,808 to 9,007,199,254,740,993" in text_of(job)


def test_a_page_without_a_profile_shows_the_rest_and_says_so() -> None:
    text = text_of(JOBS["no-profile"]())
    assert "This job has no profile" in text
    assert "profile: scores" in text
    assert page_of(JOBS["no-profile"]()).texts["h2"] == ORDER
    assert "column_count" in text


def test_a_page_of_a_record_alone_says_how_far_the_job_is() -> None:
    job = Job("bp-1", record_of("bp-1", Status="INPROGRESS", FinishedAt=None, Message=None))
    text = text_of(job)
    assert "In progress" in text
    assert "Started on 2026-11-23 17:38:46 UTC." in text


def test_a_page_of_no_records_says_why() -> None:
    text = text_of(empty_job())
    assert "Nothing was scored: nothing new: 3 files below the inputs, none to score." in text
    assert "No record has a prediction, so there is nothing to draw." in text
    assert "There were no inputs to score." in text


def test_the_status_is_told_in_words_with_counts_shares_times_and_the_model() -> None:
    text = text_of(binary_job(1_234_567 - 43, with_labels=False)).replace("\u00a0", " ")
    assert "1,234,567 records of 2 inputs were scored with bank-marketing version 3 in 1 min 42 s." in text
    assert "43 of them (< 0.01%) are invalid and have no prediction." in text
    assert "2026-11-23 17:40:28 UTC" in text
    assert "models:/bank-marketing/3, then called champion" in text


def test_of_more_than_a_hundred_inputs_the_first_are_listed_and_the_others_summed() -> None:
    job = binary_job(1000)
    assert job.manifest is not None
    one = job.manifest["inputs"][1]
    parts = [{"record_count": 7, "invalid_record_count": 1}, {"record_count": 3, "invalid_record_count": 0}]
    inputs = [{**one, "uri": f"s3://b/{at:03d}", "file_size_in_bytes": 1024, "parts": parts} for at in range(350)]
    job.manifest["inputs"] = inputs
    page = page_of(job)
    [foot] = page.texts["tfoot"]
    assert foot == "and 250 more; all are in campaign-2026-47.manifest.json250 KiB5002,500250 10.0%"
    assert "s3://b/099" in page.texts["code"]
    assert "s3://b/100" not in page.texts["code"]
    assert "350 inputs" in page.texts["caption"]


@pytest.mark.parametrize(
    ("reason", "helps"),
    [
        ("encoding", "encoding"),
        ("column_count", "delimiter"),
        ("invalid_value", "invalid_values: missing"),
        ("missing_value", "missing_values: auto"),
        ("line_end_in_quotes", "multiline: true"),
        ("too_long", "max_record_bytes"),
        ("unbalanced_quote", "escape"),
    ],
)
def test_a_reason_of_rejects_has_the_key_that_helps(reason: str, helps: str) -> None:
    job = binary_job(100)
    assert job.manifest is not None
    job.manifest["invalid_reasons"] = {reason: 43}
    assert {reason, helps} <= set(page_of(job).texts["code"])


def test_every_reason_of_the_contract_has_a_text() -> None:
    from pathlib import Path

    from batchscore.report.sections.rejects import REASONS

    contract = (Path(__file__).parents[2] / "docs/output-contract.md").read_text()
    told = re.findall(r"^\| (?:parse|schema|model) \| `(\w+)` \|", contract, re.MULTILINE)
    assert set(told) == set(REASONS)


def test_the_times_of_steps_and_stages_are_read_off_the_log() -> None:
    text = text_of(binary_job(100))
    assert "wait for Spark4.9 s" in text
    assert "predict1 min 36 s208,000" in text
    job = binary_job(100)
    job.log = 'x INFO times {"seconds": 3}\n2026-11-23 17:40:28,001 INFO times {"seconds": [3]}\n'
    assert "The log has no times of steps and stages." in text_of(job)


def test_the_labels_are_counted_and_what_is_no_label_is_told() -> None:
    text = text_of(JOBS["multiclass-3"]())
    assert "9,000 known labels (99.52% of the predictions); 40 records without a label; 3 labels that the model" in text


def test_of_many_classes_the_most_frequent_are_shown_and_the_others_summed() -> None:
    job = JOBS["multiclass-120"]()
    assert job.profile is not None
    text = text_of(job)
    counts = job.profile["labels"]["confusion"]
    first = sorted(range(120), key=lambda at: -sum(counts[at]))[:12]
    others = [at for at in range(120) if at not in first]
    both = sum(counts[at][to] for at in others for to in others)
    assert f"108 others{''.join(f'{sum(counts[at][to] for at in others):,}' for to in sorted(first))}{both:,}" in text
