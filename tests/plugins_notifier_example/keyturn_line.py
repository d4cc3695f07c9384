"""A line of text for each notice, to any address that takes a POST."""

from typing import ClassVar

from core.plugins import Ports
from notifiers.base import Notice
from notifiers.http import HttpNotifier, SecretUrl, digest, only_recipient
from notifiers.words import headline


class LineNotifier(HttpNotifier):
    """Tells one address, in one line."""

    kind: ClassVar[str] = "line"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "A line of text"
    who: ClassVar[str] = "the line's receiver"

    webhook_url: SecretUrl

    def quota_key(self, address: str) -> str:
        return digest(self._url)

    def check(self, ports: Ports) -> str:
        """Connects, and tells nobody."""
        return f"{self.reach(ports, self._url)} answers"

    def send(self, notice: Notice, address: str, ports: Ports) -> None:
        """Returns once the line was taken; a repeat has the same Idempotency-Key."""
        only_recipient(address)
        headers = {"Content-Type": "text/plain; charset=utf-8", "Idempotency-Key": str(notice.key)}
        answer = self.post(ports, self._url, headline(notice).encode(), headers)
        if not answer.is_success:
            raise self.refusal(answer, ports.clock.now())

    @property
    def _url(self) -> str:
        return self.webhook_url.get_secret_value()
