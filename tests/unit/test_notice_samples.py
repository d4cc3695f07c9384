"""The samples in the documents are what is sent, and every event has one."""

import re

import pytest

from core.events import TOLD, EventType
from notifiers.base import Notice
from notifiers.samples import SAMPLED, sample
from notifiers.words import headline, next_step, title, why
from tests.notice_samples import FOLDER, pictured, rendered

_MOST_BYTES = 72_000


def test_the_samples_are_up_to_date():
    kept = {path.name: path.read_text() for path in FOLDER.iterdir() if path.suffix != ".png"}

    assert sorted(kept) == sorted(rendered())
    stale = [name for name, text in rendered().items() if kept[name] != text]
    assert stale == []  # make samples


def test_every_event_that_is_told_has_a_sample():
    assert set(SAMPLED) >= TOLD


def test_every_event_that_is_told_is_on_the_page():
    page = (FOLDER.parent / "README.md").read_text()

    told = TOLD - {EventType.USER_INVITED}
    assert [event.value for event in told if f"`{event.value}`" not in page] == []


@pytest.mark.parametrize("event", SAMPLED)
def test_a_sample_knows_everything_that_its_text_says(event):
    notice = sample(event)

    said = f"{title(notice)} {headline(notice)} {next_step(notice)} {why(notice)}"

    assert not re.search(r"(?<!\w)-(?!\w)", said)
    assert title(notice) != event.value


def test_a_reader_elsewhere_has_the_times_of_their_own():
    rotated = sample(SAMPLED[SAMPLED.index("token.rotated")], timezone="Asia/Kolkata")

    assert headline(rotated).endswith("works until 2026-03-03 14:30 IST (UTC+5:30)")


def test_a_zone_that_nobody_knows_is_utc():
    rotated = Notice(**{**vars(sample(SAMPLED[0])), "timezone": "../../etc/passwd"})

    assert "CET" not in headline(rotated)


def test_the_pictures_are_small():
    pictures = list(FOLDER.glob("*.png"))

    named = {f"{name}.{view}.png" for name, views in pictured().items() for view in views}
    assert {path.name for path in pictures} == named
    assert [path.name for path in pictures if path.stat().st_size > _MOST_BYTES] == []
