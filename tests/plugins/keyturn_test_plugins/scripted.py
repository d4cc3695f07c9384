"""A store and a channel in memory that fail, hang and lose answers as a test says."""

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from core.ids import Mark
from core.plugins import Pace, Ports
from notifiers.base import MOST_IN_DIGEST, Digest, Notice, Notifier
from sinks.base import Copy, Held, Removal, Sink

Step = Exception | Callable[[], None] | None


@dataclass
class Store:
    """What one destination holds, and what it will do next."""

    held: dict[str, tuple[Mark, str]] = field(default_factory=dict)
    puts: list[tuple[str, Mark]] = field(default_factory=list)
    notices: list[tuple[Notice, str]] = field(default_factory=list)
    digests: list[tuple[Digest, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    at_path: dict[str, Exception] = field(default_factory=dict)
    always: Step = None
    after: Step = None
    under_way: int = 0
    most_under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, error: Exception, times: int = 1) -> None:
        """The next `times` calls raise this."""
        self.steps += [error] * times

    def hang(self, event: threading.Event) -> None:
        """The next call waits for `event`, then does its work."""
        self.steps.append(lambda: _wait(event))

    def lose_answer(self, error: Exception) -> None:
        """The next call does its work and then raises this."""
        self.after = error

    def enter(self, path: str) -> None:
        with self.lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            step = self.steps.pop(0) if self.steps else self.at_path.get(path, self.always)
        if isinstance(step, Exception):
            raise step
        if step is not None:
            step()

    def leave(self) -> None:
        with self.lock:
            self.under_way -= 1
            after, self.after = self.after, None
        if isinstance(after, Exception):
            raise after


_stores: dict[str, Store] = defaultdict(Store)


def store(name: str) -> Store:
    """The store of this name, in this process."""
    return _stores[name]


def forget() -> None:
    """Every store is new again."""
    _stores.clear()


class ScriptedSink(Sink):
    kind: ClassVar[str] = "custom/scripted"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "A store in memory"

    store: str
    per_second: float | None = None
    concurrency: int = 4
    send_limit: float = 10.0
    quota: str | None = None
    first_cost: float | None = None

    @property
    def pace(self) -> Pace:
        return Pace(
            per_second=self.per_second,
            concurrency=self.concurrency,
            send_limit=self.send_limit,
            first_cost=self.first_cost,
        )

    def quota_key(self, address: str) -> str | None:
        return self.quota

    def check(self, ports: Ports) -> str:
        return "in memory"

    def put(self, copy: Copy, ports: Ports) -> Held:
        place = store(self.store)
        try:
            place.enter(copy.path)
            present = place.held.get(copy.path)
            if present is not None and not copy.may_follow(present[0]):
                return Held(mark=present[0])
            place.puts.append((copy.path, copy.mark))
            place.held[copy.path] = (copy.mark, copy.token.get_secret_value())
            return Held(mark=copy.mark)
        finally:
            place.leave()

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        place = store(self.store)
        try:
            place.enter(path)
            present = place.held.get(path)
            return Held(mark=present[0]) if present else None
        finally:
            place.leave()

    def remove(self, removal: Removal, ports: Ports) -> None:
        place = store(self.store)
        try:
            place.enter(removal.path)
            present = place.held.get(removal.path)
            if present is not None and present[0].place == removal.place:
                del place.held[removal.path]
        finally:
            place.leave()


class ScriptedNotifier(Notifier):
    kind: ClassVar[str] = "scripted"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "A channel in memory"
    most_in_digest: ClassVar[int] = MOST_IN_DIGEST

    store: str

    def check(self, ports: Ports) -> str:
        return "in memory"

    def send(self, notice: Notice, address: str, ports: Ports) -> None:
        place = store(self.store)
        try:
            place.enter(address)
            place.notices.append((notice, address))
        finally:
            place.leave()

    def send_digest(self, digest: Digest, address: str, ports: Ports) -> None:
        place = store(self.store)
        try:
            place.enter(address)
            place.digests.append((digest, address))
        finally:
            place.leave()


def _wait(event: threading.Event) -> None:
    event.wait(30)
