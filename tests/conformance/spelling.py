"""The suite's paths in a store whose paths have a form of their own."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from core.plugins import Family, Ports, load
from sinks.base import Copy, Held, Removal, Sink

_PLAIN = re.compile(r"([a-z]+)/([a-z0-9]+)|(keyturn)-(check)")


def words(path: str) -> list[str]:
    """The two words of a path of the suite, as `app/key`; nothing of any other path."""
    found = _PLAIN.fullmatch(path)
    return [word for word in found.groups() if word] if found else []


def spelled(kind: str, spell: Callable[[str], str]) -> type[Sink]:
    """This kind of sink, for which a path of the suite is the place that `spell` says.

    `spell` leaves other paths as they are, and its places are in the one way to write them.
    """
    sink = cast("type[Sink]", load(Family.SINK, kind))

    class Spelled(sink):  # type: ignore[misc,valid-type] # a class that is known at run time
        def place(self, path: str) -> str:
            place = super().place(spell(path))
            return path if place == spell(path) else place

        def put(self, copy: Copy, ports: Ports) -> Held:
            return super().put(replace(copy, path=spell(copy.path)), ports)

        def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
            return super().read(spell(path), ports, key)

        def remove(self, removal: Removal, ports: Ports) -> None:
            super().remove(replace(removal, path=spell(removal.path)), ports)

    return Spelled
