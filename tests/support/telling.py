"""Short words for tests of who is told: a tenant's targets, its mail, and what a channel told."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keyturn_test_plugins import scripted

from services.operation import tenants
from tests.support.mail_double import MailDouble
from tests.support.world import World


def tenant_tells(world: World, *targets: dict[str, Any]) -> None:
    """These are the tenant's default targets."""
    tenants.set_limits(world.runtime, world.admin, {"notification_targets": list(targets)})


def turn(world: World) -> None:
    """Every account that is due rotates, and people hear of it."""
    world.clock.pass_(hours=1)
    world.rotate()
    world.drain()


def heard(store: scripted.Store) -> list[tuple[str, str, str]]:
    """Whom a channel told of which account what."""
    return sorted(
        (address, str(notice.facts.get("account")), notice.type.value)
        for notice, address in store.notices
    )


@contextmanager
def mail_of(world: World) -> Iterator[MailDouble]:
    """A mail server, which is the tenant's channel."""
    with MailDouble() as double:
        smtp = {"type": "smtp-credentials", "host": double.host, "port": double.port, "tls": False}
        world.integration(
            "custom",
            "mail",
            "notification-channel/email",
            from_email="keyturn@example.org",
            auth_data=smtp,
        )
        yield double
