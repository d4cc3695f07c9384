"""Who owns a virtual account, and what it may do: from its manifest, within its writer's rights."""

from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Forbidden, InvalidInput
from core.manifests import VirtualAccountManifest
from core.roles import BUILT_IN, TEAM_MANAGER, TEAM_MEMBER, Resource
from models import GrantRow, Integration, SubjectKind, Team, Tenant, VirtualAccount
from services.access.granting import Subject, Wish, settle_grants
from services.access.permits import held_by
from services.accounts.account_views import resource_of
from services.scope import mine


def owning_team(session: Session, actor: Actor, manifest: VirtualAccountManifest) -> Team | None:
    """The team that the manifest names as owner, which must be one that the actor manages.

    Its row is held, so that it is still there at the commit.
    """
    if manifest.owned_by is None:
        return None
    name = manifest.owned_by.team
    team = session.scalar(
        mine(Team, actor.tenant_id)
        .where(Team.name == name)
        .with_for_update(read=True, key_share=True)
    )
    if team is None:
        raise InvalidInput("ownedBy.team", "there is no team of this name here")
    if not actor.may("team:manage", Resource("team", team.fqn)):
        raise Forbidden(f"This needs team:manage on {team.fqn}.")
    return team


def hand_over(
    session: Session,
    actor: Actor,
    tenant: Tenant,
    account: VirtualAccount,
    manifest: VirtualAccountManifest,
) -> None:
    """The account belongs to the team that the manifest names, or to none.

    Whoever holds a role on the team can then do to the account what that role allows; so the
    actor must be allowed all of it before, and to update the account afterwards.
    """
    team = owning_team(session, actor, manifest)
    if team is not None and team.id != account.team_id:
        before = resource_of(session, account)
        for action in sorted(_allowed_on_accounts_of(session, tenant, team)):
            actor.demand(action, before)
    account.team_id = team.id if team else None
    session.flush()
    actor.demand("virtual-account:update", resource_of(session, account))


def _allowed_on_accounts_of(session: Session, tenant: Tenant, team: Team) -> set[str]:
    """What anybody may do to the team's accounts because of a role on the team."""
    on_team = (GrantRow.resource_type == "team") & (GrantRow.resource_fqn == team.fqn)
    roles = [BUILT_IN[TEAM_MEMBER], BUILT_IN[TEAM_MANAGER]]
    roles += [held.grant.role for held in held_by(session, tenant, on_team) if held.grant]
    actions = {action for role in roles for action in role.actions}
    return {action for action in actions if action.startswith("virtual-account:")}


def settle_permissions(
    session: Session,
    actor: Actor,
    tenant: Tenant,
    account: VirtualAccount,
    manifest: VirtualAccountManifest,
) -> None:
    """The account holds exactly what its manifest grants."""
    wishes = [
        Wish(one.resource_type, one.resource_fqn, one.role_id, f"permissions.{number}")
        for number, one in enumerate(manifest.permissions or [])
    ]
    subject = Subject(SubjectKind.VIRTUAL_ACCOUNT, account.id)
    settle_grants(session, actor, tenant, [subject], wishes)


def demand_use(actor: Actor, integration: Integration) -> None:
    """Forbidden unless the actor holds it, or the integration names it as authorised."""
    if not may_use(actor, integration):
        actor.demand("provider-integration:use", Resource("provider-integration", integration.fqn))


def may_use(actor: Actor, integration: Integration) -> bool:
    """Whether the actor holds it, or the integration names it as authorised."""
    named = actor.permits.subjects(actor.subject) & set(integration.authorized_subjects)
    resource = Resource("provider-integration", integration.fqn)
    return bool(named) or actor.may("provider-integration:use", resource)


def demand_unshared(session: Session, actor: Actor, subject: str) -> None:
    """Forbidden if integrations are shared with this name that the actor may not use.

    Whoever gives somebody new such a name gives them the use of these integrations.
    """
    for integration in session.scalars(
        mine(Integration, actor.tenant_id).where(Integration.deleted_at.is_(None))
    ):
        if subject in integration.authorized_subjects:
            demand_use(actor, integration)
