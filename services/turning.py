"""Turning keys by hand: whatever is not the schedule, creation included."""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy.orm import Session

from core.actors import Actor
from models import VirtualAccount
from services.keys import Keyring
from services.minting import Cause, Turn, prepare
from services.outbox import Outbox
from services.signing import add_signers
from services.surroundings import read_surroundings
from services.turn_rows import write


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
