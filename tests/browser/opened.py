"""A page opened in a browser, with all that it says, asks for and is refused."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A container has no right to make Chromium's own sandbox, and nothing but the project's page is opened in it.
FLAGS = ("--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage")
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
    browser: Browser, path: Path, width: int = 1400, scheme: str = "light", *, javascript: bool = True
) -> Iterator[Opened]:
    """Open a page of a folder from a context of its own; what it does wrong is in ``faults``."""
    told = {"color_scheme": scheme, "java_script_enabled": javascript, "viewport": {"width": width, "height": 900}}
    with browser.new_context(**told) as context:  # type: ignore[arg-type] # a dict of several types
        context.add_init_script(_WATCH)
        page = context.new_page()
        found = Opened(page)
        page.on("console", lambda message: found.faults.append(message.text))
        page.on("pageerror", lambda error: found.faults.append(str(error)))
        page.on("request", lambda asked: found.faults.append(asked.url) if not _is_own(asked.url, path) else None)
        page.goto(path.as_uri())
        yield found


def _is_own(url: str, path: Path) -> bool:
    return url == path.as_uri() or url.startswith("data:,")
