"""Rows of an audit log, its chain, and hands that change them behind its back."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete

from core.actors import Actor
from models import AuditChain, AuditRow
from services.audit.audit_chain import chain_due
from services.audit.audit_verifying import Verdict, verify_chain
from services.operation.bootstrap import ensure_tenant
from services.outbox import Outbox
from tests.support.world import LIMITS, World


def neighbour(world: World) -> UUID:
    """Another tenant, without rows either."""
    made = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@umbrella.test")
    tamper(world, delete(AuditRow).where(AuditRow.tenant_id == made))
    return made


def write(world: World, count: int = 1, actor: Actor | None = None) -> None:
    """Use cases that do nothing but leave a row."""
    for number in range(count):

        def use_case(_session: Any, outbox: Outbox, number: int = number) -> None:
            outbox.audit(
                actor or world.admin,
                "thing.changed",
                subject_type="thing",
                subject_id=uuid4(),
                subject_name=f"thing-{number}",
                detail={"before": {"größe": 1.5}, "after": ["ü", None, True]},
            )

        world.runtime.change(use_case)


def chained(world: World, count: int = 5) -> list[AuditRow]:
    """A chain of this many rows."""
    write(world, count)
    assert chain_due(world.runtime) == count
    return rows(world)


def rows(world: World) -> list[AuditRow]:
    """Chained rows in their order, then the others."""
    found = world.rows(AuditRow, AuditRow.tenant_id == world.tenant_id)
    return sorted(found, key=lambda row: (row.number is None, row.number, row.id))


def head(world: World) -> AuditChain:
    with world.runtime.database.reading() as session:
        return session.get_one(AuditChain, world.tenant_id)


def verdict(world: World, *, batch: int = 2) -> Verdict:
    return list(verify_chain(world.runtime, world.admin, batch=batch))[-1]


def tamper(world: World, *statements: Any) -> None:
    with world.runtime.database.writing() as session:
        for statement in statements:
            session.execute(statement.execution_options(synchronize_session=False))


def row_number(number: int) -> Any:
    return AuditRow.number == number
