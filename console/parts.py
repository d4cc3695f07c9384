"""What the pages of one application share; made once, and found by every request."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends
from starlette.requests import Request

from services.runtime import Runtime
from services.verify.failed_logins import FailedLogins

if TYPE_CHECKING:
    from console.assets import Assets
    from console.live import Live
    from console.rendering import Templates


@dataclass(frozen=True)
class Parts:
    """The application's parts."""

    runtime: Runtime
    logins: FailedLogins
    assets: "Assets"
    templates: "Templates"
    live: "Live"

    @property
    def is_https(self) -> bool:
        """Whether people reach it under TLS."""
        return self.runtime.settings.public_url.lower().startswith("https://")


def parts_of(request: Request) -> Parts:
    return cast("Parts", request.app.state.parts)


def _runtime_of(request: Request) -> Runtime:
    return parts_of(request).runtime


def address_of(request: Request) -> str | None:
    """The client's address; behind a trusted proxy, the one that the proxy names."""
    return request.client.host if request.client else None


def request_id_of(request: Request) -> str | None:
    """The id that the log knows the request by."""
    return getattr(request.state, "request_id", None)


TheRuntime = Annotated[Runtime, Depends(_runtime_of)]
