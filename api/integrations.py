"""Integrations: what there is, how their lanes are, and whether they connect."""

from typing import Any

from fastapi import APIRouter

from api import shapes
from api.callers import Caller, TheRuntime
from api.integration_shapes import integration
from api.paging import Limit, Offset
from services.integrations import integration_views

router = APIRouter(prefix="/api/v1/integrations", tags=["integrations"])


@router.get("")
def list_(
    runtime: TheRuntime, actor: Caller, limit: Limit = 100, offset: Offset = 0
) -> dict[str, Any]:
    """The integrations that the caller may read or use, by FQN, with their lanes."""
    views, total = integration_views.list_views(runtime, actor, limit=limit, offset=offset)
    items = [integration(view) for view in views]
    return shapes.page(items, total=total, offset=offset, limit=limit)


@router.get("/{integration_id}")
def get(integration_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """One integration with its lanes."""
    return {"data": integration(integration_views.get_view(runtime, actor, integration_id))}


@router.post("/{integration_id}/check")
def check(integration_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Really connects, and says what is wrong."""
    return {"data": integration_views.check_view(runtime, actor, integration_id)}
