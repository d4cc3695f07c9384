"""Renders every event for every medium into docs/notifiers/samples, and takes pictures of them."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from core.events import EventType
from notifiers.base import Digest, Notice
from notifiers.blocks import message as slack_message
from notifiers.digest_blocks import digest_message as slack_digest
from notifiers.digest_card import digest_message as teams_digest
from notifiers.digests import digest_letter, summary
from notifiers.pagerduty_events import events as pagerduty_events
from notifiers.rendering import letter
from notifiers.samples import SAMPLED, sample
from notifiers.teams_card import message as teams_message
from notifiers.webhook_payload import payload, payloads
from notifiers.words import severity, title
from tests.smaller_png import shrink

FOLDER = Path(__file__).parents[1] / "docs" / "notifiers" / "samples"
# Pictured as the dark and the small see them, too.
_THRICE = (
    EventType.TOKEN_ROTATED,
    EventType.ROTATION_UPCOMING,
    EventType.GRACE_ENDING,
    EventType.SYNC_FAILED,
    EventType.LANE_PAUSED,
    EventType.TOKEN_LEAKED,
    "digest",
)
_INSTEAD = {
    "instead_of": "acme:slack:workspace:notification-channel:bot (C0123456789)",
    "instead_since": "2026-03-02T08:00:00Z",
    "instead_because": "channel_not_found",
}
_ABOUT = (
    "Every event in every medium, for a reader in Berlin. `make samples` writes this folder anew "
    "(the pictures need chromium); a test compares the texts."
)
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Width of the window, and whether the reader likes it dark.
_VIEWS = {"light": (680, False), "dark": (680, True), "phone": (390, False)}
_TALL = 1_500
_OWN = 4  # of a digest's notices
_MARGIN = 32


def pictured() -> dict[str, list[str]]:
    """Of what there are pictures, and in which views."""
    names = [*(event.value for event in SAMPLED), "digest"]
    return {name: list(_VIEWS)[: 3 if name in _THRICE else 1] for name in names}


def rendered() -> dict[str, str]:
    """Every file of text in the folder, by name."""
    files = {"README.md": _index()}
    for event in SAMPLED:
        for medium, text in _media(sample(event)):
            files[f"{event.value}.{medium}"] = text
    for medium, text in _of_several(_digest()):
        files[f"digest.{medium}"] = text
    return files


def main() -> None:
    """Writes the samples anew; the pictures too, if there is a browser."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    files = rendered()
    for old in FOLDER.iterdir():
        if old.suffix != ".png" and old.name not in files:
            old.unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text)
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        sys.exit("The samples are written, but no pictures: install chromium.")
    for old in FOLDER.glob("*.png"):
        old.unlink()
    for name, views in pictured().items():
        for view in views:
            _take(browser, FOLDER / f"{name}.html", view)
    sys.stdout.write(f"{len(files)} samples are in {FOLDER}\n")


def _media(notice: Notice) -> Iterator[tuple[str, str]]:
    written = letter(notice)
    yield "txt", f"Subject: {written.subject}\n\n{written.text}"
    yield "html", written.html
    yield "slack.json", _pretty(slack_message(notice))
    yield "teams.json", _pretty(json.loads(teams_message(notice)))
    yield "webhook.json", _pretty(payload(notice))
    yield "pagerduty.json", _pretty([vars(event) for event in pagerduty_events(notice)])


def _digest() -> Digest:
    """Several facts at once, the worst first; the reader stands in for some of them."""
    told = [EventType.SYNC_FAILED] * 2 + [EventType.TOKEN_ROTATED] * 4
    notices = tuple(
        replace(
            sample(event),
            key=UUID(int=number),
            facts={
                **sample(event).facts,
                "account": f"service-{number}",
                **(_INSTEAD if number > _OWN else {}),
            },
        )
        for number, event in enumerate(told, start=1)
    )
    return Digest(UUID(int=0), "acme", notices, "https://keyturn.example.com")


def _of_several(digest: Digest) -> Iterator[tuple[str, str]]:
    written = digest_letter(digest)
    yield "txt", f"Subject: {written.subject}\n\n{written.text}"
    yield "html", written.html
    yield "slack.json", _pretty(slack_digest(digest))
    yield "teams.json", _pretty(json.loads(teams_digest(digest)))
    yield "webhook.json", _pretty(payloads(digest))


def _pretty(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _index() -> str:
    media = ("txt", "html", "slack.json", "teams.json", "webhook.json", "pagerduty.json")
    rows = [
        "# What notices look like",
        "",
        _ABOUT,
        "",
        "| event | title | severity | " + " | ".join(media) + " |",
        "|" + "---|" * (3 + len(media)),
    ]
    for event in SAMPLED:
        notice = sample(event)
        links = " | ".join(f"[{one}]({event.value}.{one})" for one in media)
        told = f"`{event.value}` | {title(notice)} | {severity(notice).lower()}"
        rows.append(f"| {told} | {links} |")
    several = " | ".join(f"[{one}](digest.{one})" for one in media if one != "pagerduty.json")
    rows.append(f"| several at once | {summary(_digest())} | warning | {several} | each alone |")
    rows += [
        "",
        "## E-mail, as a browser shows it",
        "",
        "| | light | dark | phone |",
        "|---|---|---|---|",
    ]
    for name, views in pictured().items():
        pictures = (f"![{view}]({name}.{view}.png)" if view in views else "" for view in _VIEWS)
        rows.append(f"| `{name}` | {' | '.join(pictures)} |")
    return "\n".join(rows) + "\n"


def _take(browser: str, page: Path, view: str) -> None:
    """A picture of the page, as high as the page is."""
    width, is_dark = _VIEWS[view]
    target = page.with_name(f"{page.stem}.{view}.png")
    with tempfile.TemporaryDirectory() as profile:
        options = [
            *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--force-device-scale-factor=1", f"--window-size={width},{_TALL}"),
            *(f"--user-data-dir={profile}", f"--screenshot={target}"),
            *(["--blink-settings=preferredColorScheme=0"] if is_dark else []),
        ]
        subprocess.run(
            [browser, *options, page.as_uri()], check=True, capture_output=True, timeout=120
        )
    shrink(target, _MARGIN)


if __name__ == "__main__":
    main()
