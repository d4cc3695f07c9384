"""What happens, as it happens: one readable line per rotation, delivery and ending."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Self
from uuid import UUID

from rich.text import Text
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from cli.output import out, plain
from core.events import EventType, Severity
from models import Action, Delivery, DeliveryState, Event, Integration, Lane, VirtualAccount
from services.runtime import Runtime

_EVERY = 0.3
_OVERLAP = timedelta(seconds=10)
_REMEMBERED = 2_000
_NAMED = 3  # accounts that a line about a message names

_VERBS = {
    EventType.ACCOUNT_CREATED: "created",
    EventType.TOKEN_ROTATED: "rotated",
    EventType.TOKEN_EXPIRED: "expired",
    EventType.GRACE_ENDING: "ending",
    EventType.GRACE_HELD: "held",
    EventType.COPY_REQUESTED: "copying",
}
_COLOURS = {Severity.INFO: "green", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}


class Activity:
    """Follows events and settled deliveries while it is entered."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._since = runtime.now()
        self._seen: OrderedDict[UUID, None] = OrderedDict()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="activity", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join(2)

    def _run(self) -> None:
        while not self._stop.wait(_EVERY):
            try:
                for line in self.news():
                    out.print(line)
            except SQLAlchemyError:
                continue  # the next look finds the same rows

    def news(self) -> list[Text]:
        """Lines for what was not told before, in the order in which it happened."""
        since = max(self._since, self._runtime.now() - _OVERLAP)
        with self._runtime.database.reading() as session:
            events = session.scalars(select(Event).where(Event.at >= since)).all()
            settled = session.execute(
                select(Delivery, Integration.fqn, VirtualAccount.name, Event.type)
                .join(Event, Event.id == Delivery.event_id)
                .join(Lane, Lane.id == Delivery.lane_id)
                .join(Integration, Integration.id == Lane.integration_id)
                .outerjoin(VirtualAccount, VirtualAccount.id == Delivery.account_id)
                .where(Delivery.settled_at >= since)
            ).all()
        lines = [(event.at, self._event(event)) for event in events if self._is_new(event.id)]
        fresh = [one for one in settled if self._is_new(one[0].id)]
        lines += [
            (row.settled_at or since, self._delivery(row, fqn, name))
            for row, fqn, name, _ in fresh
            if not _is_told(row)
        ]
        lines += _messages(one for one in fresh if _is_told(one[0]))
        return [line for _, line in sorted(lines, key=lambda line: line[0])]

    def _is_new(self, row: UUID) -> bool:
        if row in self._seen:
            return False
        self._seen[row] = None
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True

    @staticmethod
    def _event(event: Event) -> Text:
        facts: dict[str, Any] = event.facts
        what = f"{facts.get('account', facts.get('lane', ''))}"
        if facts.get("generation"):
            what += f", generation {facts['generation']}"
        if event.type is EventType.TOKEN_ROTATED:
            what += f"; the old token works until {_clock(facts['grace_until'])}"
        elif event.type is EventType.GRACE_ENDING:
            what += f" ends at {_clock(facts['grace_until'])}"
        elif facts.get("error") or facts.get("reason"):
            what += f": {facts.get('error') or facts.get('reason')}"
        verb = _VERBS.get(event.type, event.type.value)
        return _line(event.at, verb, what, _COLOURS[Severity(event.severity)])

    @staticmethod
    def _delivery(row: Delivery, fqn: str, account: str | None) -> Text:
        moment = row.settled_at or row.created_at
        if row.state is DeliveryState.FAILED:
            return _line(moment, "failed", f"{account or ''} to {fqn}: {row.error}", "bold red")
        if row.state is DeliveryState.SUPERSEDED:
            return _line(moment, "skipped", f"{account or ''} to {fqn}: a newer one follows", "dim")
        verb = "removed" if row.action is Action.REMOVE else "delivered"
        what = f"{account or ''}, generation {row.generation}, to {fqn} {row.document}"
        return _line(moment, verb, what, "cyan")


def _is_told(row: Delivery) -> bool:
    return row.action is Action.NOTICE and row.state is DeliveryState.DONE


def _messages(told: Iterable[Any]) -> Iterator[tuple[datetime, Text]]:
    """A line for each message, with what it told of each account."""
    messages: dict[Any, dict[str, list[str]]] = {}
    heads: dict[Any, tuple[datetime, str]] = {}
    for row, fqn, account, event_type in told:
        key = (row.digest_id or row.id, row.address)
        verb = _VERBS.get(event_type, event_type.value)
        messages.setdefault(key, {}).setdefault(account or "", []).append(verb)
        heads[key] = row.settled_at, f"{fqn} {row.address}".rstrip()
    for key, facts in messages.items():
        moment, where = heads[key]
        named = list(islice(facts.items(), _NAMED))
        what = "; ".join(f"{account} {', '.join(verbs)}".strip() for account, verbs in named)
        more = f" and {len(facts) - _NAMED} more" if len(facts) > _NAMED else ""
        yield moment, _line(moment, "told", f"{what}{more}, to {where}", "cyan")


def _line(moment: datetime, verb: str, what: str, colour: str) -> Text:
    return Text.assemble((f"{moment:%H:%M:%S}  ", "dim"), (f"{verb:10}", colour), plain(what))


def _clock(moment: str) -> str:
    return moment[11:19]
