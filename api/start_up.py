"""What the reference's command asks before it does anything: versions, its tenant, its user."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api import shapes
from api.callers import Caller, TheRuntime, caller
from services.operation.tenants import tenant_of_host
from services.verify.verification import Verified

router = APIRouter(prefix="/api/svc/v1", tags=["start-up"])

_ANY = "0.0.1"


@router.get("/min-cli-version")
def min_cli_version() -> dict[str, Any]:
    """Every version of the clients is served; logins go by `oauth2/device-authorize`."""
    return {"minVersion": _ANY, "truefoundryCliMinVersion": _ANY, "useSFYServerAuthAPIs": True}


@router.get("/tenant-id")
def tenant_id(
    runtime: TheRuntime, host: Annotated[str, Query(alias="hostName", max_length=255)] = ""
) -> dict[str, Any]:
    """The only tenant; of several, the one that the host's name begins with."""
    tenant = tenant_of_host(runtime, host)
    return {"tenantName": tenant.name, "auth_server_url": runtime.settings.public_url}


@router.get("/session")
def session(actor: Caller, verified: Annotated[Verified, Depends(caller)]) -> dict[str, Any]:
    """Whose the bearer token is, and how long it works."""
    subject = actor.as_subject()
    is_user = subject["subjectType"] == "user"
    user = {
        "id": subject["subjectId"],
        "email": actor.name if is_user else None,
        "tenantName": verified.tenant,
        "subjectType": subject["subjectType"],
        "subjectSlug": subject["subjectSlug"],
        "subject": subject,
        "metadata": {},
    }
    return {
        "user": user,
        "tenantInfo": {"tenantName": verified.tenant},
        "isAdmin": actor.permits.is_admin,
        "expiresAt": shapes.moment(verified.valid_until),
    }
