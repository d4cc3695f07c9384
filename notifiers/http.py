"""What the channels share that are told by an HTTP POST to one address.

One attempt per call, within its time, to an address that was checked; the session is kept.
"""

import json
import threading
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

from core.errors import PlaceRefused, SendFailed
from core.plugins import Pace, Ports
from notifiers.answers import Answer, refusal
from notifiers.base import Notifier
from notifiers.channel import Channel
from notifiers.wire import LOOK_UP, CaBundle, https_url


class Auth(BaseModel):
    """The base of these channels' `auth_data`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _hidden_url(url: SecretStr) -> SecretStr:
    https_url(url.get_secret_value())
    return url


SecretUrl = Annotated[SecretStr, AfterValidator(_hidden_url)]
"""An address that is a secret, since whoever knows it can post; https, or http to loopback."""


class HttpNotifier(Notifier):
    """A channel with one recipient behind one address."""

    who: ClassVar[str]
    calls: ClassVar[int] = 1

    ca_bundle: CaBundle = Field(
        default="", repr=False, description="PEM certificates of the only authorities to trust."
    )
    timeout: float = Field(default=10.0, ge=0.1, le=60, description="Seconds for one call.")

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _channel: Channel | None = PrivateAttr(default=None)

    @property
    def pace(self) -> Pace:
        """No rate is published; one that is reached is answered by 429."""
        return Pace(concurrency=4, send_limit=self.calls * self.timeout + LOOK_UP)

    def close(self) -> None:
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def post(
        self, ports: Ports, url: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer, whatever it is; SendFailed if there is none in time."""
        return self._connected(ports).post(url, body, headers or {}, self.timeout)

    def reach(self, ports: Ports, url: str) -> str:
        """Connects as a send would, and says nothing; answers the host's name."""
        return self._connected(ports).reach(url, self.timeout)

    def refusal(self, answer: Answer, now: datetime, said: str = "") -> SendFailed:
        """What an answer means that is no success; `said` quotes no secret."""
        return refusal(self.who, answer, now, said)

    def _connected(self, ports: Ports) -> Channel:
        with self._lock:
            if self._channel is None:
                self._channel = Channel(ports.dialer, self.who, self.ca_bundle)
            return self._channel


def encoded(document: Any) -> bytes:
    """A document as compact JSON in UTF-8; half a character becomes a question mark."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
    return text.encode(errors="replace")


def only_recipient(address: str) -> None:
    """PlaceRefused if a target names somebody where there is nobody to choose."""
    if address:
        raise PlaceRefused("this channel has one recipient: leave `to` out of the target.")


def digest(secret: str) -> str:
    """Names a secret without telling it."""
    return sha256(secret.encode()).hexdigest()[:16]
