"""What a verifying process keeps in memory, and when it must not be believed any more.

An answer is kept for the TTL at most, and only while this process hears of changes. It is looked
up anew when something that it names has changed since the look-up began, or when an instant of
its row has passed. The memory is bounded: what was kept first goes first.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterable
from typing import Any, Generic, TypeVar
from uuid import UUID

from core.clock import Clock

Kept = TypeVar("Kept", bound="Entry")

MOST_NAMED = 50_000  # beyond that, everything is forgotten instead


class Hearing:
    """What this process has heard of changes, and until when it may rely on having heard all.

    Any thread may call `hear`; time is `elapsed` seconds of the process's clock.
    """

    def __init__(self, clock: Clock, ttl: float) -> None:
        self._clock = clock
        self.ttl = ttl
        self.number = 0  # of the last change heard
        self.trusted_until = float("-inf")
        self._forgotten = 0
        self._named: OrderedDict[int, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def hear(self, subjects: Collection[UUID]) -> None:
        """These have changed: what was looked up before is looked up anew."""
        now = self._clock.elapsed()
        with self._lock:
            if len(subjects) > MOST_NAMED:
                self._forget()
                return
            for subject in subjects:
                self._named.pop(subject.int, None)
                self._named[subject.int] = (self.number + 1, now)
            self.number += 1
            while self._named and next(iter(self._named.values()))[1] < now - self.ttl:
                self._named.popitem(last=False)
            if len(self._named) > MOST_NAMED:
                self._forget()

    def heard_all(self, since: float) -> None:
        """Whatever was committed before this moment was heard."""
        self.trusted_until = since + self.ttl

    def forget(self) -> None:
        """Nothing that was looked up before now is believed any more."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._named.clear()
        self.number += 1
        self._forgotten = self.number

    def has_changed(self, subjects: Iterable[int], since: int) -> bool:
        """Whether one of these has changed after the change of that number."""
        if since < self._forgotten:
            return True
        heard = self._named.get
        return any((change := heard(one)) is not None and change[0] > since for one in subjects)


class Entry:
    """One kept answer. `number` and `began` are of when its look-up began."""

    __slots__ = ("began", "number", "subjects")

    def __init__(self, number: int, began: float, subjects: Iterable[UUID]) -> None:
        self.number = number
        self.began = began
        self.subjects = tuple(subject.int for subject in subjects)


class Memory(Generic[Kept]):
    """Entries by key, the oldest first; for one thread, that of the event loop."""

    def __init__(self, hearing: Hearing, clock: Clock, *, capacity: int, ttl: float) -> None:
        self._hearing = hearing
        self._elapsed = clock.elapsed
        self._capacity = capacity
        self._ttl = min(ttl, hearing.ttl)
        self._entries: OrderedDict[Hashable, Kept] = OrderedDict()

    def get(self, key: Any) -> Kept | None:
        """The entry, if it can still be believed."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        hearing, now = self._hearing, self._elapsed()
        if now >= hearing.trusted_until:
            self._entries.clear()
            return None
        if now >= entry.began + self._ttl:
            del self._entries[key]
            return None
        if entry.number != hearing.number:
            number = hearing.number
            if hearing.has_changed(entry.subjects, entry.number):
                del self._entries[key]
                return None
            entry.number = number
        return entry

    def put(self, key: Any, entry: Kept) -> None:
        """Kept from now on; two old ones go for each new one, if they are over anyway."""
        now = self._elapsed()
        if now >= self._hearing.trusted_until:
            self._entries.clear()
            return
        self._entries[key] = entry
        self._entries.move_to_end(key)
        for _ in range(2):
            oldest = next(iter(self._entries.values()))
            if len(self._entries) <= self._capacity and now < oldest.began + self._ttl:
                break
            self._entries.popitem(last=False)

    def forget(self, key: Any) -> None:
        """Looked up anew the next time."""
        self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)
