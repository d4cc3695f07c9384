"""A trial of one store through the public contract of its sink: a real store, or a double.

`docs/sinks/trying-a-real-store.md` says what the environment names.
"""

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from core.errors import PlaceRefused
from core.plugins import Family, Ports, load
from core.settings import Settings
from services.runtime import _dialer
from sinks.base import Held, Removal, Sink
from tests.conformance.file_bench import FileBench
from tests.conformance.sink_bench import OTHERS, OURS, Bench, copy
from tests.conformance.vault_bench import VaultBench

SINK = "KEYTURN_REAL_SINK"
CONFIG = "KEYTURN_REAL_CONFIG"
PATH = "KEYTURN_REAL_PATH"
WRITE = "KEYTURN_REAL_WRITE"
BY_HAND = "somebody who writes by hand"
ANOTHER_ACCOUNT = "another account"

_OF_THE_INTEGRATION = ("type", "name", "authorized_subjects", "rate")
_DOUBLES: Mapping[str, type[Bench]] = {it.kind: it for it in (VaultBench, FileBench)}


def subjects() -> list[str]:
    """The real store that the environment names, or else the doubles."""
    return [os.environ[SINK]] if SINK in os.environ else list(_DOUBLES)


def strangers() -> list[str]:
    """Who can write beside Keyturn: without a command, a real store knows accounts only."""
    if SINK in os.environ and WRITE not in os.environ:
        return [ANOTHER_ACCOUNT]
    return [ANOTHER_ACCOUNT, BY_HAND]


def _unused() -> Iterator[str]:
    """Names of small letters and digits, which every store takes."""
    run = uuid4().hex[:8]
    return (f"keyturntrial{run}n{number}" for number in count(1))


@dataclass
class Trial:
    """A sink and its store, in which every case has places of its own."""

    sink: Sink
    ports: Ports
    write_by_hand: Callable[[str], object]
    template: str = "{name}"
    _names: Iterator[str] = field(default_factory=_unused)
    _used: list[str] = field(default_factory=list)

    def path(self) -> str:
        """A place that was never used, in the one way to write it."""
        name = next(self._names)
        made = self.sink.place(self.template.format(name=name, NAME=name.upper()))
        self._used.append(made)
        return made

    def put(self, path: str, revision: int, **more: Any) -> Held:
        return self.sink.put(copy(revision, path=path, **more), self.ports)

    def read(self, path: str) -> Held | None:
        return self.sink.read(path, self.ports)

    def remove(self, path: str, place: UUID = OURS) -> None:
        self.sink.remove(Removal(path, place), self.ports)

    def write_as(self, stranger: str, path: str) -> None:
        """Somebody else writes there, beside Keyturn or over its copy."""
        if stranger == BY_HAND:
            self.write_by_hand(path)
        else:
            self.put(path, 7, place=OTHERS, adopt=True)

    def clear(self) -> None:
        """Removes what the cases wrote, whoever's it seemed to be."""
        for path in self._used:
            if self.read(path) is not None:
                with suppress(PlaceRefused):
                    self.put(path, 99, epoch=99, adopt=True)
                self.remove(path)
        self._used.clear()


@contextmanager
def trial_of(kind: str, folder: Path) -> Iterator[Trial]:
    """The trial of this kind: of the store that the environment names, or of a double."""
    if SINK in os.environ:
        made = _real(kind, folder)
        yield made
        made.sink.close()
        return
    bench = _DOUBLES[kind]()
    bench.start()
    yield Trial(bench.sink(), bench.ports, bench.write_foreign)
    bench.finish()
    bench.stop()


def _real(kind: str, folder: Path) -> Trial:
    assert CONFIG in os.environ, f"{SINK} is set: set {CONFIG} to a file with its JSON too"
    given = json.loads(Path(os.environ[CONFIG]).read_text())
    config = {name: value for name, value in given.items() if name not in _OF_THE_INTEGRATION}
    sink = load(Family.SINK, kind).model_validate(config)
    assert isinstance(sink, Sink)
    settings = Settings().at_home()
    ports = Ports(
        network=_dialer(settings),
        file_root=Settings().file_root or folder,
        ambient_credentials=True,
        ambient_vaults=settings.ambient_vaults,
    )
    command = shlex.split(os.environ.get(WRITE, ""))
    return Trial(sink, ports, partial(_run, command), os.environ.get(PATH, "{name}"))


def _run(command: list[str], path: str) -> None:
    parts = [part.replace("{path}", path) for part in command]
    subprocess.run(parts, check=True, stdout=subprocess.DEVNULL, timeout=60)
