"""Pages that keep themselves up to date: one look a second for all of them, told by server events.

An event says only that something has changed; the page then asks for its parts anew, as the person
may see them at that moment. Without scripts, or where too many listen, a page stays as it was.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from console.parts import TheRuntime, parts_of
from console.visitors import SignedIn
from core.actors import Actor
from services.accounts.account_views import get_account
from services.runtime import Runtime
from services.watching.event_feed import EventFeed, Heard

log = structlog.get_logger(__name__)
router = APIRouter()

PERIOD = 1.0  # seconds
_MOST = 200  # in one process
_MOST_EACH = 10  # of one person
_LIFE = 120.0  # seconds: then the browser asks anew, and shows that it still may
_HEARTBEAT = 15.0  # seconds: so that whoever went away is noticed


class Listener:
    """One open page."""

    def __init__(self, actor: Actor, account_id: UUID | None) -> None:
        self.tenant_id, self.person, self.account_id = actor.tenant_id, actor.id, account_id
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()
        self.is_over = False

    def ring(self) -> None:
        """From another thread."""
        self._loop.call_soon_threadsafe(self._rung.set)

    def end(self) -> None:
        self.is_over = True
        self.ring()

    async def told(self) -> AsyncIterator[str]:
        """What the browser hears, until its time is up."""
        yield "retry: 2000\n\n"
        until = self._loop.time() + _LIFE
        while not self.is_over and self._loop.time() < until:
            try:
                async with asyncio.timeout(_HEARTBEAT):
                    await self._rung.wait()
            except TimeoutError:
                yield ": still here\n\n"
                continue
            self._rung.clear()
            if not self.is_over:
                yield "event: changed\ndata: -\n\n"


class Live:
    """Everybody who listens in this process, and the one thread that looks for them."""

    def __init__(self, runtime: Runtime) -> None:
        self._feed = EventFeed(runtime)
        self._listeners: set[Listener] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._is_open = False

    @contextmanager
    def listening(self, is_over: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Looks until the end; as soon as `is_over`, everybody is sent away."""
        thread = threading.Thread(target=self._run, args=(is_over,), name="live", daemon=True)
        self._is_open = True
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(10)

    def join(self, listener: Listener) -> bool:
        """False where too many listen already, or nobody looks."""
        with self._lock:
            own = sum(one.person == listener.person for one in self._listeners)
            if not self._is_open or own >= _MOST_EACH or len(self._listeners) >= _MOST:
                return False
            self._listeners.add(listener)
            return True

    def leave(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.discard(listener)

    def look(self) -> None:
        """One look, for whoever is concerned; none if nobody listens."""
        with self._lock:
            tenants = {one.tenant_id for one in self._listeners}
        if tenants:
            self._tell(self._feed.look(tenants))

    def _tell(self, heard: Heard) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for one in listeners:
            if heard.concerns(one.tenant_id, one.account_id):
                one.ring()

    def _run(self, is_over: Callable[[], bool]) -> None:
        while not self._stop.wait(PERIOD) and not is_over():
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the next look tries again
                log.warning("events.unheard", error=type(error).__name__)
        with self._lock:
            self._is_open = False
            for one in self._listeners:
                one.end()


async def _stream(live: Live, listener: Listener) -> AsyncIterator[str]:
    try:
        async for told in listener.told():
            yield told
    finally:
        live.leave(listener)


def _about(runtime: TheRuntime, actor: SignedIn, about: str = "") -> UUID | None:
    """The account that the page shows, if it shows one; NotFound unless the person may read it."""
    return get_account(runtime, actor, about).account.id if about else None


@router.get("/live")
async def live(
    request: Request, actor: SignedIn, account_id: Annotated[UUID | None, Depends(_about)]
) -> Response:
    """Server-sent events: `changed`, whenever the page may be out of date."""
    room = parts_of(request).live
    listener = Listener(actor, account_id)
    if not room.join(listener):
        return Response(status_code=HTTPStatus.NO_CONTENT)  # the browser does not ask again
    return StreamingResponse(_stream(room, listener), media_type="text/event-stream")
