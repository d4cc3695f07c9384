"""A workload's JWT for a short-lived token: whose it is, how long it works, what ends it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from core.errors import Throttled
from models import AuditRow, ExchangedToken
from services.accounts import account_life
from services.accounts.account_uses import uses_of_account
from services.engine import tokens
from services.identity import token_exchange
from services.identity.token_exchange import Exchanged, exchange_token
from services.operation import housekeeping
from services.verify.use_counting import UseCounter
from services.verify.verdicts import Rejected
from tests.support.identity import Identity, trusted
from tests.support.jwts import issued
from tests.support.world import World

MAIN = [{"claim": "ref", "equals": "refs/heads/main"}]
PULLS = [{"claim": "event_name", "equals": "pull_request"}]


@pytest.fixture
def identity(world: World) -> Iterator[Identity]:
    with trusted(world) as made:
        yield made


def exchanged(identity: Identity, account: str | None = None, **claims: Any) -> Exchanged:
    text = identity.issuer.issue(**claims)
    made = exchange_token(identity.world.runtime, text, account, address="192.0.2.7")
    assert isinstance(made, Exchanged)
    return made


def refusal(identity: Identity, text: str, account: str | None = None) -> str:
    made = exchange_token(identity.world.runtime, text, account)
    assert isinstance(made, Rejected)
    return made.reason.value


def test_a_mapped_jwt_gets_a_token_of_the_account_for_an_hour(identity: Identity):
    account = identity.map()

    made = exchanged(identity)
    verified = identity.verified(made.token.reveal())
    identity.pass_(minutes=59)
    at_59 = identity.whose(made.token.reveal())
    identity.pass_(minutes=1)

    assert made.token.reveal().startswith("tfy_exc_")
    assert (made.account, made.lasts) == ("ci-bot", timedelta(hours=1))
    assert (verified.subject_id, verified.generation) == (account.id, None)
    assert (at_59, identity.whose(made.token.reveal())) == ("ci-bot", "expired")


@pytest.mark.law(9)
def test_only_the_hash_of_an_exchanged_token_is_kept_and_who_got_it_is_audited(identity: Identity):
    identity.map()

    made = exchanged(identity, jti="run-7")

    (row,) = identity.world.rows(ExchangedToken)
    (audited,) = identity.world.rows(AuditRow, AuditRow.action == "token.exchanged")
    assert row.hash == made.token.hash
    assert audited.detail == {
        "identity_provider": "github",
        "subject": "repo:acme/app:ref:refs/heads/main",
        "token": f"…{made.token.last_four}",
        "jti": "run-7",
    }
    assert (audited.actor["kind"], audited.actor["address"]) == ("virtualaccount", "192.0.2.7")


def test_an_exchanged_token_ends_with_its_account_at_the_latest(identity: Identity):
    identity.map(expiration_date="2026-03-02")
    identity.pass_(hours=14, minutes=50)

    made = exchanged(identity)

    assert made.lasts == timedelta(minutes=10)


def test_several_accounts_may_be_meant_so_one_is_named(identity: Identity):
    identity.trust(subject="repository_id")
    identity.map("deployer", value="*", conditions=MAIN)
    identity.map("tester", value="47*", conditions=PULLS)
    main = {"repository_id": "4711", "ref": "refs/heads/main"}

    assert exchanged(identity, "deployer", **main).account == "deployer"
    pull = {"repository_id": "4711", "event_name": "pull_request"}
    assert exchanged(identity, "tester", **pull).account == "tester"
    assert refusal(identity, identity.issuer.issue(**main)) == "unmapped"
    assert refusal(identity, identity.issuer.issue(**main), "tester") == "refused_claims"
    other = identity.issuer.issue(repository_id="5", event_name="pull_request")
    assert refusal(identity, other, "tester") == "unmapped"


def test_a_jwt_that_names_several_accounts_is_exchanged_for_the_one_that_is_asked_for(
    identity: Identity,
):
    identity.trust(subject="groups")
    identity.map("bot-a", value="a")
    identity.map("bot-b", value="b")
    both = identity.issuer.issue(groups=["a", "b"])

    assert refusal(identity, both) == "ambiguous"
    assert exchanged(identity, "bot-b", groups=["a", "b"]).account == "bot-b"
    assert refusal(identity, both, "bot-c") == "unmapped"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "x"}, "wrong_audience"),
        ({"sub": "repo:acme/other"}, "unmapped"),
        ({"exp": 1}, "expired"),
    ],
    ids=str,
)
def test_what_would_not_do_as_a_bearer_is_not_exchanged(
    identity: Identity, claims: dict[str, Any], reason: str
):
    identity.map()

    assert refusal(identity, identity.issuer.issue(**claims)) == reason


def test_keyturns_own_tokens_are_not_exchanged(identity: Identity):
    identity.map()
    _, own = issued(identity.world, "jwt-bot")
    made = exchanged(identity)

    assert refusal(identity, own.reveal()) == "unknown_issuer"
    assert refusal(identity, made.token.reveal()) == "malformed"


def test_an_account_that_is_over_gets_nothing(identity: Identity):
    account = identity.map(expiration_date="2026-03-02")
    identity.pass_(hours=15)
    over = refusal(identity, identity.issuer.issue())
    account_life.delete_account(identity.world.runtime, identity.world.admin, account.id)

    assert (over, refusal(identity, identity.issuer.issue())) == ("expired", "unmapped")


def test_revoking_all_ends_what_was_exchanged_and_leaves_the_mapping(identity: Identity):
    account = identity.map()
    made = [exchanged(identity, jti=str(n)) for n in range(2)]
    world = identity.world

    ended = tokens.revoke_all(world.runtime, world.admin, account.id)

    assert ended == 2
    assert {identity.whose(one.token.reveal()) for one in made} == {"revoked"}
    assert identity.whose(exchanged(identity).token.reveal()) == "ci-bot"


@pytest.mark.parametrize(
    "change",
    [
        lambda identity: identity.world.put(),
        lambda identity: identity.map(conditions=MAIN),
        lambda identity: identity.trust(conditions=MAIN),
        lambda identity: identity.trust(jwks_uri=f"{identity.issuer.url}/other"),
    ],
    ids=["unmapped", "mapped otherwise", "trusted otherwise", "other keys"],
)
def test_an_exchanged_token_dies_with_the_reason_for_it(identity: Identity, change: Any):
    identity.map()
    made = exchanged(identity)

    change(identity)

    assert identity.whose(made.token.reveal()) == "revoked"


def test_what_leaves_the_trust_as_it_was_ends_nothing(identity: Identity):
    identity.map()
    made = exchanged(identity)

    identity.trust(users="email")

    assert identity.whose(made.token.reveal()) == "ci-bot"


def test_an_account_has_so_many_live_tokens_at_most(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(token_exchange, "MOST_LIVE", 2)
    identity.map()
    exchanged(identity), exchanged(identity)

    with pytest.raises(Throttled):
        exchanged(identity)
    identity.pass_(hours=1)

    assert exchanged(identity).account == "ci-bot"


def test_ended_tokens_are_told_as_ended_for_a_day_and_then_go(identity: Identity):
    identity.map()
    made = exchanged(identity)
    identity.pass_(hours=24)
    housekeeping.prune(identity.world.runtime)
    told = identity.whose(made.token.reveal())
    identity.pass_(hours=2)

    gone = housekeeping.prune(identity.world.runtime)

    assert (told, identity.whose(made.token.reveal())) == ("expired", "unknown")
    assert gone >= 1
    assert identity.world.rows(ExchangedToken) == []


def test_uses_of_exchanged_tokens_and_of_mapped_jwts_count_for_the_account(identity: Identity):
    world = identity.world
    account = identity.map()
    counter = UseCounter(world.runtime)
    bearers = [exchanged(identity).token.reveal(), identity.issuer.issue()]

    for text in bearers:
        counter.count(identity.verified(text).token_id, None, None, "verify")
    counter.flush()

    uses = uses_of_account(world.runtime, world.admin, account.id)
    assert (uses.total.count, uses.exchanged.count) == (2, 1)


def test_the_same_mapping_made_anew_does_not_revive_a_token(identity: Identity):
    identity.map()
    made = exchanged(identity)
    identity.world.put()
    identity.map()

    assert identity.whose(made.token.reveal()) == "revoked"
