"""The one way to look at a tenant's rows (law 12): another tenant's thing is not found."""

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.errors import NotFound
from models.base import OfTenant

Row = TypeVar("Row", bound=OfTenant)


def mine(model: type[Row], tenant_id: UUID) -> Select[Row]:
    """All rows of `model` that belong to this tenant."""
    return select(model).where(model.tenant_id == tenant_id)


def find(session: Session, model: type[Row], tenant_id: UUID, row_id: str | UUID, what: str) -> Row:
    """The tenant's row with this id; NotFound for everything else, garbage included."""
    row = session.get(model, (_uuid(row_id, what), tenant_id))
    if row is None:
        raise NotFound(what, row_id)
    return row


def find_locked(
    session: Session, model: type[Row], tenant_id: UUID, row_id: str | UUID, what: str
) -> Row:
    """The same, with the row locked until the end of the transaction."""
    row = session.get(
        model,
        (_uuid(row_id, what), tenant_id),
        with_for_update={"key_share": True},
        populate_existing=True,
    )
    if row is None:
        raise NotFound(what, row_id)
    return row


def _uuid(value: Any, what: str) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError):
        raise NotFound(what, value) from None
