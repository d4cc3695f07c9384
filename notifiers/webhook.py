"""A webhook of one's own: JSON, signed as Standard Webhooks says, with one secret or two.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr

from core.plugins import Ports
from notifiers.base import Digest, Notice
from notifiers.http import Auth, HttpNotifier, SecretUrl, digest, encoded, only_recipient
from notifiers.webhook_payload import payload, payloads

_PREFIX = "whsec_"
_SIZES = range(24, 65)  # bytes, as the specification says


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or len(key) not in _SIZES:
        raise ValueError("give whsec_ and 24 to 64 random bytes in base64")
    return key


def _signing(secret: SecretStr) -> SecretStr:
    _key(secret.get_secret_value())
    return secret


SigningSecret = Annotated[SecretStr, AfterValidator(_signing)]


class WebhookAuth(Auth):
    """The address, which is a secret, and what its requests are signed with."""

    type: Literal["webhook"] = "webhook"
    webhook_url: SecretUrl
    signing_secret: SigningSecret
    previous_signing_secret: SigningSecret | None = Field(
        default=None, description="Signs, too, while receivers go over to the new secret."
    )


class WebhookNotifier(HttpNotifier):
    """Posts each fact, signed, to an address of one's own."""

    kind: ClassVar[str] = "webhook"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "Webhook (signed)"
    who: ClassVar[str] = "the webhook"
    most_in_digest: ClassVar[int] = 100  # all of each is told, and receivers bear no endless body

    auth_data: WebhookAuth

    def quota_key(self, address: str) -> str:
        return digest(self._url)

    def check(self, ports: Ports) -> str:
        """Connects to the receiver's host, and posts nothing."""
        host = self.reach(ports, self._url)
        return f"{host} answers; whether it takes the signature shows with the first notice"

    def send(self, notice: Notice, address: str, ports: Ports) -> str:
        """Returns once the receiver has said 2xx; `webhook-id` is the notice's key."""
        return self._post(payload(notice), notice.key, address, ports)

    def send_digest(self, digest: Digest, address: str, ports: Ports) -> None:
        """The same for one array of all of it; `webhook-id` is the digest's key."""
        self._post(payloads(digest), digest.key, address, ports)

    def _post(self, told: Any, key: UUID, address: str, ports: Ports) -> str:
        only_recipient(address)
        body = encoded(told)
        now = ports.clock.now()
        answer = self.post(ports, self._url, body, self._signed(str(key), now, body))
        if not answer.is_success:
            raise self.refusal(answer, now)
        return f"the webhook has answered {answer.status}"

    @property
    def _url(self) -> str:
        return self.auth_data.webhook_url.get_secret_value()

    def _signed(self, message_id: str, now: datetime, body: bytes) -> dict[str, str]:
        """The three headers; a signature for each secret, the present one's first."""
        timestamp = str(int(now.timestamp()))
        content = b".".join([message_id.encode(), timestamp.encode(), body])
        secrets = [self.auth_data.signing_secret, self.auth_data.previous_signing_secret]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(
                _signature(secret, content) for secret in secrets if secret is not None
            ),
        }


def _signature(secret: SecretStr, content: bytes) -> str:
    signed = hmac.digest(_key(secret.get_secret_value()), content, "sha256")
    return f"v1,{base64.b64encode(signed).decode()}"
