"""The built-in secret store: groups of secrets, each a row of sealed versions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, ForeignKeyConstraint, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, OfTenant, TopOfTenant


class SecretGroup(TopOfTenant, Base):
    """A named group of secrets; who may use it is granted on the group."""

    __tablename__ = "secret_groups"
    __table_args__ = (
        UniqueConstraint("tenant_id", "name"),
        ForeignKeyConstraint(
            ["tenant_id", "integration_id"], ["integrations.tenant_id", "integrations.id"]
        ),
    )

    name: Mapped[str] = mapped_column(String(64))
    integration_id: Mapped[UUID | None]
    manifest: Mapped[dict[str, Any]]
    created_by: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Secret(OfTenant, Base):
    """One key of a group; its row is the lock over its versions."""

    __tablename__ = "secrets"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "group_id"],
            ["secret_groups.tenant_id", "secret_groups.id"],
            ondelete="CASCADE",
        ),
        UniqueConstraint("group_id", "tenant_id", "key"),
        CheckConstraint("version >= 0", name="version_counts_up"),
    )

    group_id: Mapped[UUID]
    key: Mapped[str] = mapped_column(String(128))
    version: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class SecretVersion(OfTenant, Base):
    """One value that the secret has had. `mark` tells which of Keyturn's writes made it."""

    __tablename__ = "secret_versions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "secret_id"], ["secrets.tenant_id", "secrets.id"], ondelete="CASCADE"
        ),
        UniqueConstraint("secret_id", "tenant_id", "version"),
    )

    secret_id: Mapped[UUID]
    version: Mapped[int]
    sealed: Mapped[bytes]
    mark: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime]
