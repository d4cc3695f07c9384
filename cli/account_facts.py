"""What the commands show of a virtual account."""

from typing import Any

from models import AccountState, TokenRow
from services.accounts.account_views import AccountView
from services.runtime import Runtime


def facts(runtime: Runtime, view: AccountView) -> dict[str, Any]:
    account = view.account
    return {
        "id": str(account.id),
        "name": account.name,
        "state": state(view),
        "generation": account.generation,
        "rotated_at": when(account.rotated_at),
        "next_rotation_at": when(account.next_rotation_at),
        "expires_at": when(account.expires_at),
        "manifest": account.manifest,
        "tokens": [
            {
                "generation": token.generation,
                "state": "held" if token.is_held(runtime.now()) else token.state.value,
                "last_four": token.last_four,
                "valid_until": when(token.valid_until),
            }
            for token in live(runtime, view)
        ],
    }


def live(runtime: Runtime, view: AccountView) -> list[TokenRow]:
    """The tokens that work; one whose end is not recorded yet does not."""
    now = runtime.now()
    return [token for token in view.tokens if token.is_valid(now)]


def state(view: AccountView) -> str:
    active = view.account.state is AccountState.ACTIVE
    return "paused" if active and view.account.paused_at else view.account.state.value


def when(moment: Any) -> str | None:
    return f"{moment:%Y-%m-%d %H:%M:%SZ}" if moment else None
