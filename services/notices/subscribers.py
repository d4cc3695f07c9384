"""Who is told of an account: its own targets, else those of its owning team, else the tenant's.

A list is asked only if those before it say nothing. An empty list in a manifest says that nobody
is told, and is the last word, too.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, or_, select
from sqlalchemy.orm import Session

from core.events import EventType, is_wanted
from models import DefaultTarget, Lane, Place, PlaceState, Target, Team, VirtualAccount
from services import bulk

_Owner = tuple[UUID, UUID | None]
"""Whose default list: a tenant's, and one of its teams'."""

Ladder = Sequence[Sequence["Recipient"]]
"""The lists of an account, its team and its tenant, each in the order of its manifest."""


class Recipient(NamedTuple):
    """Somebody to tell, and what. Without `events` all; its times are told in `timezone`."""

    tenant_id: UUID
    lane_id: UUID
    address: str
    events: Collection[str] | None = None
    minimum_severity: int = 0
    timezone: str = "UTC"

    def wants(self, event: EventType, severity: int, ends: int | None = None) -> bool:
        """Whether it is told of this; `ends` is how bad the problem was that ends with it."""
        return is_wanted(
            event, severity, chosen=self.events, least=self.minimum_severity, ends=ends
        )


class Subject(Protocol):
    """What has subscribers; a mapped account is one."""

    @property
    def id(self) -> UUID: ...
    @property
    def tenant_id(self) -> UUID: ...
    @property
    def team_id(self) -> UUID | None: ...
    @property
    def is_silent(self) -> bool: ...


def subscribers(session: Session, accounts: Iterable[Subject]) -> dict[UUID, Sequence[Recipient]]:
    """Who is told of each of these accounts: a fixed number of queries, however many there are."""
    held = {account.id: account for account in accounts}
    found: dict[UUID, Sequence[Recipient]] = _own(session, held)
    rest = [one for one in held.values() if one.id not in found and not one.is_silent]
    if rest:
        defaults = _Defaults(session, {(one.tenant_id, one.team_id) for one in rest})
        found.update((one.id, defaults.of(one.tenant_id, one.team_id)) for one in rest)
    return defaultdict(tuple, found)


def subscribers_of(session: Session, account: Subject) -> Sequence[Recipient]:
    """Who is told of this account."""
    return subscribers(session, [account])[account.id]


def tenant_subscribers(session: Session, tenant_id: UUID) -> Sequence[Recipient]:
    """Who is told of what concerns no account."""
    return _Defaults(session, {(tenant_id, None)}).of(tenant_id, None)


def ladders(
    session: Session, tenant_id: UUID, accounts: Collection[UUID | None]
) -> Mapping[UUID | None, Ladder]:
    """Everybody who could be told of each of these accounts, whether it gets that far or not.

    Of None, which is no account, they are the tenant's; of one that tells nobody there are none.
    """
    ids = [one for one in accounts if one is not None]
    of_accounts = select(VirtualAccount.id, VirtualAccount.team_id, VirtualAccount.is_silent).where(
        bulk.among(session, VirtualAccount.id, ids), VirtualAccount.tenant_id == tenant_id
    )
    teams: dict[UUID | None, UUID | None] = dict.fromkeys(accounts)
    silent: set[UUID | None] = set()
    for account_id, team_id, is_silent in session.execute(of_accounts):
        teams[account_id] = team_id
        silent.update([account_id] if is_silent else ())
    own: dict[UUID | None, list[Recipient]] = defaultdict(list)
    query = _of(Target, Target.account_id).where(bulk.among(session, Target.account_id, ids))
    for row in session.execute(query.order_by(Target.position)):
        own[row[0]].append(Recipient._make(row[1:]))
    defaults = _Defaults(session, {(tenant_id, team_id) for team_id in {*teams.values(), None}})
    return {
        account: () if account in silent else (own[account], *defaults.rungs(tenant_id, team_id))
        for account, team_id in teams.items()
    }


def somebody_is_reachable(session: Session, tenant_id: UUID) -> bool:
    """Whether any channel on which the tenant's people are told is alive."""
    listed = (
        exists().where(model.tenant_id == Lane.tenant_id, model.lane_id == Lane.id)
        for model in (Target, DefaultTarget)
    )
    alive = select(Lane.id).where(
        Lane.tenant_id == tenant_id, Lane.dead_since.is_(None), or_(*listed)
    )
    return session.scalar(alive.limit(1)) is not None


