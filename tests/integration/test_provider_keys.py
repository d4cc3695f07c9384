"""Identity providers' keys: fetched once, known at once when turned, believed for a while."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from core.errors import Unready
from services.identity.provider_keys import FRESH
from services.verify.verification import verify
from tests.support.identity import Identity, trusted
from tests.support.issuer import AUDIENCE, DISCOVERY, JWKS, Issuer, SigningPair
from tests.support.verifiers import asking, queries
from tests.support.waiting import eventually
from tests.support.world import World, new_world

KEYS = f"GET {JWKS}"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Keys are no matter of the database."""
    with new_world(f"sqlite:///{tmp_path / 'keyturn.db'}", tmp_path / "files") as made:
        yield made


@pytest.fixture
def identity(world: World) -> Iterator[Identity]:
    with trusted(world) as made:
        made.map()
        made.issuer.clear()
        yield made


def strange(identity: Identity, number: int) -> str:
    """A JWT of a key that the issuer does not have."""
    return SigningPair(f"strange-{number}").sign(identity.issuer.claims())


def test_keys_are_fetched_when_a_provider_is_applied_and_then_for_all_its_jwts(identity: Identity):
    whose = {identity.whose(identity.issuer.issue(jti=str(n))) for n in range(20)}

    assert (whose, identity.issuer.fetches) == ({"ci-bot"}, 0)


def test_a_key_that_was_just_turned_is_known_at_once(identity: Identity):
    old = identity.issuer.issue()
    identity.issuer.rotate()

    assert identity.whose(identity.issuer.issue()) == "ci-bot"
    assert identity.whose(old) == "unknown_key"


def test_unknown_keys_cost_few_fetches_and_a_true_one_is_found_soon(identity: Identity):
    refused = {identity.whose(strange(identity, number)) for number in range(50)}
    fetches = identity.issuer.fetches
    identity.issuer.rotate()
    identity.pass_(seconds=10)

    assert (refused, fetches) == ({"unknown_key"}, 6)
    assert identity.whose(identity.issuer.issue()) == "ci-bot"


def test_a_key_that_is_withdrawn_dies_with_the_set(identity: Identity):
    old = identity.issuer.issue()
    identity.issuer.rotate()

    before = identity.whose(old)
    identity.pass_(seconds=FRESH)

    assert (before, identity.whose(old)) == ("ci-bot", "unknown_key")


def test_an_outage_is_survived_as_long_as_keys_are_kept(identity: Identity):
    identity.issuer.stop()
    answers = []
    for hours in (1, 22):
        identity.pass_(hours=hours)
        answers.append(identity.whose(identity.issuer.issue()))
    identity.pass_(hours=1)

    assert answers == ["ci-bot", "ci-bot"]
    with pytest.raises(Unready, match="keys of an identity provider"):
        identity.whose(identity.issuer.issue())


def test_during_an_outage_nothing_is_said_of_an_unknown_key(identity: Identity):
    identity.issuer.stop()

    with pytest.raises(Unready):
        identity.whose(strange(identity, 1))
    assert identity.whose(identity.issuer.issue()) == "ci-bot"


def test_a_provider_that_is_back_is_asked_again_after_a_rest(identity: Identity):
    identity.pass_(hours=1)
    identity.issuer.fault(KEYS, times=2, status=500)
    identity.whose(identity.issuer.issue())
    resting = [identity.whose(identity.issuer.issue(jti=str(n))) for n in range(5)]
    asked = identity.issuer.fetches
    identity.issuer.rotate()
    identity.pass_(seconds=2)
    with pytest.raises(Unready):
        identity.whose(identity.issuer.issue())
    identity.pass_(seconds=4)

    assert (resting, asked) == (["ci-bot"] * 5, 1)
    assert identity.whose(identity.issuer.issue()) == "ci-bot"


def test_what_is_refused_anyway_asks_for_no_keys(identity: Identity):
    identity.pass_(hours=1)
    now = int(identity.world.clock.now().timestamp())

    for claims in ({"exp": now}, {"nbf": now + 60}, {"aud": "x"}, {"iss": "https://x.example"}):
        identity.whose(identity.issuer.issue(**claims))

    assert identity.issuer.fetches == 0


def test_garbage_costs_no_query(identity: Identity):
    with asking(identity.world) as verifier:
        verifier.says(identity.issuer.issue())
        with queries(identity.world) as asked:
            for number in range(20):
                forged = SigningPair("key-1").sign(identity.issuer.claims(jti=str(number)))
                verifier.says(forged)
                verifier.says(identity.issuer.issue(iss=f"https://{number}.example.com"))
                verifier.says(identity.issuer.issue(aud=f"{number}"))

    assert asked == []


def test_many_who_wait_for_the_same_keys_ask_once(identity: Identity):
    identity.pass_(hours=1)
    tokens = [identity.issuer.issue(jti=str(number)) for number in range(20)]
    fault = identity.issuer.fault(KEYS, hang=True)

    with asking(identity.world) as verifier:
        threading.Thread(target=_release, args=(identity.issuer, fault)).start()
        says = verifier.say_together(tokens)

    assert (set(says), identity.issuer.fetches) == ({"good"}, 1)


