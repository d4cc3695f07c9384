"""Turning keys by hand: whatever is not the schedule, creation included."""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy.orm import Session

from core.actors import Actor
from models import VirtualAccount
from services.engine.minting import Cause, Turn, prepare
from services.engine.signing import add_signers
from services.engine.surroundings import read_surroundings
from services.engine.turn_rows import write
from services.keys import Keyring
from services.outbox import Outbox


def turn_keys(
    session: Session,
    accounts: Iterable[VirtualAccount],
    outbox: Outbox,
    *,
    cause: Cause,
    actor: Actor,
    keyring: Keyring,
    grace: timedelta | None = None,
) -> list[Turn]:
    """Turns the keys of accounts whose rows the caller holds; one commit for all of them."""
    held = list(accounts)
    around = read_surroundings(session, held)
    add_signers(session, around, held, keyring, outbox.now)
    turns = [
        prepare(
            account, around, now=outbox.now, cause=cause, actor=actor, keyring=keyring, grace=grace
        )
        for account in held
    ]
    write(session, turns, around, outbox)
    for account in held:
        session.expire(account)
    return turns
