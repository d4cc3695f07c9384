"""Who uses an account's tokens."""

from typing import Any

from fastapi import APIRouter

from api import use_shapes
from api.callers import Caller, TheRuntime
from services.accounts.account_uses import uses_of_account

router = APIRouter(prefix="/api/svc/v1/virtual-accounts", tags=["virtual accounts"])


@router.get("/{account_id}/uses")
def get_uses(account_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Who uses its tokens: by generation how often, when last, and by whom."""
    return {"data": use_shapes.account_uses(uses_of_account(runtime, actor, account_id))}
