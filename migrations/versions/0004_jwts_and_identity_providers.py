"""JWTs and identity providers.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

from migrations.columns import instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_UNLISTED = sa.text("signing_key_id IS NOT NULL AND revocation IS NULL AND state <> 'current'")
_LISTED = sa.text("revocation IS NOT NULL")
_SIGNED = sa.text("signing_key_id IS NOT NULL")


def upgrade() -> None:
    op.add_column(
        "tenants",
        sa.Column("jwt_algorithm", sa.String(length=20), server_default="EdDSA", nullable=False),
    )
    op.add_column(
        "virtual_accounts",
        sa.Column("token_type", sa.String(40), server_default="opaque", nullable=False),
    )
    op.add_column("virtual_accounts", sa.Column("jwt_expires_at", instant(), nullable=True))
    op.add_column("tokens", sa.Column("signing_key_id", sa.Uuid(), nullable=True))
    op.add_column("tokens", sa.Column("revocation", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_tokens_unlisted",
        "tokens",
        ["expires_at"],
        unique=False,
        postgresql_where=_UNLISTED,
        sqlite_where=_UNLISTED,
    )
    op.create_index(
        "uq_tokens_revocation",
        "tokens",
        ["revocation"],
        unique=True,
        postgresql_where=_LISTED,
        sqlite_where=_LISTED,
    )
    op.create_index(
        "ix_tokens_signing_key",
        "tokens",
        ["signing_key_id", "expires_at"],
        unique=False,
        postgresql_where=_SIGNED,
        sqlite_where=_SIGNED,
    )
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("algorithm", sa.String(length=20), nullable=False),
        sa.Column("public", sa.JSON(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", instant(), nullable=False),
        sa.Column("signs_from", instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_signing_keys_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_signing_keys")),
    )
    op.create_index("uq_signing_keys_kid", "signing_keys", ["kid"], unique=True)
    op.create_table(
        "identity_providers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.JSON(), nullable=False),
        sa.Column("created_at", instant(), nullable=False),
        sa.Column("updated_at", instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_identity_providers_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_identity_providers")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_identity_providers_tenant_id_name")),
    )
    op.create_table(
        "identity_provider_audiences",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("audience", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "provider_id"],
            ["identity_providers.tenant_id", "identity_providers.id"],
            name=op.f("fk_identity_provider_audiences_tenant_id_provider_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_identity_provider_audiences")),
        sa.UniqueConstraint("issuer", "audience", name="uq_identity_provider_audiences_whose"),
    )
    op.create_index(
        "ix_identity_provider_audiences_provider",
        "identity_provider_audiences",
        ["provider_id", "tenant_id"],
        unique=False,
    )
    op.create_table(
        "exchanged_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("mapping_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("last_four", sa.String(length=4), nullable=False),
        sa.Column("created_at", instant(), nullable=False),
        sa.Column("expires_at", instant(), nullable=False),
        sa.Column("revoked_at", instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["virtual_accounts.tenant_id", "virtual_accounts.id"],
            name=op.f("fk_exchanged_tokens_tenant_id_account_id"),
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_exchanged_tokens")),
    )
    op.create_index("uq_exchanged_tokens_hash", "exchanged_tokens", ["hash"], unique=True)
    op.create_index(
        "ix_exchanged_tokens_account", "exchanged_tokens", ["account_id", "tenant_id"], unique=False
    )
    op.create_index(
        "ix_exchanged_tokens_expires_at", "exchanged_tokens", ["expires_at"], unique=False
    )


def downgrade() -> None:
    op.drop_table("exchanged_tokens")
    op.drop_table("identity_provider_audiences")
    op.drop_table("identity_providers")
    op.drop_table("signing_keys")
    for index in ("ix_tokens_signing_key", "uq_tokens_revocation", "ix_tokens_unlisted"):
        op.drop_index(index, table_name="tokens")
    op.drop_column("tokens", "revocation")
    op.drop_column("tokens", "signing_key_id")
    op.drop_column("virtual_accounts", "jwt_expires_at")
    op.drop_column("virtual_accounts", "token_type")
    op.drop_column("tenants", "jwt_algorithm")
