"""Personal access tokens: a person's own keys, which may do what their owner may at that moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pydantic import TypeAdapter
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actors import Actor, ActorKind
from core.durations import write_duration
from core.errors import Conflict, Forbidden, InvalidInput, NotFound
from core.fields import Day, Name, end_of
from core.ids import new_id
from core.parsing import parse
from core.reminders import BEFORE_PERSONAL_EXPIRY, next_reminder
from core.tokens import Token, TokenKind, mint
from models import PersonalAccessToken, Team, TeamMember, Tenant, User
from services.kept_answers import Repeatable, answer_once
from services.outbox import Outbox
from services.people.sessions import own_session
from services.people.users import audit_user, find_by_email
from services.runtime import Runtime
from services.scope import find, find_locked, mine
from services.verify.uses import last_uses

_WHAT = "personal access token"


@dataclass(frozen=True)
class Wanted:
    """A token as a client asks for it. On its expiration date it still works, through that day."""

    name: str
    expiration_date: str | None = None
    team: str | None = None
    account: str | None = None
    token_type: str | None = None


@dataclass(frozen=True)
class TokenView:
    """A token as its owner sees it; nobody sees the token itself again."""

    row: PersonalAccessToken
    owner: str
    tenant: Tenant
    last_used_at: datetime | None = None


@dataclass(frozen=True)
class Allowed:
    """What a new token of one's own may be: its last day at most, the teams it can count for."""

    last_day: date | None
    teams: Sequence[str]


def most_allowed(runtime: Runtime, actor: Actor) -> Allowed:
    """For a form that asks for a token of one's own."""
    _demand_person(actor)
    with runtime.database.reading() as session:
        longest = session.get_one(Tenant, actor.tenant_id).pat_longest_life
        last = (runtime.now() + longest).date() - timedelta(days=1) if longest else None
        teams = session.scalars(
            select(Team.name)
            .join(
                TeamMember,
                (TeamMember.team_id == Team.id) & (TeamMember.tenant_id == Team.tenant_id),
            )
            .where(Team.tenant_id == actor.tenant_id, TeamMember.user_id == actor.id)
            .order_by(Team.name)
        ).all()
        return Allowed(last, teams)


def list_own(
    runtime: Runtime, actor: Actor, *, limit: int, offset: int, search: str = ""
) -> tuple[list[TokenView], int]:
    """A page of the caller's own tokens by name, ended ones too, and how many there are."""
    _demand_person(actor)
    assert actor.id is not None
    with runtime.database.reading() as session:
        user = session.get_one(User, (actor.id, actor.tenant_id))
        return _page(session, user, limit, offset, search)


def list_of(
    runtime: Runtime, actor: Actor, user_id: str, *, limit: int, offset: int
) -> tuple[list[TokenView], int]:
    """The same of somebody else, for an admin."""
    with runtime.database.reading() as session:
        user = find(session, User, actor.tenant_id, user_id, "user")
        if user.id != actor.id:
            actor.demand_admin()
        return _page(session, user, limit, offset)


def get_token(runtime: Runtime, actor: Actor, token_id: str) -> TokenView:
    """One token that was not revoked: of the caller's own, or anybody's for an admin."""
    with runtime.database.reading() as session:
        row = find(session, PersonalAccessToken, actor.tenant_id, token_id, _WHAT)
        if row.revoked_at is not None:
            raise NotFound(_WHAT, token_id)
        if row.user_id != actor.id:
            actor.demand_admin()
        user = session.get_one(User, (row.user_id, row.tenant_id))
        tenant = session.get_one(Tenant, row.tenant_id)
        return TokenView(row, user.email, tenant, last_uses(session, [row.id]).get(row.id))


