"""What became of sends that did not get through, one by one: the newest few of each delivery.

Only failures are written, in the commit that settles them; a send that gets through costs
nothing here. The rows go with their delivery.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session

from models import Attempt, Delivery
from services import bulk
from services.delivery.sending import Outcome, Result

KEPT = 20
THROTTLED = "throttled"

_FAILED = frozenset({Result.TRANSIENT, Result.PLACE_REFUSED, Result.DESTINATION_REFUSED})


def record_attempts(session: Session, settled: Iterable[Outcome], now: datetime) -> None:
    """Writes down those of these outcomes that are failures; the oldest make room."""
    rows: list[dict[str, Any]] = [
        {
            "delivery_id": sent.id,
            "tenant_id": sent.tenant_id,
            "claim": sent.claim,
            "at": now,
            "result": THROTTLED if outcome.throttled else outcome.result.value,
            "error": outcome.error,
        }
        for outcome in settled
        if outcome.result in _FAILED
        for sent in outcome.claimed.all
    ]
    bulk.insert(session, Attempt, rows)
    for part in bulk.chunks([row for row in rows if row["claim"] > KEPT], 100):
        old = (
            and_(Attempt.delivery_id == row["delivery_id"], Attempt.claim <= row["claim"] - KEPT)
            for row in part
        )
        session.execute(
            delete(Attempt).where(or_(*old)).execution_options(synchronize_session=False)
        )


def attempts_of(session: Session, delivery: Delivery) -> Sequence[Attempt]:
    """Those that are kept, the newest first."""
    return session.scalars(
        select(Attempt)
        .where(Attempt.tenant_id == delivery.tenant_id, Attempt.delivery_id == delivery.id)
        .order_by(Attempt.claim.desc())
    ).all()
