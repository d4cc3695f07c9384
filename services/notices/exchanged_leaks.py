"""What is done where a token leaked that a workload was given for its JWT: it ends."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.events import EventType
from core.leaks import OnLeak
from core.tokens import Token
from models import ExchangedToken, VirtualAccount
from services.accounts.account_views import audit_account
from services.notices.leak_reports import REVOKED, Whence
from services.notices.subscribers import subscribers_of
from services.outbox import Outbox
from services.runtime import Runtime


def report_exchanged(runtime: Runtime, token: Token, whence: Whence) -> None:
    """Whatever the account wants of its own key: the workload exchanges another JWT."""
    of_token = ExchangedToken.hash == token.hash
    with runtime.database.reading() as session:
        if session.scalar(select(ExchangedToken.id).where(of_token)) is None:
            return

    def use_case(session: Session, outbox: Outbox) -> None:
        row = session.scalar(select(ExchangedToken).where(of_token).with_for_update())
        if row is None or row.revoked_at is not None or row.expires_at <= outbox.now:
            return
        row.revoked_at = outbox.now
        account = session.get_one(VirtualAccount, (row.account_id, row.tenant_id))
        outbox.tell(
            account.tenant_id,
            EventType.TOKEN_LEAKED,
            account_id=account.id,
            facts={
                "account": account.name,
                "what": "exchange",
                "last_four": row.last_four,
                "cause": OnLeak.REVOKE.value,
                "by": whence.told,
                "done": REVOKED,
            },
            targets=subscribers_of(session, account),
        )
        actor = whence.actor(account.tenant_id)
        audit_account(outbox, actor, "exchanged-token.leaked", account)

    runtime.change(use_case)