def subscribers_of_lane(session: Session, lane: Lane) -> list[Recipient]:
    """Who is told that nothing is sent on a lane, other than on it.

    Of a store they are those who hear of the accounts that are kept there; of a channel, those who
    are told beside it, and the tenant's default targets.
    """
    kept = select(Place.account_id).where(
        Place.tenant_id == lane.tenant_id,
        Place.lane_id == lane.id,
        Place.state != PlaceState.REMOVED,
    )
    told = select(Target.account_id).where(
        Target.tenant_id == lane.tenant_id, Target.lane_id == lane.id
    )
    found = [
        Recipient._make(row[1:])
        for row in session.execute(
            _of(Target, Target.account_id).where(
                or_(Target.account_id.in_(kept), Target.account_id.in_(told))
            )
        )
    ]
    owners: set[_Owner] = {(lane.tenant_id, None)} if _is_channel(session, lane) else set()
    owners.update((row[0], row[1]) for row in session.execute(_heirs(kept)))
    beside = select(DefaultTarget.tenant_id, DefaultTarget.team_id).where(
        DefaultTarget.tenant_id == lane.tenant_id, DefaultTarget.lane_id == lane.id
    )
    owners.update((row[0], row[1]) for row in session.execute(beside))
    defaults = _Defaults(session, owners)
    for owner in owners:
        found += defaults.of(*owner)
    return [one for one in found if one.lane_id != lane.id]


def _is_channel(session: Session, lane: Lane) -> bool:
    """Whether people are told on it."""
    listed = [
        select(model.id).where(model.tenant_id == lane.tenant_id, model.lane_id == lane.id).limit(1)
        for model in (Target, DefaultTarget)
    ]
    return any(session.scalar(one) is not None for one in listed)


def _heirs(accounts: Select[Any]) -> Select[UUID, UUID | None]:
    """Whose default lists these accounts fall to."""
    has_own = exists().where(
        Target.account_id == VirtualAccount.id, Target.tenant_id == VirtualAccount.tenant_id
    )
    return (
        select(VirtualAccount.tenant_id, VirtualAccount.team_id)
        .where(VirtualAccount.id.in_(accounts), ~VirtualAccount.is_silent, ~has_own)
        .distinct()
    )


def _own(session: Session, accounts: Collection[UUID]) -> dict[UUID, Sequence[Recipient]]:
    found: dict[UUID, list[Recipient]] = defaultdict(list)
    query = _of(Target, Target.account_id).where(bulk.among(session, Target.account_id, accounts))
    for row in session.execute(query):
        found[row[0]].append(Recipient._make(row[1:]))
    return {**found}


def _of(model: type[Target] | type[DefaultTarget], owner: Any) -> Select[Any]:
    return select(
        owner,
        model.tenant_id,
        model.lane_id,
        model.address,
        model.events,
        model.minimum_severity,
        model.timezone,
    )


class _Defaults:
    """The default lists of some tenants and teams."""

    def __init__(self, session: Session, owners: Collection[_Owner]) -> None:
        teams = {team_id for _, team_id in owners if team_id is not None}
        of_owner: ColumnElement[bool] = DefaultTarget.team_id.is_(None)
        if teams:
            of_owner |= bulk.among(session, DefaultTarget.team_id, teams)
        query = _of(DefaultTarget, DefaultTarget.team_id).where(
            DefaultTarget.tenant_id.in_({tenant_id for tenant_id, _ in owners}), of_owner
        )
        self._lists: dict[_Owner, list[Recipient]] = defaultdict(list)
        for row in session.execute(query.order_by(DefaultTarget.position)):
            self._lists[row[1], row[0]].append(Recipient._make(row[1:]))
        lacking = {
            team_id
            for tenant_id, team_id in owners
            if team_id in teams and (tenant_id, team_id) not in self._lists
        }
        self._silent: set[UUID] = set()
        if lacking:
            silent = select(Team.id).where(bulk.among(session, Team.id, lacking), Team.is_silent)
            self._silent.update(session.scalars(silent))

    def rungs(self, tenant_id: UUID, team_id: UUID | None) -> Ladder:
        """The lists that could be told of an account, the nearest first."""
        everybody = self._lists.get((tenant_id, None), ())
        if team_id is None:
            return [everybody]
        if team_id in self._silent:
            return []
        return [self._lists.get((tenant_id, team_id), ()), everybody]

    def of(self, tenant_id: UUID, team_id: UUID | None) -> Sequence[Recipient]:
        """Who is told of an account that has no targets of its own."""
        return next(filter(None, self.rungs(tenant_id, team_id)), ())
