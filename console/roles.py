"""Roles: the tenant's own and the built-in ones, who holds each, and the form of an own one."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.corrections import CORRECTABLE, NOTHING, Corrections, corrections_of
from console.forms import Form, Sent
from console.listing import PAGE, Listing
from console.onward import onward
from console.parts import TheRuntime
from console.rendering import Show
from console.visitors import SignedIn
from core.errors import NotFound
from core.roles import BUILT_IN, RESOURCE_TYPES, VERBS
from models import CustomRole
from services.access import roles
from services.access.role_holders import HeldRole, count_holders, role_with_holders
from services.expecting import NOTHING_YET, Expected, tag_of
from services.runtime import Runtime

router = APIRouter(prefix="/roles")

# What Keyturn itself asks about; of the other types it tells gateways that ask.
OWN_TYPES = (
    "virtual-account",
    "user",
    "team",
    "role",
    "role-binding",
    "provider-account",
    "provider-integration",
    "secret-group",
    "secret",
    "external-identity-provider",
    "settings",
)
OTHER_TYPES = tuple(sorted(RESOURCE_TYPES - set(OWN_TYPES)))

_TEXTS = ("name", "display_name", "description", "resource_type")
_FIELDS = (*_TEXTS, "permissions")


@router.get("")
def list_(request: Request, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The tenant's own, with how many hold each; the built-in ones if they are asked for."""
    view = Listing.of(request, (), ("show",))
    built_in = view.filters["show"] == "built-in"
    before = 0 if built_in else len(BUILT_IN)
    limit = len(BUILT_IN) if built_in else view.limit
    found, total = roles.list_roles(runtime, actor, limit=limit, offset=before + view.offset)
    held = count_holders(runtime, actor, [one.row.id for one in found if one.row])
    own = total - len(BUILT_IN)
    return show("roles/list.html", list=view, roles=found, own=own, held=held, built_in=built_in)


@router.get("/new")
def ask_new(actor: SignedIn, show: Show) -> Response:
    """The form for a new one."""
    actor.demand_everywhere("role:create")
    return _form(show, None, Form({}), NOTHING)


@router.post("/new")
def create(runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """A new role, which nobody holds yet."""
    try:
        made = roles.put_role(runtime, actor, _manifest({}, sent), expected=NOTHING_YET)
    except CORRECTABLE as error:
        return _form(show, None, sent, corrections_of(error, _FIELDS))
    return onward(f"/roles/{made.row.id}", "role-created")


@router.get("/{role_id}")
def look(
    role_id: str, request: Request, runtime: TheRuntime, actor: SignedIn, show: Show
) -> Response:
    """What it allows, and who holds it on what."""
    view = Listing.of(request, ())
    held = role_with_holders(runtime, actor, role_id, limit=PAGE, offset=view.offset)
    return show("roles/page.html", list=view, held=held)


@router.get("/{role_id}/edit")
def ask_edit(role_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The form, as the role is now."""
    actor.demand_everywhere("role:update")
    row = _own(runtime, actor, role_id)
    return _form(show, row, _as_form(row), NOTHING)


@router.post("/{role_id}/edit")
def edit(role_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """Its holders may do what it says, with their next request."""
    row = _own(runtime, actor, role_id)
    manifest = _manifest(row.manifest, sent)
    try:
        roles.put_role(runtime, actor, manifest, expected=Expected(sent.text("tag") or "gone"))
    except CORRECTABLE as error:
        return _form(show, row, sent, corrections_of(error, _FIELDS))
    return onward(f"/roles/{role_id}", "saved")


@router.get("/{role_id}/delete")
def ask_delete(role_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Whether it can go, or who is in the way."""
    actor.demand_everywhere("role:delete")
    return show("roles/delete.html", held=_held(runtime, actor, role_id))


@router.post("/{role_id}/delete")
def delete(role_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """The role goes."""
    roles.delete_role(runtime, actor, role_id)
    return onward("/roles", "role-deleted")


def _held(runtime: Runtime, actor: SignedIn, role_id: str) -> HeldRole:
    """An own role with some of its holders; of built-in ones nothing can be changed."""
    held = role_with_holders(runtime, actor, role_id, limit=8, offset=0)
    if held.view.row is None:
        raise NotFound("role of your own", role_id)
    return held


def _own(runtime: Runtime, actor: SignedIn, role_id: str) -> CustomRole:
    row = _held(runtime, actor, role_id).view.row
    assert row is not None
    return row


def _manifest(base: dict[str, Any], sent: Form) -> dict[str, Any]:
    """What has no field in the form stays as it was."""
    texts = {name: sent.text(name) for name in _TEXTS}
    if base:
        texts["name"] = base["name"]
    return {**base, "type": "role", **texts, "permissions": sent.all("permissions")}


def _as_form(row: CustomRole) -> Form:
    manifest = row.manifest
    texts = {name: [str(manifest.get(name) or "")] for name in _TEXTS}
    permissions = list(manifest.get("permissions") or [])
    return Form({**texts, "permissions": permissions, "tag": [tag_of(row)]})


def _form(show: Show, row: CustomRole | None, sent: Form, wrong: Corrections) -> Response:
    chosen = set(sent.all("permissions"))
    return show(
        "roles/form.html",
        wrong.status,
        row=row,
        sent=sent,
        chosen=chosen,
        has_others=any(action.partition(":")[0] in OTHER_TYPES for action in chosen),
        own_types=OWN_TYPES,
        other_types=OTHER_TYPES,
        verbs=VERBS,
        wrong=wrong,
    )
