"""Role bindings: several subjects hold several roles; the list, the page and the form of them."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console import account_choices
from console.account_form_rows import Row, Rows
from console.corrections import CORRECTABLE, NOTHING, Corrections, corrections_of
from console.forms import Sent
from console.listing import Listing
from console.onward import onward
from console.parts import TheRuntime
from console.rendering import Show
from console.visitors import SignedIn
from core.actors import Actor
from models import RoleBinding
from services.access import bindings
from services.accounts.account_options import options_for
from services.expecting import NOTHING_YET, Expected, tag_of
from services.runtime import Runtime

router = APIRouter(prefix="/role-bindings")

KINDS = (("user", "Person"), ("team", "Team"), ("virtualaccount", "Virtual account"))

Fields = Mapping[str, str]


def _subject(entry: dict[str, Any]) -> Row:
    return {"type": entry.get("type", ""), "name": entry.get("name", ""), "kept": ""}


def _as_subject(row: Row, _kept: dict[str, Any]) -> dict[str, Any]:
    return {"type": row["type"], "name": row["name"].strip()}


def _role(entry: dict[str, Any]) -> Row:
    chosen = f"{entry.get('resource_type', '')}|{entry.get('role', '')}"
    return {"role": chosen, "resource": entry.get("resource_fqn", ""), "kept": ""}


def _as_role(row: Row, _kept: dict[str, Any]) -> dict[str, Any]:
    kind, _, role = row["role"].partition("|")
    return {"resource_type": kind, "resource_fqn": row["resource"].strip(), "role": role}


SUBJECTS = Rows("subjects", ("type", "name"), "name", _subject, _as_subject)
ROLES = Rows("permissions", ("role", "resource"), "role", _role, _as_role)
_ROWS = (SUBJECTS, ROLES)


@router.get("")
def list_(request: Request, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """All of them, by name."""
    view = Listing.of(request, ())
    rows, total = bindings.list_bindings(runtime, actor, limit=view.limit, offset=view.offset)
    return show("role_bindings/list.html", list=view, rows=rows, total=total)


@router.get("/new")
def ask_new(runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The form for a new one."""
    actor.demand_everywhere("role-binding:create")
    return _form(runtime, actor, show, None, {}, NOTHING)


@router.post("/new")
def create(runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """Each of the subjects holds each of the roles, with its next request."""
    fields = _fields({name: sent.raw(name) for name in sent.names()})
    if sent.text("add"):
        return _form(runtime, actor, show, None, fields, NOTHING)
    try:
        made = bindings.put_binding(runtime, actor, _manifest({}, fields), expected=NOTHING_YET)
    except CORRECTABLE as error:
        return _form(runtime, actor, show, None, fields, _wrong(error, fields))
    return onward(f"/role-bindings/{made.row.id}", "binding-created")


@router.get("/{binding_id}")
def look(binding_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Who holds what by it."""
    row = bindings.get_binding(runtime, actor, binding_id)
    return show("role_bindings/page.html", row=row, kinds=dict(KINDS))


@router.get("/{binding_id}/edit")
def ask_edit(binding_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The form, as the binding is now."""
    actor.demand_everywhere("role-binding:update")
    row = bindings.get_binding(runtime, actor, binding_id)
    fields = {
        "name": row.name,
        "tag": tag_of(row),
        **SUBJECTS.fields(row.manifest.get("subjects") or []),
        **ROLES.fields(row.manifest.get("permissions") or []),
    }
    return _form(runtime, actor, show, row, fields, NOTHING)


@router.post("/{binding_id}/edit")
def edit(binding_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """Exactly these hold exactly this; refused if somebody else changed it meanwhile."""
    row = bindings.get_binding(runtime, actor, binding_id)
    fields = _fields({name: sent.raw(name) for name in sent.names()})
    if sent.text("add"):
        return _form(runtime, actor, show, row, fields, NOTHING)
    try:
        expected = Expected(sent.text("tag") or "gone")
        bindings.put_binding(runtime, actor, _manifest(row.manifest, fields), expected=expected)
    except CORRECTABLE as error:
        return _form(runtime, actor, show, row, fields, _wrong(error, fields))
    return onward(f"/role-bindings/{binding_id}", "saved")


@router.get("/{binding_id}/delete")
def ask_delete(binding_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Who would lose what."""
    actor.demand_everywhere("role-binding:delete")
    row = bindings.get_binding(runtime, actor, binding_id)
    return show("role_bindings/delete.html", row=row)


@router.post("/{binding_id}/delete")
def delete(binding_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """What it gave is held no more."""
    bindings.delete_binding(runtime, actor, binding_id)
    return onward("/role-bindings", "binding-deleted")


def _fields(given: Fields) -> Fields:
    """Without gaps where rows were emptied."""
    for rows in _ROWS:
        given = rows.renumbered(given)
    return given


def _manifest(base: dict[str, Any], fields: Fields) -> dict[str, Any]:
    return {
        **base,
        "type": "role-binding",
        "name": base.get("name") or fields.get("name", "").strip(),
        "subjects": SUBJECTS.entries(fields),
        "permissions": ROLES.entries(fields),
    }


def _wrong(error: Any, fields: Fields) -> Corrections:
    """Errors of a row are about its first field, unless they name another."""
    names = {"subjects": "subjects.0.name", "permissions": "permissions.0.role"}
    for number in range(len(SUBJECTS.rows(fields))):
        names[f"subjects.{number}"] = f"subjects.{number}.name"
    for number in range(len(ROLES.rows(fields))):
        names[f"permissions.{number}.resource_fqn"] = f"permissions.{number}.resource"
        names[f"permissions.{number}"] = f"permissions.{number}.role"
    return corrections_of(error, {"name", *names.values()}, names)


def _form(
    runtime: Runtime,
    actor: Actor,
    show: Show,
    row: RoleBinding | None,
    fields: Fields,
    wrong: Corrections,
) -> Response:
    added = fields.get("add", "")
    return show(
        "role_bindings/form.html",
        wrong.status,
        row=row,
        fields=fields,
        numbers={
            one.name: range(max(len(one.rows(fields)) + (added == one.name), 1)) for one in _ROWS
        },
        kinds=KINDS,
        options=options_for(runtime, actor),
        offers=account_choices,
        wrong=wrong,
    )
