"""Logins by single sign-on where the provider misbehaves, or somebody tries one twice at a time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from core.errors import InvalidInput, NotFound, Unready
from models import LoginSession, SignIn
from services.identity.single_sign_on import Begun, begin_sign_in, finish_sign_in
from services.people.sign_in import Opened
from services.verify.verdicts import Rejected
from tests.support.identity import Identity, trusted
from tests.support.issuer import TOKEN, USER
from tests.support.persons import person
from tests.support.world import World

BACK = "http://127.0.0.1:8400/console/signed-in"
OWN = "keyturn"


@pytest.fixture
def identity(world: World) -> Iterator[Identity]:
    person(world)
    with trusted(world, sign_in={"client_id": OWN}) as made:
        yield made


def begun(identity: Identity) -> tuple[Begun, dict[str, str]]:
    (row,) = identity.providers()
    made = begin_sign_in(identity.world.runtime, row.id, BACK)
    query = parse_qs(urlsplit(made.url).query)
    return made, {name: values[0] for name, values in query.items()}


def finish(identity: Identity, made: Begun, sent: dict[str, str]) -> Opened | Rejected:
    return finish_sign_in(identity.world.runtime, made.kept.reveal(), sent["state"], "the-code")


def answering(identity: Identity, sent: dict[str, str], **claims: Any) -> None:
    """The provider takes the code, and tells this person."""
    usual = {"aud": OWN, "nonce": sent["nonce"], "sub": "ann"}
    id_token = identity.issuer.issue(**(usual | claims))
    told = {"id_token": id_token, "access_token": "opaque", "token_type": "Bearer"}
    identity.issuer.fault(f"POST {TOKEN}", body=told)


def test_a_browser_is_sent_with_all_that_binds_the_answer_to_it(identity: Identity):
    made, sent = begun(identity)

    assert urlsplit(made.url).path == "/authorize"
    assert sent["a"] == "b"
    assert (sent["response_type"], sent["client_id"], sent["redirect_uri"]) == ("code", OWN, BACK)
    assert (sent["scope"], sent["code_challenge_method"]) == ("openid email", "S256")
    assert len({sent["state"], sent["nonce"], sent["code_challenge"], made.kept.reveal()}) == 4


def test_a_public_client_says_who_it_is_and_proves_its_challenge(identity: Identity):
    made, sent = begun(identity)
    answering(identity, sent, email="ann@example.com", email_verified=True)

    opened = finish(identity, made, sent)

    (asked,) = identity.issuer.seen(f"POST {TOKEN}")
    assert isinstance(opened, Opened)
    assert asked.form()["client_id"] == OWN
    assert asked.form()["redirect_uri"] == BACK
    assert len(asked.form()["code_verifier"]) == 43
    assert "Authorization" not in asked.headers


def test_of_many_who_finish_the_same_login_one_gets_as_far_as_its_code(identity: Identity):
    made, sent = begun(identity)

    def act(_number: int) -> str:
        with pytest.raises(InvalidInput) as refused:
            finish(identity, made, sent)
        return refused.value.field

    with ThreadPoolExecutor(8) as pool:
        fields = list(pool.map(act, range(8)))

    assert sorted(fields) == ["code", *["state"] * 7]
    assert len(identity.issuer.seen(f"POST {TOKEN}")) == 1


@pytest.mark.parametrize(
    "told", [{}, {"id_token": 7}, {"id_token": "x.y.z"}, {"id_token": "tfy_vat_x"}], ids=str
)
def test_an_answer_without_an_id_token_opens_nothing(identity: Identity, told: dict[str, Any]):
    made, sent = begun(identity)
    identity.issuer.fault(f"POST {TOKEN}", body=told)

    refused = finish(identity, made, sent)

    assert isinstance(refused, Rejected)
    assert refused.reason.value == "malformed"


@pytest.mark.parametrize("how", [{"status": 500}, {"drop": True}, {"body": b"<html>"}], ids=str)
def test_a_provider_that_fails_is_told_as_such(identity: Identity, how: dict[str, Any]):
    made, sent = begun(identity)
    identity.issuer.fault(f"POST {TOKEN}", **how)

    with pytest.raises(Unready, match=r"^github"):
        finish(identity, made, sent)
    assert identity.world.rows(LoginSession) == []


def test_what_is_said_of_somebody_else_is_not_taken(identity: Identity):
    made, sent = begun(identity)
    answering(identity, sent)
    other = {"sub": "eve", "email": "ann@example.com", "email_verified": True}
    identity.issuer.fault(f"GET {USER}", body=other)

    refused = finish(identity, made, sent)

    assert isinstance(refused, Rejected)
    assert refused.reason.value == "unmapped"


def test_a_login_that_another_answer_was_swapped_into_is_refused(identity: Identity):
    _, others = begun(identity)
    made, sent = begun(identity)
    answering(identity, others, email="ann@example.com", email_verified=True)

    refused = finish(identity, made, sent)

    assert isinstance(refused, Rejected)
    assert refused.reason.value == "refused_claims"


def test_a_login_goes_with_its_provider(identity: Identity):
    made, sent = begun(identity)
    identity.trust(sign_in=None)

    with pytest.raises(NotFound, match="identity provider"):
        finish(identity, made, sent)
    assert identity.world.rows(SignIn) == []
