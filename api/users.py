"""Users."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api import shapes
from api.callers import Admin, TheRuntime
from api.paging import Limit, Offset, Text
from services.users import list_users

router = APIRouter(prefix="/api/svc/v1", tags=["users"])


@router.get("/users")
def list_(
    runtime: TheRuntime,
    actor: Admin,
    limit: Limit = 100,
    offset: Offset = 0,
    query: Text = "",
    show_invalid: Annotated[bool, Query(alias="showInvalidUsers")] = False,
) -> dict[str, Any]:
    """The tenant's users, by e-mail."""
    rows, total, tenant = list_users(
        runtime, actor, limit=limit, offset=offset, search=query, inactive=show_invalid
    )
    items = [shapes.user(row, tenant) for row in rows]
    return shapes.page(items, total=total, offset=offset, limit=limit)
