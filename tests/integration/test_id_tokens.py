"""The ID token of a person's login: only one of this login, for Keyturn itself, is taken."""

from collections.abc import Iterator
from typing import Any

import pytest

from core import jwts
from services.identity.external_jwts import examine_id_token
from services.identity.trusted_providers import Trusted
from tests.support.identity import Identity, trusted
from tests.support.issuer import AUDIENCE, SigningPair
from tests.support.world import new_world

OWN = "keyturn-client"


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Identity]:
    folder = tmp_path_factory.mktemp("id-tokens")
    url = f"sqlite:///{folder / 'keyturn.db'}"
    sign_in = {"client_id": OWN}
    with new_world(url, folder) as world, trusted(world, sign_in=sign_in) as made:
        yield made


def examined(identity: Identity, text: str) -> str | None:
    (row,) = identity.providers()
    provider = identity.world.runtime.providers.get(row.id)
    said = jwts.read(text)
    assert isinstance(provider, Trusted)
    assert said is not None
    return examine_id_token(identity.world.runtime, provider, text, said, "the-nonce").refusal


CLAIMS: list[tuple[dict[str, Any], str | None]] = [
    ({}, None),
    ({"azp": OWN}, None),
    ({"aud": [OWN]}, None),
    ({"aud": [OWN, "other"], "azp": OWN}, None),
    ({"aud": [OWN, "other"]}, "wrong_audience"),
    ({"aud": OWN, "azp": "other"}, "wrong_audience"),
    ({"aud": AUDIENCE}, "wrong_audience"),
    ({"aud": None}, "wrong_audience"),
    ({"iss": "https://other.example.com"}, "unknown_issuer"),
    ({"nonce": "another"}, "refused_claims"),
    ({"nonce": None}, "refused_claims"),
    ({"nonce": 7}, "refused_claims"),
    ({"nonce": "ö"}, "refused_claims"),
    ({"exp": 1}, "expired"),
    ({"exp": None}, "malformed"),
]


@pytest.mark.parametrize(("claims", "reason"), CLAIMS, ids=str)
def test_an_id_token_is_of_this_login_or_refused(
    identity: Identity, claims: dict[str, Any], reason: str | None
):
    text = identity.issuer.issue(**({"aud": OWN, "nonce": "the-nonce"} | claims))

    assert examined(identity, text) == reason


def test_an_id_token_of_another_key_is_refused(identity: Identity):
    claims = identity.issuer.claims(aud=OWN, nonce="the-nonce")
    forged = SigningPair(identity.issuer.keys[-1].kid).sign(claims)

    assert examined(identity, forged) == "wrong_signature"


def test_an_id_token_for_the_console_is_no_bearer(identity: Identity):
    assert identity.whose(identity.issuer.issue(aud=OWN, nonce="the-nonce")) == "wrong_audience"