def create_own(
    runtime: Runtime, actor: Actor, wanted: Wanted, *, repeatable: Repeatable | None = None
) -> Token:
    """A new token of the caller's own, shown this once. A token cannot make another one."""
    _demand_person(actor)

    def use_case(session: Session, outbox: Outbox) -> Token:
        _demand_no_token(session, actor)

        def mint_own() -> bytes:
            user = find_locked(session, User, actor.tenant_id, actor.id or "", "user")
            return _create(session, outbox, actor, user, wanted).reveal().encode()

        answer = answer_once(session, outbox, runtime.keyring, actor, repeatable, mint_own)
        return Token(answer.decode())

    return runtime.change(use_case)


def create_for(
    runtime: Runtime,
    actor: Actor,
    email: str,
    wanted: Wanted,
    *,
    repeatable: Repeatable | None = None,
) -> Token:
    """A new token for somebody else, by an admin, who may do all that its owner may."""
    actor.demand_admin()

    def use_case(session: Session, outbox: Outbox) -> Token:
        _demand_no_token(session, actor)

        def mint_theirs() -> bytes:
            found = find_by_email(session, actor.tenant_id, email)
            user = find_locked(session, User, actor.tenant_id, found.id, "user")
            if not user.active:
                raise Conflict(f"{user.email} is not active: activate them first.")
            return _create(session, outbox, actor, user, wanted).reveal().encode()

        answer = answer_once(session, outbox, runtime.keyring, actor, repeatable, mint_theirs)
        return Token(answer.decode())

    return runtime.change(use_case)


def revoke(runtime: Runtime, actor: Actor, token_id: str) -> None:
    """The token works no more: one of the caller's own, or anybody's by an admin."""

    def use_case(session: Session, outbox: Outbox) -> None:
        row = find_locked(session, PersonalAccessToken, actor.tenant_id, token_id, _WHAT)
        if row.revoked_at is not None:
            raise NotFound(_WHAT, token_id)
        if row.user_id != actor.id:
            actor.demand_admin()
        row.revoke(outbox.now)
        user = session.get_one(User, (row.user_id, row.tenant_id))
        outbox.audit(
            actor,
            "personal-access-token.revoked",
            subject_type="personal-access-token",
            subject_id=row.id,
            subject_name=row.name,
            detail={"owner": user.email},
        )

    runtime.change(use_case)


def revoke_all_of(runtime: Runtime, actor: Actor, email: str) -> int:
    """No token of this person works any more, by an admin; answers how many there were."""
    actor.demand_admin()

    def use_case(session: Session, outbox: Outbox) -> int:
        found = find_by_email(session, actor.tenant_id, email)
        user = find_locked(session, User, actor.tenant_id, found.id, "user")
        rows = session.scalars(
            mine(PersonalAccessToken, user.tenant_id).where(
                PersonalAccessToken.user_id == user.id, PersonalAccessToken.revoked_at.is_(None)
            )
        ).all()
        for row in rows:
            row.revoke(outbox.now)
        if rows:
            names = sorted(row.name for row in rows)
            audit_user(outbox, actor, "personal-access-token.revoked-all", user, {"tokens": names})
        return len(rows)

    return runtime.change(use_case)


def _page(
    session: Session, user: User, limit: int, offset: int, search: str = ""
) -> tuple[list[TokenView], int]:
    matching = mine(PersonalAccessToken, user.tenant_id).where(
        PersonalAccessToken.user_id == user.id, PersonalAccessToken.revoked_at.is_(None)
    )
    if search:
        matching = matching.where(PersonalAccessToken.name.contains(search, autoescape=True))
    total = session.scalar(select(func.count()).select_from(matching.subquery())) or 0
    page = session.scalars(
        matching.order_by(PersonalAccessToken.name).limit(limit).offset(offset)
    ).all()
    tenant = session.get_one(Tenant, user.tenant_id)
    used = last_uses(session, [row.id for row in page])
    return [TokenView(row, user.email, tenant, used.get(row.id)) for row in page], total


