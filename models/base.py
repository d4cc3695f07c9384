"""The base of every table: names of constraints, and the tenant in every key (law 12)."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, ForeignKey, MetaData, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from models.types import Instant


class Base(DeclarativeBase):
    """Tables; every key holds the tenant, so that a reference cannot cross tenants."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way to say it
        datetime: Instant,
        UUID: Uuid,
        dict[str, Any]: JSON,
        list[str]: JSON,
    }


class OfTenant:
    """A row that belongs to one tenant. The key begins with the id, which workers look up by.

    Rows refer to each other by both columns, which keeps them in one tenant. Only the tables
    at the top refer to `tenants` itself: bulk inserts below them would all lock that one row.
    """

    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-2)
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-1)


class TopOfTenant(OfTenant):
    """A row directly below its tenant."""

    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("tenants.id"), primary_key=True, sort_order=-1
    )


def one_of(column: str, names: type[StrEnum]) -> CheckConstraint:
    """A CHECK that `column` holds one of these values."""
    values = ", ".join(f"'{name.value}'" for name in names)
    return CheckConstraint(f"{column} IN ({values})", name=column)
