"""Identity providers: whose JWTs a tenant takes, and why one of them is good or not."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from api import identity_shapes as shapes
from api.bodies import Body, PutManifest
from api.callers import Caller, TheRuntime
from api.paging import Limit, Offset
from api.shapes import page
from core.tokens import LONGEST_JWT
from services.identity import identity_providers as providers
from services.identity.explaining import explain_jwt

router = APIRouter(prefix="/api/v1/identity-providers", tags=["identity providers"])


class Explain(Body):
    """A JWT of an identity provider."""

    token: str = Field(min_length=1, max_length=LONGEST_JWT + 2)


@router.get("")
def list_(
    runtime: TheRuntime, actor: Caller, limit: Limit = 100, offset: Offset = 0
) -> dict[str, Any]:
    """The tenant's, by name."""
    views, total = providers.list_identity_providers(runtime, actor, limit=limit, offset=offset)
    items = [shapes.identity_provider(view) for view in views]
    return page(items, total=total, offset=offset, limit=limit)


@router.put("")
def put(body: PutManifest, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Creates or updates by name; `warnings` say why its keys could not be fetched."""
    done = providers.put_identity_provider(runtime, actor, body.manifest, dry_run=bool(body.dryRun))
    return {"data": shapes.identity_provider(done.view), "warnings": done.warnings}


@router.post("/explain")
def explain(body: Explain, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Every check of this JWT, and whose it is; nothing of it is kept."""
    return shapes.explained(explain_jwt(runtime, actor, body.token))


@router.get("/{provider_id}")
def get(provider_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """One of them."""
    view = providers.read_identity_provider(runtime, actor, provider_id)
    return {"data": shapes.identity_provider(view)}


@router.delete("/{provider_id}")
def delete(provider_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Its JWTs are nobody's from now on; refused while accounts are mapped to it."""
    providers.delete_identity_provider(runtime, actor, provider_id)
    return {}
