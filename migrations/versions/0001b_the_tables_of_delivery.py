"""The tables of delivery: lanes, places, targets and the outbox; and of who is at work.

Revision: 0001b, after 0001
"""

import sqlalchemy as sa
from alembic import op

from migrations.columns import instant

revision = "0001b"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "processes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("master_key_ids", sa.JSON(), nullable=False),
        sa.Column("started_at", instant(), nullable=False),
        sa.Column("ticked_at", instant(), nullable=True),
        sa.Column("seen_at", instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processes")),
    )
    op.create_index(op.f("ix_processes_seen_at"), "processes", ["seen_at"], unique=False)
    op.create_table(
        "buckets",
        sa.Column("quota_key", sa.String(length=200), nullable=False),
        sa.Column("next_at", instant(), nullable=False),
        sa.PrimaryKeyConstraint("quota_key", name=op.f("pk_buckets")),
    )
    op.create_table(
        "lanes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("quota_key", sa.String(length=200), nullable=True),
        sa.Column("per_second", sa.Float(), nullable=True),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("send_limit", sa.Float(), nullable=False),
        sa.Column("most_in_digest", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("paused_because", sa.String(length=500), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("probe_at", instant(), nullable=True),
        sa.Column("wake_at", instant(), nullable=True),
        sa.Column("leased_until", instant(), nullable=True),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column("succeeded_at", instant(), nullable=True),
        sa.CheckConstraint(
            "state = 'open' OR wake_at IS NULL", name=op.f("ck_lanes_paused_sleeps")
        ),
        sa.CheckConstraint("state IN ('open', 'paused')", name=op.f("ck_lanes_state")),
        sa.ForeignKeyConstraint(
            ["quota_key"], ["buckets.quota_key"], name=op.f("fk_lanes_quota_key")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("fk_lanes_tenant_id_integration_id"),
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_lanes")),
        sa.UniqueConstraint(
            "integration_id",
            "tenant_id",
            "address",
            name=op.f("uq_lanes_integration_id_tenant_id_address"),
        ),
    )
    op.create_index(
        "ix_lanes_wake",
        "lanes",
        ["wake_at"],
        unique=False,
        postgresql_where=sa.text("wake_at IS NOT NULL"),
        sqlite_where=sa.text("wake_at IS NOT NULL"),
    )
    op.create_table(
        "places",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.Column("key", sa.String(length=256), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("layout", sa.JSON(), nullable=True),
        sa.Column("adopt", sa.Boolean(), nullable=False),
        sa.Column("keep_copy", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("takes_over", sa.Uuid(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("confirmed_revision", sa.Integer(), nullable=False),
        sa.Column("confirmed_generation", sa.Integer(), nullable=False),
        sa.Column("confirmed_at", instant(), nullable=True),
        sa.Column("check_at", instant(), nullable=True),
        sa.Column("checked_at", instant(), nullable=True),
        sa.Column("drift", sa.String(length=100), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.CheckConstraint(
            "state IN ('active', 'removing', 'removed')", name=op.f("ck_places_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["virtual_accounts.tenant_id", "virtual_accounts.id"],
            name=op.f("fk_places_tenant_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["integrations.tenant_id", "integrations.id"],
            name=op.f("fk_places_tenant_id_integration_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lane_id"],
            ["lanes.tenant_id", "lanes.id"],
            name=op.f("fk_places_tenant_id_lane_id"),
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_places")),
    )
    op.create_index("ix_places_account", "places", ["account_id", "tenant_id"], unique=False)
    op.create_index("ix_places_lane", "places", ["lane_id"], unique=False)
    op.create_index(
        "ix_places_check",
        "places",
        ["check_at"],
        unique=False,
        postgresql_where=sa.text("check_at IS NOT NULL"),
        sqlite_where=sa.text("check_at IS NOT NULL"),
    )
    op.create_index(
        "uq_places_path",
        "places",
        ["integration_id", "tenant_id", "path", "key"],
        unique=True,
        postgresql_where=sa.text("state = 'active'"),
        sqlite_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "targets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["virtual_accounts.tenant_id", "virtual_accounts.id"],
            name=op.f("fk_targets_tenant_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lane_id"],
            ["lanes.tenant_id", "lanes.id"],
            name=op.f("fk_targets_tenant_id_lane_id"),
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_targets")),
        sa.UniqueConstraint(
            "account_id",
            "tenant_id",
            "lane_id",
            "address",
            name=op.f("uq_targets_account_id_tenant_id_lane_id_address"),
        ),
    )
    op.create_index("ix_targets_lane", "targets", ["lane_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("destination", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("place_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("document", sa.String(length=1024), nullable=True),
        sa.Column("address", sa.String(length=320), nullable=True),
        sa.Column("digest_id", sa.Uuid(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(40), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("due_at", instant(), nullable=False),
        sa.Column("leased_until", instant(), nullable=True),
        sa.Column("claim", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.Column("created_at", instant(), nullable=False),
        sa.Column("settled_at", instant(), nullable=True),
        sa.CheckConstraint(
            "action IN ('put', 'remove', 'check', 'notice')", name=op.f("ck_deliveries_action")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'done', 'superseded', 'failed')",
            name=op.f("ck_deliveries_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "event_id"],
            ["events.tenant_id", "events.id"],
            name=op.f("fk_deliveries_tenant_id_event_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "lane_id"],
            ["lanes.tenant_id", "lanes.id"],
            name=op.f("fk_deliveries_tenant_id_lane_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "place_id"],
            ["places.tenant_id", "places.id"],
            name=op.f("fk_deliveries_tenant_id_place_id"),
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "event_id", "destination", name=op.f("uq_deliveries_event_id_destination")
        ),
        postgresql_with={"fillfactor": 80, "autovacuum_vacuum_scale_factor": 0.02},
    )
    op.create_index(
        "ix_deliveries_account", "deliveries", ["account_id", "created_at"], unique=False
    )
    op.create_index(
        "ix_deliveries_pending",
        "deliveries",
        ["lane_id", "priority", "due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
        sqlite_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_deliveries_place",
        "deliveries",
        ["place_id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending' AND place_id IS NOT NULL"),
        sqlite_where=sa.text("state = 'pending' AND place_id IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_recipient",
        "deliveries",
        ["lane_id", "destination"],
        unique=False,
        postgresql_where=sa.text("state = 'pending' AND address IS NOT NULL"),
        sqlite_where=sa.text("state = 'pending' AND address IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_digest",
        "deliveries",
        ["digest_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'sending') AND digest_id IS NOT NULL"),
        sqlite_where=sa.text("state IN ('pending', 'sending') AND digest_id IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_sending",
        "deliveries",
        ["lane_id", "leased_until"],
        unique=False,
        postgresql_where=sa.text("state = 'sending'"),
        sqlite_where=sa.text("state = 'sending'"),
    )
    op.create_index(
        "ix_deliveries_settled",
        "deliveries",
        ["settled_at"],
        unique=False,
        postgresql_where=sa.text("settled_at IS NOT NULL"),
        sqlite_where=sa.text("settled_at IS NOT NULL"),
    )
    op.create_index(
        "uq_deliveries_one_sending",
        "deliveries",
        ["lane_id", "document"],
        unique=True,
        postgresql_where=sa.text("state = 'sending' AND document IS NOT NULL"),
        sqlite_where=sa.text("state = 'sending' AND document IS NOT NULL"),
    )


def downgrade() -> None:
    for table in ("deliveries", "targets", "places", "lanes", "buckets", "processes"):
        op.drop_table(table)
