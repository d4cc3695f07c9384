"""The doctor: looks at everything a working installation needs, and says what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.exc import SQLAlchemyError

from core.errors import KeyturnError, MasterKeyMissing
from models import (
    Installation,
    Integration,
    Lane,
    LaneState,
    Place,
    PlaceState,
    Process,
    TokenRow,
    TokenState,
    VirtualAccount,
)
from services.accounts.left_copies import left_copies, shortly
from services.integrations.integrations import check_integration
from services.keys import SILENT
from services.notices.notice_texts import check_notice_texts
from services.operation.migrating import check_schema
from services.runtime import Runtime

_SKEW = 1.0  # seconds


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and what to do if it is not well."""

    what: str
    health: Health
    said: str
    todo: str = ""


def examine(runtime: Runtime, ask_broker: Callable[[], str]) -> Iterator[Finding]:
    """Yields findings one by one. Without a database the rest cannot be looked at.

    `ask_broker` says how the broker is, or raises.
    """
    database = _database(runtime)
    yield database
    yield _try(
        "broker",
        ask_broker,
        "Start the broker, or correct "
        "KEYTURN_BROKER_URL. Until then workers tick by themselves, a little late.",
    )
    if database.health is Health.FAILED:
        return
    yield _try(
        "master key",
        lambda: _key(runtime),
        "Put the key that is named into "
        "KEYTURN_MASTER_KEYS; if it is lost, tokens still verify but cannot be read.",
    )
    yield _clock(runtime)
    yield _processes(runtime)
    yield _rotation(runtime)
    yield from _lanes(runtime)
    yield from _left_copies(runtime)
    yield _try(
        "notice texts",
        lambda: check_notice_texts(runtime.settings.templates),
        "Correct the file in the folder that KEYTURN_TEMPLATES names.",
    )
    yield from _integrations(runtime)


def _database(runtime: Runtime) -> Finding:
    try:
        runtime.database.ping()
        check_schema(runtime.database)
    except (KeyturnError, SQLAlchemyError) as error:
        return Finding(
            "database",
            Health.FAILED,
            _short(error),
            "Start it, correct KEYTURN_DATABASE_URL, or run `keyturn migrate`.",
        )
    return Finding("database", Health.OK, f"{runtime.database.engine.dialect.name} answers")


def _key(runtime: Runtime) -> str:
    if not runtime.keyring.master_key_ids:
        raise MasterKeyMissing("none is configured")
    runtime.keyring.check()
    return f"opens every data key ({', '.join(runtime.keyring.master_key_ids)})"


def _try(what: str, look: Callable[[], str], todo: str) -> Finding:
    try:
        return Finding(what, Health.OK, look())
    except Exception as error:  # noqa: BLE001 - a doctor reports whatever it meets
        return Finding(what, Health.FAILED, _short(error), todo)


def _clock(runtime: Runtime) -> Finding:
    skew = (datetime.now(UTC) - runtime.database.now()).total_seconds()
    with runtime.database.reading() as session:
        installation = session.get(Installation, 1)
    until = installation.clock_distrusted_until if installation else None
    if until is not None and until > runtime.now():
        return Finding(
            "clock",
            Health.WARNING,
            f"was stepped; nothing rotates before {until}",
            "If the time is right now, say `keyturn clock trust`.",
        )
    if abs(skew) > _SKEW:
        return Finding(
            "clock",
            Health.WARNING,
            f"this host differs by {skew:+.1f} s",
            "Run an NTP client here and on the database's host. Keyturn goes by "
            "the database's clock, so nothing is lost.",
        )
    return Finding("clock", Health.OK, f"agrees with the database's within {abs(skew):.2f} s")


def _processes(runtime: Runtime) -> Finding:
    with runtime.database.reading() as session:
        live = session.scalars(
            select(Process).where(Process.seen_at > runtime.now() - SILENT)
        ).all()
    said = ", ".join(sorted(f"{process.kind} on {process.host}" for process in live)) or "none"
    if not any(process.kind in {"worker", "up"} for process in live):
        return Finding(
            "processes",
            Health.WARNING,
            f"running: {said}",
            "No worker is running: start `keyturn worker` and `keyturn beat`.",
        )
    return Finding("processes", Health.OK, f"running: {said}")


def _rotation(runtime: Runtime) -> Finding:
    now = runtime.now()
    with runtime.database.reading() as session:
        late = session.scalar(
            select(func.count()).where(
                VirtualAccount.due_at < now, VirtualAccount.next_rotation_at < now - SILENT
            )
        )
        held = session.scalar(
            select(func.count()).where(
                TokenRow.state == TokenState.GRACE,
                TokenRow.valid_until > now,
                TokenRow.grace_until < now,
                TokenRow.released_at.is_(None),
            )
        )
    if late or held:
        return Finding(
            "rotation",
            Health.WARNING,
            f"{late} accounts are overdue, {held} old tokens are held",
            "Look at the lanes below, and at the workers' logs.",
        )
    return Finding("rotation", Health.OK, "nothing is overdue or held")


def _lanes(runtime: Runtime) -> Iterator[Finding]:
    with runtime.database.reading() as session:
        bad = session.execute(
            select(Lane, Integration.fqn)
            .join(
                Integration,
                (Integration.id == Lane.integration_id) & (Integration.tenant_id == Lane.tenant_id),
            )
            .where(
                # What waits to be removed from a store outlives its integration.
                Integration.deleted_at.is_(None) | _is_removed_from(),
                (Lane.state == LaneState.PAUSED) | (Lane.failures > 0) | (Lane.refusals > 0),
            )
            .order_by(Integration.fqn, Lane.address)
        ).all()
    for lane, fqn in bad:
        what = f"lane {fqn} {lane.address}".strip()
        if lane.state is LaneState.PAUSED:
            yield Finding(
                what,
                Health.FAILED,
                f"paused: {lane.paused_because}",
                f"Correct it, then `keyturn lanes resume {lane.id}`.",
            )
        else:
            yield Finding(
                what,
                Health.WARNING,
                f"does not answer: {lane.last_error}",
                "It is tried again by itself.",
            )


def _is_removed_from() -> ColumnElement[bool]:
    return exists().where(
        Place.lane_id == Lane.id,
        Place.tenant_id == Lane.tenant_id,
        Place.state == PlaceState.REMOVING,
    )


def _left_copies(runtime: Runtime) -> Iterator[Finding]:
    with runtime.database.reading() as session:
        found = left_copies(session)
    for fqn, copies in found.items():
        yield Finding(
            f"copies in {fqn}",
            Health.WARNING,
            f"{len(copies)} could not be removed: {shortly(copies)}",
            "Remove them there by hand.",
        )


def _integrations(runtime: Runtime) -> Iterator[Finding]:
    with runtime.database.reading() as session:
        rows = session.scalars(
            select(Integration).where(Integration.deleted_at.is_(None)).order_by(Integration.fqn)
        ).all()
    for row in rows:
        found = check_integration(runtime, row)
        health = Health.OK if found["ok"] else Health.FAILED
        todo = "" if found["ok"] else "Correct its credentials or address and apply it again."
        yield Finding(row.fqn, health, str(found["message"]), todo)


def _short(error: Exception) -> str:
    return str(error)[:300] if isinstance(error, KeyturnError) else type(error).__name__
