"""The page itself: sections in their order, with the package's style and script, and leave for nothing else."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256

from batchscore import __version__
from batchscore.report.assets import asset
from batchscore.report.job_report import Report
from batchscore.report.markup import Markup, element, join, shortened
from batchscore.report.parts_of_page import Section
from batchscore.report.sections.columns import columns
from batchscore.report.sections.failure import failure
from batchscore.report.sections.inputs import inputs
from batchscore.report.sections.origin import origin
from batchscore.report.sections.quality import quality
from batchscore.report.sections.rejects import rejects
from batchscore.report.sections.scores import scores
from batchscore.report.sections.status import header, status
from batchscore.report.sections.times import times

# An icon of no bytes: without one a browser asks the host of the page for its own.
_NO_ICON = "data:,"
_COMMIT = "batchscore-commit"
MAX_BYTES = 500_000
_FRAME = 20_000  # bytes of the head, the links to the sections, and what stands around the tables of columns


def render(report: Report) -> str:
    """Return the page of a job, one HTML file that asks nothing of anywhere."""
    style, script = asset("page.css"), asset("page.js")
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name=_COMMIT, content=report.manifest.commit_id if report.manifest else ""),
        element("title", f"{shortened(report.id, 240)}: {report.record.Status.lower()}"),
        element("link", rel="icon", href=_NO_ICON),
        element("style", Markup(style)),
    ]
    body = [
        element("a", "To the content", href="#status", class_="skip"),
        element("div", _body(report), class_="page"),
        element("script", Markup(script)),
    ]
    document = element("html", element("head", head), element("body", body), lang="en")
    return f"<!DOCTYPE html>\n{document}\n"


def commit_of(page: bytes) -> str | None:
    """Return the commit that a page is of, empty where there was none yet; None for what is no page of a job."""
    found = re.search(rf'<meta name="{_COMMIT}" content="([^"]*)">', page.decode(errors="replace"))
    return found[1] if found else None


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _body(report: Report) -> Markup:
    shown = sections(report)
    links = [element("li", element("a", section.title, href=f"#{section.anchor}")) for section in shown]
    return join(
        element("nav", element("ul", links), aria_label="Sections"),
        element("main", header(report), [section.html for section in shown]),
        element("footer", element("p", f"Made by batchscore {__version__} from what the job left beside its results.")),
    )


def sections(report: Report) -> list[Section]:
    """Return the sections in their order; of a job without results, what went wrong and what was asked for."""
    failed = [Section("failure", "What went wrong", failure(report))] if report.has_failed else []
    last = [
        Section("inputs", "Inputs", inputs(report)),
        Section("times", "Stages and throughput", times(report)),
        Section("origin", "Parameters, software, digests", origin(report)),
    ]
    if not (report.manifest or report.profile or report.record.Status == "COMPLETED"):
        return [*failed, Section("status", "Status", status(report)), *last]
    first = [
        Section("status", "Status", status(report)),
        Section("scores", _first_picture(report), scores(report)),
        Section("quality", "Quality", quality(report)),
    ]
    last = [Section("rejected", "Rejected records", rejects(report)), *last]
    told_of_columns = columns(report, _room([*failed, *first, *last]))
    return [*failed, *first, Section("columns", "Columns", told_of_columns), *last]


def _room(others: Sequence[Section]) -> int:
    """Return the bytes that are left for the columns, of which there are thousands: all else is bounded by itself."""
    frame = len(asset("page.css").encode()) + len(asset("page.js").encode()) + _FRAME
    return MAX_BYTES - frame - sum(len(section.html.encode()) for section in others)


def _first_picture(report: Report) -> str:
    return {"multiclass": "Classes", "regression": "Values"}.get(report.model_type, "Scores and cut-off")
