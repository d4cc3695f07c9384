"""Looking at virtual accounts: one, by id or name, or a page of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import NotFound
from core.roles import Resource
from models import AccountState, Team, Tenant, TokenRow, TokenState, VirtualAccount
from services import bulk
from services.accounts.account_filters import Narrowing
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import find, find_locked, mine
from services.verify.uses import last_uses

_FEW = 1_000  # so many names are read to spare counting them


class Order(StrEnum):
    """By what a list is sorted. Ids count up, as accounts are made."""

    NAME = "name"
    NEXT = "next"
    CREATED = "created"


_COLUMNS: dict[Order, Any] = {
    Order.NAME: VirtualAccount.name,
    Order.NEXT: VirtualAccount.next_rotation_at,
    Order.CREATED: VirtualAccount.id,
}


@dataclass(frozen=True)
class AccountView:
    """An account as it is read: with its tokens that still matter, newest first."""

    account: VirtualAccount
    tenant: Tenant
    tokens: Sequence[TokenRow] = ()
    last_used_at: datetime | None = None


def resource_of(session: Session, account: VirtualAccount) -> Resource:
    """The account as something that actions are done to."""
    return Resource("virtual-account", account.fqn, _team_name(session, account))


def get_account(runtime: Runtime, actor: Actor, account_id: str | UUID) -> AccountView:
    """The account with this id."""
    with runtime.database.reading() as session:
        account = readable(session, actor, account_id)
        return view_of(session, account, session.get_one(Tenant, actor.tenant_id))


def readable(
    session: Session,
    actor: Actor,
    account_id: str | UUID,
    action: str = "virtual-account:read",
) -> VirtualAccount:
    """The living account, if the actor may do this to it."""
    found = find(session, VirtualAccount, actor.tenant_id, account_id, "virtual account")
    account = _living(found)
    actor.demand(action, resource_of(session, account))
    return account


def find_account(runtime: Runtime, actor: Actor, name: str) -> AccountView:
    """The account with this name."""
    with runtime.database.reading() as session:
        account = session.scalar(
            mine(VirtualAccount, actor.tenant_id).where(
                VirtualAccount.name == name, VirtualAccount.state != AccountState.DELETED
            )
        )
        if account is None:
            raise NotFound("virtual account", name)
        actor.demand("virtual-account:read", resource_of(session, account))
        return view_of(session, account, session.get_one(Tenant, actor.tenant_id))


def list_accounts(
    runtime: Runtime,
    actor: Actor,
    *,
    limit: int = 100,
    offset: int = 0,
    search: str = "",
    narrowing: Narrowing | None = None,
    order: Order = Order.NAME,
    descending: bool = False,
) -> tuple[list[AccountView], int]:
    """A page of accounts, and how many there are; a fixed number of queries.

    By their next rotations only those are listed that have one.
    """
    narrowing = narrowing or Narrowing(search=search)
    with runtime.database.reading() as session:
        tenant = session.get_one(Tenant, actor.tenant_id)
        matching = (
            VirtualAccount.tenant_id == tenant.id,
            VirtualAccount.state != AccountState.DELETED,
            visible(actor),
            *narrowing.conditions(tenant.id, runtime.now()),
        )
        if order is Order.NAME and not descending:
            names, total = _page_of_names(session, matching, limit, offset)
            page = session.scalars(
                mine(VirtualAccount, tenant.id)
                .where(VirtualAccount.state != AccountState.DELETED, VirtualAccount.name.in_(names))
                .order_by(VirtualAccount.name)
            ).all()
        else:
            page, total = _page_by(session, matching, order, descending, limit, offset)
        of_page = bulk.among(session, TokenRow.account_id, [account.id for account in page])
        tokens = session.scalars(
            mine(TokenRow, tenant.id)
            .where(of_page, _live(runtime.now()))
            .order_by(TokenRow.generation.desc())
        ).all()
        of_account: dict[UUID, list[TokenRow]] = defaultdict(list)
        for token in tokens:
            of_account[token.account_id].append(token)
        used = last_uses(session, [account.id for account in page])
        views = [
            AccountView(account, tenant, of_account[account.id], used.get(account.id))
            for account in page
        ]
        return views, total


def _page_by(
    session: Session,
    matching: Sequence[ColumnElement[bool]],
    order: Order,
    descending: bool,
    limit: int,
    offset: int,
) -> tuple[Sequence[VirtualAccount], int]:
    """A page in another order, along its index."""
    if order is Order.NEXT:
        scheduled = VirtualAccount.due_at.is_not(None) & VirtualAccount.next_rotation_at.is_not(
            None
        )
        matching = (*matching, scheduled)
    column = _COLUMNS[order]
    found = select(VirtualAccount).where(*matching)
    page = session.scalars(
        found.order_by(column.desc() if descending else column).limit(limit).offset(offset)
    ).all()
    total = session.scalar(select(func.count()).select_from(VirtualAccount).where(*matching))
    return page, total or 0


def _page_of_names(
    session: Session, matching: Sequence[ColumnElement[bool]], limit: int, offset: int
) -> tuple[Sequence[str], int]:
    """A page of names and how many there are: read from the names' index alone.

    The index is walked once where a walk finds them all, and otherwise from the nearer end.
    """
    names = select(VirtualAccount.name).where(*matching)
    forward = names.order_by(VirtualAccount.name)
    counted = select(func.count()).select_from(VirtualAccount).where(*matching)
    if offset < _FEW:
        most = offset + limit + _FEW
        found = session.scalars(forward.limit(most)).all()
        total = len(found) if len(found) < most else session.scalar(counted) or 0
        return found[offset : offset + limit], total
    total = session.scalar(counted) or 0
    size = min(limit, total - offset)
    if size <= 0:
        return [], total
    if offset <= total // 2:
        return session.scalars(forward.limit(limit).offset(offset)).all(), total
    backward = names.order_by(VirtualAccount.name.desc())
    return session.scalars(backward.limit(size).offset(total - offset - size)).all(), total


def lock_account(
    session: Session, actor: Actor, account_id: str | UUID, action: str
) -> VirtualAccount:
    """The living account, its row locked (law 14), if the actor may do this to it."""
    account = _living(
        find_locked(session, VirtualAccount, actor.tenant_id, account_id, "virtual account")
    )
    actor.demand(action, resource_of(session, account))
    return account


def view_of(session: Session, account: VirtualAccount, tenant: Tenant) -> AccountView:
    """The account with its live tokens, newest first."""
    session.flush()
    session.refresh(account)
    tokens = session.scalars(
        mine(TokenRow, account.tenant_id)
        .where(
            TokenRow.account_id == account.id,
            TokenRow.state.in_((TokenState.CURRENT, TokenState.GRACE)),
        )
        .order_by(TokenRow.generation.desc())
        .execution_options(populate_existing=True)
    ).all()
    used = last_uses(session, [account.id])
    return AccountView(account, tenant, tokens, used.get(account.id))


def _live(now: datetime) -> Any:
    return TokenRow.state.in_((TokenState.CURRENT, TokenState.GRACE)) & (
        TokenRow.valid_until.is_(None) | (TokenRow.valid_until > now)
    )


def _team_name(session: Session, account: VirtualAccount) -> str | None:
    if account.team_id is None:
        return None
    return session.get_one(Team, (account.team_id, account.tenant_id)).name


def visible(actor: Actor) -> ColumnElement[bool]:
    """Which accounts the actor may read, as a condition."""
    if actor.permits.allow_everywhere("virtual-account:read"):
        return true()
    fqns, teams = actor.permits.scope("virtual-account:read")
    names = [fqn.removeprefix("virtualaccount:") for fqn in fqns]
    owned = select(Team.id).where(Team.tenant_id == actor.tenant_id, Team.name.in_(teams))
    return VirtualAccount.name.in_(names) | VirtualAccount.team_id.in_(owned)


def _living(account: VirtualAccount) -> VirtualAccount:
    if account.state is AccountState.DELETED:
        raise NotFound("virtual account", account.id)
    return account


def audit_account(
    outbox: Outbox,
    actor: Actor,
    action: str,
    account: VirtualAccount,
    detail: dict[str, Any] | None = None,
) -> None:
    """Writes down who did this to the account."""
    outbox.audit(
        actor,
        action,
        subject_type="virtual-account",
        subject_id=account.id,
        subject_name=account.name,
        detail=detail,
    )


def owners_of(runtime: Runtime, actor: Actor, views: Sequence[AccountView]) -> dict[UUID, str]:
    """The names of the teams that own these accounts, by the teams' ids."""
    wanted = {view.account.team_id for view in views if view.account.team_id}
    with runtime.database.reading() as session:
        found = session.execute(
            select(Team.id, Team.name).where(Team.tenant_id == actor.tenant_id, Team.id.in_(wanted))
        )
        return {row[0]: row[1] for row in found}
