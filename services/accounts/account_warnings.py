"""What whoever writes an account's manifest should know, although it is allowed."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.durations import write_duration
from core.errors import KeyturnError
from core.manifests import parse_account
from core.policy import Policy
from models import Integration, Lane, Place, PlaceState, VirtualAccount
from services.accounts.account_views import AccountView
from services.engine.floors import Floor, floors
from services.identity.identity_mapping import NO_TOKEN
from services.notices.subscribers import subscribers_of
from services.opened import Opened
from services.runtime import Runtime
from sinks.base import Sink

NOBODY_HEARS = (
    "This account rotates, but no secret store gets the new token and nobody is told: "
    "its consumers are cut off when the first grace ends."
)


def warnings_of(runtime: Runtime, view: AccountView) -> list[str]:
    """The warnings of an account that somebody looks at."""
    with runtime.database.reading() as session:
        return account_warnings(session, runtime.opened, view.account, runtime.now())


def account_warnings(
    session: Session, opened: Opened, account: VirtualAccount, now: datetime
) -> list[str]:
    """One sentence for each thing that works against the account's policy or its stores.

    The account's places are in the database already.
    """
    manifest = parse_account(account.manifest)
    if manifest.identity_provider_mapping and manifest.stores:
        return [NO_TOKEN]
    policy = account.policy
    if policy is None:
        return []
    if not manifest.stores and not subscribers_of(session, account):
        return [NOBODY_HEARS]
    return [
        *_of_places(session, opened, account, policy, now),
        *_of_limits(session, opened, account),
    ]


def _of_places(
    session: Session, opened: Opened, account: VirtualAccount, policy: Policy, now: datetime
) -> Iterator[str]:
    gap = policy.shortest_gap(now)
    for place, integration in session.execute(_places(account)):
        sink = _sink(opened, integration)
        if sink is None:
            continue
        where = f"{integration.fqn} {place.path}" + (f" [{place.key}]" if place.key else "")
        if gap < sink.shortest_interval:
            yield (
                f"{where}: this account rotates every {write_duration(gap)}, but {sink.title} "
                f"bears no more than one new version of a secret in "
                f"{write_duration(sink.shortest_interval)} for long."
            )
        if policy.grace < sink.usual_refresh:
            yield (
                f"{where}: the old token works for {write_duration(policy.grace)}, but those who "
                f"read {sink.title} usually keep what they read for up to "
                f"{write_duration(sink.usual_refresh)}: some may still use it when it ends."
            )


def _of_limits(session: Session, opened: Opened, account: VirtualAccount) -> Iterator[str]:
    lanes = session.scalars(
        select(Lane)
        .join(Place, (Place.lane_id == Lane.id) & (Place.tenant_id == Lane.tenant_id))
        .where(_active(account), Lane.per_second.is_not(None))
    ).all()
    keys = {lane.quota_key for lane in lanes}
    if not keys:
        return
    shared = select(Lane.id).where(Lane.tenant_id == account.tenant_id, Lane.quota_key.in_(keys))
    for floor in floors(session, opened, account.tenant_id, Place.lane_id.in_(shared)):
        if floor.seconds > account.grace.total_seconds() / 2:
            yield _too_many(floor, account.grace)


def _too_many(floor: Floor, grace: timedelta) -> str:
    least = write_duration(timedelta(seconds=round(floor.seconds)))
    return (
        f"{', '.join(floor.integrations)}: writing all {floor.copies} copies once takes at least "
        f"{least} at {floor.per_second:g} calls a second, more than half of this account's grace "
        f"of {write_duration(grace)}: if all rotate together, old tokens have to be held."
    )


def _places(account: VirtualAccount) -> Any:
    return (
        select(Place, Integration)
        .join(
            Integration,
            (Integration.id == Place.integration_id) & (Integration.tenant_id == Place.tenant_id),
        )
        .where(_active(account))
        .order_by(Integration.fqn, Place.path, Place.key)
    )


def _active(account: VirtualAccount) -> Any:
    return (
        (Place.tenant_id == account.tenant_id)
        & (Place.account_id == account.id)
        & (Place.state == PlaceState.ACTIVE)
    )


def _sink(opened: Opened, integration: Integration) -> Sink | None:
    """The plugin; None where it cannot be asked."""
    try:
        plugin = opened.plugin(integration)
    except (KeyturnError, ValidationError):
        return None
    return plugin if isinstance(plugin, Sink) else None
