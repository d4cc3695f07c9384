"""What gateways ask: whether a bearer token is good, and if not, why."""

import httpx
import pytest

from core.tokens import Token, TokenKind, mint
from services.accounts import account_life
from services.engine import tokens
from tests.support.persons import person
from tests.support.world import HOURLY, World

VERIFY = "/api/v1/verify"
ROLES = {"include": "roles"}
MEMBER = "mcp-server-member"
MALFORMED = "tfy_vat_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2wvuXv"


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def verify(anybody: httpx.Client, token: Token | str) -> httpx.Response:
    text = token if isinstance(token, str) else token.reveal()
    return anybody.get(VERIFY, headers=bearer(text))


def assert_refused(answer: httpx.Response, reason: str) -> None:
    """401 with the reason, for programs in the body and for others in the challenge."""
    assert answer.status_code == 401
    assert (answer.json()["code"], answer.json()["details"]) == (reason, [{"reason": reason}])
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer error="invalid_token", error_description="{reason}"'
    )


def test_a_good_token_is_answered_with_whose_it_is_and_until_when(
    anybody: httpx.Client, world: World
):
    account, token = world.create(expiration_date="2026-12-31")

    answer = verify(anybody, token)

    assert answer.status_code == 200
    assert answer.json() == {
        "tenant": "acme",
        "subject": {"type": "virtualaccount", "id": str(account.id), "name": "ci-bot"},
        "tokenId": str(world.current(account).id),
        "generation": 1,
        "state": "current",
        "expiresAt": "2027-01-01T00:00:00Z",
    }


def test_the_bearers_roles_are_told_when_they_are_asked_for(anybody: httpx.Client, world: World):
    held = {"resource_type": "mcp-server", "resource_fqn": "acme:tools", "role_id": MEMBER}
    _, token = world.create(permissions=[held])
    ann = person(world)

    of_machine = anybody.get(VERIFY, params=ROLES, headers=bearer(token.reveal())).json()
    of_person = anybody.get(VERIFY, params=ROLES, headers=ann.bearer).json()
    plain = verify(anybody, token).json()

    told = {"role": MEMBER, "resourceType": "mcp-server", "resourceFqn": "acme:tools"}
    assert of_machine == {**plain, "roles": [told]}
    assert [one["role"] for one in of_person["roles"]] == ["tenant-member"]


def test_roles_and_a_question_go_together(anybody: httpx.Client, world: World):
    _, token = world.create()
    asked = {"resource_type": "mcp-server", "resource_fqn": "a", "action": "mcp-server:use"}

    answer = anybody.get(VERIFY, params=ROLES | asked, headers=bearer(token.reveal()))
    wrong = anybody.get(VERIFY, params={"include": "all"}, headers=bearer(token.reveal()))

    assert answer.status_code == 403
    assert (wrong.status_code, wrong.json()["details"]) == (422, [{"field": "include"}])


def test_a_token_without_an_end_has_none(anybody: httpx.Client, world: World):
    _, token = world.create()

    assert verify(anybody, token).json()["expiresAt"] is None


def test_a_token_in_grace_is_good_until_its_grace_ends(anybody: httpx.Client, world: World):
    account, old = world.create(auto_rotate=HOURLY)
    tokens.rotate_account(world.runtime, world.admin, account.id)

    answer = verify(anybody, old).json()

    assert (answer["generation"], answer["state"]) == (1, "grace")
    assert answer["expiresAt"] == "2026-03-02T09:10:00Z"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_written_in_any_case(anybody: httpx.Client, world: World, scheme: str):
    _, token = world.create()

    answer = anybody.get(VERIFY, headers={"Authorization": f"{scheme} {token.reveal()}"})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic Ym90OmJvdA=="},
    ],
)
def test_a_call_without_a_bearer_token_is_told_how_to_send_one(
    anybody: httpx.Client, headers: dict[str, str]
):
    answer = anybody.get(VERIFY, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json() == {
        "statusCode": 401,
        "message": "Send the token as `Authorization: Bearer ...`.",
        "code": "missing",
        "details": [{"reason": "missing"}],
    }


@pytest.mark.parametrize("text", [MALFORMED, "x", "tfy_vat_", f"{MALFORMED} {MALFORMED}", "ö" * 57])
def test_what_is_no_token_of_ours_is_malformed(anybody: httpx.Client, text: str):
    answer = anybody.get(VERIFY, headers={"Authorization": f"Bearer {text}".encode()})

    assert_refused(answer, "malformed")


def test_a_token_that_was_never_given_out_is_unknown(anybody: httpx.Client):
    assert_refused(verify(anybody, mint(TokenKind.VIRTUAL_ACCOUNT)), "unknown")


def test_a_token_is_expired_when_its_last_day_is_over(anybody: httpx.Client, world: World):
    _, token = world.create(expiration_date="2026-03-02")
    world.clock.pass_(hours=14, minutes=59, seconds=59)
    before = verify(anybody, token)

    world.clock.pass_(seconds=1)

    assert before.status_code == 200
    assert_refused(verify(anybody, token), "expired")


def test_a_token_is_expired_too_once_that_is_recorded(anybody: httpx.Client, world: World):
    _, token = world.create(expiration_date="2026-03-02")
    world.clock.pass_(days=1)

    world.expire()

    assert_refused(verify(anybody, token), "expired")


def test_a_token_whose_grace_is_over_is_out_of_grace(anybody: httpx.Client, world: World):
    account, old = world.create(auto_rotate=HOURLY)
    tokens.rotate_account(world.runtime, world.admin, account.id)

    world.clock.pass_(minutes=10)

    assert_refused(verify(anybody, old), "out_of_grace")


def test_a_token_is_out_of_grace_too_once_that_is_recorded(anybody: httpx.Client, world: World):
    account, old = world.create(auto_rotate=HOURLY)
    tokens.rotate_account(world.runtime, world.admin, account.id)
    world.clock.pass_(minutes=10)

    world.expire()

    assert_refused(verify(anybody, old), "out_of_grace")


def test_a_revoked_token_is_revoked_with_the_next_request(anybody: httpx.Client, world: World):
    account, token = world.create()

    tokens.revoke_all(world.runtime, world.admin, account.id)

    assert_refused(verify(anybody, token), "revoked")


def test_a_deleted_accounts_token_is_revoked(anybody: httpx.Client, world: World):
    account, token = world.create()

    account_life.delete_account(world.runtime, world.admin, account.id)

    assert_refused(verify(anybody, token), "revoked")


def test_a_paused_accounts_token_is_good(anybody: httpx.Client, world: World):
    account, token = world.create(auto_rotate=HOURLY)

    account_life.pause_account(world.runtime, world.admin, account.id)

    assert verify(anybody, token).status_code == 200


@pytest.mark.law(9)
def test_no_answer_holds_the_token(anybody: httpx.Client, world: World):
    _, token = world.create()
    unknown = mint(TokenKind.VIRTUAL_ACCOUNT)

    good, bad = verify(anybody, token), verify(anybody, unknown)

    assert token.reveal() not in f"{good.text} {good.headers}"
    assert unknown.reveal() not in f"{bad.text} {bad.headers}"


def test_nobody_keeps_an_answer(anybody: httpx.Client, world: World):
    _, token = world.create()

    assert verify(anybody, token).headers["Cache-Control"] == "no-store"
    assert verify(anybody, MALFORMED).headers["Cache-Control"] == "no-store"
