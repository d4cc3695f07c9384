"""Teams, and what people hold by them and otherwise."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from api import access_shapes as shapes
from api.callers import Caller, TheRuntime
from api.paging import Limit, Offset, Text
from api.shapes import page
from core.errors import InvalidInput
from services.access import holdings
from services.people import team_views, teams

router = APIRouter(prefix="/api/svc/v1", tags=["teams"])


class PutTeam(BaseModel):
    """A manifest, and whether it is only to be checked."""

    model_config = ConfigDict(hide_input_in_errors=True)

    manifest: dict[str, Any]
    dryRun: bool | None = False  # noqa: N815 - the wire's spelling


def _refuse_filter(conditions: Annotated[Text | None, Query(alias="filter")] = None) -> None:
    """Better than an answer with more in it than was asked for."""
    if conditions is not None:
        raise InvalidInput("filter", "people of a team are not filtered; leave it out")


Unfiltered = Annotated[None, Depends(_refuse_filter)]


@router.get("/teams/user")
def list_(
    runtime: TheRuntime,
    actor: Caller,
    limit: Limit = 100,
    offset: Offset = 0,
    role: Literal["manager"] | None = None,
    with_members: Annotated[bool, Query(alias="includeMembership")] = True,
) -> dict[str, Any]:
    """The caller's teams, by name; all of them for who manages all."""
    views, total = team_views.list_teams(
        runtime, actor, limit=limit, offset=offset, managed=role == "manager"
    )
    items = [shapes.team(view, with_members=with_members) for view in views]
    return page(items, total=total, offset=offset, limit=limit)


@router.put("/teams")
def put(body: PutTeam, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Creates or updates by name."""
    done = teams.put_team(runtime, actor, body.manifest, dry_run=bool(body.dryRun))
    return {"data": shapes.team(done.view)}


@router.get("/teams/{team_id}")
def get(team_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """One team with its people."""
    return {"data": shapes.team(team_views.get_team(runtime, actor, team_id))}


@router.delete("/teams/{team_id}")
def delete(team_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Ends a team that owns no virtual accounts, with all that was granted to it."""
    teams.delete_team(runtime, actor, team_id)
    return {}


@router.get("/teams/{team_id}/members")
def members(
    team_id: str,
    runtime: TheRuntime,
    actor: Caller,
    _: Unfiltered,
    limit: Limit = 100,
    offset: Offset = 0,
) -> dict[str, Any]:
    """Everybody in the team, by e-mail; its managers too."""
    people, total = team_views.list_members(runtime, actor, team_id, limit=limit, offset=offset)
    items = [shapes.team_member(one) for one in people]
    return page(items, total=total, offset=offset, limit=limit)


@router.get("/teams/{team_id}/managers")
def managers(
    team_id: str,
    runtime: TheRuntime,
    actor: Caller,
    _: Unfiltered,
    limit: Limit = 100,
    offset: Offset = 0,
) -> dict[str, Any]:
    """Those who decide who is in the team, by e-mail."""
    people, total = team_views.list_members(
        runtime, actor, team_id, limit=limit, offset=offset, managers=True
    )
    items = [shapes.team_member(one) for one in people]
    return page(items, total=total, offset=offset, limit=limit)


@router.get("/teams/{team_id}/permissions")
def permissions(team_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """What is granted to the team, and so to everybody in it."""
    return {
        "data": [shapes.permission(one) for one in holdings.list_of_team(runtime, actor, team_id)]
    }


@router.get("/x/users/{user_id}/resources")
def users_resources(user_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """On what the person has which role."""
    held = holdings.list_of_user(runtime, actor, user_id)
    return {"data": [shapes.resource(one) for one in held]}


@router.get("/x/users/{user_id}/permissions")
def users_permissions(user_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """The same, and whether it is the person's own or a team's."""
    held = holdings.list_of_user(runtime, actor, user_id)
    return {"data": [shapes.permission(one) for one in held]}


@router.get("/x/users/{user_id}/teams")
def users_teams(user_id: str, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """The person's teams, and their role in each."""
    found = holdings.list_memberships(runtime, actor, user_id)
    return {"data": [shapes.membership(one) for one in found]}
