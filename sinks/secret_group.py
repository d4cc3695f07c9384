"""The built-in secret store: a place is one key of one of the tenant's secret groups.

Every write is a version of its own. The mark lies beside the version that it made, so that
what somebody else wrote later bears none; the mark before it still tells whose the key is.
"""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from core.errors import PlaceRefused
from core.ids import Mark
from core.plugins import Pace, Ports
from core.secret_manifests import KIND, split_path
from core.secret_store import Stored
from sinks.base import Copy, Held, Removal, Sink, mark_of


class SecretGroupSink(Sink):
    """Writes tokens into the secret groups of one tenant."""

    kind: ClassVar[str] = KIND
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "Secret groups"
    built_in: ClassVar[bool] = True

    tenant: UUID = Field(description="Whose groups; Keyturn fills it in.")

    @property
    def pace(self) -> Pace:
        return Pace(concurrency=4, send_limit=60.0)

    def place(self, path: str) -> str:
        try:
            return "/".join(split_path(path))
        except ValueError as error:
            raise PlaceRefused(str(error)) from None

    def check(self, ports: Ports) -> str:
        return f"the built-in store has {ports.built_in_store().count(self.tenant)} secret groups"

    def put(self, copy: Copy, ports: Ports) -> Held:
        store = ports.built_in_store()
        group, key = split_path(copy.path)
        stored = store.newest(self.tenant, group, key)
        if stored is not None:
            held = _held(stored, copy)
            if not copy.may_follow(held):
                return Held(held, str(stored.version))
        if stored is None or mark_of(stored.metadata) != copy.mark:
            store.put_version(self.tenant, group, key, copy.text, copy.metadata(), after=stored)
        return self.read(copy.path, ports) or Held(mark=None)

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        try:
            group, key = split_path(path)
        except ValueError:  # nothing can be there
            return None
        stored = ports.built_in_store().newest(self.tenant, group, key)
        return Held(mark_of(stored.metadata), str(stored.version)) if stored else None

    def remove(self, removal: Removal, ports: Ports) -> None:
        store = ports.built_in_store()
        group, key = split_path(removal.path)
        stored = store.newest(self.tenant, group, key)
        held = mark_of(stored.metadata) if stored else None
        if stored is not None and held is not None and held.place == removal.place:
            store.remove(self.tenant, group, key, newest=stored)


def _held(stored: Stored, copy: Copy) -> Mark | None:
    """Whose the key is: what somebody wrote over this place's own copy does not make it theirs."""
    held = mark_of(stored.metadata)
    before = mark_of(stored.before)
    if held is None and before is not None and before.place in {copy.mark.place, *copy.replaces}:
        return before
    return held
