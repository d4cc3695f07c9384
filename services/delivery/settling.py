"""Settling: what the outcomes of sends mean for deliveries, places, lanes and holds.

Locks in the order account, lane, delivery. Every update is fenced by the delivery's claim:
whoever lost its lease changes nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_, update
from sqlalchemy.orm import Session

from core import backoff
from models import Action, Delivery, DeliveryState, Lane, Place, PlaceState, VirtualAccount
from services import bulk
from services.delivery.attempts import record_attempts
from services.delivery.drift import settle_checks
from services.delivery.judging import judge
from services.delivery.lanes import Turn
from services.delivery.sending import Outcome, Result
from services.engine.holds import release_holds
from services.notices.standing_in import pass_on_refused
from services.outbox import Outbox

_NOTICE_GIVEN_UP = timedelta(days=3)
_ENDS = {Result.DONE: DeliveryState.DONE, Result.SUPERSEDED: DeliveryState.SUPERSEDED}


def settle(
    session: Session,
    outbox: Outbox,
    turn: Turn,
    outcomes: Sequence[Outcome],
    *,
    check_after: timedelta | None = None,
) -> None:
    """Records these outcomes in one commit; what lost its claim meanwhile is left out.

    What was confirmed is looked at again `check_after` from now.
    """
    accounts = _lock_accounts(session, outcomes)
    lane = session.scalar(
        select(Lane)
        .where(Lane.id == turn.lane.id, Lane.tenant_id == turn.lane.tenant_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    assert lane is not None
    kept = _record(session, outcomes, outbox.now)
    settled = [outcome for outcome in outcomes if outcome.claimed.id in kept]
    record_attempts(session, settled, outbox.now)
    for outcome in settled:
        judge(session, outbox, lane, outcome)
    refused = [o for o in settled if o.result is Result.PLACE_REFUSED and o.action is Action.NOTICE]
    pass_on_refused(session, outbox, lane, refused)
    done = [outcome for outcome in settled if outcome.result is Result.DONE]
    check_at = outbox.now + check_after if check_after else None
    _confirm(session, [o for o in done if o.action is Action.PUT], outbox.now, check_at)
    _removed(session, [o for o in done if o.action is Action.REMOVE])
    settle_checks(session, outbox, [o for o in done if o.action is Action.CHECK])
    release_holds(session, accounts, outbox.now)


def _lock_accounts(session: Session, outcomes: Iterable[Outcome]) -> list[UUID]:
    """Accounts whose holds a confirmation may release or whose copy is repaired, by id."""
    wanted = {
        outcome.claimed.account_id
        for outcome in outcomes
        if outcome.result is Result.DONE
        and (outcome.action is Action.PUT or outcome.drift is not None)
        and outcome.claimed.account_id is not None
    }
    if not wanted:
        return []
    return list(
        session.scalars(
            select(VirtualAccount.id)
            .where(bulk.among(session, VirtualAccount.id, wanted))
            .order_by(VirtualAccount.id)
            .with_for_update(key_share=True)
        )
    )


def _record(session: Session, outcomes: Sequence[Outcome], now: datetime) -> set[UUID]:
    """The deliveries' own rows; answers which of them still were the caller's."""
    kept: set[UUID] = set()
    for result, state in _ENDS.items():
        ended = [outcome for outcome in outcomes if outcome.result is result]
        kept |= _update(session, ended, {"state": state, "settled_at": now, "error": None})
    for outcome in outcomes:
        if outcome.result not in _ENDS:
            kept |= _update(session, [outcome], _again(outcome, now))
    return kept


def _update(session: Session, outcomes: Sequence[Outcome], values: dict[str, Any]) -> set[UUID]:
    if not outcomes:
        return set()
    claims = [(row.id, row.claim) for outcome in outcomes for row in outcome.claimed.all]
    updated = session.scalars(
        update(Delivery)
        .where(
            bulk.among(session, Delivery.id, [row for row, _ in claims]),
            tuple_(Delivery.id, Delivery.claim).in_(claims),
            Delivery.state == DeliveryState.SENDING,
        )
        .values(leased_until=None, **values)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return set(updated)


def _again(outcome: Outcome, now: datetime) -> dict[str, Any]:
    """What becomes of a delivery that did not get through."""
    sent = outcome.claimed
    error = {"error": outcome.error} if outcome.error else {}
    if outcome.result is Result.PLACE_REFUSED or _is_stale_notice(outcome, now):
        return {"state": DeliveryState.FAILED, "settled_at": now, **error}
    if outcome.result is Result.UNSENT:
        begun = {"digest_id": None} if sent.is_new_digest else {}
        return {"state": DeliveryState.PENDING, "due_at": now, **begun}
    if outcome.throttled:
        wait = outcome.retry_after or backoff.wait(1)
        return {"state": DeliveryState.PENDING, "due_at": now + wait, **error}
    failures = sent.failures + (outcome.result is Result.TRANSIENT)
    wait = backoff.wait(sent.failures + 1, at_least=outcome.retry_after)
    return {
        "state": DeliveryState.PENDING,
        "due_at": now + wait,
        "failures": failures,
        **error,
    }


def _is_stale_notice(outcome: Outcome, now: datetime) -> bool:
    """Sinks are tried until superseded; notices are given up three days after the newest."""
    newest = max(row.created_at for row in outcome.claimed.all)
    old = now - newest > _NOTICE_GIVEN_UP
    return outcome.action is Action.NOTICE and old


def _confirm(
    session: Session, outcomes: Sequence[Outcome], now: datetime, check_at: datetime | None
) -> None:
    """The places hold what was sent; the sink read it back."""
    bulk.update_each(
        session,
        Place,
        [
            {
                "tenant_id": outcome.claimed.tenant_id,
                "id": outcome.claimed.place_id,
                "confirmed_revision": outcome.claimed.revision,
                "confirmed_generation": outcome.claimed.generation,
                "confirmed_at": now,
                "check_at": check_at,
                "drift": None,
                "takes_over": None,
                "last_error": None,
            }
            for outcome in outcomes
        ],
    )


def _removed(session: Session, outcomes: Sequence[Outcome]) -> None:
    places = [outcome.claimed.place_id for outcome in outcomes]
    if places:
        session.execute(
            update(Place)
            .where(Place.id.in_(places), Place.state == PlaceState.REMOVING)
            .values(state=PlaceState.REMOVED)
            .execution_options(synchronize_session=False)
        )
