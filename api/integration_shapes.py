"""How integrations look on the wire."""

from typing import Any

from api.shapes import moment
from services.integrations.integration_views import IntegrationView, LaneView


def integration(view: IntegrationView) -> dict[str, Any]:
    """An integration as the SDK's `ProviderIntegration`, with its lanes and its last check."""
    row, account = view.integration, view.account
    manifests = account.manifest.get("integrations") or []
    return {
        "id": str(row.id),
        "name": row.name,
        "fqn": row.fqn,
        "type": row.family.value,
        "kind": row.kind,
        "manifest": next((m for m in manifests if m.get("name") == row.name), None),
        "metadata": {"check": row.checked},
        "provider": account.provider,
        "providerAccountFqn": f"{view.tenant.name}:{account.provider}:{account.name}",
        "tenantName": view.tenant.name,
        "authorizedSubjects": row.authorized_subjects,
        "lanes": [_lane(lane) for lane in view.lanes],
        "createdBySubject": row.created_by,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def _lane(view: LaneView) -> dict[str, Any]:
    lane = view.lane
    return {
        "id": str(lane.id),
        "address": lane.address,
        "state": lane.state.value,
        "pausedBecause": lane.paused_because,
        "broken": lane.is_broken,
        "failures": lane.failures,
        "refusals": lane.refusals,
        "lastError": lane.last_error,
        "succeededAt": moment(lane.succeeded_at),
        "deadSince": moment(lane.dead_since),
        "waiting": view.waiting,
    }
