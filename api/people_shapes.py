"""How people and their tokens look on the wire."""

from datetime import datetime, timedelta
from typing import Any

from api.shapes import NEVER, moment
from services.people.invitations import Accepted
from services.people.personal_tokens import TokenView
from services.people.users import UserView


def user(view: UserView) -> dict[str, Any]:
    """A person as the SDK's `User`."""
    row = view.user
    return {
        "id": str(row.id),
        "email": row.email,
        "tenantName": view.tenant.name,
        "accountId": str(row.tenant_id),
        "metadata": {"inviteAccepted": row.invitation is None},
        "roles": view.roles,
        "active": row.active,
        "isEditable": True,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def accepted(done: Accepted) -> dict[str, Any]:
    """The login session that an invitation turned into; its token is shown this once."""
    return {
        "accessToken": done.token.reveal(),
        "refreshToken": None,
        "tokenType": "Bearer",
        "expiresAt": moment(done.until),
        "user": user(done.view),
    }


def personal_token(view: TokenView, now: datetime) -> dict[str, Any]:
    """A personal access token, which the SDK reads as a `VirtualAccount`.

    Its manifest has no `type`: the SDK knows that of a virtual account only.
    """
    row = view.row
    return {
        "id": str(row.id),
        "type": "user",
        "tenantName": view.tenant.name,
        "accountId": str(row.tenant_id),
        "manifest": _manifest(view),
        "jwtId": str(row.id),
        "createdBySubject": row.created_by,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.created_at),
        "isExpired": not row.is_valid(now),
        "lastAccessedAt": moment(view.last_used_at),
        "jwts": [_jwt(view)] if row.is_valid(now) else [],
        "lastFour": row.last_four,
        "expiresAt": moment(row.expires_at),
    }


def _manifest(view: TokenView) -> dict[str, Any]:
    row = view.row
    manifest: dict[str, Any] = {"name": row.name, "user_fqn": f"user:{view.owner}"}
    if row.expires_at is not None:  # the last day of which it sees anything
        last = row.expires_at - timedelta(microseconds=1)
        manifest["expiration_date"] = last.date().isoformat()
    if row.team_name is not None:
        manifest["ownedBy"] = {"account": view.tenant.name, "team": row.team_name}
    return manifest


def _jwt(view: TokenView) -> dict[str, Any]:
    row = view.row
    return {
        "id": str(row.id),
        "subjectType": "user",
        "subjectId": str(row.user_id),
        "expiry": moment(row.expires_at) or NEVER,
        "tokenType": "opaque",
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.created_at),
    }
