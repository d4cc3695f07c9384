"""Users."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api import shapes
from api.callers import Caller, TheRuntime
from api.paging import Limit, Offset, Text
from services.users import list_users

router = APIRouter(prefix="/api/svc/v1", tags=["users"])


@router.get("/users")
def list_(
    runtime: TheRuntime,
    actor: Caller,
    limit: Limit = 100,
    offset: Offset = 0,
    query: Text = "",
    show_invalid: Annotated[bool, Query(alias="showInvalidUsers")] = False,
) -> dict[str, Any]:
    """The tenant's users, by e-mail."""
    views, total = list_users(
        runtime, actor, limit=limit, offset=offset, search=query, inactive=show_invalid
    )
    items = [shapes.user(view) for view in views]
    return shapes.page(items, total=total, offset=offset, limit=limit)
