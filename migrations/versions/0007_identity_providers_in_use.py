"""Identity providers in use.

Revision: 0007, after 0005
"""

import sqlalchemy as sa
from alembic import op

from migrations.columns import instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("identity_providers", sa.Column("sealed", sa.LargeBinary(), nullable=True))
    with op.batch_alter_table("identity_mappings") as mappings:
        mappings.alter_column("value", existing_type=sa.String(length=500), nullable=True)
        mappings.add_column(sa.Column("provider_id", sa.Uuid(), nullable=True))
        mappings.add_column(sa.Column("entry", sa.JSON(), nullable=True))
        mappings.create_foreign_key(
            op.f("fk_identity_mappings_provider"),
            "identity_providers",
            ["tenant_id", "provider_id"],
            ["tenant_id", "id"],
        )
    op.create_index(
        "ix_identity_mappings_provider", "identity_mappings", ["provider_id", "value"], unique=False
    )
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("redirect_uri", sa.String(length=500), nullable=False),
        sa.Column("created_at", instant(), nullable=False),
        sa.Column("expires_at", instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "provider_id"],
            ["identity_providers.tenant_id", "identity_providers.id"],
            name=op.f("fk_sign_ins_tenant_id_provider_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_sign_ins")),
    )
    op.create_index("uq_sign_ins_hash", "sign_ins", ["hash"], unique=True)
    op.create_index("ix_sign_ins_expires_at", "sign_ins", ["expires_at"], unique=False)
    op.create_index(
        "ix_sign_ins_provider", "sign_ins", ["provider_id", "tenant_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("sign_ins")
    op.drop_index("ix_identity_mappings_provider", table_name="identity_mappings")
    op.execute("DELETE FROM identity_mappings WHERE value IS NULL")
    with op.batch_alter_table("identity_mappings") as mappings:
        mappings.drop_constraint(op.f("fk_identity_mappings_provider"), type_="foreignkey")
        mappings.drop_column("entry")
        mappings.drop_column("provider_id")
        mappings.alter_column("value", existing_type=sa.String(length=500), nullable=False)
    op.drop_column("identity_providers", "sealed")
