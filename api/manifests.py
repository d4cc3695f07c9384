"""apply: any manifest, created or updated."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api import shapes
from api.callers import Caller, TheRuntime
from core.errors import InvalidInput
from core.spelling import answered
from services.accounts import put_account
from services.integrations import apply_provider_account

router = APIRouter(prefix="/api/svc/v1", tags=["manifests"])


class Apply(BaseModel):
    """A manifest of any type, and whether it is only to be checked."""

    model_config = ConfigDict(hide_input_in_errors=True)

    manifest: dict[str, Any]
    dryRun: bool | None = False  # noqa: N815 - the wire's spelling
    force: bool | None = False


@router.put("/apply")
def apply(body: Apply, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Creates or updates what the manifest describes, and says which."""
    kind = str(body.manifest.get("type", ""))
    dry_run = bool(body.dryRun)
    if kind == "virtual-account":
        put = put_account(runtime, actor, body.manifest, dry_run=dry_run)
        data = shapes.virtual_account(put.view, runtime.now())
        existing = answered(put.existing) if put.existing else None
        return _answer(data, created=put.created, existing=existing, warnings=put.warnings)
    if kind.startswith("provider-account/"):
        applied = apply_provider_account(runtime, actor, body.manifest, dry_run=dry_run)
        data = shapes.provider_account(applied)
        existing = shapes.existing_provider_account(applied.existing)
        return _answer(data, created=applied.created, existing=existing, warnings=[])
    raise InvalidInput(
        "manifest.type",
        "give virtual-account or provider-account/{aws,custom,hashicorp,slack}",
    )


def _answer(
    data: dict[str, Any],
    *,
    created: bool,
    existing: dict[str, Any] | None,
    warnings: list[str],
) -> dict[str, Any]:
    return {
        "action": "CREATE" if created else "UPDATE",
        "data": data,
        "existingManifest": existing,
        "warnings": warnings,
    }
