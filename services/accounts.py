"""Virtual accounts: create or update by manifest, look, pause, delete."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict
from core.ids import new_id
from core.manifests import VirtualAccountManifest, check_policy, parse_account
from core.policy import Policy
from core.roles import Resource
from core.spelling import reference_spelling
from core.tokens import Token
from models import (
    AccountState,
    Priority,
    Tenant,
    TokenRow,
    TokenState,
    VirtualAccount,
)
from services.account_views import AccountView, audit_account, resource_of, view_of
from services.entitlements import owning_team, settle_permissions
from services.minting import Cause
from services.outbox import Outbox
from services.places import send_copies, settle_places, settle_targets
from services.runtime import Runtime
from services.scope import mine
from services.turning import turn_keys

_NOBODY_HEARS = (
    "This account rotates, but no secret store gets the new token and nobody is told: "
    "its consumers are cut off when the first grace ends."
)


@dataclass(frozen=True)
class Put:
    """What a create or update did. The token is there on creation only."""

    view: AccountView
    created: bool
    changed: bool
    existing: dict[str, Any] | None = None
    token: Token | None = None
    warnings: list[str] = field(default_factory=list)


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
        return _put(runtime, session, outbox, actor, manifest, spelled)

    try:
        return runtime.change(use_case, rehearse=dry_run)
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
    actor.demand("virtual-account:update", resource_of(session, account))
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
    team = owning_team(session, actor, manifest)
    actor.demand(
        "virtual-account:create",
        Resource("virtual-account", f"virtualaccount:{manifest.name}", team.name if team else None),
    )
    account = VirtualAccount(
        tenant_id=tenant.id,
        id=new_id(),
        name=manifest.name,
        team_id=team.id if team else None,
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
    settle_permissions(session, actor, tenant, account, manifest)
    settle_places(session, outbox, runtime.opened, account, manifest, actor)
    settle_targets(session, runtime.opened, account, manifest, actor)
    (turn,) = turn_keys(
        session, [account], outbox, cause=Cause.CREATED, actor=actor, keyring=runtime.keyring
    )
    audit_account(outbox, actor, "virtual-account.created", account, {"manifest": spelled})
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
    if spelled.get("ownedBy") != existing.get("ownedBy"):
        team = owning_team(session, actor, manifest)
        account.team_id = team.id if team else None
        session.flush()
        actor.demand("virtual-account:update", resource_of(session, account))
    if manifest.permissions is not None:
        settle_permissions(session, actor, tenant, account, manifest)
    account.manifest = spelled
    account.updated_at = outbox.now
    _apply(account, tenant, manifest, policy)
    if account.policy != old_policy or account.expires_at != old_end:
        account.reschedule(outbox.now)
    if account.expires_at != old_end:
        _move_end(runtime, session, outbox, actor, account)
    new = settle_places(session, outbox, runtime.opened, account, manifest, actor)
    if new:  # whoever says where the token goes could read it there
        actor.demand("virtual-account:read-token", resource_of(session, account))
    settle_targets(session, runtime.opened, account, manifest, actor)
    send_copies(session, outbox, account, new, cause="added", priority=Priority.MANUAL)
    audit_account(
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
        return [_NOBODY_HEARS]
    return []
