"""Reports of leaked tokens: what was found where it should not be ends, or has a successor.

What happens to a machine's key is said by the account, else by its tenant; everything else ends.
Whatever was reported, the reporter learns nothing. What works no more, or was reported before,
changes nothing.
"""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import KeyturnError
from core.events import EventType
from core.leaks import OnLeak
from core.manifests import parse_account
from core.tokens import Token, TokenKind, recognise
from models import (
    AccountState,
    Tenant,
    TokenRow,
    TokenState,
    VirtualAccount,
)
from services.accounts.account_views import audit_account
from services.engine.minting import Cause
from services.engine.turning import turn_keys
from services.notices.exchanged_leaks import report_exchanged
from services.notices.leak_reports import REVOKED, Whence
from services.notices.personal_leaks import report_personal, report_session
from services.notices.subscribers import subscribers_of
from services.outbox import Outbox, written
from services.runtime import Runtime
from services.scope import mine

log = structlog.get_logger(__name__)

_STILL_WORKS = "nothing was done, it still works"


def report_leak(
    runtime: Runtime, text: str, *, address: str | None = None, request_id: str | None = None
) -> None:
    """Does about this token what is to be done about a leaked one, once."""
    token = recognise(text)
    if token is None:
        return
    whence = Whence(address, request_id)
    match token.kind:
        case TokenKind.PERSONAL:
            report_personal(runtime, token, whence)
        case TokenKind.SESSION:
            report_session(runtime, token, whence)
        case TokenKind.EXCHANGED:
            report_exchanged(runtime, token, whence)
        case TokenKind.VIRTUAL_ACCOUNT | TokenKind.JWT:
            _report_machine(runtime, token, whence)


def _report_machine(runtime: Runtime, token: Token, whence: Whence) -> None:
    with runtime.database.reading() as session:
        found = session.scalar(select(TokenRow).where(TokenRow.hash == token.hash))
        if found is None:
            return
        tenant = session.get_one(Tenant, found.tenant_id)
        account = session.get_one(VirtualAccount, (found.account_id, found.tenant_id))
    wanted = parse_account(account.manifest).on_leak or tenant.on_leak
    try:
        runtime.change(lambda s, outbox: _act(runtime, s, outbox, found, wanted, whence))
    except KeyturnError as error:
        log.warning("leak.not_acted_on", account=str(account.id), error=type(error).__name__)
        runtime.change(lambda s, outbox: _act(runtime, s, outbox, found, OnLeak.TELL, whence))


def _act(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    found: TokenRow,
    wanted: OnLeak,
    whence: Whence,
) -> None:
    account = session.get_one(
        VirtualAccount,
        (found.account_id, found.tenant_id),
        with_for_update={"key_share": True},
        populate_existing=True,
    )
    row = session.get_one(TokenRow, (found.id, found.tenant_id), populate_existing=True)
    is_over = account.state is AccountState.DELETED or not row.is_valid(outbox.now)
    if is_over or row.reported_at is not None:
        return
    row.reported_at = outbox.now
    actor = whence.actor(account.tenant_id)
    done = _do(runtime, session, outbox, account, row, wanted, actor)
    session.flush()
    session.refresh(row)
    outbox.tell(
        account.tenant_id,
        EventType.TOKEN_LEAKED,
        account_id=account.id,
        facts={
            "account": account.name,
            "generation": row.generation,
            "last_four": row.last_four,
            "cause": wanted.value,
            "by": whence.told,
            "done": done,
            "grace_until": written(row.grace_until if row.is_valid(outbox.now) else None),
            "still_valid": _others(session, row, outbox.now),
        },
        targets=subscribers_of(session, account),
    )
    detail = {"generation": row.generation, "done": wanted.value}
    audit_account(outbox, actor, "token.leaked", account, detail)


def _do(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    account: VirtualAccount,
    row: TokenRow,
    wanted: OnLeak,
    actor: Actor,
) -> str:
    """Acts, and answers in words what was done."""
    if wanted is OnLeak.TELL:
        return _STILL_WORKS
    if row.state is not TokenState.CURRENT:
        if wanted is OnLeak.ROTATE:
            return "it has a successor already and works until its grace ends"
        row.end(TokenState.REVOKED, outbox.now)
        return REVOKED
    (turn,) = turn_keys(
        session,
        [account],
        outbox,
        cause=Cause.REVOKED if wanted is OnLeak.REVOKE else Cause.MANUAL,
        actor=actor,
        keyring=runtime.keyring,
        grace=timedelta(0) if wanted is OnLeak.REVOKE else None,
    )
    if wanted is OnLeak.REVOKE:
        return f"{REVOKED}, generation {turn.generation} has taken its place"
    return f"generation {turn.generation} was made, it works until its grace ends"


def _others(session: Session, row: TokenRow, now: datetime) -> list[str]:
    """The older generations that go on."""
    older = session.scalars(
        mine(TokenRow, row.tenant_id)
        .where(
            TokenRow.account_id == row.account_id,
            TokenRow.state == TokenState.GRACE,
            TokenRow.id != row.id,
        )
        .order_by(TokenRow.generation)
    )
    return [f"generation {one.generation}" for one in older if one.is_valid(now)]
