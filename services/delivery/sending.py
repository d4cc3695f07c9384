"""One send: a claimed delivery goes to its plugin, and comes back as an outcome.

Runs between two transactions and touches no database. A send starts only while its worst
case fits into its lease; otherwise it comes back unsent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from pydantic import SecretStr

from core.errors import (
    DestinationRefused,
    KeyturnError,
    Misconfigured,
    PlaceRefused,
    SealBroken,
    Transient,
)
from core.events import EventType, Severity
from core.ids import Mark
from core.layout import Layout
from core.plugins import Plugin
from models import Action
from notifiers.base import Digest, Notice, Notifier
from services.delivery.claimed import Claimed
from services.delivery.lanes import Turn
from services.notices.acknowledge_links import acknowledge_link
from services.notices.invitation_mail import link_of
from services.runtime import Runtime
from sinks.base import Copy, Held, Removal, Sink

_BESIDE = {
    "account": "account",
    "generation": "generation",
    "rotated-at": "rotated_at",
    "previous-valid-until": "grace_until",
    "next-rotation": "next_rotation_at",
    "valid-until": "expires_at",
}


class Result(StrEnum):
    """How a send ended."""

    DONE = "done"
    SUPERSEDED = "superseded"
    UNSENT = "unsent"
    TRANSIENT = "transient"
    PLACE_REFUSED = "place refused"
    DESTINATION_REFUSED = "destination refused"


@dataclass(frozen=True)
class Drift:
    """What a store held instead of what it should, and whether that is to be repaired."""

    found: str
    repairs: bool


@dataclass(frozen=True)
class Outcome:
    """A claimed delivery and what became of it. `error` quotes no secret."""

    claimed: Claimed
    result: Result
    error: str | None = None
    retry_after: timedelta | None = None
    throttled: bool = False
    drift: Drift | None = None

    @property
    def action(self) -> Action:
        return self.claimed.action

    @property
    def is_no_answer(self) -> bool:
        """Whether it speaks against the destination as a whole."""
        failed = self.result is Result.TRANSIENT and not self.throttled
        return failed or self.result is Result.DESTINATION_REFUSED


def send(
    runtime: Runtime, turn: Turn, plugin: Plugin, claimed: Claimed, epoch: int, start_by: float
) -> Outcome:
    """Sends one delivery. Whatever the plugin raises becomes an outcome."""
    if runtime.clock.elapsed() > start_by:
        return Outcome(claimed, Result.UNSENT)
    try:
        return _done(runtime, turn, plugin, claimed, epoch)
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


def _done(runtime: Runtime, turn: Turn, plugin: Plugin, claimed: Claimed, epoch: int) -> Outcome:
    if claimed.action is Action.CHECK:
        return Outcome(claimed, Result.DONE, drift=_check(runtime, plugin, claimed))
    return Outcome(claimed, _send(runtime, turn, plugin, claimed, epoch))


def _send(runtime: Runtime, turn: Turn, plugin: Plugin, claimed: Claimed, epoch: int) -> Result:
    if claimed.action is Action.NOTICE:
        assert isinstance(plugin, Notifier)
        _tell(runtime, turn, plugin, claimed)
        return Result.DONE
    assert isinstance(plugin, Sink)
    assert claimed.path is not None
    assert claimed.place_id is not None
    if claimed.action is Action.REMOVE:
        removal = Removal(claimed.path, claimed.place_id, claimed.key or "")
        plugin.remove(removal, runtime.ports)
        return Result.DONE
    if claimed.sealed is None or claimed.token_id is None:
        return Result.SUPERSEDED
    copy = _copy(runtime, claimed, epoch)
    held = plugin.put(copy, runtime.ports)
    return Result.DONE if held.mark == copy.mark else Result.SUPERSEDED


def _check(runtime: Runtime, plugin: Plugin, claimed: Claimed) -> Drift | None:
    assert isinstance(plugin, Sink)
    assert claimed.path is not None
    held = plugin.read(claimed.path, runtime.ports, claimed.key or "")
    found = _difference(held, claimed)
    return Drift(found, plugin.on_drift == "repair") if found else None


def _difference(held: Held | None, claimed: Claimed) -> str | None:
    """What is wrong with what a store holds; None if nothing is."""
    if held is None:
        return "nothing is there"
    if held.mark is None:
        return "somebody else's secret"
    if held.mark.place != claimed.place_id:
        return "another account's copy"
    if held.mark.revision == claimed.revision:
        return None
    if not held.mark.revision:
        return "somebody else's value in Keyturn's secret"
    return "an older copy" if held.mark.revision < claimed.revision else "a newer copy"


def _copy(runtime: Runtime, claimed: Claimed, epoch: int) -> Copy:
    assert claimed.path is not None
    assert claimed.place_id is not None
    assert claimed.token_id is not None
    assert claimed.sealed is not None
    token = runtime.keyring.open("tokens", claimed.tenant_id, claimed.token_id, claimed.sealed)
    return Copy(
        path=claimed.path,
        token=SecretStr(token.decode()),
        mark=Mark(epoch=epoch, revision=claimed.revision, place=claimed.place_id),
        facts=_beside(claimed.facts),
        adopt=bool(claimed.adopt),
        replaces=frozenset({claimed.takes_over} if claimed.takes_over else ()),
        key=claimed.key or "",
        layout=Layout.model_validate(claimed.layout or {}),
    )


def _beside(facts: Mapping[str, Any]) -> dict[str, str]:
    """What a store keeps beside the token, from the facts of the event that asked for the copy."""
    return {name: str(facts.get(fact) or "") for name, fact in _BESIDE.items()}


def _tell(runtime: Runtime, turn: Turn, plugin: Notifier, claimed: Claimed) -> None:
    address = claimed.address or ""
    if not claimed.others:
        plugin.send(_notice(runtime, turn, claimed), address, runtime.ports)
        return
    assert claimed.digest_id is not None
    digest = Digest(
        key=claimed.digest_id,
        tenant=turn.tenant,
        notices=tuple(_notice(runtime, turn, row) for row in claimed.all),
        link=_home(runtime),
    )
    plugin.send_digest(digest, address, runtime.ports)


def _notice(runtime: Runtime, turn: Turn, claimed: Claimed) -> Notice:
    return Notice(
        key=claimed.id,
        type=claimed.event_type,
        severity=Severity(claimed.severity),
        at=claimed.event_at,
        tenant=turn.tenant,
        facts={**claimed.facts, **(claimed.beside or {})},
        link=_link(runtime, claimed),
        acknowledge=acknowledge_link(runtime.keyring, _home(runtime), claimed),
        timezone=claimed.timezone or "UTC",
        templates=runtime.settings.templates,
    )


def _link(runtime: Runtime, claimed: Claimed) -> str:
    """Where a notice leads: to its account, or to what its event carries."""
    if claimed.event_type is EventType.USER_INVITED:
        return link_of(runtime.keyring, claimed.tenant_id, claimed.facts)
    home = _home(runtime)
    return f"{home}/accounts/{claimed.account_id}" if claimed.account_id else home


def _home(runtime: Runtime) -> str:
    return runtime.settings.public_url.rstrip("/")


def _said(error: KeyturnError) -> str:
    return str(error)[:500]
