"""Who may do what: custom roles, role bindings, and the grants that both come down to."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, TopOfTenant, one_of
from models.types import Name


class SubjectKind(StrEnum):
    """What a grant can be given to."""

    USER = "user"
    TEAM = "team"
    VIRTUAL_ACCOUNT = "virtualaccount"


class CustomRole(TopOfTenant, Base):
    """A role that the tenant made."""

    __tablename__ = "roles"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    name: Mapped[str] = mapped_column(String(64))
    resource_type: Mapped[str] = mapped_column(String(60))
    actions: Mapped[list[str]]
    manifest: Mapped[dict[str, Any]]
    created_by: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RoleBinding(TopOfTenant, Base):
    """Roles on resources for several subjects, as one manifest describes them."""

    __tablename__ = "role_bindings"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    name: Mapped[str] = mapped_column(String(64))
    manifest: Mapped[dict[str, Any]]
    created_by: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class GrantRow(TopOfTenant, Base):
    """One role on one resource for one subject: by a binding, or the subject's own.

    `role` is the id of a built-in role or the name of the custom one.
    """

    __tablename__ = "grants"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "binding_id"],
            ["role_bindings.tenant_id", "role_bindings.id"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(["tenant_id", "custom_role_id"], ["roles.tenant_id", "roles.id"]),
        one_of("subject_kind", SubjectKind),
        Index("ix_grants_subject", "subject_id", "tenant_id"),
        Index("ix_grants_binding", "binding_id"),
        Index("ix_grants_custom_role", "custom_role_id"),
        Index("ix_grants_resource", "tenant_id", "resource_fqn"),
    )

    subject_kind: Mapped[SubjectKind] = mapped_column(Name(SubjectKind))
    subject_id: Mapped[UUID]
    resource_type: Mapped[str] = mapped_column(String(60))
    resource_fqn: Mapped[str] = mapped_column(String(500))
    role: Mapped[str] = mapped_column(String(100))
    custom_role_id: Mapped[UUID | None]
    binding_id: Mapped[UUID | None]


class IdentityMapping(TopOfTenant, Base):
    """One entry of an account's mapping: who calls with which JWTs of an identity provider.

    `value` is the one subject that is meant, and belongs to one account; without it, whoever
    shows a JWT names the account. `entry` is the manifest's: an entry that changes is another
    one, and what was made by the one before dies with it.
    """

    __tablename__ = "identity_mappings"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "provider_id"],
            ["identity_providers.tenant_id", "identity_providers.id"],
            name="fk_identity_mappings_provider",
        ),
        UniqueConstraint(
            "tenant_id", "identity_provider", "value", name="uq_identity_mappings_value"
        ),
        one_of("subject_kind", SubjectKind),
        Index("ix_identity_mappings_subject", "subject_id", "tenant_id"),
        Index("ix_identity_mappings_provider", "provider_id", "value"),
    )

    subject_kind: Mapped[SubjectKind] = mapped_column(Name(SubjectKind))
    subject_id: Mapped[UUID]
    identity_provider: Mapped[str] = mapped_column(String(100))
    value: Mapped[str | None] = mapped_column(String(500))
    provider_id: Mapped[UUID | None]
    entry: Mapped[dict[str, Any] | None]
