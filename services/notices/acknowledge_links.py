"""One-time links by which whoever is told of a rotation acknowledges it.

The link's token is made with the rotation. The database keeps its hash, and the token itself only
sealed: beside the hash for notices to come, and in the events whose notices carry the link. Each
is opened by its send alone. Mail scanners open links: a link shows a page, and only that page's
form acts.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from core.errors import MasterKeyMissing, SealBroken
from core.tokens import TokenKind, mint
from services.delivery.claimed import Claimed
from services.keys import Keyring

_SEALED_FOR = "acknowledge"
_FACT = "sealed_acknowledge"
_OF = "acknowledges"


class Link(NamedTuple):
    """The hash and the sealed token of one link."""

    hash: bytes
    sealed: bytes


def new_link(keyring: Keyring, tenant_id: UUID, token_id: UUID) -> Link:
    """A link by which the farewell of this old token is acknowledged."""
    token = mint(TokenKind.ACKNOWLEDGE)
    sealed = keyring.seal(_SEALED_FOR, tenant_id, token_id, token.reveal().encode())
    return Link(token.hash, sealed)


def facts_of(token_id: UUID, sealed: bytes | None) -> dict[str, str]:
    """What an event keeps, so that its notices carry the link; no notice shows these facts."""
    if sealed is None:
        return {}
    return {_OF: str(token_id), _FACT: b64encode(sealed).decode()}


def acknowledge_link(keyring: Keyring, home: str, claimed: Claimed) -> str:
    """The link of this notice; empty where there is none, or none that still opens."""
    token = _token(keyring, claimed.tenant_id, claimed.facts)
    return f"{home}/acknowledge?{urlencode({'token': token})}" if token else ""


def _token(keyring: Keyring, tenant_id: UUID, facts: Mapping[str, Any]) -> str:
    if _FACT not in facts:
        return ""
    try:
        sealed, token_id = b64decode(facts[_FACT]), UUID(facts[_OF])
        return keyring.open(_SEALED_FOR, tenant_id, token_id, sealed).decode()
    except (KeyError, ValueError, SealBroken, MasterKeyMissing):
        return ""
