"""Asking a whole store what it holds, now: its places fall due for the drift check."""

from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict, InvalidInput, NotFound
from core.plugins import Family
from models import Integration, Place, PlaceState
from services import bulk
from services.accounts.entitlements import demand_use
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import find

_BATCH = 2_000
_WHAT = "integration"


def check_drift(runtime: Runtime, actor: Actor, integration_id: str | UUID) -> int:
    """Every place of the store is compared with what it should hold; answers how many.

    The sweeps ask for them in batches, within the store's limits. What has drifted is repaired
    as the integration says. A second call soon after asks for nothing more.
    """
    if not runtime.settings.drift_check:
        raise Conflict("The drift check is turned off here (KEYTURN_DRIFT_CHECK).")

    def allowed(session: Session, outbox: Outbox) -> Integration:
        row = find(session, Integration, actor.tenant_id, integration_id, _WHAT)
        if row.deleted_at is not None:
            raise NotFound(_WHAT, integration_id)
        demand_use(actor, row)
        if row.family is not Family.SINK:
            raise InvalidInput(_WHAT, "this is a notification channel; name a secret store")
        outbox.audit(
            actor,
            "integration.drift-asked",
            subject_type=_WHAT,
            subject_id=row.id,
            subject_name=row.fqn,
        )
        return row

    row = runtime.change(allowed)
    asked, now = 0, runtime.now()
    while True:
        found = runtime.database.write(lambda session: _ask(session, row, now))
        asked += found
        if found < _BATCH:
            return asked


def _ask(session: Session, row: Integration, now: object) -> int:
    """One batch, in a transaction of its own: whoever settles sends does not wait for all."""
    ids = session.scalars(
        select(Place.id)
        .where(
            Place.integration_id == row.id,
            Place.tenant_id == row.tenant_id,
            Place.state == PlaceState.ACTIVE,
            Place.confirmed_revision > 0,
            or_(Place.check_at.is_(None), Place.check_at > now),
        )
        .limit(_BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    if ids:
        session.execute(
            update(Place)
            .where(bulk.among(session, Place.id, ids))
            .values(check_at=now)
            .execution_options(synchronize_session=False)
        )
    return len(ids)
