"""How often something may happen, kept for each of many keys in bounded memory.

One number a key: the moment at which all that happened is paid off, each event costing one
step (GCRA). The time is an argument; nothing here is about logins.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable

_ROUNDING = 1e-6  # seconds


class Throttle:
    """At most `most` events of each key at once, and as many again in every `period` seconds.

    It remembers `capacity` keys; beyond that, those go first that were quiet for longest.
    """

    def __init__(self, *, most: int, period: float, capacity: int) -> None:
        self._step = period / most
        self._period = period
        self._capacity = capacity
        self._paid_off: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, key: Hashable, now: float) -> float:
        """The seconds until the next event of this key is allowed; 0: it is allowed now."""
        debt = self._paid_off.get(key, now) - now
        wait = debt - (self._period - self._step)
        return wait if wait > _ROUNDING else 0.0

    def count(self, key: Hashable, now: float) -> None:
        """An event of this key happened."""
        with self._lock:
            paid_off = max(self._paid_off.get(key, now), now) + self._step
            self._paid_off[key] = min(paid_off, now + self._period)
            self._paid_off.move_to_end(key)
            while len(self._paid_off) > self._capacity:
                self._paid_off.popitem(last=False)

    def __len__(self) -> int:
        return len(self._paid_off)


class Recent:
    """The keys that were added last, at most `capacity` of them."""

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._keys: OrderedDict[Hashable, None] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, key: Hashable) -> None:
        with self._lock:
            self._keys[key] = None
            self._keys.move_to_end(key)
            while len(self._keys) > self._capacity:
                self._keys.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        with self._lock:
            self._keys.pop(key, None)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)
