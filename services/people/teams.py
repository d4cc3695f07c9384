"""Teams: create or update by manifest, delete.

Who is in a team holds what is granted to it; so nobody changes who is in a team that holds more
than they do. A manager is a member, and holds all of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.access_manifests import TeamManifest, read_manifest
from core.actors import Actor
from core.errors import Conflict, InvalidInput, NotFound
from core.ids import new_id
from core.roles import Resource
from core.spelling import reference_spelling
from models import AccountState, GrantRow, Team, TeamMember, Tenant, User, VirtualAccount
from services.access.granting import demand_held, forget_resource, forget_subject
from services.access.permits import held_by
from services.accounts.entitlements import demand_unshared
from services.expecting import Expected, check_expected
from services.notices.targets import settle_team_targets
from services.outbox import Outbox
from services.people.team_views import TeamView, resource_of, views_of
from services.people.user_life import an_admin_stays, lock_people
from services.runtime import Runtime
from services.scope import find_locked, mine

_WHO = ("managers", "members", "identity_provider_mapping")
_REPEAT = "Somebody else is changing {} at this moment: repeat the call."


@dataclass(frozen=True)
class PutTeam:
    """What a create or update did."""

    view: TeamView
    created: bool
    changed: bool
    existing: dict[str, Any] | None = None

    @property
    def row(self) -> Team:
        return self.view.team


def put_team(
    runtime: Runtime,
    actor: Actor,
    given: dict[str, Any],
    *,
    dry_run: bool = False,
    expected: Expected | None = None,
) -> PutTeam:
    """Creates the team of this name or makes it agree with the manifest.

    Needs `team:create` on the tenant; later `team:manage` on the team for who is in it and
    `team:update` for the rest. An update that touches nothing changes nothing.
    """
    spelled = {"type": "team", **reference_spelling(given)}
    manifest = read_manifest(TeamManifest, spelled)

    def use_case(session: Session, outbox: Outbox) -> PutTeam:
        tenant = lock_people(session, actor)
        team = _named(session, tenant, manifest.name)
        check_expected(expected, team)
        if team is None:
            return _create(runtime, session, outbox, actor, tenant, manifest, spelled)
        with an_admin_stays(session, tenant):
            return _update(runtime, session, outbox, actor, tenant, team, manifest, spelled)

    try:
        return runtime.change(use_case, rehearse=dry_run)
    except IntegrityError:
        raise Conflict(_REPEAT.format(manifest.name)) from None


def delete_team(runtime: Runtime, actor: Actor, team_id: str) -> None:
    """Ends a team, what was granted to it, and what was granted on it; its people stay.

    Needs `team:delete`. Conflict while the team owns virtual accounts.
    """
    _delete(
        runtime,
        actor,
        lambda session, tenant: find_locked(session, Team, tenant.id, team_id, "team"),
    )


def delete_team_by_name(runtime: Runtime, actor: Actor, name: str) -> None:
    """The same, by its name."""

    def named(session: Session, tenant: Tenant) -> Team:
        team = _named(session, tenant, name)
        if team is None:
            raise NotFound("team", name)
        return team

    _delete(runtime, actor, named)


def _named(session: Session, tenant: Tenant, name: str) -> Team | None:
    return session.scalar(
        mine(Team, tenant.id).where(Team.name == name).with_for_update(key_share=True)
    )


def _create(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    actor: Actor,
    tenant: Tenant,
    manifest: TeamManifest,
    spelled: dict[str, Any],
) -> PutTeam:
    actor.demand_everywhere("team:create")
    demand_unshared(session, actor, f"team:{manifest.name}")
    people = _people(session, tenant, manifest)
    team = Team(
        tenant_id=tenant.id,
        id=new_id(),
        name=manifest.name,
        manifest=spelled,
        created_by=actor.as_subject(),
        created_at=outbox.now,
        updated_at=outbox.now,
    )
    session.add(team)
    session.flush()
    _settle_people(session, team, people)
    settle_team_targets(session, runtime.opened, team, manifest.notification_targets, actor)
    _audit(outbox, actor, "team.created", team, {"manifest": spelled})
    return PutTeam(views_of(session, [team], tenant)[0], created=True, changed=True)


def _update(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    actor: Actor,
    tenant: Tenant,
    team: Team,
    manifest: TeamManifest,
    spelled: dict[str, Any],
) -> PutTeam:
    existing = team.manifest
    resource = resource_of(team)
    if not actor.may("team:manage", resource):
        actor.demand("team:update", resource)
    people = _people(session, tenant, manifest)
    moved = _settle_people(session, team, people)
    if moved or _differ(existing, spelled, _WHO):
        actor.demand("team:manage", resource)
        demand_unshared(session, actor, team.fqn)
        for held in held_by(session, tenant, GrantRow.subject_id == team.id):
            if held.grant is not None:
                given = Resource(held.row.resource_type, held.row.resource_fqn)
                demand_held(actor, held.grant.role, given, "members")
    if _differ(existing, spelled, (existing.keys() | spelled.keys()) - set(_WHO)):
        actor.demand("team:update", resource)
    changed = moved or spelled != existing
    if changed:
        settle_team_targets(session, runtime.opened, team, manifest.notification_targets, actor)
        team.manifest = spelled
        team.updated_at = outbox.now
        _audit(outbox, actor, "team.updated", team, {"before": existing, "after": spelled})
    return PutTeam(views_of(session, [team], tenant)[0], False, changed, existing)


def _delete(runtime: Runtime, actor: Actor, find: Callable[[Session, Tenant], Team]) -> None:
    def use_case(session: Session, outbox: Outbox) -> None:
        tenant = lock_people(session, actor)
        team = find(session, tenant)
        actor.demand("team:delete", resource_of(team))
        owned = mine(VirtualAccount, tenant.id).where(VirtualAccount.team_id == team.id)
        living = owned.where(VirtualAccount.state != AccountState.DELETED)
        if session.scalar(living.limit(1)) is not None:
            raise Conflict("This team owns virtual accounts: give them away or delete them first.")
        with an_admin_stays(session, tenant):
            forget_subject(session, tenant.id, team.id)
            forget_resource(session, tenant.id, "team", team.fqn)
            session.execute(
                update(VirtualAccount)
                .where(VirtualAccount.tenant_id == tenant.id, VirtualAccount.team_id == team.id)
                .values(team_id=None)
            )
            session.delete(team)
        _audit(outbox, actor, "team.deleted", team, {"manifest": team.manifest})

    try:
        runtime.change(use_case)
    except IntegrityError:
        raise Conflict("Somebody gives this team a virtual account at this moment.") from None


def _people(session: Session, tenant: Tenant, manifest: TeamManifest) -> dict[UUID, bool]:
    """The ids of those whom the manifest names, and whether each is a manager."""
    named = {email.lower() for email in (*manifest.members, *manifest.managers)}
    found = session.execute(
        select(User.email, User.id).where(User.tenant_id == tenant.id, User.email.in_(named))
    )
    ids = {row.email: row.id for row in found}
    people: dict[UUID, bool] = {}
    for field, emails in (("members", manifest.members), ("managers", manifest.managers)):
        for number, email in enumerate(emails):
            user_id = ids.get(email.lower())
            if user_id is None:
                raise InvalidInput(f"{field}.{number}", "there is no user with this address here")
            people[user_id] = field == "managers"
    return people


def _settle_people(session: Session, team: Team, people: dict[UUID, bool]) -> bool:
    """Exactly these are in the team; answers whether anything changed."""
    rows = session.scalars(
        select(TeamMember).where(
            TeamMember.tenant_id == team.tenant_id, TeamMember.team_id == team.id
        )
    ).all()
    missing = dict(people)
    moved = False
    for row in rows:
        manages = missing.pop(row.user_id, None)
        if manages is None:
            session.delete(row)
        elif row.is_manager != manages:
            row.is_manager = manages
        else:
            continue
        moved = True
    session.add_all(
        TeamMember(tenant_id=team.tenant_id, team_id=team.id, user_id=user_id, is_manager=manages)
        for user_id, manages in missing.items()
    )
    session.flush()
    return moved or bool(missing)


def _differ(before: dict[str, Any], after: dict[str, Any], keys: Iterable[str]) -> bool:
    return any(before.get(key) != after.get(key) for key in keys)


def _audit(outbox: Outbox, actor: Actor, action: str, team: Team, detail: dict[str, Any]) -> None:
    outbox.audit(
        actor,
        action,
        subject_type="team",
        subject_id=team.id,
        subject_name=team.name,
        detail=detail,
    )
