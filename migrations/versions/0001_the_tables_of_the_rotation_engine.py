"""The tables of the rotation engine: accounts, their tokens, and where they go.

Revision: 0001, after nothing
"""

import sqlalchemy as sa
from alembic import op

from migrations.columns import instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("at", instant(), nullable=False),
        sa.Column("actor", sa.JSON(), nullable=False),
        sa.Column("action", sa.String(length=80), nullable=False),
        sa.Column("subject_type", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("subject_name", sa.String(length=320), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_at", "audit", ["tenant_id", "at"], unique=False)
    op.create_index("uq_audit_number", "audit", ["tenant_id", "number"], unique=True)
    op.create_index(
        "ix_audit_unchained",
        "audit",
        ["tenant_id", "at"],
        unique=False,
        postgresql_where=sa.text("number IS NULL"),
        sqlite_where=sa.text("number IS NULL"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("lane_id", sa.Uuid(), nullable=True),
        sa.Column("at", instant(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "type IN ('account.created', 'account.deleted', 'account.expired', 'token.rotated', 'token.revoked', 'token.expired', 'token.grace_ending', 'token.grace_held', 'token.hold_exhausted', 'rotation.waiting', 'rotation.failed', 'copy.requested', 'sync.failed', 'sync.recovered', 'sync.drifted', 'copy.kept', 'check.requested', 'lane.paused', 'lane.resumed', 'clock.jumped', 'user.invited', 'channel.tested')",
            name=op.f("ck_events_type"),
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_account", "events", ["account_id", "at"], unique=False)
    op.create_index("ix_events_at", "events", ["at"], unique=False)
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("clock_distrusted_until", instant(), nullable=True),
        sa.Column("created_at", instant(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("smallest_interval", sa.BigInteger(), nullable=False),
        sa.Column("smallest_grace", sa.BigInteger(), nullable=False),
        sa.Column("max_hold", sa.BigInteger(), nullable=False),
        sa.Column("pick_up", sa.BigInteger(), nullable=False),
        sa.Column("max_live_generations", sa.Integer(), nullable=False),
        sa.Column("default_grace", sa.BigInteger(), nullable=False),
        sa.Column("pat_longest_life", sa.BigInteger(), nullable=True),
        sa.Column("pat_most_per_user", sa.Integer(), nullable=True),
        sa.Column("session_length", sa.BigInteger(), nullable=False),
        sa.Column("created_at", instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("name", name=op.f("uq_tenants_name")),
    )
    op.create_table(
        "data_keys",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("master_key_id", sa.String(length=12), nullable=False),
        sa.Column("created_at", instant(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_data_keys_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "number", name=op.f("pk_data_keys")),
    )
    op.create_index(
        op.f("ix_data_keys_master_key_id"), "data_keys", ["master_key_id"], unique=False
    )
    op.create_table(
        "provider_accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.JSON(), nullable=False),
        sa.Column("created_at", instant(), nullable=False),
        sa.Column("updated_at", instant(), nullable=False),
        sa.Column("deleted_at", instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_provider_accounts_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_provider_accounts")),
    )
    op.create_index(
        "uq_provider_accounts_name",
        "provider_accounts",
        ["tenant_id", "provider", "name"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
        sqlite_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("invitation", sa.LargeBinary(length=32), nullable=True),
        sa.Column("invitation_until", instant(), nullable=True),
        sa.Column("accepted_at", instant(), nullable=True),
        sa.Column("created_at", instant(), nullable=False),
        sa.Column("updated_at", instant(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_users_tenant_id")),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_users")),
        sa.UniqueConstraint("tenant_id", "email", name=op.f("uq_users_tenant_id_email")),
    )
    op.create_index("uq_users_invitation", "users", ["invitation"], unique=True)
    op.create_table(
        "teams",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.JSON(), nullable=False),
        sa.Column("created_at", instant(), nullable=False),
        sa.Column("updated_at", instant(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_teams_tenant_id")),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_teams")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_teams_tenant_id_name")),
    )
    op.create_table(
        "virtual_accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.JSON(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("rotation_interval", sa.BigInteger(), nullable=True),
        sa.Column("rotation_schedule", sa.String(length=200), nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("spread", sa.BigInteger(), nullable=False),
        sa.Column("grace", sa.BigInteger(), nullable=False),
        sa.Column("max_hold", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", instant(), nullable=True),
        sa.Column("rotated_at", instant(), nullable=False),
        sa.Column("next_rotation_at", instant(), nullable=True),
        sa.Column("due_at", instant(), nullable=True),
        sa.Column("waiting_since", instant(), nullable=True),
        sa.Column("rotation_failures", sa.Integer(), nullable=False),
        sa.Column("paused_at", instant(), nullable=True),
        sa.Column("created_at", instant(), nullable=False),
        sa.Column("updated_at", instant(), nullable=False),
        sa.Column("deleted_at", instant(), nullable=True),
        sa.CheckConstraint(
            "due_at IS NULL OR state = 'active'",
            name=op.f("ck_virtual_accounts_due_only_while_active"),
        ),
        sa.CheckConstraint(
            "state IN ('active', 'suspended', 'deleted')", name=op.f("ck_virtual_accounts_state")
        ),
        sa.CheckConstraint(
            "rotation_interval IS NULL OR rotation_schedule IS NULL",
            name=op.f("ck_virtual_accounts_one_rotation_policy"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "team_id"],
            ["teams.tenant_id", "teams.id"],
            name=op.f("fk_virtual_accounts_tenant_id_team_id"),
        ),
        *_newest_token_inline(),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_virtual_accounts_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_virtual_accounts")),
    )
    op.create_index(
        "ix_virtual_accounts_team", "virtual_accounts", ["team_id", "tenant_id"], unique=False
    )
    op.create_index(
        "ix_virtual_accounts_due",
        "virtual_accounts",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "uq_virtual_accounts_name",
        "virtual_accounts",
        ["tenant_id", "name"],
        unique=True,
        postgresql_where=sa.text("state <> 'deleted'"),
        sqlite_where=sa.text("state <> 'deleted'"),
    )
    op.create_table(
        "integrations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("provider_account_id", sa.Uuid(), nullable=False),
        sa.Column("family", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("fqn", sa.String(length=300), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=True),
        sa.Column("authorized_subjects", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("checked", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.JSON(), nullable=False),
        sa.Column("created_at", instant(), nullable=False),
        sa.Column("updated_at", instant(), nullable=False),
        sa.Column("deleted_at", instant(), nullable=True),
        sa.CheckConstraint(
            "family IN ('secret-store', 'notification-channel')",
            name=op.f("ck_integrations_family"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "provider_account_id"],
            ["provider_accounts.tenant_id", "provider_accounts.id"],
            name=op.f("fk_integrations_tenant_id_provider_account_id"),
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_integrations")),
    )
    op.create_index(
        op.f("ix_integrations_provider_account_id"),
        "integrations",
        ["provider_account_id"],
        unique=False,
    )
    op.create_index(
        "uq_integrations_fqn",
        "integrations",
        ["tenant_id", "fqn"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
        sqlite_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("last_four", sa.String(length=4), nullable=False),
        sa.Column("created_at", instant(), nullable=False),
        sa.Column("expires_at", instant(), nullable=True),
        sa.Column("valid_until", instant(), nullable=True),
        sa.Column("grace_until", instant(), nullable=True),
        sa.Column("hold_until", instant(), nullable=True),
        sa.Column("pick_up", sa.BigInteger(), nullable=True),
        sa.Column("released_at", instant(), nullable=True),
        sa.Column("notice_at", instant(), nullable=True),
        sa.Column("ended_at", instant(), nullable=True),
        sa.Column("link_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("link_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("acknowledged_at", instant(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=320), nullable=True),
        sa.CheckConstraint(
            "sealed IS NULL OR state = 'current'", name=op.f("ck_tokens_sealed_only_while_current")
        ),
        sa.CheckConstraint(
            "state <> 'grace' OR (grace_until IS NOT NULL AND hold_until IS NOT NULL AND valid_until BETWEEN grace_until AND hold_until)",
            name=op.f("ck_tokens_grace_within_hold"),
        ),
        sa.CheckConstraint(
            "state IN ('current', 'grace', 'expired', 'revoked')", name=op.f("ck_tokens_state")
        ),
        sa.CheckConstraint(
            "expires_at IS NULL OR valid_until <= expires_at",
            name=op.f("ck_tokens_never_outlives_itself"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["virtual_accounts.tenant_id", "virtual_accounts.id"],
            name=op.f("fk_tokens_tenant_id_account_id"),
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id", name=op.f("pk_tokens")),
        sa.UniqueConstraint(
            "account_id",
            "tenant_id",
            "generation",
            name=op.f("uq_tokens_account_id_tenant_id_generation"),
        ),
    )
    op.create_index(
        "ix_tokens_ending",
        "tokens",
        ["valid_until"],
        unique=False,
        postgresql_where=sa.text("state IN ('current', 'grace') AND valid_until IS NOT NULL"),
        sqlite_where=sa.text("state IN ('current', 'grace') AND valid_until IS NOT NULL"),
    )
    op.create_index(
        "ix_tokens_notice",
        "tokens",
        ["notice_at"],
        unique=False,
        postgresql_where=sa.text("notice_at IS NOT NULL"),
        sqlite_where=sa.text("notice_at IS NOT NULL"),
    )
    op.create_index("uq_tokens_hash", "tokens", ["hash"], unique=True)
    op.create_index(
        "uq_tokens_link_hash",
        "tokens",
        ["link_hash"],
        unique=True,
        postgresql_where=sa.text("link_hash IS NOT NULL"),
        sqlite_where=sa.text("link_hash IS NOT NULL"),
    )
    op.create_index(
        "uq_tokens_one_current",
        "tokens",
        ["account_id", "tenant_id"],
        unique=True,
        postgresql_where=sa.text("state = 'current'"),
        sqlite_where=sa.text("state = 'current'"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_foreign_key(
            "fk_virtual_accounts_newest_token",
            "virtual_accounts",
            "tokens",
            ["tenant_id", "id", "generation"],
            ["tenant_id", "account_id", "generation"],
            deferrable=True,
            initially="DEFERRED",
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("fk_virtual_accounts_newest_token", "virtual_accounts")
    for table in (
        "tokens",
        "integrations",
        "virtual_accounts",
        "teams",
        "users",
        "provider_accounts",
        "events",
        "data_keys",
        "audit",
        "tenants",
        "installation",
    ):
        op.drop_table(table)


def _newest_token_inline() -> list[sa.ForeignKeyConstraint]:
    """Accounts and tokens refer to each other; SQLite cannot add the second reference later."""
    if op.get_bind().dialect.name == "postgresql":
        return []
    return [
        sa.ForeignKeyConstraint(
            ["tenant_id", "id", "generation"],
            ["tokens.tenant_id", "tokens.account_id", "tokens.generation"],
            name="fk_virtual_accounts_newest_token",
            initially="DEFERRED",
            deferrable=True,
        )
    ]
