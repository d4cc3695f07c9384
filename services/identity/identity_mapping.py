"""Accounts that call with an identity provider's JWTs: they have no token of their own."""

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from core.errors import Conflict, InvalidInput
from core.ids import new_id
from core.manifests import IdentityProviderMapping, VirtualAccountManifest
from core.policy import Farewell
from core.tokens import TokenKind, mint
from models import (
    IdentityMapping,
    IdentityProvider,
    SubjectKind,
    TokenRow,
    TokenState,
    VirtualAccount,
)
from services import changes
from services.engine.minting import notice_before_end
from services.outbox import Outbox
from services.scope import mine

NO_TOKEN = (
    "This account calls with its identity provider's tokens: nothing is written to its secret "
    "stores."
)


def check_mapping(manifest: VirtualAccountManifest) -> None:
    """InvalidInput for what does not go together with a mapping."""
    mapping = manifest.identity_provider_mapping or []
    if mapping and manifest.auto_rotate is not None:
        raise InvalidInput(
            "auto_rotate", "an account with an identity_provider_mapping has no token to rotate"
        )
    seen = set()
    for number, one in enumerate(mapping):
        if (meant := _meant(one)) in seen:
            raise InvalidInput(f"identity_provider_mapping.{number}", "this is given twice")
        seen.add(meant)


def settle_mapping(
    session: Session, account: VirtualAccount, manifest: VirtualAccountManifest
) -> bool:
    """The account is mapped exactly as its manifest says; whether anything was added.

    InvalidInput if there is no such identity provider, Conflict if somebody else has the value
    already. What was made by an entry that goes, or changes, works no more.
    """
    wanted = {
        _written(one.model_dump(mode="json", by_alias=True, exclude_defaults=True)): number
        for number, one in enumerate(manifest.identity_provider_mapping or [])
    }
    for row in session.scalars(
        mine(IdentityMapping, account.tenant_id).where(IdentityMapping.subject_id == account.id)
    ):
        if wanted.pop(_written(row.entry), None) is None:
            session.delete(row)
    session.flush()  # what goes is free for what comes
    for number in wanted.values():
        _add(session, account, manifest, number)
    session.flush()
    return bool(wanted)


def _add(
    session: Session, account: VirtualAccount, manifest: VirtualAccountManifest, number: int
) -> None:
    assert manifest.identity_provider_mapping is not None
    one = manifest.identity_provider_mapping[number]
    field = f"identity_provider_mapping.{number}"
    provider = session.scalar(
        mine(IdentityProvider, account.tenant_id)
        .where(IdentityProvider.name == one.identity_provider)
        .with_for_update(read=True, key_share=True)  # it stays until our commit
    )
    if provider is None:
        raise InvalidInput(
            f"{field}.identity_provider", "there is no identity provider of this name: apply it"
        )
    named = mine(IdentityMapping, account.tenant_id).where(
        IdentityMapping.identity_provider == one.identity_provider,
        IdentityMapping.value == one.exact,
    )
    if one.exact is not None and session.scalar(named) is not None:
        raise Conflict(f"{field} belongs to another account.")
    session.add(
        IdentityMapping(
            tenant_id=account.tenant_id,
            id=new_id(),
            subject_kind=SubjectKind.VIRTUAL_ACCOUNT,
            subject_id=account.id,
            identity_provider=one.identity_provider,
            value=one.exact,
            provider_id=provider.id,
            entry=one.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        )
    )


def _meant(one: IdentityProviderMapping) -> tuple[str, ...]:
    """What no two entries of an account may have in common."""
    if one.exact is not None:
        return one.identity_provider, one.exact
    return one.identity_provider, one.value, _written(one.model_dump(mode="json", by_alias=True))


def _written(entry: dict[str, Any] | None) -> str:
    return json.dumps(entry, sort_keys=True)


def forget_mapping(session: Session, account: VirtualAccount) -> None:
    """What the account was mapped to is free for others."""
    session.execute(
        delete(IdentityMapping).where(
            IdentityMapping.tenant_id == account.tenant_id,
            IdentityMapping.subject_id == account.id,
        )
    )
    changes.record(session, [(account.tenant_id, account.id)])


def begin_without_token(session: Session, outbox: Outbox, account: VirtualAccount) -> None:
    """The first generation of a new account: it exists, works for nobody and was never shown."""
    token = mint(TokenKind.VIRTUAL_ACCOUNT)
    session.add(
        TokenRow(
            tenant_id=account.tenant_id,
            id=new_id(),
            account_id=account.id,
            generation=account.generation,
            state=TokenState.REVOKED,
            hash=token.hash,
            last_four=token.last_four,
            created_at=outbox.now,
            expires_at=account.expires_at,
            valid_until=account.expires_at,
            ended_at=outbox.now,
        )
    )
    session.flush()


def end_by_grace(
    session: Session, outbox: Outbox, account: VirtualAccount, grace: timedelta
) -> None:
    """The current token works through this grace and has no successor; nothing can hold it."""
    current = session.scalar(
        mine(TokenRow, account.tenant_id).where(
            TokenRow.account_id == account.id, TokenRow.state == TokenState.CURRENT
        )
    )
    if current is None:
        return
    farewell = Farewell.at(
        outbox.now,
        grace=grace,
        max_hold=timedelta(0),
        expires_at=current.expires_at,
        held=False,
    )
    current.set_aside(
        grace_until=farewell.grace_until,
        hold_until=farewell.hold_until,
        valid_until=farewell.valid_until,
        notice_at=notice_before_end(farewell, grace),
    )
    session.flush()
