"""The lanes of an integration: made when first needed, paced as plugin and operator say."""

from uuid import UUID

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.errors import InvalidInput
from core.ids import new_id
from core.plugins import Family, Plugin
from models import Bucket, Integration, Lane
from notifiers.base import Notifier
from services.scope import mine


def lane_for(session: Session, integration: Integration, plugin: Plugin, address: str = "") -> Lane:
    """The lane of this integration to this address; a second call finds the first one's."""
    found = session.scalar(
        mine(Lane, integration.tenant_id).where(
            Lane.integration_id == integration.id, Lane.address == address
        )
    )
    if found is not None:
        return found
    lane = Lane(
        tenant_id=integration.tenant_id,
        id=new_id(),
        integration_id=integration.id,
        kind=integration.kind,
        address=address,
    )
    _pace(session, lane, integration, plugin)
    session.add(lane)
    session.flush()
    return lane


def repace(session: Session, integration: Integration, plugin: Plugin) -> None:
    """Gives every lane of a changed integration its new pace."""
    for lane in session.scalars(
        mine(Lane, integration.tenant_id).where(Lane.integration_id == integration.id)
    ):
        _pace(session, lane, integration, plugin)
    session.flush()


def _pace(session: Session, lane: Lane, integration: Integration, plugin: Plugin) -> None:
    pace = plugin.pace
    lane.per_second = integration.rate or pace.per_second
    lane.cost = pace.cost
    lane.concurrency = pace.concurrency
    lane.send_limit = pace.send_limit
    lane.most_in_digest = plugin.most_in_digest if isinstance(plugin, Notifier) else 1
    key = plugin.quota_key(lane.address) or (str(integration.id) if lane.per_second else None)
    lane.quota_key = f"{integration.kind}:{key}"[:200] if key else None
    if lane.quota_key is not None:
        _ensure_bucket(session, lane.quota_key, integration)


def _ensure_bucket(session: Session, quota_key: str, integration: Integration) -> None:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(
        dialect.insert(Bucket)
        .values(quota_key=quota_key, next_at=integration.created_at)
        .on_conflict_do_nothing()
    )


def configured(
    session: Session, tenant_id: UUID, fqn: str, family: Family, where: str
) -> Integration:
    """The tenant's integration of this name and family; InvalidInput for what stood in `where`."""
    integration = session.scalar(
        mine(Integration, tenant_id)
        .where(
            Integration.fqn == fqn, Integration.deleted_at.is_(None), Integration.family == family
        )
        .with_for_update(read=True, key_share=True)  # nobody takes it away before this commit
    )
    if integration is None:
        raise InvalidInput(where, f"there is no {family.value} integration of this name here")
    return integration
