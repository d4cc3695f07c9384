"""Secrets of the built-in store."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api import secret_shapes, shapes
from api.callers import Caller, TheRuntime
from services.secrets import secrets

router = APIRouter(prefix="/api/svc/v1/secrets", tags=["secrets"])

_Fqn = Annotated[str, Field(max_length=400, pattern=r"^[^\x00]*$")]


class ListSecrets(BaseModel):
    """Which secrets, and whether with their values."""

    model_config = ConfigDict(hide_input_in_errors=True)

    limit: Annotated[int, Field(ge=1, le=1_000)] | None = 100
    offset: Annotated[int, Field(ge=0, le=10_000_000)] | None = 0
    secretFqns: Annotated[list[_Fqn], Field(max_length=1_000)] | None = None  # noqa: N815 - the wire's spelling
    secretGroupId: _Fqn | None = None  # noqa: N815 - the wire's spelling
    withValue: bool | None = False  # noqa: N815 - the wire's spelling


@router.post("")
def list_(body: ListSecrets, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """The secrets that the caller may read; values are with those that it may use."""
    limit, offset = body.limit or 100, body.offset or 0
    views, total = secrets.list_secrets(
        runtime,
        actor,
        limit=limit,
        offset=offset,
        fqns=body.secretFqns,
        group_id=body.secretGroupId,
        with_value=bool(body.withValue),
    )
    items = [secret_shapes.secret(view) for view in views]
    return shapes.page(items, total=total, offset=offset, limit=limit)


@router.get("/{secret_id}")
def get(secret_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """One secret with its versions, and with values if the caller may use it."""
    return {"data": secret_shapes.secret(secrets.get_secret(runtime, actor, secret_id))}


@router.delete("/{secret_id}")
def delete(
    secret_id: str,
    runtime: TheRuntime,
    actor: Caller,
    force_delete: Annotated[bool, Query(alias="forceDelete")] = False,
) -> int:
    """The secret goes with its versions; answers how many secrets went."""
    secrets.delete_secret(runtime, actor, secret_id, force=force_delete)
    return 1
