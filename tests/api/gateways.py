"""A service that answers gateways from memory, and what it counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import httpx

from api.app import Service, create_app
from core.tokens import Token
from tests.support.serving import Stage
from tests.support.world import World

VERIFY = "/api/v1/verify"
INTROSPECT = "/api/v1/introspect"
FORWARD_AUTH = "/api/v1/forward-auth"
HEADERS = (
    "X-Keyturn-Tenant",
    "X-Keyturn-Subject",
    "X-Keyturn-Subject-Type",
    "X-Keyturn-Token-Id",
    "X-Keyturn-Generation",
    "X-Keyturn-Expires-At",
)


@dataclass
class CountedUses:
    """Remembers what was counted."""

    counted: list[tuple[UUID, str | None, str | None, str]] = field(default_factory=list)

    def count(
        self, token_id: UUID, address: str | None, user_agent: str | None, surface: str
    ) -> None:
        self.counted.append((token_id, address, user_agent, surface))


@dataclass
class Gateway:
    """Asks one service, which has heard of everything up to now."""

    http: httpx.Client
    service: Service
    uses: CountedUses

    def hear(self) -> None:
        """The service looks for changes, as it does twice a second."""
        self.service.verifier.listener.poll()

    def ask(
        self, path: str, token: Token | str | None = None, method: str = "GET", **more: object
    ) -> httpx.Response:
        text = token.reveal() if isinstance(token, Token) else token
        headers = {"Authorization": f"Bearer {text}"} if text is not None else {}
        headers |= dict(more.pop("headers", {}))  # type: ignore[call-overload]
        return self.http.request(method, path, headers=headers, **more)  # type: ignore[arg-type]


@contextmanager
def gateway(world: World, stage: tuple[Stage, str]) -> Iterator[Gateway]:
    player, address = stage
    world.runtime.uses = uses = CountedUses()
    service = create_app(world.runtime)
    service.verifier.listener.poll()
    with player.playing(service), httpx.Client(base_url=address, timeout=30) as http:
        yield Gateway(http, service, uses)
