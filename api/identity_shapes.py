"""How identity providers, and the checks of their JWTs, look on the wire."""

from typing import Any

from api.shapes import moment
from services.identity.explaining import Explained
from services.identity.identity_providers import ProviderView
from services.verify.verdicts import Rejected


def identity_provider(view: ProviderView) -> dict[str, Any]:
    """One as the SDK reads it; the client's secret is masked."""
    row = view.row
    return {
        "id": str(row.id),
        "fqn": view.fqn,
        "tenantName": view.tenant.name,
        "accountId": str(row.tenant_id),
        "manifest": row.manifest,
        "createdBySubject": row.created_by,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def explained(found: Explained) -> dict[str, Any]:
    """The checks of a JWT; `reason` is why it is refused."""
    verdict = found.verdict
    told: dict[str, Any] = {
        "provider": found.provider,
        "checks": [
            {"check": one.name, "passed": one.passed, "found": one.said} for one in found.checks
        ],
        "good": False,
        "reason": None,
        "subject": None,
        "expiresAt": None,
    }
    if isinstance(verdict, Rejected):
        return told | {"reason": verdict.reason.value}
    subject = {
        "type": verdict.kind.value,
        "id": str(verdict.subject_id),
        "name": verdict.subject,
    }
    return told | {"good": True, "subject": subject, "expiresAt": moment(verdict.valid_until)}
