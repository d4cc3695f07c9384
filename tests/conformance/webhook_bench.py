"""The bench of the signed webhook: a receiver that checks signatures by the public library."""

import base64
import ssl
from typing import Any

from core.errors import DestinationRefused
from notifiers.base import Notice
from notifiers.words import headline
from tests.conformance.notifier_bench import Expected, Told, strings_of
from tests.conformance.post_bench import PostBench
from tests.support.webhook_double import WebhookDouble

_PATH = "CANARYpath"


def secret_of(text: str) -> str:
    """A signing secret of 32 bytes."""
    return "whsec_" + base64.b64encode(text.ljust(32, ".").encode()).decode()


class WebhookBench(PostBench):
    kind = "webhook"
    secrets = (_PATH, "CANARY", secret_of("old"), secret_of("new"))
    double: WebhookDouble

    def make(self, tls: ssl.SSLContext) -> WebhookDouble:
        return WebhookDouble(secret_of("old"), _PATH, tls=tls)

    def config(self) -> dict[str, Any]:
        return self.trusted(self._auth(secret_of("old")))

    def told(self) -> list[Told]:
        return [Told(it.id, strings_of(it.data), it.body) for it in self.double.received]

    def bad_credentials(self) -> Expected:
        changes = {"auth_data": self._auth(secret_of("new"))}
        return Expected(DestinationRefused, changes=changes)

    def address_refused(self) -> Expected:
        """A webhook has one recipient, so nothing else is left of it."""
        self.double.is_gone = True
        return Expected(DestinationRefused)

    def rotate_credentials(self) -> dict[str, Any]:
        self.double.secrets = [secret_of("new")]
        return {"auth_data": self._auth(secret_of("new"))}

    def recover(self) -> None:
        super().recover()
        self.double.is_gone = False

    def assert_intact(self, notice: Notice) -> None:
        told = self.double.received[-1].data
        assert told.keys() == {"type", "timestamp", "data"}
        assert (told["type"], told["data"]["headline"]) == (notice.type.value, headline(notice))
        assert told["data"]["link"] == notice.link
        assert told["data"]["facts"].keys() <= notice.facts.keys()
        facts = told["data"]["facts"].values()
        assert all(len(value) <= 1_000 for value in facts if isinstance(value, str))

    def _auth(self, secret: str) -> dict[str, Any]:
        return {
            "type": "webhook",
            "webhook_url": self.double.webhook_url,
            "signing_secret": secret,
        }
