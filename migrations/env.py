"""Alembic's environment: runs on the connection it is handed, in one transaction."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, text

from migrations.columns import render
from models import Base


def run() -> None:
    """Brings the schema of the given connection to the wanted revision."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        render_item=_render,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        # A row that waits to be checked at the commit would bar every change of its table.
        _check(connection, "IMMEDIATE")
        context.run_migrations()
        _check(connection, "DEFERRED")


def _check(connection: Connection, when: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET CONSTRAINTS ALL {when}"))


def _render(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    return render(item) if kind == "type" else False


run()
