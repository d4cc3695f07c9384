"""Each gateway with its sample: who gets through, and what the API behind it learns of them."""

import socket
from datetime import timedelta

import httpx
import pytest

from core.tokens import LONGEST_JWT, TokenKind, mint
from services.accounts.account_uses import uses_of_account
from services.engine import tokens
from tests.api.gateways import HEADERS as NAMES
from tests.gateways.conftest import FAILED_LOGINS
from tests.support.gateways import KINDS, SAMPLES, running
from tests.support.identity import trusted
from tests.support.persons import person
from tests.support.ports import LOOPBACK, free_port, own_addresses
from tests.support.world import HOURLY

HEADERS = [name.lower() for name in NAMES]
MALFORMED = "tfy_vat_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2wvuXv"


def bearer(token) -> dict[str, str]:
    return {"Authorization": f"Bearer {token if isinstance(token, str) else token.reveal()}"}


def learned(upstream) -> list[str]:
    """What the API was told of the only caller."""
    ((_, headers),) = upstream.seen
    assert all(len(headers.getlist(name)) <= 1 for name in HEADERS)
    return [headers.get(name, "") for name in HEADERS]


def test_the_api_learns_whose_the_token_is_and_never_sees_it(http, world, upstream):
    account, token = world.create()

    answer = http.get("/things?deep=1", headers=bearer(token))

    assert (answer.status_code, answer.json()["method"]) == (200, "GET")
    token_id = str(world.current(account).id)
    assert learned(upstream) == ["acme", "ci-bot", "virtualaccount", token_id, "1", ""]
    assert token.reveal() not in str(upstream.seen[0][1].raw)


def test_a_token_that_comes_as_an_api_key_is_as_good(http, world, upstream):
    _, token = world.create()

    assert http.get("/", headers={"X-Api-Key": token.reveal()}).status_code == 200
    assert learned(upstream)[1] == "ci-bot"
    assert token.reveal() not in str(upstream.seen[0][1].raw)


def test_a_person_gets_through_and_what_is_empty_is_empty(http, world, upstream):
    ann = person(world)

    answer = http.get("/", headers={**ann.bearer, "X-Keyturn-Generation": "7"})

    assert answer.status_code == 200
    assert learned(upstream) == ["acme", ann.email, "user", str(ann.token_id), "", ""]


def test_a_jwt_with_many_groups_gets_through(http, world, upstream):
    with trusted(world) as identity:
        identity.map()
        token = identity.issuer.issue(groups=["a-group-of-twenty-one"] * 480)

        assert http.get("/", headers=bearer(token)).status_code == 200
    assert 15_000 < len(token) < LONGEST_JWT
    assert learned(upstream)[1] == "ci-bot"


def test_a_token_in_grace_gets_through_and_says_which_it_is(http, world, upstream):
    account, old = world.create(auto_rotate=HOURLY)
    tokens.rotate_account(world.runtime, world.admin, account.id)

    assert http.get("/", headers=bearer(old)).status_code == 200
    assert learned(upstream)[4:] == ["1", "2026-03-02T09:10:00Z"]


def test_a_token_out_of_grace_gets_no_further_than_the_gateway(http, world, upstream):
    account, old = world.create(auto_rotate=HOURLY)
    tokens.rotate_account(world.runtime, world.admin, account.id)
    good = http.get("/", headers=bearer(old)).status_code
    upstream.clear()
    world.clock.pass_(minutes=11)

    refused(http.get("/", headers=bearer(old)), "out_of_grace", upstream)
    assert good == 200


def test_an_expired_token_gets_no_further(http, world, upstream):
    _, token = world.create(expiration_date="2026-03-03")
    world.clock.pass_(days=3)

    refused(http.get("/", headers=bearer(token)), "expired", upstream)


def test_a_revoked_token_gets_no_further_from_that_moment_on(http, world, upstream):
    account, token = world.create()
    good = http.get("/", headers=bearer(token)).status_code
    tokens.revoke_all(world.runtime, world.admin, account.id)
    upstream.clear()

    refused(http.get("/", headers=bearer(token)), "revoked", upstream)
    assert good == 200


def test_a_personal_token_that_ended_gets_no_further(http, world, upstream):
    ann = person(world, expires_at=world.clock.now() + timedelta(days=1))
    world.clock.pass_(days=2)

    refused(http.get("/", headers=ann.bearer), "expired", upstream)


def test_garbage_gets_no_further(http, upstream):
    refused(http.get("/", headers=bearer(MALFORMED)), "malformed", upstream)


def test_a_call_without_a_token_is_told_to_bring_one(http, upstream):
    answer = http.post("/", json={})

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert upstream.seen == []


def refused(answer: httpx.Response, reason: str, upstream) -> None:
    challenge = f'Bearer error="invalid_token", error_description="{reason}"'
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, challenge)
    assert upstream.seen == []


