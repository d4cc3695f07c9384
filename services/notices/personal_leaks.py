"""What is done where a person's token leaked: it ends, and they hear of it."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.events import EventType
from core.leaks import OnLeak
from core.tokens import Token
from models import LoginSession, PersonalAccessToken, User
from services.notices.leak_reports import REVOKED, Whence
from services.notices.subscribers import tenant_subscribers
from services.notices.tenant_mail import Mail
from services.outbox import Outbox
from services.runtime import Runtime


def report_personal(runtime: Runtime, token: Token, whence: Whence) -> None:
    """The personal access token is revoked, and what was logged in with it ends."""
    of_token = PersonalAccessToken.hash == token.hash
    with runtime.database.reading() as session:
        if session.scalar(select(PersonalAccessToken.id).where(of_token)) is None:
            return

    def use_case(session: Session, outbox: Outbox) -> None:
        row = session.scalar(
            select(PersonalAccessToken).where(of_token).with_for_update(key_share=True)
        )
        if row is None or not row.is_valid(outbox.now):
            return
        row.revoke(outbox.now)
        owner = session.get_one(User, (row.user_id, row.tenant_id))
        facts = {"name": row.name, "last_four": row.last_four}
        _tell(runtime, session, outbox, owner, facts, whence)
        outbox.audit(
            whence.actor(row.tenant_id),
            "personal-access-token.leaked",
            subject_type="personal-access-token",
            subject_id=row.id,
            subject_name=row.name,
            detail={"owner": owner.email},
        )

    runtime.change(use_case)


def report_session(runtime: Runtime, token: Token, whence: Whence) -> None:
    """The login session ends."""
    of_token = LoginSession.hash == token.hash
    with runtime.database.reading() as session:
        if session.scalar(select(LoginSession.id).where(of_token)) is None:
            return

    def use_case(session: Session, outbox: Outbox) -> None:
        row = session.scalar(select(LoginSession).where(of_token).with_for_update())
        if row is None or row.expires_at <= outbox.now:
            return
        session.delete(row)
        owner = session.get_one(User, (row.user_id, row.tenant_id))
        facts = {"what": "session", "last_four": token.last_four}
        _tell(runtime, session, outbox, owner, facts, whence)
        outbox.audit(
            whence.actor(row.tenant_id),
            "session.leaked",
            subject_type="user",
            subject_id=owner.id,
            subject_name=owner.email,
        )

    runtime.change(use_case)


def _tell(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    owner: User,
    facts: dict[str, str],
    whence: Whence,
) -> None:
    """The owner by e-mail, unless they are away, and the tenant's own people."""
    tenant_id = owner.tenant_id
    mail = Mail(session, runtime.opened).to(tenant_id, owner.email) if owner.active else []
    outbox.tell(
        tenant_id,
        EventType.TOKEN_LEAKED,
        facts={
            "account": owner.email,
            "cause": OnLeak.REVOKE.value,
            "by": whence.told,
            "done": REVOKED,
            **facts,
        },
        targets=[*mail, *tenant_subscribers(session, tenant_id)],
    )
