from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, inspect, select, text
from sqlalchemy.exc import IntegrityError

from core.errors import Unready
from core.events import EventType
from models import Base, Delivery, IdentityMapping, Lane, VirtualAccount
from models.types import Instant, Span
from services.database import Database
from services.operation.migrating import check_schema, config, migrate, revisions


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path / 'keyturn.db'}")
    else:
        made = Database(request.getfixturevalue("empty_postgres_url"))
    yield made
    made.close()


def described(engine: Engine) -> dict[str, dict[str, object]]:
    """Every table with its constraints, by name; what autogenerate does not compare."""
    seen = inspect(engine)
    return {
        table: {
            "checks": {c["name"]: c["sqltext"] for c in seen.get_check_constraints(table)},
            "foreign": {
                c["name"]: (c["constrained_columns"], c["referred_table"], c["options"])
                for c in seen.get_foreign_keys(table)
            },
            "unique": {c["name"]: c["column_names"] for c in seen.get_unique_constraints(table)},
            "indexes": {
                c["name"]: (c["column_names"], c["unique"]) for c in seen.get_indexes(table)
            },
        }
        for table in seen.get_table_names()
        if table != "alembic_version"
    }


def test_migrating_twice_does_nothing_the_second_time(database: Database):
    first, second = migrate(database), migrate(database)

    assert first[0] is None
    assert second == (first[1], first[1])


def test_the_migrated_schema_is_the_models_schema(database: Database):
    migrate(database)

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)

    assert differences == []


def test_migrated_constraints_are_the_models_constraints(database: Database):
    migrate(database)
    migrated = described(database.engine)
    with database.engine.connect() as connection, connection.begin():
        command.downgrade(config(connection), "base")
    newest_token = next(
        c
        for c in Base.metadata.tables["virtual_accounts"].constraints
        if c.name == "fk_virtual_accounts_newest_token"
    )
    newest_token._create_rule = None  # SQLAlchemy forgets it once it was added by ALTER

    Base.metadata.create_all(database.engine)

    assert described(database.engine) == migrated


def test_mappings_of_before_there_were_providers_stay_and_go_back(database: Database):
    tenant, row = uuid4(), uuid4()
    with database.engine.connect() as connection, connection.begin():
        command.upgrade(config(connection), "0005")
        before = MetaData()
        before.reflect(connection, only=["tenants", "identity_mappings"])
        now = datetime(2026, 3, 2, tzinfo=UTC)
        moment = now if connection.dialect.name == "postgresql" else int(now.timestamp() * 1e6)
        connection.execute(
            before.tables["tenants"].insert(),
            {
                "id": _written(connection, tenant), "name": "acme", "smallest_interval": 1,
                "smallest_grace": 1, "max_hold": 1, "pick_up": 1, "max_live_generations": 10,
                "default_grace": 1, "session_length": 1, "created_at": moment,
            },
        )  # fmt: skip
        connection.execute(
            before.tables["identity_mappings"].insert(),
            {
                "id": _written(connection, row), "tenant_id": _written(connection, tenant),
                "subject_kind": "virtualaccount", "subject_id": _written(connection, row),
                "identity_provider": "github", "value": "repo:acme/app",
            },
        )  # fmt: skip

    migrate(database)
    with database.reading() as session:
        (kept,) = session.scalars(select(IdentityMapping)).all()
    with database.engine.connect() as connection, connection.begin():
        command.downgrade(config(connection), "0005")
        held = connection.scalar(text("SELECT value FROM identity_mappings"))

    assert (kept.value, kept.provider_id, kept.entry) == ("repo:acme/app", None, None)
    assert held == "repo:acme/app"


def _written(connection: Connection, value: UUID) -> UUID | str:
    """An id as its database's driver takes it."""
    return value if connection.dialect.name == "postgresql" else value.hex


def test_a_database_without_schema_is_refused_with_what_to_do(database: Database):
    with pytest.raises(Unready, match="keyturn migrate"):
        check_schema(database)


