"""A receiver of signed webhooks: checks each by the public library, and takes what is good."""

import json
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from tests.support.http_double import Answer, HttpDouble, Request

PATH = "/hooks/"


@dataclass(frozen=True)
class Delivery:
    """One webhook as it came; `data` is its verified body."""

    id: str
    signatures: tuple[str, ...]
    data: dict[str, Any]
    body: str


class WebhookDouble(HttpDouble):
    """Takes what one of its secrets signed, at one secret address.

    `at_any_time`: whatever the timestamp is, for tests with a clock of their own.
    """

    def __init__(
        self,
        secret: str,
        path: str,
        *,
        tls: ssl.SSLContext | None = None,
        at_any_time: bool = False,
    ) -> None:
        super().__init__(tls=tls)
        self.at_any_time = at_any_time
        self.secrets = [secret]
        self.path = PATH + path
        self.is_gone = False
        self.received: list[Delivery] = []

    @property
    def webhook_url(self) -> str:
        return self.url + self.path

    def refusal(self, status: int) -> Answer:
        return Answer.of({"error": f"CANARY-body {status}"}, status)

    def answer(self, request: Request) -> Answer:
        if self.is_gone:
            return Answer.of("gone", 410)
        if request.method != "POST" or request.path != self.path:
            return Answer.of("not found", 404)
        if not any(self._is_signed(request, secret) for secret in self.secrets):
            return Answer.of("bad signature", 401)
        self.received.append(
            Delivery(
                id=request.headers["webhook-id"],
                signatures=tuple(request.headers["webhook-signature"].split(" ")),
                data=json.loads(request.body),
                body=request.body.decode(),
            )
        )
        return Answer(204)

    def _is_signed(self, request: Request, secret: str) -> bool:
        headers = dict(request.headers.items())
        if self.at_any_time:
            stamped = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
            signed = Webhook(secret).sign(headers["webhook-id"], stamped, request.body.decode())
            return signed in headers["webhook-signature"].split(" ")
        try:
            Webhook(secret).verify(request.body, headers)
        except WebhookVerificationError:
            return False
        return True
