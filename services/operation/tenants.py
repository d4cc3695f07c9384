"""Tenants: which one a host name means, and the limits for its keys and logins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from core.actors import Actor
from core.durations import write_duration
from core.errors import InvalidInput, NotFound
from core.fields import Part
from core.jwks import SIGNING
from core.leaks import OnLeak
from core.notice_targets import NoticeTargets
from core.parsing import parse
from core.reminders import BEFORE_PERSONAL_EXPIRY, next_reminder
from models import PersonalAccessToken, Tenant, User
from services.notices.targets import LIST, settle_tenant_targets
from services.outbox import Outbox
from services.runtime import Runtime

_DAY = timedelta(days=1)
_LISTED = 1_000
_MOST = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What a tenant allows; the defaults are the reference's. None: there is no limit.

    `notification_targets` are told of accounts for which nobody else is, as manifests write them.
    """

    smallest_interval: timedelta = timedelta(days=30)
    smallest_grace: timedelta = timedelta(days=1)
    max_hold: timedelta = timedelta(days=7)
    pick_up: timedelta = timedelta(minutes=10)
    default_grace: timedelta = timedelta(days=30)
    session_length: timedelta = timedelta(hours=12)
    pat_longest_life: timedelta | None = None
    pat_most_per_user: int | None = None
    jwt_algorithm: str = SIGNING[0]
    on_leak: OnLeak = OnLeak.REVOKE
    notification_targets: Sequence[Mapping[str, Any]] = ()


class _Targets(Part):
    notification_targets: NoticeTargets


@dataclass(frozen=True)
class LongLived:
    """A personal access token that goes on for longer than a new one could.

    `ends_at` is its end before it was shortened, if it was.
    """

    id: UUID
    name: str
    email: str
    ends_at: datetime | None


@dataclass(frozen=True)
class Settled:
    """The limits that hold now, and the personal access tokens that go beyond them."""

    limits: Limits
    total: int = 0
    tokens: Sequence[LongLived] = ()


def tenant_of_host(runtime: Runtime, host: str) -> Tenant:
    """The only tenant, whatever the host; of several, the one named like the host's first label."""
    label = host.partition(".")[0].partition(":")[0].lower()
    with runtime.database.reading() as session:
        tenants = session.scalars(select(Tenant).order_by(Tenant.created_at).limit(2)).all()
        if len(tenants) == 1:
            return tenants[0]
        tenant = session.scalar(select(Tenant).where(Tenant.name == label))
    if tenant is None:
        raise NotFound("tenant at", host)
    return tenant


def read_limits(runtime: Runtime, actor: Actor) -> Settled:
    """The limits of the actor's tenant."""
    actor.demand_everywhere("settings:read")
    with runtime.database.reading() as session:
        tenant = session.get_one(Tenant, actor.tenant_id)
        return _settled(session, tenant, runtime.now())


def set_limits(
    runtime: Runtime,
    actor: Actor,
    changes: Mapping[str, Any],
    *,
    shorten: bool = False,
    dry_run: bool = False,
) -> Settled:
    """Changes the limits that are given; accounts and sessions stay as they are.

    `shorten` ends personal access tokens that go on for longer than a new one could at the
    moment when a new one would; otherwise they are only answered.
    """
    actor.demand_everywhere("settings:update")

    def use_case(session: Session, outbox: Outbox) -> Settled:
        tenant = session.get_one(
            Tenant, actor.tenant_id, with_for_update={"key_share": True}, populate_existing=True
        )
        before = _limits(tenant)
        for name, value in changes.items():
            setattr(tenant, name, value)
        after = _limits(tenant)
        _check(after)
        if after.notification_targets != before.notification_targets:
            given = {LIST: after.notification_targets}
            targets = parse(TypeAdapter(_Targets), given).notification_targets
            settle_tenant_targets(session, runtime.opened, tenant.id, targets, actor)
        settled = _settled(session, tenant, outbox.now)
        shortened = _shorten(session, tenant, outbox.now) if shorten else 0
        if after != before or shortened:
            detail = {"before": _written(before), "after": _written(after), "shortened": shortened}
            outbox.audit(
                actor,
                "tenant.limits-changed",
                subject_type="tenant",
                subject_id=tenant.id,
                subject_name=tenant.name,
                detail=detail,
            )
        return settled

    return runtime.change(use_case, rehearse=dry_run)


def _check(limits: Limits) -> None:
    for name in ("smallest_interval", "smallest_grace", "default_grace", "session_length"):
        if getattr(limits, name) == timedelta(0):
            raise InvalidInput(name, "give more than nothing")
    if limits.default_grace < limits.smallest_grace:
        least = write_duration(limits.smallest_grace)
        raise InvalidInput("default_grace", f"give at least the smallest grace, {least}")
    if limits.pat_longest_life is not None and limits.pat_longest_life < _DAY:
        raise InvalidInput("pat_longest_life", "give at least 1d: tokens end with a day")
    if limits.jwt_algorithm not in SIGNING:
        raise InvalidInput("jwt_algorithm", f"give {' or '.join(SIGNING)}")
    if limits.pat_most_per_user is not None and not 0 <= limits.pat_most_per_user <= _MOST:
        raise InvalidInput("pat_most_per_user", f"give a number between 0 and {_MOST:,}")


def _settled(session: Session, tenant: Tenant, now: datetime) -> Settled:
    limits = _limits(tenant)
    if limits.pat_longest_life is None:
        return Settled(limits)
    beyond = _beyond(tenant, now)
    total = session.scalar(select(func.count()).select_from(PersonalAccessToken).where(beyond))
    longest = (
        select(PersonalAccessToken, User.email)
        .join(
            User,
            (User.id == PersonalAccessToken.user_id)
            & (User.tenant_id == PersonalAccessToken.tenant_id),
        )
        .where(beyond)
        .order_by(User.email, PersonalAccessToken.name)
        .limit(_LISTED)
    )
    tokens = [
        LongLived(row.id, row.name, email, row.expires_at)
        for row, email in session.execute(longest)
    ]
    return Settled(limits, total or 0, tokens)


def _beyond(tenant: Tenant, now: datetime) -> ColumnElement[bool]:
    """Which personal access tokens go on for longer than a new one could."""
    assert tenant.pat_longest_life is not None
    ends = PersonalAccessToken.expires_at
    return (
        (PersonalAccessToken.tenant_id == tenant.id)
        & PersonalAccessToken.revoked_at.is_(None)
        & or_(ends.is_(None), ends > now + tenant.pat_longest_life)
    )


def _shorten(session: Session, tenant: Tenant, now: datetime) -> int:
    if tenant.pat_longest_life is None:
        return 0
    end = now + tenant.pat_longest_life
    ended = session.execute(
        update(PersonalAccessToken)
        .where(_beyond(tenant, now))
        .values(expires_at=end, remind_at=next_reminder(now, (end, BEFORE_PERSONAL_EXPIRY)))
        .execution_options(synchronize_session=False)
        .returning(PersonalAccessToken.id)
    )
    return len(ended.all())


def _limits(tenant: Tenant) -> Limits:
    return Limits(**{field.name: getattr(tenant, field.name) for field in fields(Limits)})


def _written(limits: Limits) -> dict[str, Any]:
    return {
        name: write_duration(value) if isinstance(value, timedelta) else value
        for name, value in vars(limits).items()
    }
