"""Rotations per second, beside a hand-written COPY of the same rows and the naive way."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.ids import new_id
from core.tokens import TokenKind, mint
from models import Lane, Place, TokenRow
from services.engine import rotation, tokens
from tests.benchmarks.field import plant
from tests.support.world import World

BATCH = 1_000
ROTATIONS = 10_000
NAIVE = 600
_TABLES = "deliveries, events, audit, targets, places, tokens, virtual_accounts"


def measure(world: World) -> dict[str, float]:
    """Rotations per second of each way, with three deliveries each; best of three."""
    first, _ = world.store("one")
    second, _ = world.store("two")
    lanes = [world.lane(first), world.lane(second)]
    with world.runtime.database.writing() as session:
        target = Lane(
            tenant_id=world.tenant_id,
            id=new_id(),
            integration_id=lanes[0].integration_id,
            kind="scripted",
            address="ops",
        )
        session.add(target)
    ways: dict[str, Callable[[], float]] = {
        "hand-written COPY of the same rows": lambda: _by_copy(world, lanes, target),
        "engine": lambda: _by_engine(world, lanes, target),
        "one transaction per account": lambda: _one_by_one(world, lanes, target),
    }
    best = dict.fromkeys(ways, 0.0)
    written = {}
    for _ in range(3):
        for name, way in ways.items():
            best[name] = max(best[name], way())
            written[name] = _filled(world)
    by_copy, by_engine, _ = written.values()
    assert by_copy == by_engine, "the COPY does not write what the engine does"
    return best


def _filled(world: World) -> dict[str, list[str]]:
    """Which columns have a value: of all rows that a rotation writes, by kind."""
    kinds = {
        "tokens": ("generation = 1", "generation = 2"),
        "events": ("true",),
        "deliveries": ("action = 'put'", "action = 'notice'"),
        "audit": ("true",),
        "virtual_accounts": ("true",),
        "places": ("true",),
    }
    found = {}
    with world.runtime.database.engine.connect() as connection:
        for table, which in kinds.items():
            for where in which:
                query = text(f"SELECT * FROM {table} WHERE {where} ORDER BY id DESC LIMIT 1")
                row = connection.execute(query).mappings().one()
                found[f"{table}: {where}"] = [name for name in row if row[name] is not None]
    return found


def _fresh(world: World, lanes: list[Lane], target: Lane, count: int) -> list[UUID]:
    with world.runtime.database.engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {_TABLES} CASCADE"))
    due = world.clock.now() - timedelta(seconds=1)
    ids = plant(world, count, due_at=due, place_lanes=lanes, target_lane=target)
    with world.runtime.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
    return ids


def _by_engine(world: World, lanes: list[Lane], target: Lane) -> float:
    _fresh(world, lanes, target, ROTATIONS)
    began, turned = time.perf_counter(), 0
    while turned < ROTATIONS:
        done = rotation.rotate_due(world.runtime, limit=BATCH)
        assert done.turned, done
        turned += done.turned
    return turned / (time.perf_counter() - began)


def _one_by_one(world: World, lanes: list[Lane], target: Lane) -> float:
    ids = _fresh(world, lanes, target, NAIVE)
    began = time.perf_counter()
    for account in ids:
        tokens.rotate_account(world.runtime, world.admin, account)
    return NAIVE / (time.perf_counter() - began)


def _by_copy(world: World, lanes: list[Lane], target: Lane) -> float:
    """The same rows in the same batches, tokens minted and sealed beforehand, nothing read."""
    ids = _fresh(world, lanes, target, ROTATIONS)
    batches = [
        _rows(world, ids[start : start + BATCH], target) for start in range(0, ROTATIONS, BATCH)
    ]
    began = time.perf_counter()
    for rows in batches:
        with world.runtime.database.writing() as session:
            _write(session, rows)
    return ROTATIONS / (time.perf_counter() - began)


def _rows(world: World, ids: list[UUID], target: Lane) -> dict[str, list[tuple[Any, ...]]]:
    now, tenant = world.clock.now(), world.tenant_id
    soon, later = now + timedelta(minutes=10), now + timedelta(hours=1)
    places: dict[UUID, list[Any]] = {}
    for place in world.rows(Place, Place.account_id.in_(ids)):
        places.setdefault(place.account_id, []).append(place)
    predecessors = {
        row.account_id: row.id for row in world.rows(TokenRow, TokenRow.account_id.in_(ids))
    }
    made: dict[str, list[tuple[Any, ...]]] = {
        name: [] for name in ("tokens", "events", "deliveries", "audit", "aside", "turned")
    }
    for account in ids:
        token, token_id, event = mint(TokenKind.VIRTUAL_ACCOUNT), new_id(), new_id()
        sealed = world.runtime.keyring.seal("tokens", tenant, token_id, token.reveal().encode())
        link = mint(TokenKind.ACKNOWLEDGE)
        kept = world.runtime.keyring.seal("tokens", tenant, token_id, link.reveal().encode())
        made["aside"].append((predecessors[account], soon, link.hash, kept))
        made["turned"].append((account, now, later))
        made["tokens"].append(
            (token_id, tenant, account, 2, "current", token.hash, sealed, token.last_four, now)
        )
        facts = _FACTS
        made["events"].append((event, tenant, "token.rotated", 0, account, now, facts))
        made["audit"].append(
            (
                new_id(),
                tenant,
                now,
                '{"kind": "engine", "name": "keyturn"}',
                "token.rotated",
                "virtual-account",
                account,
                "bot-0000001",
                '{"generation": 2}',
            )
        )
        for lane, place, action in [
            *((place.lane_id, place.id, "put") for place in places[account]),
            (target.id, None, "notice"),
        ]:
            made["deliveries"].append(
                (new_id(), tenant, event, lane, place or new_id(), account, place, action,
                 "bots/1" if place else None, None if place else "ops", None if place else "UTC",
                 2, 2, 2, "pending", now, 0, 0, now)
            )  # fmt: skip
    return made


_FACTS = (
    '{"account": "bot-0000001", "generation": 2, "cause": "scheduled", "by": "keyturn",'
    ' "last_four": "abcd", "old_token": "works",'
    ' "acknowledges": "01a22808-039b-7387-8915-4629d22da44c", "expires_at": "",'
    ' "rotated_at": "2026-03-02T09:00:00Z",'
    ' "grace_until": "2026-03-02T09:10:00Z", "hold_until": "2026-03-02T11:10:00Z",'
    ' "next_rotation_at": "2026-03-02T10:00:00Z"}'
)
_COPIES = {
    "tokens": "id, tenant_id, account_id, generation, state, hash, sealed, last_four, created_at",
    "events": "id, tenant_id, type, severity, account_id, at, facts",
    "deliveries": "id, tenant_id, event_id, lane_id, destination, account_id, place_id, action,"
    " document, address, timezone, revision, generation, priority, state, due_at, claim, failures,"
    " created_at",
    "audit": "id, tenant_id, at, actor, action, subject_type, subject_id, subject_name, detail",
}


def _write(session: Session, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    driver = session.connection().connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor:
        cursor.execute(
            "UPDATE tokens SET state = 'grace', sealed = NULL, grace_until = given.soon,"
            " hold_until = given.soon, valid_until = given.soon, notice_at = given.soon,"
            " pick_up = 600000000, link_hash = given.hash, link_sealed = given.link"
            " FROM unnest(%s::uuid[], %s::timestamptz[], %s::bytea[], %s::bytea[])"
            " AS given (id, soon, hash, link) WHERE tokens.id = given.id",
            tuple([row[n] for row in rows["aside"]] for n in range(4)),
        )
        _copy(cursor, "tokens", rows)
        cursor.execute(
            "UPDATE virtual_accounts SET generation = 2, rotated_at = given.now,"
            " next_rotation_at = given.later, due_at = given.later"
            " FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[])"
            " AS given (id, now, later) WHERE virtual_accounts.id = given.id",
            tuple([row[n] for row in rows["turned"]] for n in range(3)),
        )
        cursor.execute(
            "UPDATE places SET revision = revision + 1 WHERE account_id = ANY(%s)",
            ([row[0] for row in rows["turned"]],),
        )
        for table in ("events", "deliveries", "audit"):
            _copy(cursor, table, rows)


def _copy(cursor: Any, table: str, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    with cursor.copy(f"COPY {table} ({_COPIES[table]}) FROM STDIN") as copy:
        for row in rows[table]:
            copy.write_row(row)
