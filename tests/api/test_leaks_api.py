"""Reporting a leaked token over HTTP: everybody is answered alike, and no log knows the token."""

import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from api.app import create_app
from core.tokens import TokenKind, mint
from models import AuditRow
from tests.support.serving import Stage
from tests.support.world import World, new_world

PATH = "/api/v1/leaks"
ALLOWED = 3


def answers(http: httpx.Client, *bodies: Any) -> set[tuple[int, bytes, tuple[str, ...]]]:
    """What each of these was answered: status, body, and the names of the headers."""
    found = set()
    for body in bodies:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = http.post(PATH, content=content, headers={"Content-Type": "application/json"})
        found.add((answer.status_code, answer.content, tuple(sorted(answer.headers))))
    return found


def test_whatever_is_reported_the_answer_is_the_same(anybody: httpx.Client, world: World):
    _, token = world.create()
    text = token.reveal()

    found = answers(
        anybody,
        {"token": text},
        {"token": text},  # which works no more
        {"token": f"  {mint(TokenKind.VIRTUAL_ACCOUNT).reveal()}\n"},
        {"token": mint(TokenKind.PERSONAL).reveal()},
        {"token": "nonsense"},
        {"token": 7},
        {"token": None},
        {},
        [],
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
    )

    ((status, body, headers),) = found
    assert (status, body) == (202, b"{}")
    assert "x-request-id" in headers
    assert not world.works(token)


def test_a_token_with_blanks_around_it_is_still_that_token(anybody: httpx.Client, world: World):
    _, token = world.create()

    anybody.post(PATH, json={"token": f" {token.reveal()}\n"})

    assert not world.works(token)


def test_reports_are_limited_like_failed_logins_whatever_they_report(
    stage: tuple[Stage, str], tmp_path: Path
):
    player, address = stage
    url = f"sqlite:///{tmp_path / 'limited.db'}"
    with (
        new_world(url, tmp_path / "files", failed_logins=ALLOWED) as world,
        player.playing(create_app(world.runtime)),
        httpx.Client(base_url=address) as http,
    ):
        _, token = world.create(on_leak="tell")
        reports = [{"token": token.reveal()}, {"token": "x"}, {}, {"token": token.reveal()}, {}]

        found = [http.post(PATH, json=report).status_code for report in reports]
        wait = int(http.post(PATH, json={}).headers["Retry-After"])
        world.clock.pass_(seconds=wait)

        assert found == [202, 202, 202, 429, 429]
        assert http.post(PATH, json={}).status_code == 202


@pytest.mark.law(9)
def test_neither_a_log_nor_the_database_holds_what_was_reported(
    anybody: httpx.Client, world: World, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    structlog.reset_defaults()
    caplog.set_level(logging.DEBUG)
    _, token = world.create()
    unknown = mint(TokenKind.VIRTUAL_ACCOUNT)

    with structlog.testing.capture_logs() as logged:
        for one in (token, unknown):
            anybody.post(PATH, json={"token": one.reveal()})

    kept = b"".join(path.read_bytes() for path in tmp_path.glob("keyturn.db*"))
    for one in (token, unknown):
        assert one.reveal() not in caplog.text
        assert one.reveal() not in str(logged)
        assert one.reveal().encode() not in kept
        assert one.reveal()[8:50].encode() not in kept
    (row,) = world.rows(AuditRow, AuditRow.action == "token.leaked")
    assert row.actor["address"] == "127.0.0.1"
