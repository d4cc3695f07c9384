"""Kept answers: a call that mints, repeated under its Idempotency-Key, gets its first answer.

The answer is written, sealed, in the transaction that mints, so that whoever repeats a call whose
answer was lost gets just that answer, and nothing is minted twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import InvalidInput
from core.ids import new_id
from models import KeptAnswer
from services import bulk
from services.keys import Keyring
from services.outbox import Outbox
from services.scope import mine

KEPT = timedelta(hours=24)


@dataclass(frozen=True)
class Repeatable:
    """A call that may be repeated: what is called, under which key, with which body's hash."""

    call: str
    key: str
    body_hash: bytes


def answer_once(
    session: Session,
    outbox: Outbox,
    keyring: Keyring,
    actor: Actor,
    repeatable: Repeatable | None,
    mint: Callable[[], bytes],
) -> bytes:
    """What `mint` answers; for a repeat within 24 hours, what it answered the first time.

    Call it within the transaction that mints, after what the actor may do was checked. Of two
    calls at the same time one mints and the other waits for its answer. InvalidInput if the key
    was used with another body.
    """
    if repeatable is None:
        return mint()
    caller_id = actor.id or actor.tenant_id
    same = (
        KeptAnswer.tenant_id == actor.tenant_id,
        KeptAnswer.caller_id == caller_id,
        KeptAnswer.call == repeatable.call,
        KeptAnswer.key == repeatable.key,
    )
    session.execute(delete(KeptAnswer).where(*same, KeptAnswer.created_at <= outbox.now - KEPT))
    row_id = new_id()
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    first = session.scalar(
        dialect.insert(KeptAnswer)
        .values(
            tenant_id=actor.tenant_id,
            id=row_id,
            caller_id=caller_id,
            call=repeatable.call,
            key=repeatable.key,
            body_hash=repeatable.body_hash,
            sealed=b"",
            created_at=outbox.now,
        )
        .on_conflict_do_nothing()
        .returning(KeptAnswer.id)
    )
    kept = session.scalars(mine(KeptAnswer, actor.tenant_id).where(*same)).one()
    if first is not None:
        answer = mint()
        kept.sealed = keyring.seal("kept_answers", actor.tenant_id, row_id, answer)
        return answer
    if kept.body_hash != repeatable.body_hash:
        raise InvalidInput("Idempotency-Key", "this key was used with another body: give a new one")
    return keyring.open("kept_answers", kept.tenant_id, kept.id, kept.sealed)


def prune_answers(session: Session, now: datetime, limit: int) -> int:
    """Deletes at most `limit` answers that are not kept any more; how many went."""
    old = list(
        session.scalars(
            select(KeptAnswer.id)
            .where(KeptAnswer.created_at <= now - KEPT)
            .order_by(KeptAnswer.created_at)
            .limit(limit)
        )
    )
    if old:
        session.execute(
            delete(KeptAnswer)
            .where(bulk.among(session, KeptAnswer.id, old))
            .execution_options(synchronize_session=False)
        )
    return len(old)
