"""The bell: "look now". Ringing is best effort; losing every ring loses nothing (law 1)."""

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID


class Bell(Protocol):
    """Wakes workers. Never raises and never makes the caller wait."""

    def ring_lanes(self, lanes: Iterable[UUID], *, troubled: bool = False) -> None:
        """Some worker should drain these lanes now; troubled ones apart from the others."""

    def ring_rotation(self) -> None:
        """Some worker should rotate the next batch now."""


class SilentBell:
    """A bell nobody hears: the next tick finds the work."""

    def ring_lanes(self, lanes: Iterable[UUID], *, troubled: bool = False) -> None: ...

    def ring_rotation(self) -> None: ...
