"""A headless Chromium of this machine, driven by Playwright, which brings none here."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.opened import FLAGS, chromium
from tests.page_jobs import JOBS


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium(), args=FLAGS) as started:
        yield started


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the page of each kind of job."""
    from batchscore.report.page import render

    where = tmp_path_factory.mktemp("pages")
    for name, job in JOBS.items():
        (where / f"{name}.html").write_text(render(job().report), encoding="utf-8")
    return where
