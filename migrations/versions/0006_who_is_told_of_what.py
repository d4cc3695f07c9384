"""Who is told of what, reminders, stand-ins and reports of leaks.

Revision: 0006, after 0005
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from migrations.columns import instant
from models.types import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_EVENTS = [
    "account.created",
    "account.deleted",
    "account.expiring",
    "account.extended",
    "account.expired",
    "token.rotated",
    "token.revoked",
    "token.leaked",
    "token.expired",
    "token.grace_ending",
    "token.grace_held",
    "token.hold_exhausted",
    "rotation.upcoming",
    "rotation.waiting",
    "rotation.failed",
    "copy.requested",
    "sync.failed",
    "sync.recovered",
    "sync.drifted",
    "sync.repaired",
    "copy.kept",
    "check.requested",
    "lane.paused",
    "lane.resumed",
    "clock.jumped",
    "personal-access-token.expiring",
    "user.invited",
    "channel.tested",
]
_NEW = {
    "account.expiring",
    "account.extended",
    "personal-access-token.expiring",
    "rotation.upcoming",
    "sync.repaired",
    "token.leaked",
}
_REMINDED = sa.text("remind_at IS NOT NULL")
_DEAD = sa.text("dead_since IS NOT NULL")
_OF_TEAM = sa.text("team_id IS NOT NULL")
_OF_TENANT = sa.text("team_id IS NULL")


def upgrade() -> None:
    _allow_events(_EVENTS)
    for column in _subscription():
        op.add_column("targets", column)
    op.create_table(
        "default_targets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=True),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        *_subscription(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lane_id"],
            ["lanes.tenant_id", "lanes.id"],
            name=op.f("fk_default_targets_tenant_id_lane_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "team_id"],
            ["teams.tenant_id", "teams.id"],
            name=op.f("fk_default_targets_tenant_id_team_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_default_targets_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_default_targets")),
    )
    op.create_index("ix_default_targets_lane", "default_targets", ["lane_id"], unique=False)
    op.create_index(
        "uq_default_targets_of_team",
        "default_targets",
        ["team_id", "tenant_id", "lane_id", "address"],
        unique=True,
        postgresql_where=_OF_TEAM,
        sqlite_where=_OF_TEAM,
    )
    op.create_index(
        "uq_default_targets_of_tenant",
        "default_targets",
        ["tenant_id", "lane_id", "address"],
        unique=True,
        postgresql_where=_OF_TENANT,
        sqlite_where=_OF_TENANT,
    )
    for table in ("virtual_accounts", "teams"):
        op.add_column(
            table, sa.Column("is_silent", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
    _keep_silent()
    op.add_column(
        "tenants",
        sa.Column("notification_targets", sa.JSON(), server_default="[]", nullable=False),
    )
    op.add_column(
        "tenants", sa.Column("on_leak", sa.String(40), server_default="revoke", nullable=False)
    )
    op.add_column("virtual_accounts", sa.Column("notify_before", sa.JSON(), nullable=True))
    for table in ("virtual_accounts", "personal_access_tokens"):
        op.add_column(table, sa.Column("remind_at", instant(), nullable=True))
        op.create_index(
            f"ix_{table}_remind",
            table,
            ["remind_at"],
            unique=False,
            postgresql_where=_REMINDED,
            sqlite_where=_REMINDED,
        )
    op.add_column("tokens", sa.Column("told_as", sa.SmallInteger(), nullable=True))
    op.add_column("tokens", sa.Column("reported_at", instant(), nullable=True))
    op.add_column("lanes", sa.Column("dead_since", instant(), nullable=True))
    op.add_column("lanes", sa.Column("passed_on_at", instant(), nullable=True))
    op.create_index(
        "ix_lanes_dead",
        "lanes",
        ["dead_since"],
        unique=False,
        postgresql_where=_DEAD,
        sqlite_where=_DEAD,
    )
    op.add_column("deliveries", sa.Column("timezone", sa.String(length=64), nullable=True))
    op.add_column("deliveries", sa.Column("facts", sa.JSON(), nullable=True))
    op.add_column(
        "deliveries",
        sa.Column("passed_on", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    _begin_to_look()


def downgrade() -> None:
    for column in ("passed_on", "facts", "timezone"):
        op.drop_column("deliveries", column)
    op.drop_index("ix_lanes_dead", table_name="lanes")
    op.drop_column("lanes", "passed_on_at")
    op.drop_column("lanes", "dead_since")
    op.drop_column("tokens", "reported_at")
    op.drop_column("tokens", "told_as")
    for table in ("personal_access_tokens", "virtual_accounts"):
        op.drop_index(f"ix_{table}_remind", table_name=table)
        op.drop_column(table, "remind_at")
    op.drop_column("virtual_accounts", "notify_before")
    op.drop_column("tenants", "on_leak")
    op.drop_column("tenants", "notification_targets")
    for table in ("teams", "virtual_accounts"):
        op.drop_column(table, "is_silent")
    op.drop_table("default_targets")
    for column in ("timezone", "minimum_severity", "events", "position"):
        op.drop_column("targets", column)
    _allow_events([name for name in _EVENTS if name not in _NEW])


def _subscription() -> list[sa.Column]:
    return [
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("events", sa.JSON(), nullable=True),
        sa.Column("minimum_severity", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("timezone", sa.String(length=64), server_default="UTC", nullable=False),
    ]


def _allow_events(names: list[str]) -> None:
    allowed = "type IN ({})".format(", ".join(f"'{name}'" for name in names))
    name = op.f("ck_events_type")
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(name, "events")
        op.create_check_constraint(name, "events", allowed)
        return
    with op.batch_alter_table("events") as events:  # which knows no CHECK when it copies a table
        events.create_check_constraint(name, allowed)


def _begin_to_look() -> None:
    """The first sweep finds out when each is reminded; what does not answer is dead from now on."""
    now = sa.literal(datetime.now(UTC), Instant())
    for table, condition in (
        ("virtual_accounts", "state = 'active' AND coalesce(next_rotation_at, expires_at) IS NOT NULL"),
        ("personal_access_tokens", "revoked_at IS NULL AND expires_at IS NOT NULL"),
    ):
        rows = sa.table(table, sa.column("remind_at", Instant()))
        op.execute(rows.update().where(sa.text(condition)).values(remind_at=now))
    lanes = sa.table("lanes", sa.column("dead_since", Instant()))
    is_dead = sa.text("state = 'paused' OR probe_at IS NOT NULL")
    op.execute(lanes.update().where(is_dead).values(dead_since=now))


def _keep_silent() -> None:
    """Accounts whose manifests list nobody are told to nobody, whatever defaults there will be."""
    accounts = sa.table(
        "virtual_accounts", sa.column("manifest", sa.JSON()), sa.column("is_silent", sa.Boolean())
    )
    listed = accounts.c.manifest["notification_targets"].as_string()
    op.execute(accounts.update().where(listed == "[]").values(is_silent=True))
