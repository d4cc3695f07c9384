"""apply and delete: what a manifest of any type describes, created, updated or gone."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict

from api import access_shapes, identity_shapes, secret_shapes, shapes
from api.callers import Caller, TheRuntime
from core.spelling import answered
from services.manifests import Applied, apply_manifest, delete_manifest
from services.runtime import Runtime

router = APIRouter(prefix="/api/svc/v1", tags=["manifests"])

_SHAPES: dict[str, Callable[[Runtime, Any], dict[str, Any]]] = {
    "team": lambda _, made: access_shapes.team(made.view),
    "role": lambda _, made: access_shapes.role(made.view),
    "provider-account": lambda _, made: shapes.provider_account(made),
    "identity-provider": lambda _, made: identity_shapes.identity_provider(made.view),
    "secret-group": lambda _, made: secret_shapes.secret_group(made.view),
    "virtual-account": lambda runtime, made: shapes.virtual_account(made.view, runtime.now()),
    "role-binding": lambda _, made: access_shapes.role_binding(made.row),
}


class _Body(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    manifest: dict[str, Any]


class Apply(_Body):
    """A manifest of any type, and whether it is only to be checked."""

    dryRun: bool | None = False  # noqa: N815 - the wire's spelling
    force: bool | None = False


class Delete(_Body):
    """The manifest of what is to go; only its type and name are read."""


class Tree(BaseModel):
    """What a client is about to apply."""

    manifests: list[dict[str, Any]] = []


@router.put("/apply")
def apply(body: Apply, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Creates or updates what the manifest describes, and says which and what differs."""
    applied = apply_manifest(runtime, actor, body.manifest, dry_run=bool(body.dryRun))
    return {
        "action": "CREATE" if applied.created else "UPDATE",
        "data": _SHAPES[applied.kind](runtime, applied.made),
        "existingManifest": _existing(applied),
        "changed": applied.changed,
        "diff": applied.diff,
        "warnings": applied.warnings,
    }


@router.post("/delete")
def delete(body: Delete, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Deletes what the manifest names."""
    delete_manifest(runtime, actor, body.manifest)
    return {}


@router.post("/dependency-tree", include_in_schema=False)
def dependency_tree(_body: Tree, _actor: Caller) -> None:
    """There is none: clients then apply everything in an order by type."""
    raise HTTPException(404, "There is none: everything is applied in an order by type.")


def _existing(applied: Applied) -> dict[str, Any] | None:
    """What was there before, as far as the SDK can read it."""
    if applied.existing is None or applied.kind == "identity-provider":  # a type of our own
        return None
    if applied.kind == "provider-account":
        return shapes.existing_provider_account(applied.existing)
    if applied.kind == "virtual-account":
        return answered(applied.existing, grace_days=shapes.grace_days(applied.made.view))
    return applied.existing
