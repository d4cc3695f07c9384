"""How Keyturn's things look on the wire: the reference's shapes, with our fields beside."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from core.spelling import answered
from models import Integration, TokenRow
from services.accounts.account_views import AccountView
from services.integrations.integrations import Applied

NEVER = "9999-12-31T23:59:59Z"
# The integrations whose manifests the SDK reads; for any other it refuses the whole answer.
_REFERENCE = {
    "integration/notification-channel/email",
    "integration/notification-channel/ms-teams-webhook",
    "integration/notification-channel/pagerduty",
    "integration/notification-channel/slack-bot",
    "integration/notification-channel/slack-webhook",
    "integration/secret-store/aws/parameter-store",
    "integration/secret-store/aws/secrets-manager",
    "integration/secret-store/azure/vault",
    "integration/secret-store/custom/generic",
    "integration/secret-store/gcp/gsm",
    "integration/secret-store/hashicorp/vault",
}


def moment(value: datetime | None) -> str | None:
    """ISO 8601 in UTC with a Z; None stays None."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value else None


def virtual_account(view: AccountView, now: datetime) -> dict[str, Any]:
    """A virtual account as the SDK's `VirtualAccount`."""
    account = view.account
    current = next((token for token in view.tokens if token.grace_until is None), None)
    return {
        "id": str(account.id),
        "type": "serviceaccount",
        "tenantName": view.tenant.name,
        "accountId": str(account.tenant_id),
        "manifest": answered(account.manifest, grace_days=grace_days(view)),
        "jwtId": str(current.id) if current else None,
        "createdBySubject": account.created_by,
        "createdAt": moment(account.created_at),
        "updatedAt": moment(account.updated_at),
        "isExpired": account.is_expired(now),
        "nextScheduledRotation": moment(account.next_rotation_at),
        "lastAccessedAt": moment(view.last_used_at),
        "jwts": [_jwt(token, view) for token in view.tokens if token.is_valid(now)],
        "fqn": f"virtualaccount:{account.name}",
        "state": account.state.value,
        "paused": account.paused_at is not None,
        "generation": account.generation,
        "rotatedAt": moment(account.rotated_at),
    }


def grace_days(view: AccountView) -> int:
    """The account's grace in whole days, rounded up."""
    return max(1, math.ceil(view.account.grace / timedelta(days=1)))


def _jwt(token: TokenRow, view: AccountView) -> dict[str, Any]:
    return {
        "id": str(token.id),
        "subjectType": "serviceaccount",
        "subjectId": str(view.account.id),
        "expiry": moment(token.valid_until) or NEVER,
        "tokenType": "jwt" if token.is_jwt else "opaque",
        "createdAt": moment(token.created_at),
        "updatedAt": moment(token.created_at),
        "metadata": {"generation": token.generation, "state": token.state.value},
    }


def provider_account(applied: Applied) -> dict[str, Any]:
    """A provider account as the SDK's `ProviderAccount`."""
    account = applied.account
    fqn = f"{applied.tenant.name}:{account.provider}:{account.name}"
    return {
        "id": str(account.id),
        "fqn": fqn,
        "provider": account.provider,
        "accountId": str(account.tenant_id),
        "manifest": account.manifest,
        "integrations": [_integration(row, fqn, applied) for row in applied.integrations],
        "createdBySubject": account.created_by,
        "createdAt": moment(account.created_at),
        "updatedAt": moment(account.updated_at),
    }


def existing_provider_account(manifest: dict[str, Any] | None) -> dict[str, Any] | None:
    """What a provider account was before, as far as the SDK can read it."""
    if manifest is None:
        return None
    kinds = {item["type"] for item in manifest.get("integrations") or []}
    return manifest if kinds <= _REFERENCE else None


def _integration(row: Integration, account_fqn: str, applied: Applied) -> dict[str, Any]:
    manifests = applied.account.manifest.get("integrations") or []
    return {
        "id": str(row.id),
        "name": row.name,
        "fqn": row.fqn,
        "type": row.family.value,
        "manifest": next((m for m in manifests if m.get("name") == row.name), None),
        "metadata": {"check": row.checked},
        "providerAccountFqn": account_fqn,
        "tenantName": applied.tenant.name,
        "createdBySubject": row.created_by,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def page(items: list[dict[str, Any]], *, total: int, offset: int, limit: int) -> dict[str, Any]:
    """One page; the page after the last is empty, not an error."""
    return {"data": items, "pagination": {"total": total, "offset": offset, "limit": limit}}
