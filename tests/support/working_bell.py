"""A worker beside the server, without a broker between them."""

from collections.abc import Iterable
from uuid import UUID

from core.bell import SilentBell
from services.delivery import draining
from tests.support.world import World


class WorkingBell(SilentBell):
    """Sends at once what it is rung for, as a worker would."""

    def __init__(self, world: World) -> None:
        self._world = world

    def ring_lanes(self, lanes: Iterable[UUID], *, troubled: bool = False) -> None:
        for lane in lanes:
            draining.drain(self._world.runtime, lane)
