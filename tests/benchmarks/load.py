"""Load on an HTTP server over raw sockets: connections that each ask, wait, and ask again."""

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_HEAD_ENDS = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass
class Load:
    """What came of it: seconds per call, in all, and answers by status."""

    seconds: float = 0.0
    took: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return len(self.took) / self.seconds

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        return sorted(self.took)[int(len(self.took) * share)] * 1_000


def request(path: str, token: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: keyturn\r\nUser-Agent: load\r\nAccept: */*\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], load: Load, until: float) -> None:
        self._requests, self._load, self._until = requests, load, until
        self._got = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = self._got.partition(_HEAD_ENDS)
        if not found:
            return
        start = head.lower().index(_LENGTH) + len(_LENGTH)
        if len(body) < int(head[start:].split(b"\r\n", 1)[0]):
            return
        self._load.took.append(time.perf_counter() - self._began)
        status = int(head[9:12])
        self._load.statuses[status] = self._load.statuses.get(status, 0) + 1
        self._got = b""
        self._ask()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _ask(self) -> None:
        self._began = time.perf_counter()
        wanted = next(self._requests, None) if self._began < self._until else None
        if wanted is None:
            self._transport.close()
        else:
            self._transport.write(wanted)


async def run(port: int, requests: Iterable[bytes], *, connections: int, seconds: float) -> Load:
    """Until the time is up, or the requests are."""
    load = Load()
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    source = iter(requests)
    made = [
        await loop.create_connection(
            lambda: _Connection(source, load, began + seconds), "127.0.0.1", port
        )
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.done for _, connection in made))
    load.seconds = time.perf_counter() - began
    return load


def again_and_again(requests: list[bytes]) -> Iterator[bytes]:
    return itertools.cycle(requests)
