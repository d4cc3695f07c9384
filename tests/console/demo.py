"""A tenant with a past: what the pictures in docs/console show, the same every time."""

from dataclasses import replace
from typing import Any

from core.errors import PlaceRefused, Transient
from models import Delivery, Integration, VirtualAccount
from services.accounts import account_life
from services.engine import tokens
from services.verify.use_counting import UseCounter
from tests.console.demo_people import fill_people
from tests.support.world import World, stored, told_by

# Name, days between rotations, owner.
_OTHERS = (
    ("airflow-scheduler", 7, "data"),
    ("analytics-export", 14, "data"),
    ("backup-runner", 30, ""),
    ("billing-sync", 30, "payments"),
    ("ci-runner", 7, "platform"),
    ("crm-import", 45, ""),
    ("feature-flags", 14, "platform"),
    ("fraud-scoring", 7, "payments"),
    ("geo-lookup", 60, ""),
    ("image-resizer", 30, "platform"),
    ("invoice-mailer", 30, "payments"),
    ("ledger-export", 60, "payments"),
    ("log-shipper", 14, "platform"),
    ("ml-training", 21, "data"),
    ("mobile-gateway", 10, "platform"),
    ("partner-feed", 30, ""),
    ("pricing-engine", 5, "payments"),
    ("recommendations", 21, "data"),
    ("report-builder", 30, "data"),
    ("search-indexer", 3, "platform"),
    ("status-page", 60, ""),
    ("tax-service", 45, "payments"),
    ("web-frontend", 7, "platform"),
)
_AGENTS = ("python-requests/2.32.3", "Go-http-client/2.0", "curl/8.5.0")


def fill(world: World) -> dict[str, str]:
    """Makes it; answers the names of things that pages are about."""
    names = fill_people(world)
    vault_fqn, vault = world.store("vault-production")
    aws_fqn, _ = world.store("aws-frankfurt")
    files = world.file_store("files")
    chat, _ = world.channel("ops-chat")
    hero, _ = world.create(
        "checkout-api",
        tags={"service": "checkout", "env": "production", "cost-center": "4711"},
        auto_rotate={"interval": "12h", "grace": "4h", "max_hold": "1d"},
        secret_store_configs=[
            stored(vault_fqn, "secret/checkout/api"),
            stored(aws_fqn, "checkout/api", required=False),
        ],
        notification_targets=[told_by(chat, to=["#checkout"])],
        permissions=[
            {"resource_fqn": "acme", "resource_type": "account", "role_id": "account-viewer"}
        ],
        ownedBy={"team": "payments"},
    )
    for number, (name, days, team) in enumerate(_OTHERS):
        _make(world, name, f"{days}d", team, stored(files, f"bots/{name}"), told_by(chat))
        world.clock.pass_(minutes=number % 5)
    world.drain()
    _live(world, 58)
    vault.always = Transient("connection refused")
    _live(world, 9)
    vault.always = None
    _live(world, 5)
    _break(world, vault_fqn, told_by(chat))
    vault.at_path["secret/payments/webhooks"] = PlaceRefused("permission denied (403)")
    _live(world, 3)
    _use(world, hero)
    (troubled,) = world.rows(VirtualAccount, VirtualAccount.name == "payments-webhooks")
    rows = {row.fqn: str(row.id) for row in world.rows(Integration)}
    failed = world.rows(Delivery, Delivery.failures > 2)
    names["delivery"] = str(failed[0].id)
    names |= {"store": rows[vault_fqn], "channel": rows[chat]}
    return {**names, "account": str(hero.id), "troubled": str(troubled.id)}


def _make(
    world: World,
    name: str,
    interval: str,
    team: str,
    place: dict[str, Any],
    target: dict[str, Any],
) -> VirtualAccount:
    account, _ = world.create(
        name,
        tags={"env": "production"},
        auto_rotate={"interval": interval, "grace": "1d"},
        secret_store_config=place,
        notification_target=target,
        **({"ownedBy": {"team": team}} if team else {}),
    )
    return account


def _live(world: World, hours: int) -> None:
    """Time passes, and everything that falls due is done when it does."""
    for _ in range(hours):
        world.clock.pass_(hours=1)
        world.rotate()
        world.drain()
        world.expire()
        world.tell()


def _break(world: World, vault: str, target: dict[str, Any]) -> None:
    """A few things are wrong, and some rest."""
    _make(
        world,
        "payments-webhooks",
        "2d",
        "payments",
        stored(vault, "secret/payments/webhooks"),
        target,
    )
    legacy, _ = world.create("legacy-crm", expiration_date="2026-03-20")
    nightly = {"schedule": "0 3 * * *", "timezone": "Europe/Berlin", "grace": "6h"}
    world.create("nightly-etl", ownedBy={"team": "data"}, auto_rotate=nightly)
    of_name = {row.name: row for row in world.rows(VirtualAccount)}
    account_life.pause_account(world.runtime, world.admin, of_name["partner-feed"].id)
    tokens.revoke_all(world.runtime, world.admin, of_name["status-page"].id)
    tokens.regenerate_token(
        world.runtime,
        replace(world.admin, name="operator:ann"),
        legacy.id,
        grace=world.fresh(legacy).grace,
    )


def _use(world: World, hero: VirtualAccount) -> None:
    """Most callers have the newest token, one has not."""
    uses = UseCounter(world.runtime)
    *_, before, current = world.tokens(hero)
    for number in range(240):
        address = f"10.20.0.{10 + number % 3}"
        uses.count(current.id, address, _AGENTS[number % 2], "verify")
    for _ in range(7):
        uses.count(before.id, "10.20.4.87", _AGENTS[2], "gateway")
    uses.flush()
    world.clock.pass_(minutes=12)
