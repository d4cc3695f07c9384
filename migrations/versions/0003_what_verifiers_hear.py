"""What verifiers hear.

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

from migrations.columns import instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True),
        sa.Column(
            "xid",
            sa.BigInteger(),
            server_default=sa.text(
                "((pg_current_xact_id())::text)::bigint" if on_postgresql else "NULL"
            ),
            nullable=True,
        ),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("at", instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_changes_at", "changes", ["at"], unique=False)
    op.create_index("ix_changes_xid", "changes", ["xid"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_changes_xid", table_name="changes")
    op.drop_index("ix_changes_at", table_name="changes")
    op.drop_table("changes")
