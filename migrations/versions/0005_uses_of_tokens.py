"""Uses of tokens.

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

from migrations.columns import instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "token_uses",
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("process", sa.Uuid(), nullable=False),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", instant(), nullable=False),
        sa.Column("callers", sa.JSON(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", "process", "is_late", name=op.f("pk_token_uses")),
    )
    op.create_index("ix_token_uses_process", "token_uses", ["process", "token_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_token_uses_process", table_name="token_uses")
    op.drop_table("token_uses")
