"""Virtual accounts: create or update by manifest, look, pause, delete."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict, NotFound
from core.events import EventType
from core.ids import new_id
from core.manifests import (
    VirtualAccountManifest,
    check_policy,
    parse_account,
    reference_spelling,
)
from core.policy import Policy
from core.tokens import Token
from models import (
    AccountState,
    Place,
    PlaceState,
    Priority,
    Target,
    Tenant,
    TokenRow,
    TokenState,
    VirtualAccount,
)
from services.outbox import Outbox
from services.places import remove_places, send_copies, settle_places, settle_targets
from services.runtime import Runtime
from services.scope import find, find_locked, mine
from services.turning import Cause, turn_keys


@dataclass(frozen=True)
class AccountView:
    """An account as it is read: with its tokens that still matter, newest first."""

    account: VirtualAccount
    tenant: Tenant
    tokens: Sequence[TokenRow] = ()


@dataclass(frozen=True)
class Put:
    """What a create or update did. The token is there on creation only."""

    view: AccountView
    created: bool
    changed: bool
    existing: dict[str, Any] | None = None
    token: Token | None = None
    warnings: list[str] = field(default_factory=list)


class _DryRun(Exception):
    """Carries the result of a rehearsal out of its transaction, which is rolled back."""

    def __init__(self, put: Put) -> None:
        super().__init__()
        self.put = put


def put_account(
    runtime: Runtime, actor: Actor, given: dict[str, Any], *, dry_run: bool = False
) -> Put:
    """Creates the account of this name or makes it agree with the manifest.

    An update that touches nothing changes nothing. A dry run validates everything, writes
    nothing and answers what would be.
    """
    spelled = {"type": "virtual-account", **reference_spelling(given)}
    manifest = parse_account(spelled)

    def use_case(session: Session, outbox: Outbox) -> Put:
        put = _put(runtime, session, outbox, actor, manifest, spelled)
        if dry_run:
            outbox.flush(session)
            session.expunge_all()
            raise _DryRun(put)
        return put

    try:
        return runtime.change(use_case)
    except _DryRun as rehearsed:
        return rehearsed.put
    except IntegrityError as error:
        if "uq_virtual_accounts_name" in str(error.orig) or "uq_places_path" in str(error.orig):
            raise Conflict(
                f"Somebody else is changing {manifest.name} at this moment: repeat the call."
            ) from None
        raise


def _put(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    actor: Actor,
    manifest: VirtualAccountManifest,
    spelled: dict[str, Any],
) -> Put:
    tenant = session.get_one(Tenant, actor.tenant_id)
    policy = manifest.policy(max_hold=tenant.max_hold)
    if policy is not None:
        check_policy(
            policy,
            now=outbox.now,
            smallest_interval=tenant.smallest_interval,
            smallest_grace=tenant.smallest_grace,
            max_live_generations=tenant.max_live_generations,
        )
    account = session.scalar(
        mine(VirtualAccount, tenant.id)
        .where(VirtualAccount.name == manifest.name, VirtualAccount.state != AccountState.DELETED)
        .with_for_update(key_share=True)
    )
    if account is None:
        return _create(runtime, session, outbox, actor, tenant, manifest, spelled, policy)
    return _update(runtime, session, outbox, actor, tenant, account, manifest, spelled, policy)


def _create(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    actor: Actor,
    tenant: Tenant,
    manifest: VirtualAccountManifest,
    spelled: dict[str, Any],
    policy: Policy | None,
) -> Put:
    account = VirtualAccount(
        tenant_id=tenant.id,
        id=new_id(),
        name=manifest.name,
        state=AccountState.ACTIVE,
        manifest=spelled,
        created_by=actor.as_subject(),
        generation=1,
        rotated_at=outbox.now,
        created_at=outbox.now,
        updated_at=outbox.now,
        rotation_failures=0,
    )
    _apply(account, tenant, manifest, policy)
    session.add(account)
    session.flush()
    settle_places(session, outbox, runtime.opened, account, manifest)
    settle_targets(session, runtime.opened, account, manifest)
    (turn,) = turn_keys(
        session, [account], outbox, cause=Cause.CREATED, actor=actor, keyring=runtime.keyring
    )
    _audit(outbox, actor, "virtual-account.created", account, {"manifest": spelled})
    view = view_of(session, account, tenant)
    return Put(
        view, created=True, changed=True, token=turn.token, warnings=_warnings(manifest, policy)
    )


def _update(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    actor: Actor,
    tenant: Tenant,
    account: VirtualAccount,
    manifest: VirtualAccountManifest,
    spelled: dict[str, Any],
    policy: Policy | None,
) -> Put:
    existing = account.manifest
    if manifest.permissions is None and "permissions" in existing:
        spelled = {**spelled, "permissions": existing["permissions"]}
    if spelled == existing:
        return Put(view_of(session, account, tenant), False, False, existing)
    old_policy, old_end = account.policy, account.expires_at
    account.manifest = spelled
    account.updated_at = outbox.now
    _apply(account, tenant, manifest, policy)
    if account.policy != old_policy or account.expires_at != old_end:
        account.reschedule(outbox.now)
    if account.expires_at != old_end:
        _move_end(runtime, session, outbox, actor, account)
    new = settle_places(session, outbox, runtime.opened, account, manifest)
    settle_targets(session, runtime.opened, account, manifest)
    send_copies(session, outbox, account, new, cause="added", priority=Priority.MANUAL)
    _audit(
        outbox, actor, "virtual-account.updated", account, {"before": existing, "after": spelled}
    )
    view = view_of(session, account, tenant)
    return Put(view, False, True, existing, warnings=_warnings(manifest, policy))


def _apply(
    account: VirtualAccount,
    tenant: Tenant,
    manifest: VirtualAccountManifest,
    policy: Policy | None,
) -> None:
    account.expires_at = manifest.expires_at
    account.rotation_interval = policy.interval if policy else None
    account.rotation_schedule = policy.schedule if policy else None
    account.timezone = policy.timezone if policy else "UTC"
    if policy is not None:
        account.spread, account.grace = policy.spread, policy.grace
        account.max_hold = policy.max_hold
    else:
        account.spread = timedelta(0)
        account.grace, account.max_hold = tenant.smallest_grace, tenant.max_hold


def _move_end(
    runtime: Runtime, session: Session, outbox: Outbox, actor: Actor, account: VirtualAccount
) -> None:
    """A new expiration date bounds every live token; one that lies ahead again needs a token."""
    end = account.expires_at
    session.flush()
    live = session.scalars(
        mine(TokenRow, account.tenant_id).where(
            TokenRow.account_id == account.id,
            TokenRow.state.in_((TokenState.CURRENT, TokenState.GRACE)),
        )
    ).all()
    for token in live:
        token.move_end(end)
    session.flush()
    has_current = any(token.state is TokenState.CURRENT for token in live)
    if (
        not has_current
        and account.state is AccountState.ACTIVE
        and not account.is_expired(outbox.now)
    ):
        turn_keys(
            session, [account], outbox, cause=Cause.MANUAL, actor=actor, keyring=runtime.keyring
        )
        session.refresh(account)


def _warnings(manifest: VirtualAccountManifest, policy: Policy | None) -> list[str]:
    if policy is not None and not manifest.stores and not manifest.targets:
        return [
            "This account rotates, but no secret store gets the new token and nobody is told: "
            "its consumers are cut off when the first grace ends."
        ]
    return []


def get_account(runtime: Runtime, actor: Actor, account_id: str | UUID) -> AccountView:
    """The account with this id."""
    with runtime.database.reading() as session:
        account = _living(find(session, VirtualAccount, actor.tenant_id, account_id, "account"))
        return view_of(session, account, session.get_one(Tenant, actor.tenant_id))


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
        return view_of(session, account, session.get_one(Tenant, actor.tenant_id))


def list_accounts(
    runtime: Runtime, actor: Actor, *, limit: int = 100, offset: int = 0, search: str = ""
) -> tuple[list[AccountView], int]:
    """A page of accounts by name, and how many there are; a fixed number of queries."""
    with runtime.database.reading() as session:
        tenant = session.get_one(Tenant, actor.tenant_id)
        matching = mine(VirtualAccount, tenant.id).where(
            VirtualAccount.state != AccountState.DELETED
        )
        if search:
            matching = matching.where(VirtualAccount.name.contains(search, autoescape=True))
        total = session.scalar(select(func.count()).select_from(matching.subquery())) or 0
        page = session.scalars(
            matching.order_by(VirtualAccount.name).limit(limit).offset(offset)
        ).all()
        tokens = session.scalars(
            mine(TokenRow, tenant.id)
            .where(TokenRow.account_id.in_([account.id for account in page]), _live(runtime.now()))
            .order_by(TokenRow.generation.desc())
        ).all()
        views = [
            AccountView(account, tenant, [t for t in tokens if t.account_id == account.id])
            for account in page
        ]
        return views, total


def pause_account(runtime: Runtime, actor: Actor, account_id: str | UUID) -> None:
    """No scheduled rotations until it is resumed."""

    def use_case(session: Session, outbox: Outbox) -> None:
        account = lock_account(session, actor, account_id)
        if account.paused_at is None:
            account.pause(outbox.now)
            _audit(outbox, actor, "virtual-account.paused", account)

    runtime.change(use_case)


def resume_account(runtime: Runtime, actor: Actor, account_id: str | UUID) -> None:
    """Rotates on schedule again; what fell due meanwhile is due now, once."""

    def use_case(session: Session, outbox: Outbox) -> None:
        account = lock_account(session, actor, account_id)
        if account.paused_at is not None:
            account.resume()
            _audit(outbox, actor, "virtual-account.resumed", account)

    runtime.change(use_case)


def delete_account(
    runtime: Runtime, actor: Actor, account_id: str | UUID, *, keep_copies: bool = False
) -> None:
    """Ends every token now and removes the copies that Keyturn wrote, unless they are kept."""

    def use_case(session: Session, outbox: Outbox) -> None:
        account = lock_account(session, actor, account_id)
        for token in session.scalars(
            mine(TokenRow, actor.tenant_id).where(
                TokenRow.account_id == account.id,
                TokenRow.state.in_((TokenState.CURRENT, TokenState.GRACE)),
            )
        ):
            token.end(TokenState.REVOKED, outbox.now)
        places = session.scalars(
            mine(Place, actor.tenant_id).where(
                Place.account_id == account.id, Place.state == PlaceState.ACTIVE
            )
        ).all()
        remove_places(session, outbox, account, places, keep_copies=keep_copies)
        targets = session.scalars(
            mine(Target, actor.tenant_id).where(Target.account_id == account.id)
        ).all()
        account.delete(outbox.now)
        outbox.tell(
            actor.tenant_id,
            EventType.ACCOUNT_DELETED,
            account_id=account.id,
            facts={"account": account.name, "by": actor.name},
            targets=targets,
        )
        for target in targets:
            session.delete(target)
        _audit(outbox, actor, "virtual-account.deleted", account, {"kept_copies": keep_copies})

    runtime.change(use_case)


def lock_account(session: Session, actor: Actor, account_id: str | UUID) -> VirtualAccount:
    """The living account, its row locked (law 14)."""
    return _living(
        find_locked(session, VirtualAccount, actor.tenant_id, account_id, "virtual account")
    )


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
    return AccountView(account, tenant, tokens)


def _live(now: datetime) -> Any:
    return TokenRow.state.in_((TokenState.CURRENT, TokenState.GRACE)) & (
        TokenRow.valid_until.is_(None) | (TokenRow.valid_until > now)
    )


def _living(account: VirtualAccount) -> VirtualAccount:
    if account.state is AccountState.DELETED:
        raise NotFound("virtual account", account.id)
    return account


def _audit(
    outbox: Outbox,
    actor: Actor,
    action: str,
    account: VirtualAccount,
    detail: dict[str, Any] | None = None,
) -> None:
    outbox.audit(
        actor,
        action,
        subject_type="virtual-account",
        subject_id=account.id,
        subject_name=account.name,
        detail=detail,
    )
