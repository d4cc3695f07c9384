"""The page behind a notice's acknowledge link, and the call that does the same."""

import re
from typing import Any

import httpx
import pytest

from core.tokens import TokenKind, mint
from models import VirtualAccount
from tests.support.world import HOURLY, World, told_by

PAGE = "/acknowledge"


def turned(world: World, name: str = "ci-bot") -> tuple[VirtualAccount, str]:
    """An account whose key was turned, and the token of the link in its notice."""
    fqn, heard = world.channel(name)
    account, _ = world.create(name, auto_rotate=HOURLY, notification_target=told_by(fqn))
    world.clock.pass_(hours=1)
    world.rotate()
    world.drain()
    return account, heard.notices[0][0].acknowledge.partition("token=")[2]


def acknowledged(world: World, account: VirtualAccount) -> bool:
    return world.tokens(account)[0].acknowledged_at is not None


def test_a_look_shows_what_it_is_about_and_changes_nothing(anybody: httpx.Client, world: World):
    account, token = turned(world)

    pages = [anybody.get(PAGE, params={"token": token}) for _ in range(3)]
    anybody.head(PAGE, params={"token": token})

    assert {page.status_code for page in pages} == {200}
    assert "ci-bot: do all its consumers use the new token?" in pages[0].text
    assert "generation 1 works until 2026-03-02 10:10 UTC" in pages[0].text
    assert not acknowledged(world, account)


def test_the_page_holds_no_script_and_is_kept_by_nobody(anybody: httpx.Client, world: World):
    _, token = turned(world)

    page = anybody.get(PAGE, params={"token": token})

    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert {"script", "img", "link", "iframe"} & set(re.findall(r"<(\w+)", page.text)) == set()
    assert "http" not in page.text


def test_its_form_acknowledges_once(anybody: httpx.Client, world: World):
    account, token = turned(world)
    page = anybody.get(PAGE, params={"token": token}).text
    form = re.search(
        r'<form method="post" action="(\w+)"><input .*name="(\w+)" value="(\w+)"', page
    )
    assert form is not None

    done = anybody.post(f"/{form[1]}", data={form[2]: form[3]})
    again = anybody.post(PAGE, data={"token": token})
    after = anybody.get(PAGE, params={"token": token})

    assert done.status_code == 200
    assert "ci-bot: acknowledged" in done.text
    assert acknowledged(world, account)
    assert again.status_code == 404
    assert "used already" in again.text
    assert "acknowledged already" in after.text
    assert "<form" not in after.text


def test_a_token_in_the_address_of_a_post_is_not_looked_at(anybody: httpx.Client, world: World):
    account, token = turned(world)

    answer = anybody.post(PAGE, params={"token": token})

    assert answer.status_code == 404
    assert not acknowledged(world, account)


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"token", b"&".join([b"a=b"] * 50), b'{"token": "x"}']
)
def test_whatever_is_posted_is_no_error_of_ours(anybody: httpx.Client, body: bytes):
    assert anybody.post(PAGE, content=body).status_code == 404


def test_what_is_no_link_is_not_shown_again(anybody: httpx.Client):
    hostile = '"><script>alert(1)</script>'

    page = anybody.get(PAGE, params={"token": hostile})

    assert page.status_code == 404
    assert "script" not in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_guessing_is_slowed_down(anybody: httpx.Client):
    answers = [
        anybody.get(PAGE, params={"token": mint(TokenKind.ACKNOWLEDGE).reveal()}).status_code
        for _ in range(40)
    ]

    assert set(answers) == {404, 429}


def test_the_link_is_no_login(anybody: httpx.Client, world: World):
    _, token = turned(world)

    answer = anybody.get("/api/v1/verify", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 401


def test_a_call_acknowledges_the_newest_or_the_generation_that_it_names(
    http: httpx.Client, world: World
):
    account, _ = turned(world)
    path = f"/api/svc/v1/virtual-accounts/{account.id}/acknowledge"

    def call(**body: Any) -> httpx.Response:
        return http.post(path, json=body)

    first = call(generation=1)
    wrong = call(generation=9)
    newest = http.post(path)

    assert first.json() == {
        "generations": [],
        "oldTokenWorksUntil": None,
        "stillUsed": False,
        "waitsForStores": False,
    }
    assert (wrong.status_code, "generation" in wrong.json()["message"]) == (422, True)
    assert newest.json()["generations"] == [1]
    assert newest.json()["oldTokenWorksUntil"] == "2026-03-02T10:10:00Z"
    assert acknowledged(world, account)
