"""The page of a job in a real browser."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from playwright.sync_api import Browser, Page

from batchscore.report.page import render
from tests.browser.opened import Scheme, opened, require_chromium
from tests.page_jobs import JOBS, Job, binary_job, binary_job_of

require_chromium()

WIDTHS = (400, 1400)
SHOWN = (
    *("here", "ones", "ones-share", "zeros", "zeros-share"),
    *("precision", "wrong-ones", "recall", "missed", "f1", "line"),
)
"""The elements that follow the slider."""


def write(folder: Path, name: str, job: Job) -> Path:
    path = folder / f"{name}.html"
    path.write_text(render(job.report), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def labelled() -> Job:
    return binary_job(20_000)


def stops_of(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.text_content("#cutoffs") or "")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", JOBS)
def test_a_page_says_nothing_on_the_console_asks_for_nothing_and_keeps_its_policy(
    browser: Browser, folder: Path, name: str, scheme: Scheme
) -> None:
    with opened(browser, folder / f"{name}.html", scheme=scheme) as found:
        assert found.page.title().endswith(("completed", "failed"))
        assert found.faults == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", JOBS)
def test_no_page_is_wider_than_the_window(browser: Browser, folder: Path, name: str, width: int) -> None:
    with opened(browser, folder / f"{name}.html", width) as found:
        found.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert found.page.evaluate("document.documentElement.scrollWidth") <= width


BEYOND = """() => [...document.querySelectorAll("main *, footer *")].filter((one) => {
  if (one.closest("defs, thead") || !one.checkVisibility()) return false;
  const box = one.getBoundingClientRect();
  const isCut = !(one instanceof SVGElement) && getComputedStyle(one).display !== "inline"
    && one.scrollWidth > one.clientWidth + 1;
  return isCut || box.right > innerWidth + 0.5 || box.left < -0.5;
}).map((one) => `${one.tagName} ${one.textContent.slice(0, 40)}`)"""


@pytest.mark.parametrize("name", JOBS)
def test_on_a_narrow_screen_nothing_is_cut_off_or_out_of_sight(browser: Browser, folder: Path, name: str) -> None:
    with opened(browser, folder / f"{name}.html", 400) as found:
        found.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert found.page.evaluate(BEYOND) == []


@pytest.mark.parametrize("name", JOBS)
def test_on_paper_nothing_is_cut_off_at_the_edge(browser: Browser, folder: Path, name: str) -> None:
    with opened(browser, folder / f"{name}.html", 718) as found:  # A4 less 1 cm at each side
        found.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        found.page.emulate_media(media="print")
        assert found.page.evaluate(BEYOND) == []


def test_on_a_narrow_screen_the_type_of_a_column_stands_beside_its_name(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "binary-labels.html", 400) as found:
        row = found.page.locator("#columns tbody tr").first
        name, kind = (row.locator(which).bounding_box() for which in ("th", ".beside"))
        assert name is not None
        assert kind is not None
        assert name["y"] == kind["y"]
        assert name["x"] + name["width"] < kind["x"]


def test_what_is_cut_off_is_seen_by_these_tests(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "wide.html", 400) as found:
        found.page.evaluate("document.querySelectorAll('.stacks').forEach((one) => one.classList.remove('stacks'))")
        assert found.page.evaluate(BEYOND) != []


def test_a_table_laid_out_as_blocks_is_still_a_table_to_who_does_not_see_it(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "binary-labels.html", 400) as found:
        told = found.page.context.new_cdp_session(found.page).send("Accessibility.getFullAXTree")
        roles = [node["role"]["value"] for node in told["nodes"] if not node["ignored"]]
        assert {"table", "row", "cell", "rowheader", "columnheader"} <= set(roles)


def test_what_breaks_the_policy_is_seen_by_these_tests(browser: Browser, folder: Path, tmp_path: Path) -> None:
    html = (folder / "binary.html").read_text()
    path = tmp_path / "broken.html"
    forbidden = '<img src="https://example.com/x.png" style="top: 0"><script>1</script>'
    path.write_text(html.replace("<main>", f"<main>{forbidden}"))
    with opened(browser, path) as found:
        found.page.wait_for_timeout(200)
        assert {"policy: img-src", "policy: style-src-attr", "policy: script-src-elem"} <= set(found.faults)


def test_a_host_of_the_page_is_asked_for_it_alone(browser: Browser, folder: Path) -> None:
    asked: list[str] = []
    content = (folder / "binary-labels.html").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with browser.new_context() as context:
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/page.html")
            page.wait_for_timeout(300)
        server.shutdown()
    assert asked == ["/page.html"]


def test_at_ten_stops_that_the_keyboard_reaches_the_counts_are_those_of_the_scores(
    browser: Browser, tmp_path: Path, labelled: Job
) -> None:
    scores, labels = labelled.scores, labelled.labels
    with opened(browser, write(tmp_path, "labelled", labelled)) as found:
        page = found.page
        thresholds = stops_of(page)["thresholds"]
        page.focus("#stop")
        seen = []
        for key in ["Home", *["PageUp"] * 4, "ArrowRight", "ArrowRight", "ArrowLeft", "PageUp", "PageUp", "End"]:
            page.keyboard.press(key)
            threshold = yaml.safe_load(page.inner_text("#line"))["threshold"]
            answers = scores >= threshold
            hits, wrong = int((answers & (labels == 1)).sum()), int((answers & (labels == 0)).sum())
            assert (found.number("ones"), found.number("zeros")) == (answers.sum(), (~answers).sum())
            assert page.inner_text("#wrong-ones") == f"{wrong:,} of label 0 answered 1"
            assert page.inner_text("#missed") == f"{labels.sum() - hits:,} of label 1 answered 0"
            precision = hits / (hits + wrong) if answers.any() else np.nan
            assert rate(page, "precision") == pytest.approx(precision, abs=1e-4, nan_ok=True)
            assert rate(page, "recall") == pytest.approx(hits / labels.sum(), abs=1e-4)
            assert rate(page, "f1") == pytest.approx(2 * hits / (hits + wrong + labels.sum()), abs=1e-4)
            seen.append(thresholds.index(threshold))
        assert len(set(seen)) >= 10
        assert seen[0] == 0
        assert seen[-1] == len(thresholds) - 1
        assert seen[6] == seen[5] + 1 == seen[7] + 1
        assert found.faults == []


def rate(page: Page, identity: str) -> float:
    text = page.inner_text(f"#{identity}")
    return np.nan if text == "\u2013" else float(text)


def test_the_slider_starts_at_the_threshold_in_force_says_so_and_comes_back_to_it(
    browser: Browser, tmp_path: Path, labelled: Job
) -> None:
    with opened(browser, write(tmp_path, "labelled", labelled)) as found:
        page = found.page
        start = page.input_value("#stop")
        assert (page.inner_text("#here"), page.inner_text("#here-note")) == ("0.4", "in force")
        above = int((labelled.scores >= 0.4).sum())
        assert page.get_attribute("#stop", "aria-valuetext") == f"0.4, in force: {above:,} answered 1"
        page.focus("#stop")
        page.keyboard.press("PageUp")
        assert page.inner_text("#here-note") == "in force is 0.4"
        assert "in force" not in (page.get_attribute("#stop", "aria-valuetext") or "in force")
        page.click("#back")
        assert (page.input_value("#stop"), page.inner_text("#line")) == (start, "threshold: 0.4")


def test_what_the_page_says_without_a_script_is_what_the_script_says_first(browser: Browser, folder: Path) -> None:
    for name in ("binary-labels", "binary-rare"):
        told = []
        for javascript in (True, False):
            with opened(browser, folder / f"{name}.html", javascript=javascript) as found:
                told.append([found.page.text_content(f"#{identity}") for identity in SHOWN])
        assert told[0] == told[1]


TEXTS_BEYOND = """() => {
  const plot = document.querySelector("#scores-plot");
  const frame = plot.getBoundingClientRect();
  return [...plot.querySelectorAll("text")].filter((one) => {
    const box = one.getBoundingClientRect();
    return getComputedStyle(one).visibility === "visible" && (box.left < frame.left - 1 || box.right > frame.right + 1);
  }).map((one) => one.textContent);
}"""


@pytest.mark.parametrize("threshold", [0.0, 1e-300, 1.2345e-5, 0.02, 0.4, 0.9999, 1 - 2**-53, 1.0])
def test_no_text_leaves_the_picture_wherever_the_cut_off_is(browser: Browser, tmp_path: Path, threshold: float) -> None:
    path = write(tmp_path, "ends", binary_job(3000, threshold=threshold))
    for javascript in (True, False):
        with opened(browser, path, javascript=javascript) as found:
            for key in ["", "Home", *["PageUp"] * 9, "End"] if javascript else [""]:
                if key:
                    found.page.focus("#stop")
                    found.page.keyboard.press(key)
                for width in (400, 640, 1400):
                    found.page.set_viewport_size({"width": width, "height": 900})
                    assert found.page.evaluate(TEXTS_BEYOND) == []
                    assert found.page.is_visible(".answer.zero") or found.page.is_visible(".answer.one")


@pytest.mark.parametrize("threshold", [0.0, 1e-300, 1.2345e-5, 9.99999e-5, 1e-6, 0.5, 0.9999, 1 - 2**-53, 1.0])
def test_away_and_back_the_script_spells_all_as_the_page_did(
    browser: Browser, tmp_path: Path, threshold: float
) -> None:
    path = write(tmp_path, "ends", binary_job(3000, threshold=threshold))
    told = []
    for javascript in (True, False):
        with opened(browser, path, javascript=javascript) as found:
            if javascript:
                found.page.focus("#stop")
                found.page.keyboard.press("Home")
                found.page.keyboard.press("End")
                found.page.evaluate("document.querySelector('#back').click()")
            texts = [found.page.text_content(f"#{identity}") for identity in (*SHOWN, "here-note")]
            attributes = [("#stop", "aria-valuetext"), ("#cut", "x"), ("#cut", "class"), ("#cut-from", "x")]
            told.append(texts + [found.page.get_attribute(*one) for one in attributes])
    assert told[0] == told[1]


def test_the_script_spells_each_stop_as_the_table_and_yaml_do(browser: Browser, tmp_path: Path) -> None:
    scores = 1 / (1 + np.exp(-np.random.default_rng(1).uniform(-36, 36, 3000)))
    labels = np.zeros(3000, dtype=np.int64)
    labels[::50] = 1
    with opened(browser, write(tmp_path, "wide", binary_job_of(scores, labels, 0.4))) as found:
        page = found.page
        rows = page.evaluate(ROWS)
        assert len(rows) > 15
        thresholds = stops_of(page)["thresholds"]
        for at in range(0, len(thresholds), 10):
            page.evaluate(MOVE, at)
            assert yaml.safe_load(page.inner_text("#line"))["threshold"] == thresholds[at]
        spelt = {cutoff: followed for cutoff, *followed in page.evaluate(SPELT, len(thresholds))}
        for cutoff, ones, precision, recall, f1 in rows:
            assert spelt[cutoff.removesuffix(" in force")] == [ones, precision, recall, f1]


ROWS = """() => [...document.querySelectorAll("#scores table tbody tr")].map((row) =>
  [0, 1, 4, 5, 6].map((at) => row.children[at].textContent))"""
MOVE = """(at) => {
  const slider = document.querySelector("#stop");
  slider.value = String(at);
  slider.dispatchEvent(new Event("input"));
}"""
SPELT = f"""(count) => Array.from({{length: count}}, (_, at) => {{
  ({MOVE})(at);
  return ["here", "ones", "precision", "recall", "f1"].map((one) => document.querySelector(`#${{one}}`).innerText);
}})"""


def test_without_a_script_there_is_a_table_and_no_slider(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "binary-labels.html", javascript=False) as found:
        assert not found.page.is_visible("#stop")
        assert not found.page.is_visible("#copy")
        found.page.click("text=Some cut-offs as a table")
        assert found.page.is_visible("#scores th:has-text('0.4 in force')")


def test_the_pointer_moves_the_cut_off_to_the_nearest_stop(browser: Browser, tmp_path: Path, labelled: Job) -> None:
    with opened(browser, write(tmp_path, "labelled", labelled)) as found:
        page = found.page
        places = stops_of(page)["places"]
        page.locator("#scores-plot").scroll_into_view_if_needed()
        box = page.locator("#scores-plot").bounding_box()
        assert box is not None
        for part in (0.3, 0.8, 0.01, 0.99):
            page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 60)
            page.mouse.down()
            page.mouse.move(box["x"] + part * box["width"], box["y"] + 60)
            page.mouse.up()
            at = int(page.input_value("#stop"))
            assert abs(places[at] - part) == pytest.approx(min(abs(place - part) for place in places), abs=2e-3)
        assert found.faults == []


def test_the_costs_that_are_typed_are_summed_and_the_lowest_is_found(
    browser: Browser, tmp_path: Path, labelled: Job
) -> None:
    scores, labels = labelled.scores, labelled.labels

    def cost(threshold: float) -> float:
        answers = scores >= threshold
        return 2.5 * float((answers & (labels == 0)).sum()) + 40 * float((~answers & (labels == 1)).sum())

    with opened(browser, write(tmp_path, "labelled", labelled)) as found:
        page = found.page
        page.fill("#cost-wrong", "2.5")
        page.fill("#cost-missed", "40")
        assert float(page.inner_text("#cost").replace(",", "")) == cost(0.4)
        page.click("#go-cheapest")
        threshold = yaml.safe_load(page.inner_text("#line"))["threshold"]
        assert cost(threshold) == min(cost(stop) for stop in stops_of(page)["thresholds"])
        assert float(page.inner_text("#cost").replace(",", "")) == cost(threshold)
        assert page.inner_text("#cheapest") == "It is the lowest."
        page.fill("#cost-missed", "")
        assert page.inner_text("#cost") == "\u2013"
        assert found.faults == []


def test_the_line_is_copied_and_where_that_is_refused_it_is_selected(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "binary.html") as found:
        page = found.page
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.click("#copy")
        assert page.inner_text("#copied") == "Copied."
        assert page.evaluate("navigator.clipboard.readText()") == "threshold: 0.4"
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
        page.click("#copy")
        assert page.inner_text("#copied").startswith("Selected: press Ctrl+C")
        assert page.evaluate("String(getSelection())") == "threshold: 0.4"


def test_tiny_costs_are_not_shown_as_none(browser: Browser, tmp_path: Path, labelled: Job) -> None:
    wrong = int(((labelled.scores >= 0.4) & (labelled.labels == 0)).sum())
    with opened(browser, write(tmp_path, "labelled", labelled)) as found:
        found.page.fill("#cost-wrong", "0.000001")
        found.page.fill("#cost-missed", "0")
        assert float(found.page.inner_text("#cost")) == pytest.approx(wrong * 1e-6, rel=1e-3)


CONTRASTS = """() => {
  const parse = (text) => (text.match(/[0-9.]+/g) || []).map(Number);
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const luminance = (colour) => {
    const [r, g, b] = colour.map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!hasText || !element.checkVisibility() || element.closest("script, button:disabled")) continue;
    const style = getComputedStyle(element);
    const colour = parse(element.closest("svg") ? style.fill : style.color).slice(0, 3);
    const [high, lower] = [luminance(colour), luminance(behind(element))].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (lower + 0.05);
    if (contrast < 4.5) low.push(`${element.tagName} ${element.className} ${contrast.toFixed(2)}`);
  }
  return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["binary-labels", "multiclass-3", "failed", "regression-labels"])
