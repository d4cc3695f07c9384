"""What cases of places with a key share: two keys of one document, and writes amid a send."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

from core.errors import Transient
from core.ids import Mark
from sinks.base import Copy, Held, Removal
from tests.conformance.sink_bench import CANARY, OTHERS, OURS, PATH, ServiceBench, copy
from tests.support.http_double import Fault

KEY, OTHER_KEY = "API_KEY", "OTHER_KEY"


def ours(revision: int, **more: Any) -> Copy:
    """The copy that our place's key should hold."""
    return copy(revision, key=more.pop("key", KEY), **more)


def theirs(revision: int, **more: Any) -> Copy:
    """The copy of another account's place in the same document."""
    return copy(revision, key=OTHER_KEY, place=OTHERS, **more)


def text(wanted: Copy) -> str:
    return wanted.text.get_secret_value()


def read(service: ServiceBench, key: str = KEY) -> Held | None:
    return service.sink().read(PATH, service.ports, key)


def mark(service: ServiceBench, key: str = KEY) -> Mark | None:
    held = read(service, key)
    return held.mark if held else None


def remove(service: ServiceBench, key: str = KEY) -> None:
    place = OURS if key == KEY else OTHERS
    service.sink().remove(Removal(PATH, place, key), service.ports)


def cut_off(service: ServiceBench, number: int, do: Callable[[], object], **how: Any) -> None:
    """Does something whose call of this number (from 1) is spoilt; it may make fewer."""
    calls = count(1)
    fault = service.double.order(Fault(lambda _: next(calls) == number, **how))
    try:
        do()
    except Transient as error:
        service.said.append(str(error))
    fault.match = lambda _: False


def amid(
    service: ServiceBench, number: int, send: Callable[[], object], do: Callable[[], object]
) -> bool:
    """A send before whose call of this number something is done; False if it made fewer."""
    calls = count(1)
    fault = service.double.order(Fault(lambda _: next(calls) == number, hang=True))
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        while not (fault.arrived.wait(0.005) or sending.done()):
            pass
        came = fault.arrived.is_set()
        if came:
            do()
        service.double.release()
        try:
            sending.result(10)
        except Transient as error:
            service.said.append(str(error))
    fault.match = lambda _: False
    return came


assert CANARY in text(ours(1))
