"""A TCP proxy before one real server, whose network a test breaks on purpose."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Self

from tests.support.ports import LOOPBACK, free_port

CHUNK = 65_536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class FlakyProxy:
    """Forwards `host`:`port` to its target, between `start` and `stop`, until told otherwise.

    Every method returns when its fault is in force. Faults add up; `pass_through` ends them all.
    Counted since the proxy was made: `connections` accepted, `answers_lost`, and forwarded
    `bytes_to_server` and `bytes_from_server`.
    """

    def __init__(self, target_host: str, target_port: int) -> None:
        self.target = (target_host, target_port)
        self.host = LOOPBACK
        self.port = free_port()
        self.connections = self.answers_lost = 0
        self.bytes_to_server = self.bytes_from_server = 0
        self._delay_each_way = 0.0
        self._answers_to_lose = 0
        self._question = b""
        self._passing = asyncio.Event()
        self._links: set[asyncio.Task[bool]] = set()
        self._listener: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return len(self._links)

    def start(self) -> None:
        """Listens on the proxy's port, without faults."""
        assert self._loop is None, "this proxy is already running"
        self._passing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="flaky-proxy")
        self._thread.start()
        self.pass_through()

    def stop(self) -> None:
        """Refuses new connections and resets the open ones; a second call does nothing."""
        if self._loop is None or self._thread is None:
            return
        self._now(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    def pass_through(self) -> None:
        """Ends every fault; what a blackhole held arrives now."""
        self._delay_each_way = 0.0
        self._answers_to_lose = 0
        self._now(self._listen())

    def refuse(self) -> None:
        """Refuses new connections; open ones go on."""
        self._now(self._refuse())

    def blackhole(self) -> None:
        """Holds every byte both ways, and the end of a connection too; connecting still works.

        As after a real partition, what was sent meanwhile arrives when it is over, though its
        sender has given up, unless `kill_all` came first.
        """
        self._passing.clear()

    def latency(self, seconds: float) -> None:
        """Adds this much to every round trip, half on each way."""
        self._delay_each_way = seconds / 2

    def lose_answer(self, answers: int = 1, *, to: bytes = b"") -> None:
        """Loses the next answers: the request reaches the server, whose answer is dropped and the
        connection reset.

        Only requests sent from now on that contain `to` count (`to=b"COMMIT"`). Mind that in most
        protocols connecting is a request as well.
        """
        self._question = to
        self._answers_to_lose = answers

    def kill_all(self) -> None:
        """Resets every open connection, on both sides."""
        self._now(self._kill_all())

    def _now(self, change: Coroutine[Any, Any, None]) -> None:
        if self._loop is None:
            change.close()
            raise AssertionError("this proxy is not running")
        asyncio.run_coroutine_threadsafe(change, self._loop).result(10.0)

    async def _listen(self) -> None:
        self._passing.set()
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accept, self.host, self.port)

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _kill_all(self) -> None:
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _end(self) -> None:
        await self._refuse()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:  # links, and connections on their way to become one
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    def _accept(self, requests: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.connections += 1
        link = asyncio.ensure_future(self._relay(requests, client))
        self._links.add(link)
        link.add_done_callback(lambda ended: self._hang_up(ended, client))

    def _hang_up(self, link: asyncio.Task[bool], client: asyncio.StreamWriter) -> None:
        self._links.discard(link)
        if not link.cancelled() and link.result():
            client.close()
        else:
            _reset(client)

    async def _relay(self, requests: asyncio.StreamReader, client: asyncio.StreamWriter) -> bool:
        """Whether the connection came to its natural end, both sides having closed it."""
        server: asyncio.StreamWriter | None = None
        natural = False
        try:
            await self._passing.wait()
            answers, server = await asyncio.open_connection(*self.target)
            doomed = asyncio.Event()
            async with asyncio.TaskGroup() as both_ways:
                both_ways.create_task(self._forward_requests(requests, server, doomed))
                both_ways.create_task(self._forward_answers(answers, client, doomed))
            natural = True
        except* OSError:
            pass
        finally:
            if server is not None:
                _reset(server)
        return natural

    async def _forward_requests(
        self, requests: asyncio.StreamReader, server: asyncio.StreamWriter, doomed: asyncio.Event
    ) -> None:
        while chunk := await self._carry(requests):
            if self._answers_to_lose and self._question in chunk:
                doomed.set()
            server.write(chunk)
            await server.drain()
            self.bytes_to_server += len(chunk)
        server.write_eof()

    async def _forward_answers(
        self, answers: asyncio.StreamReader, client: asyncio.StreamWriter, doomed: asyncio.Event
    ) -> None:
        while chunk := await self._carry(answers):
            if doomed.is_set() and self._answers_to_lose:
                self._answers_to_lose -= 1
                self.answers_lost += 1
                raise ConnectionResetError("the answer is lost")
            client.write(chunk)
            await client.drain()
            self.bytes_from_server += len(chunk)
        client.write_eof()

    async def _carry(self, reader: asyncio.StreamReader) -> bytes:
        """The next bytes of one side, when the network has brought them; none at its end."""
        chunk = await reader.read(CHUNK)
        await self._passing.wait()
        await asyncio.sleep(self._delay_each_way)
        return chunk


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes without waiting for anything; the other side sees a reset, not an end."""
    if not writer.transport.is_closing():
        link = writer.get_extra_info("socket")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