def test_every_text_on_the_page_stands_out_from_what_is_behind_it(
    browser: Browser, folder: Path, name: str, scheme: Scheme
) -> None:
    with opened(browser, folder / f"{name}.html", scheme=scheme) as found:
        found.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert found.page.evaluate(CONTRASTS) == []


FOCUS = """() => {
  const one = document.activeElement;
  const width = (of, key) => parseFloat(getComputedStyle(of)[key]);
  if (one.id === "stop") return [one.id, width(document.querySelector(".knob"), "strokeWidth") === 5];
  return [one.id || one.tagName, width(one, "outlineWidth") >= 2];
}"""


def test_the_focus_is_seen_on_all_that_takes_it(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "binary-labels.html") as found:
        seen = []
        for _ in range(40):
            found.page.keyboard.press("Tab")
            seen.append(found.page.evaluate(FOCUS))
        assert {"stop", "copy", "cost-wrong", "cost-missed", "A", "SUMMARY"} <= {name for name, _ in seen}
        assert [name for name, is_seen in seen if not is_seen and name != "BODY"] == []


def test_hostile_names_do_nothing_and_turn_nothing_around_them(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "hostile.html") as found:
        assert found.page.title() == "campaign-2026-47: completed"
        assert found.page.locator("img").count() == 0
        direction = "(one) => getComputedStyle(one).unicodeBidi"
        assert {found.page.locator("bdi").nth(at).evaluate(direction) for at in range(10)} == {"isolate"}


def test_on_paper_everything_that_is_folded_is_open_and_nothing_to_press_is_there(
    browser: Browser, folder: Path
) -> None:
    with opened(browser, folder / "binary-labels.html", scheme="dark") as found:
        page = found.page
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        assert page.locator("details:not([open])").count() == 0
        assert not page.is_visible("#copy")
        assert not page.is_visible("nav")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("details:not([open])").count() > 0
