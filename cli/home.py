"""The data folder of `keyturn up`: database, master key, first admin's token."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import inspect, select

from core.errors import Conflict, MasterKeyMissing, Misconfigured
from core.sealing import MasterKey
from core.settings import Settings
from models import WrappedKey
from services.database import Database
from services.operation.bootstrap import (
    ensure_admin,
    ensure_installation,
    ensure_tenant,
    write_secret,
)
from services.operation.migrating import migrate
from services.operation.tenants import Limits
from services.runtime import Runtime

TENANT = "default"
# One process on one machine: short rotations are welcome, to try things out.
_LIMITS = Limits(
    smallest_interval=timedelta(seconds=1),
    smallest_grace=timedelta(seconds=1),
    pick_up=timedelta(minutes=10),
)


@dataclass
class Home:
    """One data folder, held by one process."""

    settings: Settings
    tenant_id: UUID = field(default_factory=lambda: UUID(int=0))

    @property
    def folder(self) -> Path:
        return self.settings.data_dir

    @property
    def admin_token(self) -> Path:
        return self.folder / "admin-token"

    def prepare(self, runtime: Runtime) -> None:
        """Schema, tenant, first admin. Whatever is there already stays as it is."""
        migrate(runtime.database)
        runtime.keyring.check()
        ensure_installation(runtime)
        self.tenant_id = ensure_tenant(
            runtime, TENANT, limits=_LIMITS, admin_email="admin@localhost"
        )
        ensure_admin(runtime, self.tenant_id, self.admin_token)


@contextmanager
def open_home(settings: Settings) -> Iterator[Home]:
    """The folder, locked against a second `keyturn up`, with a master key.

    A key is made only for a database that holds nothing sealed yet; MasterKeyMissing otherwise.
    """
    settings = settings.at_home()
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened = (folder / "lock").open("w")
    except OSError as error:
        raise Misconfigured(
            f"The data folder {folder} cannot be used ({error.strerror}); give another --data-dir."
        ) from None
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(
                f"Another `keyturn up` uses {folder}; end it, or give another --data-dir."
            ) from None
        if not settings.keys().ids:
            _make_key(settings)
        yield Home(settings)


def _make_key(settings: Settings) -> None:
    database = Database(settings.database)
    try:
        tables = inspect(database.engine).get_table_names()
        if "data_keys" in tables:
            with database.reading() as session:
                sealed = session.scalars(select(WrappedKey).limit(1)).first()
            if sealed is not None:
                raise MasterKeyMissing(
                    f"{settings.data_dir / 'master-key'} is gone, but the database is sealed with "
                    f"master key {sealed.master_key_id}. Put the file back; a new key would not "
                    "open what is there."
                )
    finally:
        database.close()
    write_secret(settings.data_dir / "master-key", MasterKey.generate() + "\n")
