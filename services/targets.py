"""Who is told of an account: made to agree with its manifest."""

from uuid import UUID

from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import InvalidInput
from core.ids import new_id
from core.manifests import VirtualAccountManifest
from core.plugins import Family
from models import Integration, Lane, Target, VirtualAccount
from notifiers.base import Notifier
from services.destinations import configured, lane_for
from services.entitlements import demand_use
from services.opened import Opened
from services.scope import mine

_TARGETS = "notification_targets.{}"


def settle_targets(
    session: Session,
    opened: Opened,
    account: VirtualAccount,
    manifest: VirtualAccountManifest,
    actor: Actor,
) -> None:
    """Who is told, exactly as the manifest says."""
    wanted: dict[tuple[UUID, str], tuple[Lane, Integration]] = {}
    for number, target in enumerate(manifest.targets):
        of = "notification_target" if manifest.notification_target else _TARGETS.format(number)
        where = f"{of}.notification_channel"
        integration = configured(
            session, account, target.notification_channel, Family.NOTIFIER, where
        )
        if integration.kind != target.type:
            raise InvalidInput(where, f"{integration.fqn} is a channel of type {integration.kind}")
        plugin = opened.plugin(integration)
        assert isinstance(plugin, Notifier)
        for address in target.addresses():
            lane = lane_for(session, integration, plugin, plugin.lane_address(address))
            wanted[lane.id, address] = lane, integration
    existing = session.scalars(
        mine(Target, account.tenant_id).where(Target.account_id == account.id)
    ).all()
    for target_row in existing:
        if wanted.pop((target_row.lane_id, target_row.address), None) is None:
            session.delete(target_row)
    for (lane_id, address), (_, integration) in wanted.items():
        demand_use(actor, integration)
        session.add(
            Target(
                tenant_id=account.tenant_id,
                id=new_id(),
                account_id=account.id,
                lane_id=lane_id,
                address=address,
            )
        )
    session.flush()