def test_what_a_client_says_of_itself_by_our_headers_does_not_arrive(
    http, gateway, world, upstream
):
    account, token = world.create()
    spoofed = [(name, "spoofed") for name in HEADERS for _ in range(2)]
    spoofed += [(name.upper(), "spoofed") for name in HEADERS]
    spoofed += [(name.replace("-", "_"), "spoofed") for name in HEADERS]
    if gateway.kind.strips_unknown:
        spoofed.append(("X-Keyturn-Role", "spoofed"))

    answer = http.get("/", headers=[*bearer(token).items(), *spoofed])

    assert answer.status_code == 200
    token_id = str(world.current(account).id)
    assert learned(upstream) == ["acme", "ci-bot", "virtualaccount", token_id, "1", ""]
    assert "spoofed" not in str(upstream.seen[0][1].raw)


def test_our_headers_alone_let_nobody_through(http, upstream):
    spoofed = dict.fromkeys(HEADERS, "admin")

    assert http.get("/", headers=spoofed).status_code == 401
    assert upstream.seen == []


def test_too_many_failed_logins_are_answered_with_429_and_when_to_come_back(http, world, upstream):
    _, token = world.create()
    good = http.get("/", headers=bearer(token)).status_code
    upstream.clear()

    answers = [
        http.get("/", headers=bearer(mint(TokenKind.VIRTUAL_ACCOUNT)))
        for _ in range(FAILED_LOGINS + 1)
    ]

    assert [answer.status_code for answer in answers] == [401] * FAILED_LOGINS + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert upstream.seen == []
    assert (good, http.get("/", headers=bearer(token)).status_code) == (200, 200)


@pytest.mark.parametrize("kind", list(KINDS))
def test_while_keyturn_is_away_nobody_gets_through(kind, behind, upstream):
    nobody = f"http://{LOOPBACK}:{free_port()}"
    with (
        running(KINDS[kind], keyturn=nobody, api=behind[1]) as closed,
        httpx.Client(base_url=closed.url) as http,
    ):
        answer = http.get("/", headers=bearer(mint(TokenKind.VIRTUAL_ACCOUNT)))

    assert answer.status_code in KINDS[kind].when_away
    assert upstream.seen == []


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS.values() if kind.asks])
def test_the_sample_may_ask_for_a_permission_too(kind, stage, behind, keyturn, world, upstream):
    _, token = world.create()
    _, admin = world.create(
        "boss",
        permissions=[
            {"resource_fqn": "acme", "resource_type": "tenant", "role_id": "tenant-admin"}
        ],
    )
    path = "/api/v1/forward-auth"
    question = f"{path}?resource_type=mcp-server&resource_fqn=acme:tools&action=mcp-server:use"
    with (
        running(KINDS[kind], keyturn=stage[1], api=behind[1], changes={path: question}) as asking,
        httpx.Client(base_url=asking.url) as http,
    ):
        answers = [http.get("/", headers=bearer(one)).status_code for one in (token, admin)]

    assert answers == [403, 200]
    assert learned(upstream)[1] == "boss"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
def test_every_method_gets_through(http, world, upstream, method):
    _, token = world.create()

    answer = http.request(method, "/a/b%20c?d=e", headers=bearer(token))

    assert answer.status_code == 200
    assert upstream.seen[0][0] == "/a/b c"


def test_a_large_body_goes_to_the_api_and_not_to_keyturn(http, world):
    _, token = world.create()
    body = b"x" * 3_000_000  # Keyturn takes 1 MiB

    answer = http.post("/", headers=bearer(token), content=body)

    assert answer.json() == {"method": "POST", "size": len(body)}


def test_an_upgrade_is_asked_about_like_any_call(gateway, keyturn, world, upstream):
    _, token = world.create()
    host, port = gateway.url.removeprefix("http://").split(":")
    for said, status in ((f"Authorization: Bearer {token.reveal()}\r\n", b"200"), ("", b"401")):
        with socket.create_connection((host, int(port)), timeout=10) as line:
            line.sendall(
                f"GET / HTTP/1.1\r\nHost: {host}\r\n{said}Connection: Upgrade\r\n"
                "Upgrade: h2c\r\n\r\n".encode()
            )
            assert line.recv(1_000).split()[1] == status


def test_uses_are_counted_with_the_clients_own_name_and_address(http, uses, world):
    account, token = world.create()
    for _ in range(2):
        http.get("/", headers={**bearer(token), "User-Agent": "bot/7"})
    uses.flush()

    (generation,) = uses_of_account(world.runtime, world.admin, account.id).generations

    ((caller, seen),) = generation.uses.callers
    assert caller.address in {LOOPBACK, *own_addresses()}  # what Envoy says for a loopback client
    assert (*caller[1:], seen.times) == ("bot/7", "gateway", 2)


def test_a_client_cannot_say_that_it_is_somebody_else(http, uses, world):
    account, token = world.create()
    http.get("/", headers={**bearer(token), "X-Forwarded-For": "203.0.113.9"})
    uses.flush()

    (generation,) = uses_of_account(world.runtime, world.admin, account.id).generations

    assert generation.uses.callers[0][0].address in {LOOPBACK, *own_addresses()}


@pytest.mark.parametrize("sample", KINDS)
def test_every_sample_has_every_header_and_says_what_to_change(sample):
    text = "".join(path.read_text() for path in (SAMPLES / sample).iterdir())

    assert [name for name in HEADERS if name not in text.lower()] == []
    assert (SAMPLES / sample / "README.md").exists()
