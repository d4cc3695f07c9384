"""What is done with a person: each asks first, and says what will stop working."""

from fastapi import APIRouter
from starlette.responses import Response

from console.corrections import CORRECTABLE, NOTHING, Corrections, corrections_of
from console.forms import Sent
from console.onward import onward
from console.parts import TheRuntime
from console.rendering import Show
from console.users import welcome_page
from console.visitors import SignedIn
from core.roles import TENANT_TYPES
from services.access.roles import roles_for
from services.people import invitations, user_life
from services.people.user_stakes import stakes_of
from services.people.users import UserView, get_user

router = APIRouter(prefix="/users/{user_id}")


@router.get("/roles")
def ask_roles(user_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Which roles the person has on the whole tenant."""
    view = get_user(runtime, actor, user_id)
    return _roles(runtime, actor, show, view, view.roles, NOTHING)


@router.post("/roles")
def change_roles(
    user_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show
) -> Response:
    """Exactly these, with the next request."""
    view, wanted = get_user(runtime, actor, user_id), sent.all("roles")
    try:
        user_life.change_roles(runtime, actor, view.user.email, ["tenant-member", *wanted])
    except CORRECTABLE as error:
        return _roles(runtime, actor, show, view, wanted, corrections_of(error, ()))
    return onward(f"/users/{user_id}", "roles-changed")


@router.post("/invitation")
def invite(user_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """A new link for somebody who has not begun yet; the one before works no more."""
    email = get_user(runtime, actor, user_id).user.email
    made = invitations.invite(runtime, actor, email, page_url=welcome_page(runtime))
    if made.mailed:
        return onward(f"/users/{user_id}", "invited")
    return show("users/invited.html", email=email, link=made.link)


@router.get("/deactivate")
def ask_deactivate(user_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """What stops working meanwhile."""
    actor.demand_everywhere("user:update")
    return show("users/deactivate.html", stakes=stakes_of(runtime, actor, user_id))


@router.post("/deactivate")
def deactivate(user_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """Nothing of the person's works, until they are activated again."""
    _set_active(runtime, actor, user_id, active=False)
    return onward(f"/users/{user_id}", "deactivated")


@router.post("/activate")
def activate(user_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """All that was not revoked works again."""
    _set_active(runtime, actor, user_id, active=True)
    return onward(f"/users/{user_id}", "activated")


@router.get("/delete")
def ask_delete(user_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """What goes with the person."""
    actor.demand_everywhere("user:delete")
    return show("users/delete.html", stakes=stakes_of(runtime, actor, user_id))


@router.post("/delete")
def delete(user_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """The person goes."""
    user_life.delete_user(runtime, actor, user_id)
    return onward("/users", "user-deleted")


def _set_active(runtime: TheRuntime, actor: SignedIn, user_id: str, *, active: bool) -> None:
    email = get_user(runtime, actor, user_id).user.email
    user_life.set_active(runtime, actor, email, active=active)


def _roles(
    runtime: TheRuntime,
    actor: SignedIn,
    show: Show,
    view: UserView,
    chosen: list[str],
    wrong: Corrections,
) -> Response:
    roles = roles_for(runtime, actor, TENANT_TYPES)
    return show(
        "users/roles.html", wrong.status, view=view, roles=roles, chosen=chosen, wrong=wrong
    )
