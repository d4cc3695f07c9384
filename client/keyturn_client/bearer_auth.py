"""Authentication for httpx: sends the current token, and after a 401 once more a newer one."""

from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from keyturn_client.source import TokenSource


class BearerAuth(httpx.Auth):
    """`httpx.Client(auth=BearerAuth(source))`; also for SDKs that take an httpx client.

    A call that got 401 is repeated once if there is a newer token and its body can be sent again.
    """

    def __init__(self, source: "TokenSource") -> None:
        self._source = source

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """The current token, then a newer one."""
        refused = self._source()
        response = yield _with(request, refused)
        if _may_repeat(response):
            self._source.invalidate(refused)
            token = self._source()
            if token != refused:
                yield _with(request, token)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The same for asynchronous clients."""
        refused = await self._source.async_token()
        response = yield _with(request, refused)
        if _may_repeat(response):
            self._source.invalidate(refused)
            token = await self._source.async_token()
            if token != refused:
                yield _with(request, token)


def _with(request: httpx.Request, token: str) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def _may_repeat(response: httpx.Response) -> bool:
    replayable = isinstance(response.request.stream, httpx.ByteStream)
    return response.status_code == httpx.codes.UNAUTHORIZED and replayable
