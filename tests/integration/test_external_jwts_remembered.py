"""What a verifying process keeps of identity providers' JWTs, and what makes it look again."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.accounts import account_life
from services.identity.identity_providers import delete_identity_provider
from services.identity.token_exchange import Exchanged, exchange_token
from services.people import user_life
from tests.support.identity import Identity, trusted
from tests.support.persons import person
from tests.support.verifiers import Asked, asking, queries
from tests.support.world import World

CONDITION = [{"claim": "ref", "equals": "refs/heads/main"}]


@pytest.fixture
def identity(world: World) -> Iterator[Identity]:
    with trusted(world) as made:
        yield made


@pytest.fixture
def verifier(identity: Identity) -> Iterator[Asked]:
    with asking(identity.world) as made:
        yield made


def test_a_jwt_that_is_known_is_answered_without_a_query_until_its_end(
    identity: Identity, verifier: Asked
):
    identity.map()
    token = identity.issuer.issue()
    verifier.says(token)
    identity.issuer.stop()

    with queries(identity.world) as asked:
        again = [verifier.says(token) for _ in range(3)]
    kept = verifier.remembers(token)
    identity.pass_(minutes=10)
    verifier.hear()

    assert (again, kept, asked) == (["good"] * 3, True, [])
    assert verifier.says(token) == "expired"


def test_an_account_that_ends_ends_its_jwts(identity: Identity, verifier: Asked):
    identity.map(expiration_date="2026-03-02")
    identity.pass_(hours=14, minutes=55)
    token = identity.issuer.issue()
    before = verifier.says(token)
    identity.world.clock.pass_(minutes=5)
    verifier.hear()

    assert (before, verifier.says(token)) == ("good", "expired")


def unmap(identity: Identity) -> None:
    identity.world.put()


def map_otherwise(identity: Identity) -> None:
    identity.map(conditions=CONDITION)


def move_the_end(identity: Identity) -> None:
    identity.map(expiration_date="2026-03-01")


def delete_the_account(identity: Identity) -> None:
    (account,) = identity.accounts()
    account_life.delete_account(identity.world.runtime, identity.world.admin, account.id)


def demand_something(identity: Identity) -> None:
    identity.trust(conditions=CONDITION)


def take_another_audience(identity: Identity) -> None:
    identity.trust(audiences=["another"])


def take_another_algorithm(identity: Identity) -> None:
    identity.trust(algorithms=["RS256"])


def name_another_subject(identity: Identity) -> None:
    identity.trust(subject="repository_id")


ENDS = [
    unmap,
    map_otherwise,
    move_the_end,
    delete_the_account,
    demand_something,
    take_another_audience,
    take_another_algorithm,
    name_another_subject,
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_what_was_good_is_looked_up_anew_when_that_may_have_changed(
    identity: Identity, verifier: Asked, end: Callable[[Identity], None]
):
    identity.map()
    token = identity.issuer.issue()
    exchanged = exchange_token(identity.world.runtime, token)
    assert isinstance(exchanged, Exchanged)
    before = [verifier.says(token), verifier.says(exchanged.token)]

    end(identity)
    verifier.hear()
    after = {verifier.says(token), verifier.says(exchanged.token)}

    assert before == ["good", "good"]
    assert "good" not in after


def test_a_person_who_is_deactivated_is_nobody_with_the_providers_jwts_too(
    identity: Identity, verifier: Asked
):
    person(identity.world)
    identity.trust(users="email")
    token = identity.issuer.issue(email="ann@example.com", email_verified=True)
    before = verifier.says(token)

    _set_active(identity, active=False)
    verifier.hear()
    meanwhile = verifier.says(token)
    _set_active(identity, active=True)
    verifier.hear()

    assert (before, meanwhile, verifier.says(token)) == ("good", "inactive", "good")


def _set_active(identity: Identity, **how: Any) -> None:
    world = identity.world
    user_life.set_active(world.runtime, world.admin, "ann@example.com", **how)


def test_people_whom_a_provider_stops_to_speak_for_are_nobody(identity: Identity, verifier: Asked):
    person(identity.world)
    identity.trust(users="email")
    token = identity.issuer.issue(email="ann@example.com", email_verified=True)
    before = verifier.says(token)

    identity.trust()
    verifier.hear()

    assert (before, verifier.says(token)) == ("good", "unmapped")


def test_what_was_nobodys_is_good_as_soon_as_it_is_mapped(identity: Identity, verifier: Asked):
    token = identity.issuer.issue()
    before = verifier.says(token)

    identity.map()
    verifier.hear()

    assert (before, verifier.says(token)) == ("unmapped", "good")


def test_an_issuer_that_nobody_knew_is_known_as_soon_as_it_is_applied(
    identity: Identity, verifier: Asked
):
    identity.map()
    token = identity.issuer.issue(aud="new")
    before = verifier.says(token)

    identity.trust(audiences=["new"])
    verifier.hear()

    assert (before, verifier.says(token)) == ("wrong_audience", "good")


def test_a_provider_that_is_deleted_is_unknown_at_once(identity: Identity, verifier: Asked):
    (row,) = identity.providers()
    token = identity.issuer.issue()
    before = verifier.says(token)

    delete_identity_provider(identity.world.runtime, identity.world.admin, str(row.id))
    verifier.hear()

    assert (before, verifier.says(token)) == ("unmapped", "unknown_issuer")
    assert identity.whose(token) == "unknown_issuer"


def test_a_process_that_hears_nothing_believes_no_provider_for_longer_than_a_second(
    identity: Identity,
):
    identity.map()
    token = identity.issuer.issue()
    identity.whose(token)
    identity.world.runtime.database.listeners.clear()

    identity.trust(audiences=["another"])
    identity.pass_(seconds=1)

    assert identity.whose(token) == "wrong_audience"
