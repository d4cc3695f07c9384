"""Secret groups of the built-in store."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from api import secret_shapes, shapes
from api.bodies import Body, PutManifest
from api.callers import Caller, TheRuntime
from api.paging import Limit, Offset, Text
from services.secrets import group_reading, secret_groups

router = APIRouter(prefix="/api/svc/v1/secret-groups", tags=["secret groups"])

_Secrets = Annotated[list[dict[str, Any]], Field(max_length=500)]


class CreateGroup(Body):
    """A new group; `integrationId` is the id or FQN of the tenant's built-in store."""

    name: Text
    integrationId: Text  # noqa: N815 - the wire's spelling
    secrets: _Secrets = Field(default_factory=list)


class UpdateSecrets(Body):
    """Every key that the group should hold, with the values that change."""

    secrets: _Secrets


@router.get("")
def list_(
    runtime: TheRuntime,
    actor: Caller,
    limit: Limit = 100,
    offset: Offset = 0,
    search: Text = "",
    fqn: Text = "",
) -> dict[str, Any]:
    """The groups that the caller may read, by name, with their keys."""
    views, total = group_reading.list_secret_groups(
        runtime, actor, limit=limit, offset=offset, search=search, fqn=fqn
    )
    items = [secret_shapes.secret_group(view) for view in views]
    return shapes.page(items, total=total, offset=offset, limit=limit)


@router.post("")
def create(body: CreateGroup, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """A new group with its secrets."""
    view = secret_groups.create_secret_group(
        runtime, actor, body.name, body.integrationId, body.secrets
    )
    return {"data": secret_shapes.secret_group(view)}


@router.put("")
def put(body: PutManifest, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Creates or updates by name; values stay."""
    done = secret_groups.put_secret_group(runtime, actor, body.manifest, dry_run=bool(body.dryRun))
    return {"data": secret_shapes.secret_group(done.view)}


@router.get("/{secret_group_id}")
def get(secret_group_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """One group with its keys."""
    view = group_reading.get_secret_group(runtime, actor, secret_group_id)
    return {"data": secret_shapes.secret_group(view)}


@router.put("/{secret_group_id}")
def update(
    secret_group_id: str, body: UpdateSecrets, runtime: TheRuntime, actor: Caller
) -> dict[str, Any]:
    """The group holds exactly these keys; a changed value is a new version."""
    view = secret_groups.update_secrets(runtime, actor, secret_group_id, body.secrets)
    return {"data": secret_shapes.secret_group(view)}


@router.delete("/{secret_group_id}")
def delete(
    secret_group_id: str,
    runtime: TheRuntime,
    actor: Caller,
    force_delete: Annotated[bool, Query(alias="forceDelete")] = False,
) -> dict[str, Any]:
    """The group goes with all its secrets and their versions."""
    secret_groups.delete_secret_group(runtime, actor, secret_group_id, force=force_delete)
    return {}
