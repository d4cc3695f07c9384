"""In whose name Google is called, and where: one token for all threads, replaced in time."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from core.errors import Transient
from core.plugins import Ports
from sinks.deadline import Deadline

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True)
class GoogleService:
    """Where Google answers. It is fixed: no configuration says so."""

    api: str = "https://secretmanager.googleapis.com"
    regional: str = "https://secretmanager.{}.rep.googleapis.com"
    tokens: str = "https://oauth2.googleapis.com/token"
    metadata: frozenset[str] = frozenset({"metadata.google.internal", "169.254.169.254"})


@dataclass(frozen=True)
class Granted:
    """A token, and for how long it is good."""

    token: SecretStr
    seconds: float


Grant = Callable[[Ports, Deadline], Granted]


@dataclass
class Identity:
    """Gives one token to all threads. Who waits for another's exchange waits one call's time."""

    grant: Grant
    _lock: Any = field(default_factory=threading.Lock, repr=False)
    _granted: Granted | None = None
    _renew_at: float = 0.0

    def token(
        self, ports: Ports, deadline: Deadline, refused: SecretStr | None = None
    ) -> SecretStr:
        """A token that is good now, and not the `refused` one."""
        if not self._lock.acquire(timeout=deadline.call):
            raise Transient("Another send is still asking Google for a token.")
        try:
            held = self._granted
            is_old = held is None or deadline.elapsed() >= self._renew_at
            if held is None or is_old or held.token == refused:
                self._granted = held = self.grant(ports, deadline)
                self._renew_at = deadline.elapsed() + held.seconds * 2 / 3
            return held.token
        finally:
            self._lock.release()
