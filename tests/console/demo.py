"""A tenant with a past: what the pictures in docs/console show, the same every time."""

from tests.console.demo_people import fill_people
from tests.support.world import World


def fill(world: World) -> dict[str, str]:
    """Makes it; answers the names of things that pages are about."""
    return fill_people(world)
