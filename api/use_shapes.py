"""How uses of tokens look on the wire."""

from typing import Any

from api.shapes import moment
from services.accounts.account_uses import AccountUses, GenerationUses
from services.verify.uses import Uses


def account_uses(found: AccountUses) -> dict[str, Any]:
    """An account's uses, by generation, the newest first."""
    return {
        "count": found.total.count,
        "lastUsedAt": moment(found.total.last_used_at),
        "generations": [_generation(one) for one in found.generations],
        "exchanged": _uses(found.exchanged),
    }


def _generation(found: GenerationUses) -> dict[str, Any]:
    return {
        "generation": found.token.generation,
        "tokenId": str(found.token.id),
        "state": found.token.state.value,
        **_uses(found.uses),
        "sinceSuccessor": _uses(found.late),
    }


def _uses(uses: Uses) -> dict[str, Any]:
    return {
        "count": uses.count,
        "lastUsedAt": moment(uses.last_used_at),
        "callers": [
            {
                "address": caller.address,
                "userAgent": caller.user_agent,
                "surface": caller.surface,
                "count": seen.times,
                "lastUsedAt": moment(seen.last_used_at),
            }
            for caller, seen in uses.callers
        ],
    }
