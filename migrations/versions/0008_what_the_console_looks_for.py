"""What the console looks for: each question of its first page has an index of its own.

Revision: 0008, after 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_CALENDAR = [
    "tenant_id",
    "next_rotation_at",
    "rotation_interval",
    "rotation_schedule",
    "timezone",
    "expires_at",
]
_INDEXES = (
    ("ix_events_tenant", "events", ["tenant_id", "at"], None),
    ("ix_deliveries_failed", "deliveries", ["tenant_id", "settled_at"], "state = 'failed'"),
    ("ix_virtual_accounts_calendar", "virtual_accounts", _CALENDAR, "due_at IS NOT NULL"),
    (
        "ix_virtual_accounts_troubled",
        "virtual_accounts",
        ["tenant_id"],
        "rotation_failures > 0 OR waiting_since IS NOT NULL",
    ),
    (
        "ix_places_troubled",
        "places",
        ["tenant_id"],
        "state = 'active' AND (last_error IS NOT NULL OR drift IS NOT NULL)",
    ),
    (
        "ix_tokens_unreleased",
        "tokens",
        ["tenant_id", "grace_until"],
        "state = 'grace' AND released_at IS NULL AND hold_until <> grace_until",
    ),
    ("ix_token_uses_late", "token_uses", ["last_used_at"], "is_late"),
)


def upgrade() -> None:
    for name, table, columns, where in _INDEXES:
        only = sa.text(where) if where else None
        op.create_index(
            name, table, columns, unique=False, postgresql_where=only, sqlite_where=only
        )


def downgrade() -> None:
    for name, table, _columns, _where in reversed(_INDEXES):
        op.drop_index(name, table_name=table)
