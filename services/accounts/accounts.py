"""Virtual accounts: create or update by manifest, look, pause, delete."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict
from core.etags import check_match, etag_of
from core.ids import new_id
from core.manifests import (
    VirtualAccountManifest,
    check_policy,
    check_token_type,
    parse_account,
)
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
    TokenType,
    VirtualAccount,
)
from services.accounts.account_views import AccountView, audit_account, resource_of, view_of
from services.accounts.account_warnings import account_warnings
from services.accounts.entitlements import (
    demand_unshared,
    hand_over,
    owning_team,
    settle_permissions,
)
from services.accounts.kept_copies import tell_kept
from services.accounts.places import send_copies, settle_places
from services.engine.minting import Cause
from services.engine.turning import turn_keys
from services.identity.identity_mapping import (
    begin_without_token,
    check_mapping,
    end_by_grace,
    settle_mapping,
)
from services.notices.reminding import tell_extended
from services.notices.targets import settle_targets
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import mine

# What two calls at the same time can both find free.
_RACED = ("uq_virtual_accounts_name", "uq_places_path", "uq_identity_mappings_value")


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
    runtime: Runtime,
    actor: Actor,
    given: dict[str, Any],
    *,
    dry_run: bool = False,
    if_match: str | None = None,
) -> Put:
    """Creates the account of this name or makes it agree with the manifest.

    An update that touches nothing changes nothing. A dry run validates everything, writes
    nothing and answers what would be. Stale unless the account is as `if_match` says.
    """
    spelled, manifest = _read(given)

    def use_case(session: Session, outbox: Outbox) -> Put:
        return _put(runtime, session, outbox, actor, manifest, spelled, if_match)

    try:
        return runtime.change(use_case, rehearse=dry_run)
    except IntegrityError as error:
        if any(name in str(error.orig) for name in _RACED):
            raise Conflict(
                f"Somebody else is changing {manifest.name} at this moment: repeat the call."
            ) from None
        raise


def put_account_within(
    runtime: Runtime, session: Session, outbox: Outbox, actor: Actor, given: dict[str, Any]
) -> Put:
    """The same, as a part of another use case's transaction."""
    spelled, manifest = _read(given)
    return _put(runtime, session, outbox, actor, manifest, spelled)


def _read(given: dict[str, Any]) -> tuple[dict[str, Any], VirtualAccountManifest]:
    spelled = {"type": "virtual-account", **reference_spelling(given)}
    return spelled, parse_account(spelled)


def _put(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    actor: Actor,
    manifest: VirtualAccountManifest,
    spelled: dict[str, Any],
    if_match: str | None = None,
) -> Put:
    check_mapping(manifest)
    check_token_type(manifest)
    tenant = session.get_one(Tenant, actor.tenant_id)
    policy = manifest.policy(max_hold=tenant.max_hold, default_grace=tenant.default_grace)
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
    check_match(if_match, etag_of(account.id, account.manifest) if account else None)
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
    demand_unshared(session, actor, f"virtualaccount:{manifest.name}")
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
    settle_mapping(session, account, manifest)
    token = None
    if account.is_mapped:
        account.plan_reminder(outbox.now)
        begin_without_token(session, outbox, account)
    else:
        (turn,) = turn_keys(
            session, [account], outbox, cause=Cause.CREATED, actor=actor, keyring=runtime.keyring
        )
        token = turn.token
    audit_account(outbox, actor, "virtual-account.created", account, {"manifest": spelled})
    view = view_of(session, account, tenant)
    warnings = account_warnings(session, runtime.opened, account, outbox.now)
    return Put(view, created=True, changed=True, token=token, warnings=warnings)


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
    old_policy, old_end, old_grace = account.policy, account.expires_at, account.grace
    old_jwt = account.jwt_expires_at
    if spelled.get("ownedBy") != existing.get("ownedBy"):
        hand_over(session, actor, tenant, account, manifest)
    if manifest.permissions is not None:
        settle_permissions(session, actor, tenant, account, manifest)
    account.manifest = spelled
    account.updated_at = outbox.now
    _apply(account, tenant, manifest, policy)
    changed = (account.policy, account.expires_at, account.jwt_expires_at)
    if changed != (old_policy, old_end, old_jwt):
        account.reschedule(outbox.now)
    account.plan_reminder(outbox.now)
    if account.expires_at != old_end:
        _move_end(session, account)
        tell_extended(session, outbox, account, old_end)
    mapped = settle_mapping(session, account, manifest)
    if account.is_mapped:
        end_by_grace(session, outbox, account, old_grace)
    new, staying = settle_places(session, outbox, runtime.opened, account, manifest, actor)
    if new or mapped:  # whoever says where the token goes could read it, or be the account
        actor.demand("virtual-account:read-token", resource_of(session, account))
    settle_targets(session, runtime.opened, account, manifest, actor)
    if not _mint_if_lacking(runtime, session, outbox, actor, account):
        send_copies(session, outbox, account, new, cause="added", priority=Priority.MANUAL)
    audit_account(
        outbox, actor, "virtual-account.updated", account, {"before": existing, "after": spelled}
    )
    kept = tell_kept(session, outbox, account, staying)
    view = view_of(session, account, tenant)
    warnings = [*account_warnings(session, runtime.opened, account, outbox.now), *kept]
    return Put(view, False, True, existing, warnings=warnings)


def _apply(
    account: VirtualAccount,
    tenant: Tenant,
    manifest: VirtualAccountManifest,
    policy: Policy | None,
) -> None:
    account.expires_at = manifest.expires_at
    account.token_type = TokenType(manifest.token_type or TokenType.OPAQUE)
    account.notify_before = manifest.auto_rotate.reminders if manifest.auto_rotate else None
    if manifest.identity_provider_mapping:
        account.jwt_expires_at = None
    account.rotation_interval = policy.interval if policy else None
    account.rotation_schedule = policy.schedule if policy else None
    account.timezone = policy.timezone if policy else "UTC"
    if policy is not None:
        account.spread, account.grace = policy.spread, policy.grace
        account.max_hold = policy.max_hold
    else:
        account.spread = timedelta(0)
        account.grace, account.max_hold = tenant.smallest_grace, tenant.max_hold


def _move_end(session: Session, account: VirtualAccount) -> None:
    """A new expiration date bounds every live token."""
    session.flush()
    for token in session.scalars(
        mine(TokenRow, account.tenant_id).where(
            TokenRow.account_id == account.id,
            TokenRow.state.in_((TokenState.CURRENT, TokenState.GRACE)),
        )
    ):
        token.move_end(account.expires_at)
    session.flush()


def _mint_if_lacking(
    runtime: Runtime, session: Session, outbox: Outbox, actor: Actor, account: VirtualAccount
) -> bool:
    """A token for an account that should have one: its end lies ahead again, its mapping is gone.

    Every place gets it.
    """
    session.flush()
    current = session.scalar(
        mine(TokenRow, account.tenant_id).where(
            TokenRow.account_id == account.id, TokenRow.state == TokenState.CURRENT
        )
    )
    should = account.state is AccountState.ACTIVE and not account.is_mapped
    if current is not None or not should or account.is_expired(outbox.now):
        return False
    turn_keys(session, [account], outbox, cause=Cause.MANUAL, actor=actor, keyring=runtime.keyring)
    session.refresh(account)
    return True
