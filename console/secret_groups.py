"""Secret groups of the built-in store: the list, the page of each, and what is in it."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.account_form_rows import Row, Rows
from console.corrections import CORRECTABLE, NOTHING, Corrections, corrections_of
from console.forms import Form, Sent
from console.listing import Listing
from console.onward import onward
from console.parts import TheRuntime
from console.rendering import Show
from console.role_bindings import KINDS
from console.visitors import SignedIn
from models import SecretGroup
from services.access.roles import roles_for
from services.expecting import NOTHING_YET, Expected, tag_of
from services.secrets import secret_groups
from services.secrets.group_reading import get_secret_group, list_secret_groups
from services.secrets.secret_group_story import secret_group_story

router = APIRouter(prefix="/secret-groups")


def _collaborator(entry: dict[str, Any]) -> Row:
    kind, _, name = str(entry.get("subject", "")).partition(":")
    return {"type": kind, "name": name, "role": entry.get("role_id", ""), "kept": ""}


def _as_collaborator(row: Row, _kept: dict[str, Any]) -> dict[str, Any]:
    return {"subject": f"{row['type']}:{row['name'].strip()}", "role_id": row["role"]}


COLLABORATORS = Rows(
    "collaborators", ("type", "name", "role"), "name", _collaborator, _as_collaborator
)


@router.get("")
def list_(request: Request, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Those that the person may read; a search looks into their keys, too."""
    view = Listing.of(request, ())
    groups, total = list_secret_groups(
        runtime, actor, limit=view.limit, offset=view.offset, search=view.search
    )
    return show("secret_groups/list.html", list=view, groups=groups, total=total)


@router.get("/new")
def ask_new(runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The form for a new one."""
    actor.demand_everywhere("secret-group:create")
    return _form(runtime, actor, show, None, {}, NOTHING)


@router.post("/new")
def create(runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """A new group, with nothing in it."""
    fields = _fields(sent)
    if fields.get("add"):
        return _form(runtime, actor, show, None, fields, NOTHING)
    try:
        made = secret_groups.put_secret_group(
            runtime, actor, _manifest({}, fields), expected=NOTHING_YET
        )
    except CORRECTABLE as error:
        return _form(runtime, actor, show, None, fields, _wrong(error, fields))
    return onward(f"/secret-groups/{made.row.id}", "group-created")


@router.get("/{group_id}")
def look(group_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Its keys, never a value."""
    return _page(group_id, runtime, actor, show, Form({}), NOTHING)


@router.post("/{group_id}/secrets")
def put(group_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """A value under a key; what was there before stays as an older version."""
    try:
        secret_groups.put_secret(runtime, actor, group_id, sent.text("key"), sent.raw("value"))
    except CORRECTABLE as error:
        names = {"secrets.0.key": "key", "secrets.0.value": "value"}
        wrong = corrections_of(error, ("key", "value"), names)
        return _page(group_id, runtime, actor, show, sent, wrong)
    return onward(f"/secret-groups/{group_id}", "secret-put")


@router.get("/{group_id}/edit")
def ask_edit(group_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Who may do what with it."""
    group = get_secret_group(runtime, actor, group_id).group
    entries = group.manifest.get("collaborators") or []
    fields = {"tag": tag_of(group), **COLLABORATORS.fields(entries)}
    return _form(runtime, actor, show, group, fields, NOTHING)


@router.post("/{group_id}/edit")
def edit(group_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """Exactly these may; refused if somebody else changed it meanwhile."""
    group, fields = get_secret_group(runtime, actor, group_id).group, _fields(sent)
    if fields.get("add"):
        return _form(runtime, actor, show, group, fields, NOTHING)
    try:
        expected = Expected(fields.get("tag") or "gone")
        manifest = _manifest(group.manifest, fields)
        secret_groups.put_secret_group(runtime, actor, manifest, expected=expected)
    except CORRECTABLE as error:
        return _form(runtime, actor, show, group, fields, _wrong(error, fields))
    return onward(f"/secret-groups/{group_id}", "saved")


@router.get("/{group_id}/delete")
def ask_delete(group_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """What goes with it, and whose tokens are kept there."""
    return show("secret_groups/delete.html", story=secret_group_story(runtime, actor, group_id))


@router.post("/{group_id}/delete")
def delete(group_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent) -> Response:
    """It goes with its values; where accounts keep tokens in it, only if that is meant."""
    secret_groups.delete_secret_group(runtime, actor, group_id, force=sent.flag("force"))
    return onward("/secret-groups", "group-deleted")


def _fields(sent: Form) -> dict[str, str]:
    return COLLABORATORS.renumbered({name: sent.raw(name) for name in sent.names()})


def _manifest(base: dict[str, Any], fields: dict[str, str]) -> dict[str, Any]:
    manifest = {
        **base,
        "type": "secret-group",
        "name": base.get("name") or fields.get("name", "").strip(),
    }
    entries = COLLABORATORS.entries(fields)
    if entries or base.get("collaborators"):
        manifest["collaborators"] = entries
    return manifest


def _wrong(error: Any, fields: dict[str, str]) -> Corrections:
    """Errors of a row are about whom it names, unless they name the role."""
    names = {"collaborators": "collaborators.0.name"}
    for number in range(len(COLLABORATORS.rows(fields))):
        names[f"collaborators.{number}"] = f"collaborators.{number}.name"
        names[f"collaborators.{number}.role_id"] = f"collaborators.{number}.role"
    return corrections_of(error, {"name", *names.values()}, names)


def _form(
    runtime: TheRuntime,
    actor: SignedIn,
    show: Show,
    group: SecretGroup | None,
    fields: dict[str, str],
    wrong: Corrections,
) -> Response:
    rows = len(COLLABORATORS.rows(fields)) + (fields.get("add", "") == COLLABORATORS.name)
    roles = [one.id for one in roles_for(runtime, actor, ["secret-group"])]
    return show(
        "secret_groups/form.html",
        wrong.status,
        group=group,
        fields=fields,
        numbers=range(max(rows, 1)),
        kinds=KINDS,
        roles=[(one, one) for one in roles],
        wrong=wrong,
    )


def _page(
    group_id: str,
    runtime: TheRuntime,
    actor: SignedIn,
    show: Show,
    sent: Form,
    wrong: Corrections,
) -> Response:
    story = secret_group_story(runtime, actor, group_id)
    return show("secret_groups/page.html", wrong.status, story=story, sent=sent, wrong=wrong)
