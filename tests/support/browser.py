"""Debian's Chromium, driven as a person would; and what axe finds wrong on a page."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.support.missing import Missing

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--hide-scrollbars",
)
_AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
_PATIENCE = 10_000  # ms

WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser; Missing where none is installed."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        raise Missing("install chromium (apt)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(browser: Browser, address: str, **options: Any) -> Iterator[BrowserContext]:
    """A person's own browser: no cookies, no past. What a page breaks is an error."""
    context = browser.new_context(
        base_url=address,
        **{"viewport": WIDE, "locale": "en-GB", "timezone_id": "UTC", **options},
    )
    context.set_default_timeout(_PATIENCE)
    broken: list[str] = []
    context.on("weberror", lambda error: broken.append(str(error.error)))
    context.on("console", lambda said: _is_wrong(said) and broken.append(said.text))
    context.on("response", lambda answer: answer.status >= 500 and broken.append(answer.url))
    try:
        yield context
    finally:
        context.close()
    assert broken == [], broken


def _is_wrong(said: ConsoleMessage) -> bool:
    """Chromium complains of every refusal, too; those are what tests are about."""
    return said.type == "error" and not said.text.startswith("Failed to load resource")


_EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def flaws(page: Page, *, colours_only: bool = False) -> list[str]:
    """What axe finds: each rule with the elements that break it."""
    page.evaluate(_AXE)
    only = {"type": "rule", "values": ["color-contrast"]} if colours_only else _EVERYTHING
    found = page.evaluate(
        "only => axe.run(document, {runOnly: only, resultTypes: ['violations']})", only
    )
    return [
        f"{one['id']}: {json.dumps([node['target'] for node in one['nodes']][:4])}"
        for one in found["violations"]
    ]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    width: int = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width
