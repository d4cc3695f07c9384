"""What the console's activity looks for: failed attempts one by one, events that are no mere note.

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

from migrations.columns import instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_SEVERE = sa.text("severity > 0")


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("claim", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", instant(), nullable=False),
        sa.Column("result", sa.String(length=30), nullable=False),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "delivery_id"],
            ["deliveries.tenant_id", "deliveries.id"],
            name=op.f("fk_attempts_tenant_id_delivery_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "tenant_id", "claim", name=op.f("pk_attempts")),
    )
    op.create_index(
        "ix_events_severe",
        "events",
        ["tenant_id", "at"],
        unique=False,
        postgresql_where=_SEVERE,
        sqlite_where=_SEVERE,
    )


def downgrade() -> None:
    op.drop_index("ix_events_severe", table_name="events")
    op.drop_table("attempts")