def _release(issuer: Issuer, fault: Any) -> None:
    fault.arrived.wait(10)
    issuer.release()


def test_threads_that_wait_for_keys_are_few(identity: Identity):
    identity.pass_(hours=1)
    tokens = [identity.issuer.issue(jti=str(number)) for number in range(12)]
    fault = identity.issuer.fault(KEYS, hang=True)
    said: list[str] = []

    def ask(text: str) -> None:
        try:
            verify(identity.world.runtime, text)
            said.append("answered")
        except Unready:
            said.append("unready")

    threads = [threading.Thread(target=ask, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    fault.arrived.wait(10)
    eventually(lambda: said == ["unready"] * 4)
    identity.issuer.release()
    for thread in threads:
        thread.join(10)

    assert said == ["unready"] * 4 + ["answered"] * 8


def test_a_provider_that_hangs_holds_up_nobody_else(identity: Identity):
    with Issuer(identity.world.clock.now(), audience="other") as other:
        hangs = other.fault(f"GET {DISCOVERY}", times=None, hang=True)
        with asking(identity.world) as verifier:

            async def both() -> str:
                slow = [
                    asyncio.create_task(verifier.find(other.issue(jti=str(n)))) for n in range(30)
                ]
                await asyncio.to_thread(hangs.arrived.wait, 10)
                says = await verifier.find(identity.issuer.issue())
                other.release()
                await asyncio.gather(*slow, return_exceptions=True)
                return says

            other_trust = Identity(identity.world, other)
            threading.Thread(target=_release, args=(other, hangs)).start()
            other_trust.trust("other", audiences=["other"])
            hangs.arrived.clear()
            identity.pass_(seconds=FRESH)
            other.now = identity.issuer.now

            assert verifier.loop.run(both()) == "good"


REFUSALS = [
    (DISCOVERY, {"body": {"issuer": "https://other.example.com"}}, "another issuer's"),
    (DISCOVERY, {"body": {"issuer": "own"}}, "has no jwks_uri that can be called"),
    (DISCOVERY, {"body": {"issuer": "own", "jwks_uri": "ftp://x"}}, "has no jwks_uri"),
    (DISCOVERY, {"body": {"issuer": "own", "jwks_uri": "http://x.example/"}}, "has no jwks_uri"),
    (
        DISCOVERY,
        {"body": {"issuer": "own", "jwks_uri": "https://169.254.169.254/keys"}},
        "link-local",
    ),
    (DISCOVERY, {"status": 302, "headers": {"Location": "/elsewhere"}}, "answered 302"),
    (JWKS, {"status": 500}, "127.0.0.1 answered 500."),
    (JWKS, {"body": b"x" * 600_000}, "more than 512,000 bytes"),
    (JWKS, {"body": b"[1]"}, "no JSON object"),
    (JWKS, {"body": b"{" * 5_000}, "no JSON object"),
    (JWKS, {"body": {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "1"}]}}, "no key that"),
    (JWKS, {"drop": True}, "does not answer"),
]


@pytest.mark.parametrize(("path", "fault", "words"), REFUSALS, ids=lambda one: str(one)[:50])
def test_whoever_applies_a_provider_is_told_why_its_keys_are_not_to_be_had(
    identity: Identity, path: str, fault: dict[str, Any], words: str
):
    body = fault.get("body")
    if isinstance(body, dict) and body.get("issuer") == "own":
        fault = {**fault, "body": {**body, "issuer": identity.issuer.url}}
    identity.issuer.fault(f"GET {path}", **fault)

    put = identity.trust(conditions=[{"claim": "a", "equals": "b"}])

    assert len(put.warnings) == 1
    assert words in put.warnings[0]


def test_this_host_is_not_asked_unless_the_operator_allows_it(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    with (
        new_world(url, tmp_path, allowed_networks=()) as world,
        Issuer(world.clock.now()) as issuer,
    ):
        put = Identity(world, issuer).trust()

    assert "on Keyturn's own host" in put.warnings[0]
    assert issuer.requests == []


def test_an_authority_of_ones_own_is_trusted_where_it_is_given(world: World):
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with Issuer(world.clock.now(), tls=tls) as issuer:
        identity = Identity(world, issuer)
        unknown = identity.trust()
        known = identity.trust(ca_bundle=authority.cert_pem.bytes().decode())
        identity.map()

        assert "certificate is not trusted: give ca_bundle" in unknown.warnings[0]
        assert known.warnings == []
        assert identity.whose(issuer.issue()) == "ci-bot"


def test_an_address_of_keys_spares_discovery(identity: Identity):
    identity.trust(jwks_uri=f"{identity.issuer.url}{JWKS}")

    assert identity.whose(identity.issuer.issue()) == "ci-bot"
    assert identity.issuer.seen(f"GET {DISCOVERY}") == []


def test_another_address_of_keys_is_another_set(identity: Identity):
    with Issuer(identity.world.clock.now()) as other:
        identity.trust(jwks_uri=f"{other.url}{JWKS}")

        assert identity.whose(identity.issuer.issue()) == "wrong_signature"
        assert identity.whose(other.issue(iss=identity.issuer.url, aud=AUDIENCE)) == "ci-bot"
