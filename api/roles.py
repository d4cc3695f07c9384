"""Roles and role bindings."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api import access_shapes as shapes
from api.callers import Caller, TheRuntime
from api.paging import Limit, Offset
from api.shapes import page
from services.access import bindings, roles

router = APIRouter(prefix="/api/svc/v1", tags=["roles"])


class PutRole(BaseModel):
    """A manifest, and whether it is only to be checked."""

    model_config = ConfigDict(hide_input_in_errors=True)

    manifest: dict[str, Any]
    dryRun: bool | None = False  # noqa: N815 - the wire's spelling


@router.get("/roles")
def list_(
    runtime: TheRuntime, actor: Caller, limit: Limit = 1_000, offset: Offset = 0
) -> dict[str, Any]:
    """The built-in roles, then the tenant's own by name."""
    views, total = roles.list_roles(runtime, actor, limit=limit, offset=offset)
    items = [shapes.role(view) for view in views]
    return page(items, total=total, offset=offset, limit=limit)


@router.put("/roles")
def put(body: PutRole, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Creates or updates by name; holders may do what it says with their next request."""
    done = roles.put_role(runtime, actor, body.manifest, dry_run=bool(body.dryRun))
    return {"data": shapes.role(done.view)}


@router.delete("/roles/{role_id}")
def delete(role_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Ends a role that nobody holds."""
    roles.delete_role(runtime, actor, role_id)
    return {}


@router.get("/role-bindings")
def list_bindings(
    runtime: TheRuntime, actor: Caller, limit: Limit = 100, offset: Offset = 0
) -> dict[str, Any]:
    """Who holds what by a manifest, by the manifest's name."""
    rows, total = bindings.list_bindings(runtime, actor, limit=limit, offset=offset)
    items = [shapes.role_binding(row) for row in rows]
    return page(items, total=total, offset=offset, limit=limit)


@router.delete("/role-bindings/{binding_id}")
def delete_binding(binding_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """What it gave is held no more, with the next request."""
    bindings.delete_binding(runtime, actor, binding_id)
    return {}
