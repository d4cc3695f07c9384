"""JWTs: read without trust, signed, and their signatures checked. Nothing here knows whose.

What cannot be read is None, and a signature that does not fit is False: neither is an error.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import jwt

from core.fields import UNTEXT
from core.jwks import VerificationKey

_DEEPEST = 16
_NOT_TAKEN = frozenset({"crit", "b64", "jwk", "jku", "x5u", "x5c"})
_LAST = datetime.max.replace(tzinfo=UTC).timestamp() - 1


@dataclass(frozen=True)
class Unverified:
    """What a JWT says of itself. `kid` is of the key that it claims to be signed with."""

    algorithm: str
    kid: str | None
    claims: Mapping[str, Any]
    kind: Any = None


def read(text: str) -> Unverified | None:
    """What the JWT says, its signature not looked at; None if it is none that is taken here.

    Extensions that have to be understood (`crit`, `b64`), keys brought along (`jwk` and its
    like), names given twice and numbers that are none are not taken.
    """
    parts = text.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        return None
    try:
        header, claims = _object(parts[0]), _object(parts[1])
    except (ValueError, RecursionError):
        return None
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or not isinstance(kid, str | None):
        return None
    if not _NOT_TAKEN.isdisjoint(header):
        return None
    return Unverified(algorithm, kid, claims, header.get("typ"))


def is_signed_with(text: str, key: VerificationKey, algorithm: str) -> bool:
    """Whether the JWT bears this key's signature by this algorithm and no other."""
    checking = key.checking(algorithm)
    if checking is None:
        return False
    try:
        jwt.api_jws.decode(text, checking, algorithms=[algorithm])
    except (jwt.PyJWTError, ValueError):
        return False
    return True


def sign(claims: dict[str, Any], private: Any, *, kid: str, algorithm: str) -> str:
    """The JWT of these claims."""
    return jwt.encode(claims, private, algorithm=algorithm, headers={"kid": kid})


def moment(value: Any) -> datetime | None:
    """A NumericDate as a moment; None if it is no such number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= _LAST:  # so it is no infinity either
        return None
    return datetime.fromtimestamp(value, UTC)


def _object(part: str) -> dict[str, Any]:
    try:
        decoded = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError from None
    found = json.loads(
        decoded.decode(), object_pairs_hook=_without_repeats, parse_constant=_refused
    )
    if not isinstance(found, dict) or not _is_sound(found, _DEEPEST):
        raise ValueError
    return cast("dict[str, Any]", found)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _refused(_constant: str) -> Any:
    raise ValueError


def _is_sound(value: Any, levels: int) -> bool:
    """Not deeper than that, and all of it text that can be kept and said."""
    if isinstance(value, str):
        return UNTEXT.search(value) is None
    if levels < 0:
        return False
    if isinstance(value, dict):
        return all(_is_sound(one, levels - 1) for pair in value.items() for one in pair)
    return not isinstance(value, list) or all(_is_sound(one, levels - 1) for one in value)
