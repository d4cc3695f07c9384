"""Who owns a virtual account, and what it may do: from its manifest, within its writer's rights."""

from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Forbidden, InvalidInput
from core.manifests import VirtualAccountManifest
from core.roles import Resource
from models import Integration, SubjectKind, Team, Tenant, VirtualAccount
from services.granting import Subject, Wish, settle_grants
from services.scope import mine


def owning_team(session: Session, actor: Actor, manifest: VirtualAccountManifest) -> Team | None:
    """The team that the manifest names as owner, which must be one that the actor manages."""
    if manifest.owned_by is None:
        return None
    name = manifest.owned_by.team
    team = session.scalar(mine(Team, actor.tenant_id).where(Team.name == name))
    if team is None:
        raise InvalidInput("ownedBy.team", "there is no team of this name here")
    if not actor.may("team:manage", Resource("team", team.fqn)):
        raise Forbidden(f"This needs team:manage on {team.fqn}.")
    return team


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
    if actor.permits.subjects(actor.subject) & set(integration.authorized_subjects):
        return
    actor.demand("provider-integration:use", Resource("provider-integration", integration.fqn))
