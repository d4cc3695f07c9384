"""Integrations over the API: what there is, whether it connects, who may use it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from truefoundry_sdk import TrueFoundry

from core.actors import Actor
from core.errors import Conflict, Forbidden, InvalidInput, NotFound, Transient
from core.ids import new_id
from models import (
    AuditRow,
    GrantRow,
    Integration,
    ProviderAccount,
    SubjectKind,
    Team,
    TeamMember,
    VirtualAccount,
)
from services import account_life, integrations
from services.integration_removal import delete_provider_account
from tests.api.calls import NOWHERE, kept_in, put, rows
from tests.api.stores import CANARY, FILES, MASK, custom, vault
from tests.support.persons import Person, person
from tests.support.world import World, stored

PATH = "/api/v1/integrations"
FQN = "acme:custom:local:secret-store:files"
CHAT = "acme:custom:local:notification-channel:console"
CONSOLE = {"type": "integration/notification-channel/console", "name": "console", "quiet": True}
VIRTUAL_ACCOUNTS = "/api/svc/v1/virtual-accounts"


def listed(http: httpx.Client) -> list[dict[str, Any]]:
    answer = http.get(PATH)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def one(http: httpx.Client, fqn: str) -> dict[str, Any]:
    return next(found for found in listed(http) if found["fqn"] == fqn)


@contextmanager
def caller(server: str, token: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, headers={"Authorization": f"Bearer {token}"}) as made:
        yield made


def test_an_integration_is_listed_with_its_lane_and_its_last_check(
    client: TrueFoundry, http: httpx.Client
):
    client.apply(manifest=custom(FILES))

    found = one(http, FQN)

    assert (found["type"], found["kind"], found["provider"]) == (
        "secret-store",
        "custom/file",
        "custom",
    )
    assert found["providerAccountFqn"] == "acme:custom:local"
    assert found["manifest"] == FILES
    assert found["metadata"]["check"]["ok"] is True
    [lane] = found["lanes"]
    assert (lane["state"], lane["broken"], lane["waiting"]) == ("open", False, 0)


def test_a_credential_is_never_listed(client: TrueFoundry, http: httpx.Client, nobody: str):
    client.apply(manifest=vault(nobody))

    answer = http.get(PATH)

    assert CANARY not in answer.text
    found = next(one for one in answer.json()["data"] if one["provider"] == "hashicorp")
    assert found["manifest"]["auth_data"]["token"] == MASK


def test_a_lane_tells_how_its_destination_is(client: TrueFoundry, http: httpx.Client, world: World):
    fqn, store = world.store()
    put(client, secret_store_config=kept_in(fqn))
    store.fail(Transient("It does not answer."))
    world.drain()
    put(client, "other", secret_store_config=kept_in(fqn, "other/token"))
    integrations.pause_lane(world.runtime, world.admin, world.lane(fqn).id)

    [lane] = one(http, fqn)["lanes"]

    assert (lane["state"], lane["pausedBecause"]) == ("paused", "paused by tester")
    assert lane["lastError"] == "It does not answer."
    assert lane["waiting"] == 2


def test_one_integration_is_read_by_its_id(client: TrueFoundry, http: httpx.Client):
    client.apply(manifest=custom(FILES))
    found = one(http, FQN)

    assert http.get(f"{PATH}/{found['id']}").json()["data"] == found


def test_integrations_are_listed_page_by_page(client: TrueFoundry, http: httpx.Client):
    client.apply(manifest=custom(FILES, CONSOLE))
    everything = [found["fqn"] for found in listed(http)]

    pages = [
        [found["fqn"] for found in http.get(PATH, params={"limit": 1, "offset": n}).json()["data"]]
        for n in range(len(everything) + 1)
    ]

    assert pages == [[fqn] for fqn in everything] + [[]]
    assert everything == sorted(everything)


def test_a_check_really_connects_and_says_what_is_wrong(
    client: TrueFoundry, http: httpx.Client, nobody: str, world: World
):
    client.apply(manifest=vault(nobody))
    found = one(http, "acme:hashicorp:vaults:secret-store:vault")

    checked = http.post(f"{PATH}/{found['id']}/check").json()["data"]

    assert checked["ok"] is False
    assert checked["code"] == "transient"
    assert CANARY not in str(checked)
    assert one(http, found["fqn"])["metadata"]["check"] == checked
    [row] = world.rows(AuditRow, AuditRow.action == "integration.checked")
    assert row.detail == {"ok": False}


def test_a_check_of_what_works_says_so(client: TrueFoundry, http: httpx.Client):
    client.apply(manifest=custom(FILES))

    checked = http.post(f"{PATH}/{one(http, FQN)['id']}/check").json()["data"]

    assert checked["ok"] is True


@pytest.mark.parametrize("integration_id", [NOWHERE, "no-uuid"])
def test_an_integration_that_is_not_there_is_not_found(http: httpx.Client, integration_id: str):
    assert http.get(f"{PATH}/{integration_id}").status_code == 404
    assert http.post(f"{PATH}/{integration_id}/check").status_code == 404


def test_a_deleted_integration_is_not_found(client: TrueFoundry, http: httpx.Client, world: World):
    client.apply(manifest=custom(FILES))
    found = one(http, FQN)

    delete_provider_account(world.runtime, world.admin, "provider-account/custom", "local")

    assert http.get(f"{PATH}/{found['id']}").status_code == 404
    assert http.post(f"{PATH}/{found['id']}/check").status_code == 404
    assert FQN not in [one["fqn"] for one in listed(http)]


def maker(world: World, *grants: dict[str, str]) -> str:
    """The token of an account that may create ci-bot, and no more than these grants allow."""
    may_create = {
        "resource_fqn": "virtualaccount:ci-bot",
        "resource_type": "virtual-account",
        "role_id": "virtual-account-admin",
    }
    return world.create("maker", permissions=[may_create, *grants])[1].reveal()


def create(http: httpx.Client, **manifest: Any) -> httpx.Response:
    return http.put(VIRTUAL_ACCOUNTS, json={"manifest": {"name": "ci-bot", **manifest}})


def in_files() -> dict[str, str]:
    return {"type": "secret-store", "integration_fqn": FQN, "secret_path": "ci/token"}


@pytest.mark.law(12)
@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        ([], 403),
        (["virtualaccount:other", "user:maker", "team:maker"], 403),
        (["virtualaccount:maker"], 200),
    ],
)
def test_an_account_uses_an_integration_that_names_it(
    client: TrueFoundry, server: str, world: World, subjects: list[str], expected: int
):
    client.apply(manifest=custom({**FILES, "authorized_subjects": subjects}))
    with caller(server, maker(world)) as http:
        answer = create(http, secret_store_config=in_files())

    assert answer.status_code == expected
    assert client.virtual_accounts.exists(name="ci-bot").exists is (expected == 200)


@pytest.mark.law(12)
@pytest.mark.parametrize(
    ("grant", "expected"),
    [
        ({"resource_type": "provider-integration", "role_id": "provider-integration-viewer"}, 403),
        ({"resource_type": "provider-integration", "role_id": "provider-integration-member"}, 200),
        (
            {
                "resource_fqn": "acme:custom:local",
                "resource_type": "provider-account",
                "role_id": "provider-account-member",
            },
            200,
        ),
        (
            {
                "resource_fqn": "acme:custom:loc",
                "resource_type": "provider-account",
                "role_id": "provider-account-member",
            },
            403,
        ),
    ],
)
def test_an_account_uses_an_integration_that_it_was_granted(
    client: TrueFoundry, server: str, world: World, grant: dict[str, str], expected: int
):
    client.apply(manifest=custom(FILES))
    with caller(server, maker(world, {"resource_fqn": FQN, **grant})) as http:
        answer = create(http, secret_store_config=in_files())

    assert answer.status_code == expected


@pytest.mark.law(12)
def test_a_channel_is_respected_like_a_store(client: TrueFoundry, server: str, world: World):
    target = {"type": "console", "notification_channel": CHAT}
    client.apply(manifest=custom(CONSOLE))
    token = maker(world)
    with caller(server, token) as http:
        before = create(http, notification_target=target)
        client.apply(manifest=custom({**CONSOLE, "authorized_subjects": ["virtualaccount:maker"]}))
        after = create(http, notification_target=target)

    assert (before.status_code, after.status_code) == (403, 200)


def allow(world: World, who: Person) -> None:
    """May create ci-bot."""
    with world.runtime.database.writing() as session:
        session.add(
            GrantRow(
                tenant_id=world.tenant_id,
                id=new_id(),
                subject_kind=SubjectKind.USER,
                subject_id=who.id,
                resource_type="virtual-account",
                resource_fqn="virtualaccount:ci-bot",
                role="virtual-account-admin",
            )
        )


@pytest.mark.law(12)
@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (["user:bea@example.com", "team:data"], 403),
        (["user:ann@example.com"], 200),
        (["team:platform"], 200),
    ],
)
def test_a_person_uses_an_integration_that_names_them_or_a_team_of_theirs(
    client: TrueFoundry, server: str, world: World, subjects: list[str], expected: int
):
    client.apply(manifest=custom({**FILES, "authorized_subjects": subjects}))
    ann, now = person(world), world.clock.now()
    allow(world, ann)
    with world.runtime.database.writing() as session:
        team = Team(
            tenant_id=world.tenant_id,
            id=new_id(),
            name="platform",
            manifest={},
            created_by={},
            created_at=now,
            updated_at=now,
        )
        session.add(team)
        session.flush()
        session.add(TeamMember(tenant_id=world.tenant_id, team_id=team.id, user_id=ann.id))

    with caller(server, ann.token) as http:
        answer = create(http, secret_store_config=in_files())

    assert answer.status_code == expected


def test_who_may_use_an_integration_sees_it_and_checks_it(
    client: TrueFoundry, http: httpx.Client, server: str, world: World
):
    named = {**FILES, "authorized_subjects": ["virtualaccount:maker"]}
    client.apply(manifest=custom(named, CONSOLE))
    ids = {found["fqn"]: found["id"] for found in listed(http)}

    with caller(server, maker(world)) as somebody:
        seen = [found["fqn"] for found in listed(somebody)]
        own, other = ids[FQN], ids[CHAT]
        answers = [
            somebody.get(f"{PATH}/{own}").status_code,
            somebody.post(f"{PATH}/{own}/check").status_code,
            somebody.get(f"{PATH}/{other}").status_code,
            somebody.post(f"{PATH}/{other}/check").status_code,
        ]

    assert seen == [FQN]
    assert answers == [200, 200, 403, 403]


def remove(world: World, actor: Actor | None = None, name: str = "local") -> None:
    delete_provider_account(world.runtime, actor or world.admin, "provider-account/custom", name)


def test_a_provider_account_that_is_used_is_not_deleted(client: TrueFoundry, world: World):
    client.apply(manifest=custom(FILES, CONSOLE))
    target = {"type": "console", "notification_channel": CHAT}
    put(client, "one", secret_store_config=kept_in(FQN, "one"))
    world.put("two", secret_store_config=stored(FQN, "two"), notification_target=target)
    before = rows(world)

    with pytest.raises(Conflict, match=r"is used by \d virtual accounts; take it out of them"):
        remove(world)

    assert rows(world) == before
    assert world.rows(ProviderAccount)[0].deleted_at is None


def test_how_many_accounts_use_an_integration_is_said(client: TrueFoundry, world: World):
    client.apply(manifest=custom(FILES))
    put(client, "one", secret_store_config=kept_in(FQN, "one"))
    put(client, "two", secret_store_configs=[kept_in(FQN, "two"), kept_in(FQN, "three")])

    with pytest.raises(Conflict, match=f"^{FQN} is used by 2 virtual accounts; "):
        remove(world)
    with pytest.raises(Conflict, match=f"^{FQN} is used by 2 virtual accounts; "):
        integrations.apply_provider_account(world.runtime, world.admin, custom())


@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_an_integration_is_not_deleted_while_somebody_begins_to_use_it(world: World):
    ended: list[str] = []

    def run(ready: threading.Barrier, act: Callable[[], object]) -> None:
        ready.wait(10)
        try:
            act()
        except (Conflict, InvalidInput) as error:
            ended.append(type(error).__name__)

    for number in range(8):
        integrations.apply_provider_account(world.runtime, world.admin, custom(FILES))
        ready = threading.Barrier(2)
        name = f"bot-{number}"
        given = stored(FQN, f"bots/{number}")
        acts = [lambda: remove(world), lambda: world.put(name, secret_store_config=given)]  # noqa: B023
        threads = [threading.Thread(target=run, args=(ready, act)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        for account in world.rows(VirtualAccount, VirtualAccount.name == name):
            assert [row.deleted_at for row in world.rows(Integration)][-1] is None
            account_life.delete_account(world.runtime, world.admin, account.id)

    assert len(ended) == 8


def test_a_deleted_provider_account_is_gone_and_its_name_is_free(client: TrueFoundry, world: World):
    first = client.apply(manifest=custom(FILES))
    account = put(client, secret_store_config=kept_in(FQN))
    world.drain()
    account_life.delete_account(world.runtime, world.admin, account.id)

    remove(world)
    world.drain()
    again = client.apply(manifest=custom(FILES))

    assert (first.action, again.action) == ("CREATE", "CREATE")
    assert not (world.folder / "ci/token").exists()
    [row] = world.rows(AuditRow, AuditRow.action == "provider-account.deleted")
    assert row.subject_name == "custom/local"
    old = world.rows(ProviderAccount, ProviderAccount.deleted_at.is_not(None))
    assert [account.sealed for account in old] == [b""]


def test_grants_on_a_deleted_integration_do_not_pass_to_the_next_of_its_name(
    client: TrueFoundry, server: str, world: World
):
    client.apply(manifest=custom(FILES))
    use = {"resource_type": "provider-integration", "role_id": "provider-integration-member"}
    token = maker(world, {"resource_fqn": FQN, **use})
    remove(world)
    client.apply(manifest=custom(FILES))

    with caller(server, token) as http:
        answer = create(http, secret_store_config=in_files())

    assert answer.status_code == 403


def test_what_is_not_there_or_not_allowed_is_not_deleted(client: TrueFoundry, world: World):
    client.apply(manifest=custom(FILES))

    with pytest.raises(NotFound):
        remove(world, name="other")
    with pytest.raises(InvalidInput, match=r"^type: "):
        delete_provider_account(world.runtime, world.admin, "team", "local")
    with pytest.raises(Forbidden, match="provider-account:delete"):
        remove(world, Actor(world.tenant_id, world.admin.kind, "somebody"))
    assert [row.deleted_at for row in world.rows(Integration)] == [None]
