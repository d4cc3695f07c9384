"""Takes the pictures in docs/console: every page of a demo, in light, in dark, and on a phone."""

import logging
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import structlog
from playwright.sync_api import Page

from tests.console.demo import fill
from tests.console.seen import SEEN, VIEWS, Seen
from tests.console.served import composed
from tests.console.visits import Visitors
from tests.support.browser import chromium, visiting
from tests.support.serving import serving
from tests.support.world import new_world

FOLDER = Path(__file__).parents[1] / "docs" / "console"
_TALLEST = 1_700


def main() -> None:
    """Writes the folder anew."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        world = stack.enter_context(new_world(f"sqlite:///{folder / 'k.db'}", folder / "files"))
        names = fill(world)
        address = stack.enter_context(serving(composed(world.runtime)[0]))
        browser = stack.enter_context(chromium())
        visitors = Visitors(world, address, stack)
        who = visitors.admin()
        for view, options in VIEWS.items():
            context = stack.enter_context(visiting(browser, address, **options))
            page = context.new_page()
            for one in sorted((one for one in SEEN if one.is_pictured), key=_signed_in_last):
                if one.is_signed_in and not context.cookies():
                    visitors.into(page, who)
                one.visit(page, names)
                _take(page, FOLDER / f"{one.name}.{view}.png", whole=not one.opens)
    sys.stdout.write(f"{len(list(FOLDER.glob('*.png')))} pictures are in {FOLDER}\n")


def _signed_in_last(one: Seen) -> bool:
    return one.is_signed_in


def _take(page: Page, target: Path, *, whole: bool) -> None:
    """As much of the page as a reader wants to see; a dialog only within its window."""
    page.evaluate("() => document.fonts.ready")
    if not whole:
        page.screenshot(path=target, animations="disabled")
        return
    height = page.evaluate("() => document.documentElement.scrollHeight")
    size = page.viewport_size
    tall = min(max(height, size["height"]), _TALLEST)
    clip = {"x": 0, "y": 0, "width": size["width"], "height": tall}
    page.screenshot(path=target, full_page=True, clip=clip, animations="disabled")


if __name__ == "__main__":
    main()
