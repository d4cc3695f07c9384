"""People who call the service: each with a login session, and a client of their own."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from truefoundry_sdk import TrueFoundry

from services.people import invitations, user_life
from tests.support.world import World

PAGE = "https://keys.example.com/accept"


def joined(world: World, email: str, *roles: str) -> str:
    """Somebody who was invited and has accepted; answers their login session."""
    link = invitations.invite(world.runtime, world.admin, email, page_url=PAGE).link
    if roles:
        user_life.change_roles(world.runtime, world.admin, email, roles)
    token = link.rpartition("token=")[2]
    return invitations.accept(world.runtime, token).token.reveal()


@contextmanager
def sdk(server: str, bearer: str) -> Iterator[TrueFoundry]:
    """The public SDK with this bearer token."""
    with httpx.Client(timeout=30) as connections:
        yield TrueFoundry(base_url=server, api_key=bearer, httpx_client=connections)


def status(server: str, bearer: str, path: str = "/api/v1/verify") -> int:
    """How a call with this bearer token is answered."""
    return httpx.get(server + path, headers={"Authorization": f"Bearer {bearer}"}).status_code
