"""The places of a virtual account: how each secret store fares, and checking them now."""

from typing import Any

from fastapi import APIRouter

from api import shapes
from api.callers import Caller, TheRuntime
from services.accounts import place_views
from services.accounts.place_views import PlaceView

router = APIRouter(prefix="/api/svc/v1/virtual-accounts", tags=["virtual accounts"])


@router.get("/{account_id}/secret-stores")
def secret_stores(account_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Where the token is kept, what each place has confirmed, and what was found wrong there."""
    return {"data": [_shown(it) for it in place_views.list_places(runtime, actor, account_id)]}


@router.post("/{account_id}/check-secret-stores")
def check_secret_stores(account_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Compares each place with its store now, and repairs as configured; waits up to 10 s."""
    return {"data": [_shown(it) for it in place_views.check_places(runtime, actor, account_id)]}


def _shown(view: PlaceView) -> dict[str, Any]:
    place = view.place
    return {
        "id": str(place.id),
        "integrationFqn": view.integration,
        "type": view.kind,
        "path": place.path,
        "key": place.key or None,
        "required": place.required,
        "generation": place.confirmed_generation,
        "confirmedAt": shapes.moment(place.confirmed_at),
        "checkedAt": shapes.moment(place.checked_at),
        "drift": place.drift,
        "error": place.last_error,
        "pending": view.is_pending,
    }
