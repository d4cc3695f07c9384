"""ETag and If-Match: a change that was based on something older is refused."""

import threading

import httpx
import pytest
from truefoundry_sdk import TrueFoundry

from core.errors import Stale
from models import AuditRow
from services.accounts.accounts import put_account
from services.engine import tokens
from tests.api.calls import put, rows
from tests.support.world import World

PATH = "/api/svc/v1/virtual-accounts"


def save(http: httpx.Client, tag: str | None = None, **tags: str) -> httpx.Response:
    headers = {"If-Match": tag} if tag else {}
    body = {"manifest": {"name": "ci-bot", "tags": tags}}
    return http.put(PATH, json=body, headers=headers)


def read(http: httpx.Client, account_id: str) -> str:
    return http.get(f"{PATH}/{account_id}").headers["ETag"]


def test_what_is_read_and_what_is_written_bear_the_same_tag(http: httpx.Client):
    written = save(http, team="platform")

    assert written.headers["ETag"] == read(http, written.json()["data"]["id"])


def test_a_change_of_what_was_read_is_made(http: httpx.Client):
    tag = save(http).headers["ETag"]

    changed = save(http, tag, team="platform")

    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


def test_a_change_of_what_has_changed_since_is_refused_and_changes_nothing(
    http: httpx.Client, world: World
):
    tag = save(http).headers["ETag"]
    save(http, tag, team="platform")
    before = rows(world)

    late = save(http, tag, team="data")

    assert (late.status_code, late.json()["code"]) == (412, "stale")
    assert rows(world) == before
    assert world.put(tags={"team": "platform"}).changed is False


@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_of_two_changes_of_the_same_thing_at_the_same_time_one_is_refused(
    http: httpx.Client, world: World
):
    tag = save(http).headers["ETag"]
    ready = threading.Barrier(2)
    ended: list[str] = []

    def change(team: str) -> None:
        given = {"name": "ci-bot", "tags": {"team": team}}
        ready.wait(10)
        try:
            put_account(world.runtime, world.admin, given, if_match=tag)
            ended.append("done")
        except Stale:
            ended.append("stale")

    threads = [threading.Thread(target=change, args=(team,)) for team in ("data", "platform")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(ended) == ["done", "stale"]


def test_without_a_tag_the_later_change_wins_and_the_audit_keeps_what_it_replaced(
    http: httpx.Client, world: World
):
    save(http, team="platform")

    save(http, team="data")

    [row] = world.rows(AuditRow, AuditRow.action == "virtual-account.updated")
    assert row.detail["before"]["tags"] == {"team": "platform"}
    assert row.detail["after"]["tags"] == {"team": "data"}


def test_a_rotation_makes_nothing_stale(client: TrueFoundry, http: httpx.Client, world: World):
    account = put(client)
    tag = read(http, account.id)

    tokens.rotate_account(world.runtime, world.admin, account.id)

    assert save(http, tag, team="platform").status_code == 200


def test_one_of_several_tags_and_a_star_match_what_is_there(http: httpx.Client):
    tag = save(http).headers["ETag"]

    assert save(http, f'"other", {tag}', team="data").status_code == 200
    assert save(http, "*", team="platform").status_code == 200


@pytest.mark.parametrize("tag", ["*", '"other"'])
def test_nothing_matches_an_account_that_is_not_there(http: httpx.Client, tag: str):
    assert save(http, tag).status_code == 412


def test_a_stale_deletion_is_refused(client: TrueFoundry, http: httpx.Client):
    account = put(client)
    tag = read(http, account.id)
    put(client, tags={"team": "platform"})

    late = http.delete(f"{PATH}/{account.id}", headers={"If-Match": tag})
    asked_again = http.delete(f"{PATH}/{account.id}", headers={"If-Match": read(http, account.id)})

    assert (late.status_code, asked_again.status_code) == (412, 200)


def test_a_dry_run_finds_that_it_is_stale(http: httpx.Client):
    tag = save(http).headers["ETag"]
    save(http, team="platform")

    body = {"manifest": {"name": "ci-bot"}, "dryRun": True}
    rehearsed = http.put(PATH, json=body, headers={"If-Match": tag})

    assert rehearsed.status_code == 412
