"""Any store that speaks a small HTTP API: GET, PUT and DELETE of one JSON document per secret.

`{"value": "<token>", "metadata": {...}}`: the mark stands in the metadata, written in one call
with the token. A store that gives an ETag is written by check-and-set; each write carries an
Idempotency-Key made of its mark.
"""

import threading
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, PrivateAttr, StringConstraints

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.plugins import Pace, Ports
from sinks.base import Copy, Held, Removal, Sink
from sinks.deadline import Deadline
from sinks.endpoint import Address, CaBundle
from sinks.generic.auth import HeaderAuth
from sinks.generic.secret import GenericSecret, Stored
from sinks.generic.wire import Unsupported, Wire
from sinks.paths import tidied

_CALLS = 3  # read, write, read
_PROBE = "keyturn-check"

KeptPath = Annotated[str, StringConstraints(max_length=512), AfterValidator(tidied)]


class GenericSink(Sink):
    """Writes tokens into a store of one's own, over HTTP."""

    kind: ClassVar[str] = "custom/generic"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "Any store, over HTTP"

    base_url: Address = Field(description="Secrets lie below it: https://store.example.com/v1.")
    auth_data: HeaderAuth = Field(description="The headers that every call carries.")
    root_path: KeptPath | None = Field(default=None, description="Goes before every secret path.")
    ca_bundle: CaBundle | None = Field(
        default=None, repr=False, description="PEM text of the authorities that sign its TLS."
    )
    timeout: float = Field(default=5.0, ge=0.1, le=60.0, description="Seconds one call may take.")

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _wire: Wire | None = PrivateAttr(default=None)

    @property
    def pace(self) -> Pace:
        """No rate is known; a store that has one answers 429."""
        return Pace(concurrency=8, send_limit=_CALLS * self.timeout)

    def quota_key(self, address: str) -> str | None:
        return self.base_url.split("://", 1)[1].split("/", 1)[0].lower()

    def place(self, path: str) -> str:
        try:
            place = tidied(path)
        except ValueError as error:
            raise PlaceRefused(str(error)) from None
        if not place:
            raise PlaceRefused("a path has at least one part")
        return place

    def check(self, ports: Ports) -> str:
        """Reads `keyturn-check`, and writes nothing."""
        try:
            self._secret(_PROBE, ports).stored()
        except Unsupported:
            return "The store takes these headers; it lets nothing be read, so places must adopt."
        return "The store takes these headers and can be read; writing was not tried."

    def put(self, copy: Copy, ports: Ports) -> Held:
        secret = self._secret(copy.path, ports)
        try:
            stored = secret.stored()
        except Unsupported:
            return _put_blindly(secret, copy)
        if stored is not None and (not copy.may_follow(stored.mark) or stored.bears(copy)):
            return stored.held
        secret.write(copy, stored)
        return _confirm(secret.stored(), copy)

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        """Somebody else's value beside our mark reads as revision 0, where the store tells it."""
        stored = self._stored(self._secret(path, ports))
        return stored.held if stored else None

    def remove(self, removal: Removal, ports: Ports) -> None:
        secret = self._secret(removal.path, ports)
        stored = self._stored(secret)
        if stored is not None and stored.mark and stored.mark.place == removal.place:
            secret.delete(stored)

    def close(self) -> None:
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    @staticmethod
    def _stored(secret: GenericSecret) -> Stored | None:
        try:
            return secret.stored()
        except Unsupported:
            pass
        raise PlaceRefused("The store lets nothing be read: look there for what it holds.")

    def _secret(self, path: str, ports: Ports) -> GenericSecret:
        deadline = Deadline(ports.clock, limit=self.pace.send_limit, call=self.timeout)
        full = f"{self.root_path}/{path}" if self.root_path else path
        return GenericSecret(self._connected(ports), deadline, full)

    def _connected(self, ports: Ports) -> Wire:
        with self._lock:
            if self._wire is None:
                headers = self.auth_data.headers
                given = {name: value.get_secret_value() for name, value in headers.items()}
                self._wire = Wire(ports.dialer, self.base_url, given, self.ca_bundle)
            return self._wire


def _put_blindly(secret: GenericSecret, copy: Copy) -> Held:
    """Writes where nothing can be read before or after: the store's word is all there is."""
    if not copy.adopt:
        raise PlaceRefused(
            f"The store does not tell what it holds at {copy.path}: set `adopt: true` to let "
            "Keyturn replace whatever that is."
        )
    secret.write(copy, None, is_blind=True)
    return Held(copy.mark)


def _confirm(stored: Stored | None, copy: Copy) -> Held:
    """What the store holds now; Transient if that is not this copy, or a newer one."""
    if stored is None:
        raise Transient("The store does not show yet what was written, or it was removed.")
    if not stored.metadata and stored.value == copy.text:
        raise DestinationRefused(
            "The store does not keep `metadata`, by which Keyturn knows its own copies."
        )
    mark = stored.mark
    if mark is None or mark.place != copy.mark.place or mark < copy.mark:
        raise Transient("The secret was written at the same moment.")
    return stored.held
