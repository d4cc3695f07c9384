"""The life of a virtual account between its manifests: pause, resume, delete."""

from uuid import UUID

from sqlalchemy.orm import Session

from core.actors import Actor
from core.etags import check_match, etag_of
from core.events import EventType
from models import Place, PlaceState, TokenRow, TokenState
from services.access.granting import forget_resource, forget_subject
from services.accounts.account_views import audit_account, lock_account
from services.accounts.places import remove_places
from services.identity.identity_mapping import forget_mapping
from services.notices.targets import forget_targets
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import mine


def pause_account(runtime: Runtime, actor: Actor, account_id: str | UUID) -> None:
    """No scheduled rotations until it is resumed."""

    def use_case(session: Session, outbox: Outbox) -> None:
        account = lock_account(session, actor, account_id, "virtual-account:update")
        if account.paused_at is None:
            account.pause(outbox.now)
            audit_account(outbox, actor, "virtual-account.paused", account)

    runtime.change(use_case)


def resume_account(runtime: Runtime, actor: Actor, account_id: str | UUID) -> None:
    """Rotates on schedule again; what fell due meanwhile is due now, once."""

    def use_case(session: Session, outbox: Outbox) -> None:
        account = lock_account(session, actor, account_id, "virtual-account:update")
        if account.paused_at is not None:
            account.resume()
            account.plan_reminder(outbox.now)
            audit_account(outbox, actor, "virtual-account.resumed", account)

    runtime.change(use_case)


def delete_account(
    runtime: Runtime,
    actor: Actor,
    account_id: str | UUID,
    *,
    keep_copies: bool = False,
    if_match: str | None = None,
) -> None:
    """Ends every token now and removes the copies that Keyturn wrote, unless they are kept.

    Stale unless the account is as `if_match` says.
    """

    def use_case(session: Session, outbox: Outbox) -> None:
        account = lock_account(session, actor, account_id, "virtual-account:delete")
        check_match(if_match, etag_of(account.id, account.manifest))
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
        account.delete(outbox.now)
        outbox.tell(
            actor.tenant_id,
            EventType.ACCOUNT_DELETED,
            account_id=account.id,
            facts={"account": account.name, "by": actor.name},
        )
        forget_targets(session, account)
        forget_subject(session, actor.tenant_id, account.id)
        forget_resource(session, actor.tenant_id, "virtual-account", account.fqn)
        forget_mapping(session, account)
        audit_account(
            outbox, actor, "virtual-account.deleted", account, {"kept_copies": keep_copies}
        )

    runtime.change(use_case)
