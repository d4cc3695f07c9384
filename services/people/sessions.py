"""Login sessions: a person's bearer token that ends by itself, and with the token it came from."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import Actor, ActorKind
from core.errors import Forbidden
from core.ids import new_id
from core.tokens import Token, TokenKind, mint
from models import LoginSession, PersonalAccessToken, User
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import mine


def open_session(
    session: Session,
    user: User,
    now: datetime,
    length: timedelta,
    personal_access_token_id: UUID | None = None,
) -> Token:
    """A new session's token, shown this once; the caller says in the audit log how it came about.

    One that comes from a personal access token never outlives it.
    """
    ends = now + length
    if personal_access_token_id is not None:
        key = (personal_access_token_id, user.tenant_id)
        expires_at = session.get_one(PersonalAccessToken, key).expires_at
        ends = min(ends, expires_at or ends)
    token = mint(TokenKind.SESSION)
    session.add(
        LoginSession(
            tenant_id=user.tenant_id,
            id=new_id(),
            user_id=user.id,
            personal_access_token_id=personal_access_token_id,
            hash=token.hash,
            created_at=now,
            expires_at=ends,
        )
    )
    session.flush()
    return token


def audit_login(
    outbox: Outbox,
    user: User,
    detail: dict[str, str],
    *,
    address: str | None,
    request_id: str | None,
) -> None:
    """Writes down that the person has logged in, and how."""
    outbox.audit(
        Actor(
            tenant_id=user.tenant_id,
            kind=ActorKind.USER,
            name=user.email,
            id=user.id,
            address=address,
            request_id=request_id,
        ),
        "session.opened",
        subject_type="user",
        subject_id=user.id,
        subject_name=user.email,
        detail=detail,
    )


def end_session(runtime: Runtime, actor: Actor) -> None:
    """Logs out: the session that the call came with works no more."""

    def use_case(session: Session, outbox: Outbox) -> None:
        row = own_session(session, actor)
        if row is None:
            raise Forbidden("This call came with a token, not with a session: revoke the token.")
        session.delete(row)
        outbox.audit(
            actor,
            "session.ended",
            subject_type="user",
            subject_id=row.user_id,
            subject_name=actor.name,
        )

    runtime.change(use_case)


def end_all_sessions(runtime: Runtime, actor: Actor) -> int:
    """Logs out everywhere: no session of the caller works any more; answers how many there were."""
    if actor.kind is not ActorKind.USER or actor.id is None:
        raise Forbidden("Only people have sessions.")

    def use_case(session: Session, outbox: Outbox) -> int:
        rows = session.scalars(
            mine(LoginSession, actor.tenant_id).where(LoginSession.user_id == actor.id)
        ).all()
        for row in rows:
            session.delete(row)
        outbox.audit(
            actor,
            "session.ended-all",
            subject_type="user",
            subject_id=actor.id,
            subject_name=actor.name,
            detail={"sessions": len(rows)},
        )
        return len(rows)

    return runtime.change(use_case)


def end_replaced(runtime: Runtime, token: Token) -> None:
    """A browser signs in anew: the session that it had ends, if there still is one."""

    def use_case(session: Session, _outbox: Outbox) -> None:
        row = session.scalar(select(LoginSession).where(LoginSession.hash == token.hash))
        if row is not None:
            session.delete(row)

    runtime.change(use_case)


def own_session(session: Session, actor: Actor) -> LoginSession | None:
    """The login session that a call came with, if it was one."""
    if actor.kind is not ActorKind.USER or actor.token_id is None:
        return None
    return session.scalar(
        mine(LoginSession, actor.tenant_id).where(LoginSession.id == actor.token_id)
    )
