"""Many rows at once: the one place that knows how each database takes them fastest.

The ORM's unit of work reaches a fifth of COPY's speed, bulk inserts three fifths.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import JSON, Column, Table, bindparam, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.sql import column, func
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from models.base import Base
from models.types import Name

Row = Mapping[str, Any]


def insert(session: Session, model: type[Base], rows: Sequence[Row]) -> None:
    """Inserts rows that all have the same columns; the rest take their column's default."""
    if not rows:
        return
    table = _table(model)
    names = list(rows[0])
    if session.get_bind().dialect.name != "postgresql":
        session.execute(table.insert(), [dict(row) for row in rows])
        return
    defaults = {
        c.name: c.default.arg
        for c in table.columns
        if c.name not in rows[0] and isinstance(c.default, ScalarElementColumnDefault)
    }
    columns = [table.columns[name] for name in (*names, *defaults)]
    write = [_writer(c) for c in columns]
    fixed = list(defaults.values())
    quoted = ", ".join(f'"{c.name}"' for c in columns)
    driver = session.connection().connection.driver_connection
    assert driver is not None
    statement = f"COPY {table.name} ({quoted}) FROM STDIN"
    with _our_errors(session, statement), driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            values = [row[name] for name in names] + fixed
            copy.write_row([w(value) for w, value in zip(write, values, strict=True)])


def update_each(session: Session, model: type[Base], rows: Sequence[Row]) -> None:
    """Updates one row per mapping, found by (tenant_id, id); all have the same columns."""
    if not rows:
        return
    table = _table(model)
    names = [name for name in rows[0] if name not in {"tenant_id", "id"}]
    if session.get_bind().dialect.name != "postgresql":
        statement = (
            update(table)
            .where(table.c.tenant_id == bindparam("_tenant"), table.c.id == bindparam("_id"))
            .values({name: bindparam(f"_{name}") for name in names})
        )
        session.connection().execute(
            statement, [{"_tenant": row["tenant_id"], **_prefixed(row)} for row in rows]
        )
        return
    keys = ("tenant_id", "id", *names)
    given = (
        func.unnest(
            *(
                bindparam(f"_{key}", [row[key] for row in rows], type_=ARRAY(table.c[key].type))
                for key in keys
            )
        )
        .table_valued(*(column(key, table.c[key].type) for key in keys), name="given")
        .render_derived()
    )
    statement = (
        update(table)
        .where(table.c.tenant_id == given.c.tenant_id, table.c.id == given.c.id)
        .values({name: given.c[name] for name in names})
    )
    session.execute(statement)


@contextmanager
def _our_errors(session: Session, statement: str) -> Iterator[None]:
    """COPY goes past SQLAlchemy; its errors come out as SQLAlchemy's all the same."""
    dialect = session.get_bind().dialect
    base = dialect.loaded_dbapi.Error
    try:
        yield
    except base as error:
        raise DBAPIError.instance(
            statement, None, error, base, hide_parameters=True, dialect=dialect
        ) from None


def _writer(of: Column[Any]) -> Callable[[Any], Any]:
    if isinstance(of.type, JSON):
        return lambda value: None if value is None else json.dumps(value)
    if isinstance(of.type, Name):
        return lambda value: None if value is None else value.value
    return lambda value: value


def _prefixed(row: Row) -> dict[str, Any]:
    return {f"_{key}": value for key, value in row.items()}


def _table(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table


def chunks(rows: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """Consecutive parts of at most `size`."""
    return (rows[start : start + size] for start in range(0, len(rows), size))
