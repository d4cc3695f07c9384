"""Teams: the list of them, the page of each, and the form that makes or changes one."""

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
from models import Team
from services.expecting import NOTHING_YET, Expected, tag_of
from services.people import teams
from services.people.team_story import list_team_lines, team_story
from services.people.team_views import get_team

router = APIRouter(prefix="/teams")

_PEOPLE = ("managers", "members")
_FIELDS = ("name", "display_name", "description", *_PEOPLE)


@router.get("")
def list_(request: Request, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Those that the person is in, or all of them."""
    view = Listing.of(request, ())
    lines, total = list_team_lines(
        runtime, actor, limit=view.limit, offset=view.offset, search=view.search
    )
    return show("teams/list.html", list=view, lines=lines, total=total)


@router.get("/new")
def ask_new(actor: SignedIn, show: Show) -> Response:
    """The form for a new one."""
    actor.demand_everywhere("team:create")
    return _form(show, None, Form({}), NOTHING)


@router.post("/new")
def create(runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """A new team, with its people."""
    manifest = _manifest({}, sent)
    try:
        made = teams.put_team(runtime, actor, manifest, expected=NOTHING_YET)
    except CORRECTABLE as error:
        return _form(show, None, sent, corrections_of(error, _FIELDS, given=manifest))
    return onward(f"/teams/{made.row.id}", "team-created")


@router.get("/{team_id}")
def look(
    team_id: str, request: Request, runtime: TheRuntime, actor: SignedIn, show: Show
) -> Response:
    """One team: who is in it, what it holds, and the virtual accounts that it owns."""
    view = Listing.of(request, ())
    story = team_story(runtime, actor, team_id, limit=PAGE, offset=view.offset)
    return show("teams/page.html", list=view, story=story)


@router.get("/{team_id}/edit")
def ask_edit(team_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The form, as the team is now."""
    team = get_team(runtime, actor, team_id).team
    return _form(show, team, _as_form(team), NOTHING)


@router.post("/{team_id}/edit")
def edit(team_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """The team as the form has it; refused if somebody else changed it meanwhile."""
    team = get_team(runtime, actor, team_id).team
    manifest = _manifest(team.manifest, sent)
    try:
        teams.put_team(runtime, actor, manifest, expected=Expected(sent.text("tag") or "gone"))
    except CORRECTABLE as error:
        return _form(show, team, sent, corrections_of(error, _FIELDS, given=manifest))
    return onward(f"/teams/{team_id}", "saved")


@router.get("/{team_id}/delete")
def ask_delete(team_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """What goes with it; or which virtual accounts are in the way."""
    story = team_story(runtime, actor, team_id, limit=PAGE, offset=0)
    return show("teams/delete.html", story=story)


@router.post("/{team_id}/delete")
def delete(team_id: str, runtime: TheRuntime, actor: SignedIn) -> Response:
    """The team goes; its people stay."""
    teams.delete_team(runtime, actor, team_id)
    return onward("/teams", "team-deleted")


def _manifest(base: dict[str, Any], sent: Form) -> dict[str, Any]:
    """What has no field in the form stays as it was."""
    manifest = {**base, "type": "team", "name": base.get("name") or sent.text("name")}
    for name in ("display_name", "description"):
        manifest[name] = sent.text(name) or None
    return {**manifest, **{name: _lines(sent.raw(name)) for name in _PEOPLE}}


def _lines(text: str) -> list[str]:
    """Addresses, one on each line or separated by commas."""
    return [one.strip() for one in text.replace(",", "\n").splitlines() if one.strip()]


def _as_form(team: Team) -> Form:
    manifest = team.manifest
    texts = {name: [manifest.get(name) or ""] for name in ("name", "display_name", "description")}
    people = {name: ["\n".join(manifest.get(name) or [])] for name in _PEOPLE}
    return Form({**texts, **people, "tag": [tag_of(team)]})


def _form(show: Show, team: Team | None, sent: Form, wrong: Corrections) -> Response:
    return show("teams/form.html", wrong.status, team=team, sent=sent, wrong=wrong)
