"""One command's runtime: settings from the environment, a bell if there is a broker."""

import getpass
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from core import logs
from core.actors import Actor
from core.clock import Clock
from core.durations import parse_duration
from core.errors import InvalidInput, Misconfigured
from core.settings import Settings
from services.operation.bootstrap import only_tenant
from services.operation.migrating import check_schema
from services.runtime import Runtime, build
from workers.embedded import ringing

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where `keyturn up` keeps its data.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
TenantName = Annotated[
    str | None, typer.Option("--tenant", help="Which tenant; not needed if there is one.")
]


def settings_with(**given: Any) -> Settings:
    """The environment's settings; what the command line says wins.

    Without a database's URL they are those of the data folder, as `keyturn up` has them.
    """
    settings = Settings(**{key: value for key, value in given.items() if value is not None})
    if settings.database_url is None:
        return settings.at_home()
    try:
        make_url(settings.database).get_dialect().import_dbapi()
    except (ArgumentError, ImportError):
        raise Misconfigured(
            "KEYTURN_DATABASE_URL: give a URL like postgresql+psycopg://user:password@host/keyturn"
        ) from None
    return settings


@contextmanager
def runtime_for(
    settings: Settings, *, needs_schema: bool = True, clock: Clock | None = None
) -> Iterator[Runtime]:
    """A runtime for one command. Logs only warnings, to stderr."""
    logs.configure(json=settings.log_json, level="WARNING")
    runtime = build(settings, clock=clock)
    with ExitStack() as stack:
        stack.callback(runtime.close)
        if settings.broker_url:
            stack.enter_context(ringing(runtime))
        if needs_schema:
            check_schema(runtime.database)
        yield runtime


def operator_name() -> str:
    """Whoever sits at this machine, as the audit log names them."""
    with suppress(KeyError, OSError):
        return f"operator:{getpass.getuser()}"
    return "operator"


def operator(runtime: Runtime, tenant: str | None) -> Actor:
    """Whoever sits at this machine, acting within a tenant."""
    with runtime.database.reading() as session:
        return Actor.operator(only_tenant(session, tenant).id, operator_name())


def duration(option: str, text: str | None) -> timedelta | None:
    """The length of time that an option says; InvalidInput names the option."""
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise InvalidInput(option, str(error)) from None


@contextmanager
def said_by(options: Mapping[str, str]) -> Iterator[None]:
    """An error about a field, or about a part of it, names the option that gave it instead."""
    try:
        yield
    except InvalidInput as error:
        for field, option in options.items():
            if f"{error.field}.".startswith(f"{field}."):
                what = str(error).removeprefix(f"{error.field}: ")
                raise InvalidInput(option, what) from None
        raise
