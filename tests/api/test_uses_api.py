"""Who uses an account's tokens: counted on every surface, shown where accounts are shown."""

import httpx
import pytest
from truefoundry_sdk import TrueFoundry

from services.verify.use_counting import UseCounter
from tests.support.persons import Person, logged_in
from tests.support.world import World


@pytest.fixture
def counter(world: World) -> UseCounter:
    """Counts, and writes when told to."""
    world.runtime.uses = counter = UseCounter(world.runtime)
    return counter


def bearer(token: str, agent: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "User-Agent": agent}


def test_every_surface_counts(
    counter: UseCounter, world: World, anybody: httpx.Client, http: httpx.Client
):
    account, token = world.create()
    text = token.reveal()
    for path, agent in (
        ("/api/v1/verify", "gateway/1"),
        ("/api/v1/verify", "gateway/1"),
        ("/api/v1/forward-auth/v1/chat", "openai/3"),
        ("/api/svc/v1/session", "tfy/0.17"),
    ):
        assert anybody.get(path, headers=bearer(text, agent)).status_code == 200
    asked = http.post("/api/v1/introspect", data={"token": text})
    assert asked.json()["active"] is True

    counter.flush()

    uses = http.get(f"/api/svc/v1/virtual-accounts/{account.id}/uses").json()["data"]
    moment = world.clock.now().isoformat().replace("+00:00", "Z")
    assert (uses["count"], uses["lastUsedAt"]) == (5, moment)
    (generation,) = uses["generations"]
    assert (generation["generation"], generation["state"]) == (1, "current")
    assert sorted(
        (one["surface"], one["address"], one["userAgent"], one["count"])
        for one in generation["callers"]
    ) == [
        ("api", "127.0.0.1", "tfy/0.17", 1),
        ("gateway", "127.0.0.1", "openai/3", 1),
        ("introspect", None, None, 1),
        ("verify", "127.0.0.1", "gateway/1", 2),
    ]
    assert generation["sinceSuccessor"] == {"count": 0, "lastUsedAt": None, "callers": []}


def test_a_refused_token_is_no_use(counter: UseCounter, world: World, anybody: httpx.Client):
    account, token = world.create()
    with world.runtime.database.writing() as session:
        session.get(type(account), (account.id, account.tenant_id)).state = "suspended"

    for path in ("/api/v1/verify", "/api/v1/forward-auth", "/api/svc/v1/session"):
        assert anybody.get(path, headers=bearer(token.reveal(), "bot")).status_code == 401
    counter.flush()

    assert counter._tallies == {}


def test_the_sdk_sees_when_an_account_was_last_used(
    counter: UseCounter, world: World, client: TrueFoundry, anybody: httpx.Client
):
    account, token = world.create()
    never = client.virtual_accounts.get(str(account.id)).data.last_accessed_at
    anybody.get("/api/v1/verify", headers=bearer(token.reveal(), "bot"))
    counter.flush()

    (listed,) = [one for one in client.virtual_accounts.list() if one.id == str(account.id)]

    assert never is None
    assert listed.last_accessed_at == world.clock.now()
    assert client.virtual_accounts.get(str(account.id)).data.last_accessed_at == world.clock.now()


def test_a_person_sees_when_each_of_their_tokens_was_last_used(
    counter: UseCounter, world: World, ann: Person, server: str
):
    with httpx.Client(base_url=server, headers=ann.bearer, timeout=30) as theirs:
        theirs.get("/api/svc/v1/session")
    counter.flush()
    session = {"Authorization": f"Bearer {logged_in(world, ann).reveal()}"}

    with httpx.Client(base_url=server, headers=session, timeout=30) as theirs:
        (listed,) = theirs.get("/api/svc/v1/personal-access-tokens").json()["data"]

    assert listed["lastAccessedAt"] == world.clock.now().isoformat().replace("+00:00", "Z")