def test_revisions_are_one_line_and_named_by_their_number(database: Database):
    with database.engine.connect() as connection:
        scripts = ScriptDirectory.from_config(config(connection))

    assert [script.revision for script in scripts.walk_revisions()][::-1] == revisions()
    assert scripts.get_current_head() == revisions()[-1]


def test_a_migrated_database_is_accepted(database: Database):
    migrate(database)

    check_schema(database)


AT = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def before_subscriptions(database: Database) -> tuple[Database, dict[str, UUID]]:
    """Two accounts, one of which tells nobody, and a lane that is paused; and their ids."""
    ids = {name: uuid4() for name in ("tenant", "told", "quiet", "lane", "event")}
    with database.engine.connect() as connection, connection.begin():
        command.upgrade(config(connection), "0005")
        add = partial(_add, connection, ids["tenant"])
        add("tenants", id=ids["tenant"], name="acme")
        for name, manifest in (("told", {}), ("quiet", {"notification_targets": []})):
            account = {"id": ids[name], "name": name, "state": "active", "manifest": manifest}
            add("virtual_accounts", **account, next_rotation_at=AT)
            token = {"id": uuid4(), "account_id": ids[name], "hash": ids[name].bytes}
            add("tokens", **token, generation=1, state="current")
        add("provider_accounts", id=ids["lane"])
        of_account = {"id": ids["lane"], "provider_account_id": ids["lane"]}
        add("integrations", **of_account, family="secret-store")
        add("lanes", id=ids["lane"], integration_id=ids["lane"], state="paused")
        add("events", id=ids["event"], type="token.rotated")
        of_event = {"id": uuid4(), "event_id": ids["event"], "lane_id": ids["lane"]}
        add("deliveries", **of_event, action="put", state="done")
    return database, ids


def _add(connection: Connection, tenant: UUID, table: str, **given: Any) -> None:
    """A row with something in every column that must have a value."""
    of_model = Base.metadata.tables[table].columns
    values = {"tenant_id": tenant, **given} if "tenant_id" in of_model else given
    for column in inspect(connection).get_columns(table):
        if not column["nullable"] and column["default"] is None:
            values.setdefault(column["name"], _something(of_model[column["name"]].type))
    made = sa.table(table, *(sa.column(name, of_model[name].type) for name in values))
    connection.execute(made.insert().values(values))


def _something(of: Any) -> Any:
    fillers = [
        (Instant, AT),
        (Span, timedelta(days=1)),
        (sa.JSON, {}),
        (sa.LargeBinary, b"x"),
        (sa.Uuid, uuid4()),
        (sa.Boolean, False),
        (sa.String, "x"),
    ]
    return next((filler for kind, filler in fillers if isinstance(of, kind)), 1)


def test_accounts_that_tell_nobody_still_do_and_the_others_are_looked_at(before_subscriptions):
    database, ids = before_subscriptions

    migrate(database)

    with database.reading() as session:
        accounts = {row.id: row for row in session.scalars(sa.select(VirtualAccount))}
        dead = session.scalars(sa.select(Lane.dead_since)).all()
    assert (accounts[ids["told"]].is_silent, accounts[ids["quiet"]].is_silent) == (False, True)
    assert None not in [accounts[ids["told"]].remind_at, *dead]


def test_events_keep_their_deliveries_though_sqlite_copies_their_table(before_subscriptions):
    database, ids = before_subscriptions

    migrate(database)

    with database.engine.connect() as connection, connection.begin():
        kept = connection.execute(sa.select(Delivery.event_id)).scalars().all()
        _add(connection, ids["tenant"], "events", id=uuid4(), type=EventType.TOKEN_LEAKED)
        if database.is_sqlite:
            assert connection.execute(sa.text("PRAGMA foreign_keys")).scalar_one() == 1
    assert kept == [ids["event"]]
    with (
        pytest.raises(IntegrityError),
        database.engine.connect() as connection,
        connection.begin(),
    ):
        _add(connection, ids["tenant"], "deliveries", id=uuid4(), event_id=uuid4(), action="put")
