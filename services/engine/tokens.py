"""Tokens by hand: read, rotate, regenerate, revoke."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict, InvalidInput, NotFound
from core.events import EventType
from core.tokens import Token
from models import (
    AccountState,
    TokenRow,
    TokenState,
    VirtualAccount,
)
from services.accounts.account_views import audit_account, lock_account, readable
from services.engine.minting import Cause
from services.engine.turning import turn_keys
from services.identity.exchanged import end_of_account
from services.kept_answers import Repeatable, answer_once
from services.notices.subscribers import subscribers_of
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import find, mine

_LONGEST_GRACE = timedelta(days=3_650)


def read_token(runtime: Runtime, actor: Actor, account_id: str | UUID) -> Token:
    """The account's current token; who read it is in the audit log."""

    def use_case(session: Session, outbox: Outbox) -> TokenRow:
        account = readable(session, actor, account_id, "virtual-account:read-token")
        row = session.scalar(
            mine(TokenRow, actor.tenant_id).where(
                TokenRow.account_id == account.id, TokenRow.state == TokenState.CURRENT
            )
        )
        _check_own_token(account)
        if row is None or not row.is_valid(outbox.now):
            raise Conflict(f"{account.name} has no valid token; regenerate it.")
        audit_account(outbox, actor, "token.read", account, {"generation": row.generation})
        return row

    row = runtime.change(use_case)
    assert row.sealed is not None
    opened = runtime.keyring.open("tokens", row.tenant_id, row.id, row.sealed)
    return Token(opened.decode())


def rotate_account(runtime: Runtime, actor: Actor, account_id: str | UUID) -> Token:
    """Turns the key now, with the account's own grace; the schedule reckons from now."""
    return _turn(runtime, actor, account_id, Cause.MANUAL, None)


def regenerate_token(
    runtime: Runtime,
    actor: Actor,
    account_id: str | UUID,
    *,
    grace: timedelta,
    repeatable: Repeatable | None = None,
) -> Token:
    """Turns the key now, with this grace for the old one; a repeat gets the first one's token.

    A grace of 0 ends the old token in the same commit, never held; earlier predecessors keep
    their deadlines. A suspended account is active again.
    """
    if not timedelta(0) <= grace <= _LONGEST_GRACE:
        raise InvalidInput("gracePeriodInMinutes", "give 0 or more, at most ten years")
    return _turn(runtime, actor, account_id, Cause.REGENERATED, grace, repeatable)


def revoke_token(
    runtime: Runtime, actor: Actor, account_id: str | UUID, token_id: str | UUID
) -> None:
    """Ends one token now. The current one is replaced in the same commit."""

    def use_case(session: Session, outbox: Outbox) -> None:
        account = lock_account(session, actor, account_id, "virtual-account:manage")
        row = find(session, TokenRow, actor.tenant_id, token_id, "token")
        if row.account_id != account.id:
            raise NotFound("token", token_id)
        if row.state is TokenState.CURRENT:
            turn_keys(
                session,
                [account],
                outbox,
                cause=Cause.REVOKED,
                actor=actor,
                keyring=runtime.keyring,
                grace=timedelta(0),
            )
            _tell_revoked(session, outbox, actor, account, [row.generation])
        elif row.state is TokenState.GRACE:
            row.end(TokenState.REVOKED, outbox.now)
            _tell_revoked(session, outbox, actor, account, [row.generation])
            audit_account(outbox, actor, "token.revoked", account, {"generation": row.generation})

    runtime.change(use_case)


def revoke_all(runtime: Runtime, actor: Actor, account_id: str | UUID) -> int:
    """Ends every token now and suspends the account until the next regenerate; never held.

    An account with an identity-provider mapping, which cannot regenerate, is not suspended: what
    was exchanged for it ends, and its provider's own JWTs work on.
    """

    def use_case(session: Session, outbox: Outbox) -> int:
        account = lock_account(session, actor, account_id, "virtual-account:manage")
        rows = session.scalars(
            mine(TokenRow, actor.tenant_id).where(
                TokenRow.account_id == account.id,
                TokenRow.state.in_((TokenState.CURRENT, TokenState.GRACE)),
            )
        ).all()
        for row in rows:
            row.end(TokenState.REVOKED, outbox.now)
        exchanged = end_of_account(session, outbox, account)
        suspends = account.state is AccountState.ACTIVE and not account.is_mapped
        if suspends:
            account.suspend()
        if suspends or rows or exchanged:
            _tell_revoked(session, outbox, actor, account, [row.generation for row in rows])
            detail = {"generation": account.generation, "exchanged": exchanged}
            audit_account(outbox, actor, "token.revoked-all", account, detail)
        return len(rows) + exchanged

    return runtime.change(use_case)


def _turn(
    runtime: Runtime,
    actor: Actor,
    account_id: str | UUID,
    cause: Cause,
    grace: timedelta | None,
    repeatable: Repeatable | None = None,
) -> Token:
    def use_case(session: Session, outbox: Outbox) -> Token:
        account = lock_account(session, actor, account_id, "virtual-account:manage")

        def turned() -> bytes:
            _check_turnable(account, cause, outbox.now)
            (turn,) = turn_keys(
                session,
                [account],
                outbox,
                cause=cause,
                actor=actor,
                keyring=runtime.keyring,
                grace=grace,
            )
            return turn.token.reveal().encode()

        answer = answer_once(session, outbox, runtime.keyring, actor, repeatable, turned)
        return Token(answer.decode())

    return runtime.change(use_case)


def _check_turnable(account: VirtualAccount, cause: Cause, now: datetime) -> None:
    _check_own_token(account)
    if account.is_expired(now):
        raise Conflict(f"{account.name} is past its expiration date; move that first.")
    if account.state is AccountState.SUSPENDED and cause is not Cause.REGENERATED:
        raise Conflict(
            f"Every token of {account.name} was revoked; a regenerate "
            f"(`keyturn accounts rotate {account.name} --grace 0s`) brings it back."
        )


def _check_own_token(account: VirtualAccount) -> None:
    if account.is_mapped:
        raise Conflict(
            f"{account.name} has no token of its own: it calls with those of its identity "
            "provider, as its identity_provider_mapping says."
        )


def _tell_revoked(
    session: Session,
    outbox: Outbox,
    actor: Actor,
    account: VirtualAccount,
    generations: list[int],
) -> None:
    outbox.tell(
        account.tenant_id,
        EventType.TOKEN_REVOKED,
        account_id=account.id,
        facts={"account": account.name, "generations": generations, "by": actor.name},
        targets=subscribers_of(session, account),
    )
