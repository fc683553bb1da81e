"""A page opened in a browser, with all that it says, asks for and is refused."""

import functools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A container has no right to make Chromium's own sandbox, and nothing but the project's page is opened in it.
FLAGS = ("--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage")
Scheme = Literal["light", "dark"]
MISSING = "no Chromium here: apt-get install chromium, or name one in CHROMIUM"


def chromium() -> str | None:
    """Return the path of a Chromium of this machine."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def require_chromium() -> None:
    """Skip a module's tests where there is no Chromium; where one is required that is an error."""
    if chromium() is None:
        assert os.environ.get("BROWSER_TESTS") != "required", MISSING
        pytest.skip(MISSING, allow_module_level=True)


# Where a page breaks its own policy, the browser fires this event.
_WATCH = "addEventListener('securitypolicyviolation', (event) => console.error('policy: ' + event.violatedDirective))"


@dataclass
class Opened:
    """A page, and what it did that it should not: messages on the console, errors, requests beside its own file."""

    page: Page
    faults: list[str] = field(default_factory=list)

    def number(self, identity: str) -> int:
        """Return the whole number that an element shows."""
        return int(self.page.inner_text(f"#{identity}").replace(",", ""))


@contextmanager
def opened(
    browser: Browser, path: Path, width: int = 1400, scheme: Scheme = "light", *, javascript: bool = True
) -> Iterator[Opened]:
    """Open a page of a folder in a tab of its own; what it does wrong is in ``faults``."""
    page = _window(browser, javascript).new_page()
    try:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        found = Opened(page)
        page.on("console", lambda message: found.faults.append(message.text))
        page.on("pageerror", lambda error: found.faults.append(str(error)))
        page.on("request", lambda asked: found.faults.append(asked.url) if not _is_own(asked.url, path) else None)
        page.goto(path.as_uri())
        yield found
    finally:
        page.context.clear_permissions()
        page.close()


@functools.cache
def _window(browser: Browser, javascript: bool) -> BrowserContext:
    """Return the window that pages are the tabs of: one for each page would take a second of a slow machine."""
    context = browser.new_context(java_script_enabled=javascript)
    context.add_init_script(_WATCH)
    context.new_page()  # a window ends with its last tab
    return context


def _is_own(url: str, path: Path) -> bool:
    return url == path.as_uri() or url.startswith("data:,")
