"""Whom accounts, teams and tenants have told: made to agree with what they say."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import InvalidInput
from core.ids import new_id
from core.manifests import VirtualAccountManifest
from core.notice_targets import NoticeTarget
from core.plugins import Family
from models import DefaultTarget, Integration, Target, Team, VirtualAccount
from notifiers.base import Notifier
from services.accounts.entitlements import demand_use
from services.delivery.destinations import configured, lane_for
from services.opened import Opened
from services.scope import mine

LIST = "notification_targets"
_Row = Target | DefaultTarget


class _Wanted(NamedTuple):
    integration: Integration
    values: dict[str, Any]


def settle_targets(
    session: Session,
    opened: Opened,
    account: VirtualAccount,
    manifest: VirtualAccountManifest,
    actor: Actor,
) -> None:
    """Who is told of the account, exactly as its manifest says."""
    account.is_silent = manifest.is_silent
    only = "notification_target" if manifest.notification_target else None
    wanted = _wanted(session, opened, account.tenant_id, manifest.targets, only)
    query = mine(Target, account.tenant_id).where(Target.account_id == account.id)
    rows = session.scalars(query).all()
    _settle(session, actor, rows, wanted, Target, account.tenant_id, account_id=account.id)


def forget_targets(session: Session, account: VirtualAccount) -> None:
    """The account is no more: what is left to say of it goes to its team's or tenant's targets."""
    account.is_silent = False
    session.execute(
        delete(Target).where(Target.tenant_id == account.tenant_id, Target.account_id == account.id)
    )


def settle_team_targets(
    session: Session,
    opened: Opened,
    team: Team,
    targets: Sequence[NoticeTarget] | None,
    actor: Actor,
) -> None:
    """Who is told of the team's accounts that do not say it themselves."""
    team.is_silent = targets is not None and not targets
    wanted = _wanted(session, opened, team.tenant_id, targets or [])
    query = mine(DefaultTarget, team.tenant_id).where(DefaultTarget.team_id == team.id)
    rows = session.scalars(query).all()
    _settle(session, actor, rows, wanted, DefaultTarget, team.tenant_id, team_id=team.id)


def settle_tenant_targets(
    session: Session,
    opened: Opened,
    tenant_id: UUID,
    targets: Sequence[NoticeTarget],
    actor: Actor,
) -> None:
    """Who is told of the tenant's accounts for which nobody else is."""
    wanted = _wanted(session, opened, tenant_id, targets)
    query = mine(DefaultTarget, tenant_id).where(DefaultTarget.team_id.is_(None))
    _settle(session, actor, session.scalars(query).all(), wanted, DefaultTarget, tenant_id)


def _wanted(
    session: Session,
    opened: Opened,
    tenant_id: UUID,
    targets: Sequence[NoticeTarget],
    only: str | None = None,
) -> dict[tuple[UUID, str], _Wanted]:
    """Each recipient as its row should be; InvalidInput names the target that cannot be."""
    wanted: dict[tuple[UUID, str], _Wanted] = {}
    for number, target in enumerate(targets):
        said = only or f"{LIST}.{number}"
        where = f"{said}.notification_channel"
        integration = configured(
            session, tenant_id, target.notification_channel, Family.NOTIFIER, where
        )
        if integration.kind != target.type:
            raise InvalidInput(where, f"{integration.fqn} is a channel of type {integration.kind}")
        plugin = opened.plugin(integration)
        assert isinstance(plugin, Notifier)
        choice = {
            "events": sorted(set(target.events)) if target.events is not None else None,
            "minimum_severity": int(target.least),
            "timezone": target.timezone,
        }
        for address in target.addresses():
            lane = lane_for(session, integration, plugin, plugin.lane_address(address))
            before = wanted.get((lane.id, address))
            if before is None:
                values = {**choice, "position": len(wanted)}
                wanted[lane.id, address] = _Wanted(integration, values)
            elif before.values != {**choice, "position": before.values["position"]}:
                raise InvalidInput(
                    said, f"this names {address or 'its channel'} once more, but for other notices"
                )
    return wanted


def _settle(
    session: Session,
    actor: Actor,
    rows: Sequence[_Row],
    wanted: dict[tuple[UUID, str], _Wanted],
    model: type[_Row],
    tenant_id: UUID,
    **owner: UUID,
) -> None:
    for row in rows:
        kept = wanted.pop((row.lane_id, row.address), None)
        if kept is None:
            session.delete(row)
            continue
        for name, value in kept.values.items():
            setattr(row, name, value)
    for (lane_id, address), new in wanted.items():
        demand_use(actor, new.integration)
        spot = {"tenant_id": tenant_id, "id": new_id(), "lane_id": lane_id, "address": address}
        session.add(model(**spot, **owner, **new.values))
    session.flush()
