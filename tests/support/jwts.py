"""JWTs of Keyturn's own, as tests issue and read them."""

from datetime import UTC, datetime
from typing import Any

import jwt

from core.jwks import new_pair, open_private
from core.tokens import Token
from models import SigningKey, VirtualAccount
from services.engine import tokens
from services.engine.signing import published_keys
from services.verify.revocations import revoked_jwts
from tests.support.world import HOURLY, World

ISSUER = "http://127.0.0.1:8400"


def issued(world: World, name: str = "ci-bot", **manifest: Any) -> tuple[VirtualAccount, Token]:
    return world.create(name, token_type="jwt", **({"auto_rotate": HOURLY} | manifest))


def claims(token: Token) -> dict[str, Any]:
    """What it says, unchecked."""
    return jwt.decode(token.reveal(), options={"verify_signature": False})


def checked(world: World, token: Token) -> dict[str, Any]:
    """What it says, as an offline verifier checks it by the published keys."""
    keys = jwt.PyJWKSet.from_dict({"keys": published_keys(world.runtime)})
    kid = jwt.get_unverified_header(token.reveal())["kid"]
    options = {"verify_exp": False, "verify_iat": False}
    return jwt.decode(
        token.reveal(), keys[kid], algorithms=["EdDSA", "RS256"], options=options, issuer=ISSUER
    )


def ends(token: Token) -> datetime:
    return datetime.fromtimestamp(claims(token)["exp"], UTC)


def current(world: World, account: VirtualAccount) -> Token:
    return tokens.read_token(world.runtime, world.admin, account.id)


def listed(world: World) -> set[str]:
    return {str(one.id) for one in revoked_jwts(world.runtime)}


def kid_of(token: Token) -> str:
    kid: str = jwt.get_unverified_header(token.reveal())["kid"]
    return kid


def jwt_key() -> Any:
    return open_private(new_pair("EdDSA")[0])


def spoil(world: World) -> None:
    def use_case(session: Any) -> None:
        for key in session.query(SigningKey):
            key.sealed = key.sealed[:-1] + bytes([key.sealed[-1] ^ 1])

    world.runtime.database.write(use_case)