def _create(session: Session, outbox: Outbox, actor: Actor, user: User, wanted: Wanted) -> Token:
    """The caller holds the user's row, so that neither names nor limits are passed in a race."""
    tenant = session.get_one(Tenant, user.tenant_id)
    ends = _checked_end(tenant, wanted)
    rows = session.scalars(
        mine(PersonalAccessToken, tenant.id).where(
            PersonalAccessToken.user_id == user.id, PersonalAccessToken.revoked_at.is_(None)
        )
    ).all()
    if wanted.name in {row.name for row in rows}:
        raise Conflict(f"{user.email} has a personal access token named {wanted.name} already.")
    _check_life(tenant, ends, outbox.now)
    _check_count(tenant, sum(row.is_valid(outbox.now) for row in rows))
    _check_team(session, user, wanted.team)
    token = mint(TokenKind.PERSONAL)
    row = PersonalAccessToken(
        tenant_id=tenant.id,
        id=new_id(),
        user_id=user.id,
        name=wanted.name,
        team_name=wanted.team,
        hash=token.hash,
        last_four=token.last_four,
        created_by=actor.as_subject(),
        created_at=outbox.now,
        expires_at=ends,
        remind_at=next_reminder(outbox.now, (ends, BEFORE_PERSONAL_EXPIRY)),
    )
    session.add(row)
    outbox.audit(
        actor,
        "personal-access-token.created",
        subject_type="personal-access-token",
        subject_id=row.id,
        subject_name=row.name,
        detail={"owner": user.email, "expires_at": ends.isoformat() if ends else None},
    )
    return token


def _checked_end(tenant: Tenant, wanted: Wanted) -> datetime | None:
    """When the token that is asked for ends; InvalidInput if there cannot be such a token."""
    parse(TypeAdapter(Name), wanted.name, below="name")
    if wanted.token_type not in {None, "opaque"}:
        raise InvalidInput("tokenType", "personal access tokens are opaque; leave it out")
    if wanted.account not in {None, tenant.name}:
        raise InvalidInput("accountName", f"the account is named {tenant.name}")
    if wanted.expiration_date is None:
        return None
    return end_of(parse(TypeAdapter(Day), wanted.expiration_date, below="expirationDate"))


def _check_life(tenant: Tenant, ends: datetime | None, now: datetime) -> None:
    if ends is not None and ends <= now:
        raise InvalidInput("expirationDate", "give today or a later day")
    longest = tenant.pat_longest_life
    if longest is None or (ends is not None and ends <= now + longest):
        return
    last_day = (now + longest).date() - timedelta(days=1)
    raise InvalidInput(
        "expirationDate",
        f"the longest life of a personal access token here is {write_duration(longest)}; "
        f"give a day until {last_day.isoformat()}",
    )


def _check_count(tenant: Tenant, valid: int) -> None:
    most = tenant.pat_most_per_user
    if most is not None and valid >= most:
        raise InvalidInput(
            "name",
            f"a person may have at most {most} personal access tokens here; revoke one first",
        )


def _check_team(session: Session, user: User, name: str | None) -> None:
    if name is None:
        return
    team = session.scalar(
        mine(Team, user.tenant_id)
        .join(
            TeamMember, (TeamMember.team_id == Team.id) & (TeamMember.tenant_id == Team.tenant_id)
        )
        .where(Team.name == name, TeamMember.user_id == user.id)
    )
    if team is None:
        raise InvalidInput("teamName", "the owner is in no team of this name")


def _demand_person(actor: Actor) -> None:
    if actor.kind is not ActorKind.USER:
        raise Forbidden("Only people have personal access tokens; this call came from a machine.")


def _demand_no_token(session: Session, actor: Actor) -> None:
    """Neither with such a token, nor with a login that was made with one."""
    opened = own_session(session, actor)
    if actor.with_personal_token or (opened and opened.personal_access_token_id):
        raise Forbidden("A personal access token cannot make another one: log in without one.")
