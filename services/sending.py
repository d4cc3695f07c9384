"""One send: a claimed delivery goes to its plugin, and comes back as an outcome.

Runs between two transactions and touches no database. A send starts only while its worst
case fits into its lease; otherwise it comes back unsent.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from pydantic import SecretStr

from core.errors import (
    DestinationRefused,
    KeyturnError,
    Misconfigured,
    PlaceRefused,
    SealBroken,
    Transient,
)
from core.events import Severity
from core.ids import Mark
from core.plugins import Plugin
from models import Action
from notifiers.base import Notice, Notifier
from services.lanes import Claimed, Turn
from services.runtime import Runtime
from sinks.base import Copy, Removal, Sink


class Result(StrEnum):
    """How a send ended."""

    DONE = "done"
    SUPERSEDED = "superseded"
    UNSENT = "unsent"
    TRANSIENT = "transient"
    PLACE_REFUSED = "place refused"
    DESTINATION_REFUSED = "destination refused"


@dataclass(frozen=True)
class Outcome:
    """A claimed delivery and what became of it. `error` quotes no secret."""

    claimed: Claimed
    result: Result
    error: str | None = None
    retry_after: timedelta | None = None
    throttled: bool = False

    @property
    def action(self) -> Action:
        return self.claimed.delivery.action


def send(
    runtime: Runtime, turn: Turn, plugin: Plugin, claimed: Claimed, epoch: int, start_by: float
) -> Outcome:
    """Sends one delivery. Whatever the plugin raises becomes an outcome."""
    if runtime.clock.elapsed() > start_by:
        return Outcome(claimed, Result.UNSENT)
    try:
        return Outcome(claimed, _send(runtime, turn, plugin, claimed, epoch))
    except Transient as error:
        return Outcome(
            claimed, Result.TRANSIENT, _said(error), error.retry_after, throttled=error.throttled
        )
    except (PlaceRefused, SealBroken) as error:
        return Outcome(claimed, Result.PLACE_REFUSED, _said(error))
    except (DestinationRefused, Misconfigured) as error:
        return Outcome(claimed, Result.DESTINATION_REFUSED, _said(error))
    except Exception as error:  # noqa: BLE001 - a plugin's surprise is retried, by name only
        return Outcome(claimed, Result.TRANSIENT, f"unexpected {type(error).__name__}")


def _send(runtime: Runtime, turn: Turn, plugin: Plugin, claimed: Claimed, epoch: int) -> Result:
    if claimed.delivery.action is Action.NOTICE:
        assert isinstance(plugin, Notifier)
        plugin.send(_notice(runtime, turn, claimed), claimed.delivery.address or "", runtime.ports)
        return Result.DONE
    assert isinstance(plugin, Sink)
    assert claimed.place is not None
    if claimed.delivery.action is Action.REMOVE:
        plugin.remove(Removal(claimed.place.path, claimed.place.id), runtime.ports)
        return Result.DONE
    if claimed.sealed is None or claimed.token_id is None:
        return Result.SUPERSEDED
    copy = _copy(runtime, claimed, epoch)
    held = plugin.put(copy, runtime.ports)
    return Result.DONE if held.mark == copy.mark else Result.SUPERSEDED


def _copy(runtime: Runtime, claimed: Claimed, epoch: int) -> Copy:
    delivery, place = claimed.delivery, claimed.place
    assert place is not None
    assert claimed.token_id is not None
    assert claimed.sealed is not None
    token = runtime.keyring.open("tokens", delivery.tenant_id, claimed.token_id, claimed.sealed)
    return Copy(
        path=place.path,
        token=SecretStr(token.decode()),
        mark=Mark(epoch=epoch, revision=delivery.revision, place=place.id),
        facts=delivery.facts,
        adopt=place.adopt,
        replaces=frozenset({place.takes_over} if place.takes_over else ()),
    )


def _notice(runtime: Runtime, turn: Turn, claimed: Claimed) -> Notice:
    event = claimed.event
    link = runtime.settings.public_url.rstrip("/")
    if event.account_id:
        link += f"/accounts/{event.account_id}"
    return Notice(
        key=claimed.delivery.id,
        type=event.type,
        severity=Severity(event.severity),
        at=event.at,
        tenant=turn.tenant,
        facts=event.facts,
        link=link,
    )


def _said(error: KeyturnError) -> str:
    return str(error)[:500]
