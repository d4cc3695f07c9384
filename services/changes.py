"""Which writes verifiers have to hear of; they are told by rows of `changes`, in the same commit.

Written where an answer that a verifier keeps could become wrong before it ends by itself. What
goes through the session is seen here as it is flushed; who writes in bulk says so by `record`.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, event, insert, inspect
from sqlalchemy.orm import Session

from models import (
    Base,
    Change,
    CustomRole,
    ExchangedToken,
    GrantRow,
    IdentityMapping,
    IdentityProvider,
    LoginSession,
    PersonalAccessToken,
    RoleBinding,
    SubjectKind,
    Team,
    TeamMember,
    TokenRow,
    TokenState,
    User,
    VirtualAccount,
)

# A verifier keeps nothing this long (KEYTURN_VERIFY_TTL), and sees ends further away by itself.
SOON = timedelta(seconds=30)
# Stands for all identity providers: what no one of them takes, a new one may.
PROVIDERS = UUID(int=0)

Named = tuple[UUID, UUID]
Rule = Callable[[Any, datetime], Iterator[UUID]]


class WatchedSession(Session):
    """A session that writes: what it changes is recorded as it is flushed. `told` is what was."""

    def __init__(self, engine: Engine, now: datetime) -> None:
        super().__init__(engine, expire_on_commit=False)
        self.now = now
        self.told: set[UUID] = set()


def record(session: Session, named: Iterable[Named]) -> None:
    """Tells every verifier of these, given as (tenant, subject): a token, account, user or team.

    A tenant as its own subject stands for all that belongs to it. Heard after the commit.
    """
    assert isinstance(session, WatchedSession)
    once = dict.fromkeys(named)
    if once:
        rows = [{"tenant_id": of, "subject": subject, "at": session.now} for of, subject in once]
        session.connection().execute(insert(Change), rows)
        session.told.update(subject for _, subject in once)


def ends_soon(session: Session, end: datetime | None) -> bool:
    """Whether verifiers have to hear of this new end of a validity."""
    assert isinstance(session, WatchedSession)
    return end is not None and end < session.now + SOON


def _has(row: Base, *attributes: str) -> bool:
    """Whether one of these attributes gets another value."""
    state = inspect(row)
    return any(state.attrs[name].history.added for name in attributes)


def _ends(row: Base, attribute: str, now: datetime) -> bool:
    end = getattr(row, attribute)
    return _has(row, attribute) and end is not None and end < now + SOON


def _token(row: TokenRow, now: datetime) -> Iterator[UUID]:
    revoked = row.state is TokenState.REVOKED and _has(row, "state")
    if revoked or _ends(row, "valid_until", now):
        yield row.id


def _personal_token(row: PersonalAccessToken, now: datetime) -> Iterator[UUID]:
    if _has(row, "revoked_at") or _ends(row, "expires_at", now):
        yield row.id


def _exchanged(row: ExchangedToken, _now: datetime) -> Iterator[UUID]:
    if _has(row, "revoked_at"):
        yield row.id


def _login(row: LoginSession, now: datetime) -> Iterator[UUID]:
    if _ends(row, "expires_at", now):
        yield row.id


def _account(row: VirtualAccount, now: datetime) -> Iterator[UUID]:
    moved = _has(row, "state")
    if moved or _ends(row, "expires_at", now):
        yield row.id
    if moved or _has(row, "team_id"):
        yield from _owner(row, now)


def _owner(row: VirtualAccount, _now: datetime) -> Iterator[UUID]:
    """The team that owns it or owned it: what it may do to its accounts, it may do to another."""
    history = inspect(row).attrs.team_id.history
    yield from filter(None, (*history.added, *history.unchanged, *history.deleted))


def _user(row: User, _now: datetime) -> Iterator[UUID]:
    if _has(row, "active", "email"):
        yield row.id


def _team(row: Team, _now: datetime) -> Iterator[UUID]:
    if _has(row, "name"):
        yield row.tenant_id


def _role(row: CustomRole, _now: datetime) -> Iterator[UUID]:
    if _has(row, "name", "resource_type", "actions"):
        yield row.tenant_id


def _member(row: TeamMember, _now: datetime) -> Iterator[UUID]:
    yield row.user_id


def _held(row: GrantRow, _now: datetime) -> Iterator[UUID]:
    """What a team holds, each of its people holds."""
    yield row.tenant_id if row.subject_kind is SubjectKind.TEAM else row.subject_id


def _mapping(row: IdentityMapping, _now: datetime) -> Iterator[UUID]:
    """Also the provider, of whose JWTs some were nobody's so far."""
    yield row.subject_id
    if row.provider_id is not None:
        yield row.provider_id


def _provider(row: IdentityProvider, _now: datetime) -> Iterator[UUID]:
    yield PROVIDERS
    yield row.id


def _itself(row: Any, _now: datetime) -> Iterator[UUID]:
    yield row.id


def _whole_tenant(row: Any, _now: datetime) -> Iterator[UUID]:
    yield row.tenant_id


_NEW: dict[type[Base], Rule] = {
    TeamMember: _member,
    GrantRow: _held,
    IdentityMapping: _mapping,
    IdentityProvider: _provider,
    VirtualAccount: _owner,
}
_CHANGED: dict[type[Base], Rule] = {
    **_NEW,
    TokenRow: _token,
    PersonalAccessToken: _personal_token,
    ExchangedToken: _exchanged,
    LoginSession: _login,
    VirtualAccount: _account,
    User: _user,
    Team: _team,
    CustomRole: _role,
}
_DELETED: dict[type[Base], Rule] = {
    **_NEW,
    TokenRow: _itself,
    PersonalAccessToken: _itself,
    LoginSession: _itself,
    VirtualAccount: _itself,
    User: _itself,
    Team: _whole_tenant,
    CustomRole: _whole_tenant,
    RoleBinding: _whole_tenant,  # takes its grants along
}


@event.listens_for(WatchedSession, "before_flush")
def _watch(session: WatchedSession, _context: object, _instances: object) -> None:
    named: list[Named] = []
    for rows, rules in (
        (session.new, _NEW),
        (session.dirty, _CHANGED),
        (session.deleted, _DELETED),
    ):
        for row in rows:
            if rule := rules.get(type(row)):
                named += [(row.tenant_id, subject) for subject in rule(row, session.now)]
    record(session, named)
