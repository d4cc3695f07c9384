"""Users."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from api import people_shapes, shapes
from api.bodies import Body
from api.callers import Caller, TheRuntime, address_of
from api.failed_logins import failed_logins_of
from api.paging import Limit, Offset, Text
from services.people import invitations, user_life
from services.people.sign_in import WELCOME
from services.people.users import get_user, list_users

router = APIRouter(prefix="/api/svc/v1/users", tags=["users"])


class Register(Body):
    """Somebody new; with `sendInviteEmail` a one-time link comes back."""

    email: Text
    sendInviteEmail: bool | None = False  # noqa: N815 - the wire's spelling
    skipIfUserExists: bool | None = False  # noqa: N815 - the wire's spelling
    dryRun: bool | None = False  # noqa: N815 - the wire's spelling
    acceptInviteClientURL: str | None = None  # noqa: N815 - the wire's spelling


class Invite(Body):
    """Who gets a one-time link, and the page that it opens."""

    email: Text
    acceptInviteClientUrl: str  # noqa: N815 - the wire's spelling


class Accept(Body):
    """What the link carries."""

    token: str = Field(max_length=200)


class Roles(Body):
    """All roles that somebody is to hold on the account."""

    email: Text
    roles: Annotated[list[Text], Field(max_length=100)]
    resourceType: Text | None = None  # noqa: N815 - the wire's spelling


class Somebody(Body):
    """Whom it is about."""

    email: Text
    tenantName: Text | None = None  # noqa: N815 - the wire's spelling


@router.get("")
def list_(
    runtime: TheRuntime,
    actor: Caller,
    limit: Limit = 100,
    offset: Offset = 0,
    query: Text = "",
    show_invalid: Annotated[bool, Query(alias="showInvalidUsers")] = False,
) -> dict[str, Any]:
    """The tenant's users, by e-mail."""
    views, total = list_users(
        runtime, actor, limit=limit, offset=offset, search=query, inactive=show_invalid
    )
    items = [people_shapes.user(view) for view in views]
    return shapes.page(items, total=total, offset=offset, limit=limit)


@router.post("/register")
def register(body: Register, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Somebody new, active at once as a tenant-member."""
    own = f"{runtime.settings.public_url.rstrip('/')}{WELCOME}"
    page = (body.acceptInviteClientURL or own) if body.sendInviteEmail else None
    done = invitations.register(
        runtime,
        actor,
        body.email,
        with_link_to=page,
        skip_existing=bool(body.skipIfUserExists),
        dry_run=bool(body.dryRun),
    )
    answer = {"data": people_shapes.user(done.view), "created": done.created}
    made = done.invitation
    return answer if made is None else {**answer, "link": made.link, "emailed": made.mailed}


@router.post("/invite")
def invite(body: Invite, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """A one-time link, valid for 7 days, by which somebody logs in who has nothing yet.

    It is e-mailed if the tenant has a mail channel: `emailed` says so.
    """
    made = invitations.invite(runtime, actor, body.email, page_url=body.acceptInviteClientUrl)
    return {"link": made.link, "emailed": made.mailed}


@router.post("/accept-invitation")
def accept_invitation(body: Accept, request: Request, runtime: TheRuntime) -> dict[str, Any]:
    """The link's token becomes a login session, once; needs no bearer token."""
    address = address_of(request)
    with failed_logins_of(request).attempt(address):
        done = invitations.accept(
            runtime, body.token, address=address, request_id=request.state.request_id
        )
    return people_shapes.accepted(done)


@router.patch("/roles")
def roles(body: Roles, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """The person holds exactly these roles on the account, with the next request."""
    view = user_life.change_roles(
        runtime, actor, body.email, body.roles, resource_type=body.resourceType
    )
    return {"data": people_shapes.user(view)}


@router.patch("/activate")
def activate(body: Somebody, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Everything of the person's that was not revoked works again."""
    view = user_life.set_active(runtime, actor, body.email, active=True, tenant=body.tenantName)
    return {"data": people_shapes.user(view)}


@router.patch("/deactivate")
def deactivate(body: Somebody, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Nothing of the person's works any more, from the next request on."""
    view = user_life.set_active(runtime, actor, body.email, active=False, tenant=body.tenantName)
    return {"data": people_shapes.user(view)}


@router.get("/{user_id}")
def get(user_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """One person; everybody may read themselves."""
    return {"data": people_shapes.user(get_user(runtime, actor, user_id))}


@router.delete("/{user_id}")
def delete(
    user_id: str,
    runtime: TheRuntime,
    actor: Caller,
    tenant_name: Annotated[Text | None, Query(alias="tenantName")] = None,
) -> dict[str, Any]:
    """The person goes, with their tokens, sessions, grants and memberships."""
    user_life.delete_user(runtime, actor, user_id, tenant=tenant_name)
    return {}
