"""The Vault token that an integration's sends share: got when needed, kept alive, replaced."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hvac.api.auth_methods import Token
from pydantic import SecretStr

from core.errors import DestinationRefused, Permanent, PlaceRefused, Transient
from core.plugins import Ports
from sinks.vault.auth import Exchanged, VaultAuth
from sinks.vault.errors import Denied
from sinks.vault.wire import Wire

OpenWire = Callable[[str], Wire]
"""Opens a wire with this token; the empty one is nobody's."""


@dataclass(frozen=True, eq=False)
class Lease:
    """A token, and when two thirds of its time are over (seconds on the boot clock)."""

    token: SecretStr
    renew_at: float = math.inf
    is_renewable: bool = False
    policies: tuple[str, ...] = ()


class Login:
    """Gives out one lease to all threads. Who waits for another's login waits one call's time."""

    def __init__(self, auth: VaultAuth, ports: Ports) -> None:
        self._auth = auth
        self._ports = ports
        self._lock = threading.Lock()
        self._lease: Lease | None = None

    def lease(
        self, open_wire: OpenWire, now: float, *, wait: float, refused: Lease | None = None
    ) -> Lease:
        """A token that works now: not the `refused` one, which Vault turned away.

        DestinationRefused if Vault gives none for these credentials.
        """
        if not self._lock.acquire(timeout=wait):
            raise Transient("Another send is still logging in to Vault.")
        try:
            kept = self._lease
            if kept is None or kept is refused:
                self._lease = self._log_in(open_wire, now, again=refused is not None)
            elif now >= kept.renew_at:
                self._lease = self._renew(kept, open_wire, now)
            assert self._lease is not None
            return self._lease
        finally:
            self._lock.release()

    def _log_in(self, open_wire: OpenWire, now: float, *, again: bool = False) -> Lease:
        if isinstance(self._auth, Exchanged):
            return _leased(self._exchange(self._auth, open_wire), now)
        if again:
            raise DestinationRefused("The Vault token is not valid any more: give a new one.")
        return _own(self._auth.token, open_wire, now)

    def _exchange(self, auth: Exchanged, open_wire: OpenWire) -> dict[str, Any]:
        try:
            return auth.exchange(open_wire(""), self._ports)
        except (Denied, PlaceRefused):
            raise DestinationRefused(auth.refusal) from None

    def _renew(self, lease: Lease, open_wire: OpenWire, now: float) -> Lease:
        if lease.is_renewable:
            try:
                renewed = Token(open_wire(lease.token.get_secret_value())).renew_self()
                return _leased(renewed, now)
            except (Denied, Permanent):
                pass  # it has come to its longest life: what can be exchanged logs in anew
        if isinstance(self._auth, Exchanged):
            return self._log_in(open_wire, now)
        return replace(lease, renew_at=math.inf)


def _leased(answer: dict[str, Any], now: float) -> Lease:
    """The lease in the answer to a login or a renewal."""
    auth = answer.get("auth")
    if not isinstance(auth, dict) or not auth.get("client_token"):
        raise DestinationRefused("vault_url does not answer a login as Vault would.")
    return Lease(
        token=SecretStr(auth["client_token"]),
        renew_at=_two_thirds(now, auth.get("lease_duration")),
        is_renewable=bool(auth.get("renewable")),
        policies=tuple(auth.get("policies") or ()),
    )


def _own(token: SecretStr, open_wire: OpenWire, now: float) -> Lease:
    """The lease of a token that was given; without its permission to ask, one that never ends."""
    try:
        about = Token(open_wire(token.get_secret_value())).lookup_self().get("data") or {}
    except (Denied, Permanent):
        return Lease(token)  # if it is not valid at all, the first real call says so
    return Lease(
        token=token,
        renew_at=_two_thirds(now, about.get("ttl")) if about.get("renewable") else math.inf,
        is_renewable=bool(about.get("renewable")),
        policies=tuple(about.get("policies") or ()),
    )


def _two_thirds(now: float, seconds: Any) -> float:
    """Vault's 0 is a lease without end."""
    return now + seconds * 2 / 3 if isinstance(seconds, int | float) and seconds > 0 else math.inf
