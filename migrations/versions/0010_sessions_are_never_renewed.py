"""Sessions are never renewed: what would have done it was never given out.

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("uq_sessions_refresh", table_name="sessions")
    op.drop_column("sessions", "refresh_hash")


def downgrade() -> None:
    op.add_column("sessions", sa.Column("refresh_hash", sa.LargeBinary(length=32), nullable=True))
    op.create_index("uq_sessions_refresh", "sessions", ["refresh_hash"], unique=True)
