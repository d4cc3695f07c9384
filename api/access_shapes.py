"""How teams, roles, role bindings and what people hold look on the wire."""

from typing import Any

from api.shapes import moment
from core.actors import Actor
from core.roles import RESOURCE_TYPES, VERBS, Role
from models import RoleBinding, Tenant
from services.access.holdings import Holding, Membership
from services.access.roles import RoleView
from services.people.team_views import Member, TeamView

_TOP = 5
_EVERY_ACTION = sorted(f"{kind}:{verb}" for kind in RESOURCE_TYPES for verb in VERBS)


def team(view: TeamView, *, with_members: bool = True) -> dict[str, Any]:
    """A team as the SDK's `Team`."""
    row = view.team
    managers = [member.email for member in view.managers]
    members = [member.email for member in view.members]
    return {
        "id": str(row.id),
        "teamName": row.name,
        "description": row.manifest.get("description", ""),
        "tenantName": view.tenant.name,
        "accountId": str(row.tenant_id),
        "createdBySubject": row.created_by,
        **({"members": members, "managers": managers} if with_members else {}),
        "topMembers": members[:_TOP],
        "topManagers": managers[:_TOP],
        "totalMemberCount": len(members),
        "totalManagerCount": len(managers),
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
        "manifest": row.manifest,
        "metadata": {},
        "isEditable": True,
        "fqn": row.fqn,
    }


def team_member(member: Member) -> dict[str, Any]:
    """Somebody in a team as the SDK's `TeamSubjectRow`."""
    return {
        "subjectId": str(member.user_id),
        "subjectSlug": member.email,
        "subjectType": "user",
    }


def role(view: RoleView) -> dict[str, Any]:
    """A role as the SDK's `Role`. A built-in one is described as if it had a manifest."""
    row, tenant, held = view.row, view.tenant, view.role
    actions = _EVERY_ACTION if held.everything else sorted(held.actions)
    return {
        "id": str(row.id) if row else held.id,
        "tenantName": tenant.name,
        "accountId": str(tenant.id),
        "resourceType": held.resource_type,
        "manifest": row.manifest if row else _described(held, actions),
        "createdBySubject": row.created_by if row else _keyturn(tenant),
        "permissionSetsV2": _by_type(actions),
        "isEditable": row is not None,
        "isDefault": row is None,
        "isReserved": row is None,
        "createdAt": moment(row.created_at) if row else None,
        "updatedAt": moment(row.updated_at) if row else None,
    }


def role_binding(row: RoleBinding) -> dict[str, Any]:
    """A role binding as the SDK's `RoleBinding`."""
    return {
        "id": str(row.id),
        "name": row.name,
        "accountId": str(row.tenant_id),
        "manifest": row.manifest,
        "metadata": {},
        "createdBySubject": row.created_by,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def permission(holding: Holding) -> dict[str, Any]:
    """What is held as the SDK's `SubjectPermission`; resources are known by their FQN."""
    return {
        "resourceType": holding.resource_type,
        "resourceId": holding.resource_fqn,
        "resourceName": _last(holding.resource_fqn),
        "resourceFqn": holding.resource_fqn,
        "roleId": holding.role_id,
        "roleName": holding.role_name,
        "subjectId": str(holding.subject_id),
        "subjectType": holding.subject_kind.value,
    }


def resource(holding: Holding) -> dict[str, Any]:
    """The same as the SDK's `UserResource`."""
    return {
        "resourceType": holding.resource_type,
        "resourceId": holding.resource_fqn,
        "resourceName": _last(holding.resource_fqn),
        "roleId": holding.role_id,
    }


def membership(one: Membership) -> dict[str, Any]:
    """A person's team as the SDK's `UserTeamInfo`."""
    return {"teamId": str(one.team_id), "teamName": one.team, "roles": [one.role]}


def _described(held: Role, actions: list[str]) -> dict[str, Any]:
    name = held.id.replace("-", " ")
    return {
        "type": "role",
        "name": held.id,
        "display_name": name.capitalize(),
        "description": f"Built in: {name}.",
        "resource_type": held.resource_type,
        "permissions": actions,
    }


def _by_type(actions: list[str]) -> list[dict[str, Any]]:
    kinds = sorted({action.partition(":")[0] for action in actions})
    return [
        {
            "resourceType": kind,
            "permissions": [one for one in actions if one.startswith(f"{kind}:")],
        }
        for kind in kinds
    ]


def _keyturn(tenant: Tenant) -> dict[str, Any]:
    return Actor.engine(tenant.id).as_subject()


def _last(fqn: str) -> str:
    return fqn.rpartition(":")[2]
