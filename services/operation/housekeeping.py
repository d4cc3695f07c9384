"""Housekeeping: what is over goes, in batches, after its retention."""

from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from models import (
    Change,
    Delivery,
    DeviceLogin,
    Event,
    ExchangedToken,
    LoginSession,
    Process,
    SignIn,
)
from services import bulk
from services.engine.signing import prune_signing_keys
from services.kept_answers import prune_answers
from services.keys import SILENT
from services.runtime import Runtime
from services.verify.use_folding import fold, forget

BATCH = 5_000
_Ending = DeviceLogin | ExchangedToken | LoginSession | SignIn
# So long a session or exchanged token that has ended is told as ended, and not as unknown.
_ENDED_TOKENS = timedelta(days=1)
# Verifiers hear of changes within seconds, and forget everything if they could not.
_HEARD_CHANGES = timedelta(hours=1)


def prune(runtime: Runtime) -> int:
    """Deletes one batch of what is past its retention; answers how many rows went."""
    return runtime.database.write(lambda session: _prune(session, runtime))


def _prune(session: Session, runtime: Runtime) -> int:
    now = runtime.now()
    gone = _prune_deliveries(session, now - runtime.settings.delivery_retention)
    gone += _prune_events(session, now - runtime.settings.event_retention)
    gone += _prune_ended(session, DeviceLogin, now)
    gone += _prune_ended(session, SignIn, now)
    gone += _prune_ended(session, ExchangedToken, now - _ENDED_TOKENS)
    gone += _prune_ended(session, LoginSession, now - _ENDED_TOKENS)
    gone += prune_answers(session, now, BATCH)
    gone += prune_signing_keys(session, now)
    gone += _prune_changes(session, now - _HEARD_CHANGES)
    gone += fold(session, BATCH)
    session.execute(delete(Process).where(Process.seen_at < now - 10 * SILENT))
    return gone


def _prune_deliveries(session: Session, before: datetime) -> int:
    old = list(
        session.scalars(
            select(Delivery.id)
            .where(Delivery.settled_at < before)
            .order_by(Delivery.settled_at)
            .limit(BATCH)
        )
    )
    if old:
        session.execute(
            delete(Delivery)
            .where(bulk.among(session, Delivery.id, old))
            .execution_options(synchronize_session=False)
        )
    return len(old)


def _prune_events(session: Session, before: datetime) -> int:
    """Events that a delivery still refers to stay until it is gone."""
    used = exists().where(Delivery.event_id == Event.id, Delivery.tenant_id == Event.tenant_id)
    old = list(
        session.scalars(
            select(Event.id).where(Event.at < before, ~used).order_by(Event.at).limit(BATCH)
        )
    )
    if old:
        session.execute(
            delete(Event)
            .where(bulk.among(session, Event.id, old))
            .execution_options(synchronize_session=False)
        )
    return len(old)


def _prune_changes(session: Session, before: datetime) -> int:
    old = list(
        session.scalars(
            select(Change.id).where(Change.at < before).order_by(Change.at).limit(BATCH)
        )
    )
    if old:
        session.execute(
            delete(Change).where(Change.id.in_(old)).execution_options(synchronize_session=False)
        )
    return len(old)


def _prune_ended(session: Session, model: type[_Ending], before: datetime) -> int:
    old = list(
        session.scalars(
            select(model.id)
            .where(model.expires_at < before)
            .order_by(model.expires_at)
            .limit(BATCH)
        )
    )
    if old:
        forget(session, old)
        session.execute(
            delete(model)
            .where(bulk.among(session, model.id, old))
            .execution_options(synchronize_session=False)
        )
    return len(old)
