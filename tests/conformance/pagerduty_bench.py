"""The bench of PagerDuty: a service, and a reader of its alerts and changes."""

import json
import ssl
from typing import Any

from core.errors import DestinationRefused, KeyturnError, PlaceRefused
from core.events import Severity
from core.plugins import Ports
from notifiers.base import Notice, Notifier
from notifiers.words import headline
from tests.conformance.notifier_bench import Expected, Told, strings_of
from tests.conformance.post_bench import PostBench
from tests.support.pagerduty_double import PagerDutyDouble

_KEY = "CANARY".ljust(31, "0")


class PagerDutyBench(PostBench):
    kind = "pagerduty"
    secrets = (_KEY,)
    telling = "POST /v2/change/enqueue"
    double: PagerDutyDouble

    def __init__(self) -> None:
        super().__init__()
        self.double.keys.add(f"{_KEY}1")

    def make(self, tls: ssl.SSLContext) -> PagerDutyDouble:
        return PagerDutyDouble(tls=tls)

    def config(self) -> dict[str, Any]:
        return self.trusted(self._auth(f"{_KEY}1"))

    def told(self) -> list[Told]:
        return [
            Told(
                event["payload"]["custom_details"]["Notice"],
                "\n".join([strings_of(event), *event["payload"]["custom_details"]]),
                json.dumps(event),
            )
            for shown in self.double.shown
            for event in [{name: shown[name] for name in shown if name != "routing_key"}]
        ]

    def bad_credentials(self) -> Expected:
        return Expected(DestinationRefused, changes={"auth_data": self._auth(f"{_KEY}0")})

    def address_refused(self) -> Expected:
        """It has one recipient, which can refuse one notice alone."""
        errors = ["'payload.summary' is missing or blank"]
        body = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
        self.double.fault(self.telling, status=400, body=body)
        return Expected(PlaceRefused)

    def rotate_credentials(self) -> dict[str, Any]:
        self.double.keys = {f"{_KEY}2"}
        return {"auth_data": self._auth(f"{_KEY}2")}

    def failing_checks(self) -> list[tuple[Notifier, Ports, type[KeyturnError]]]:
        wrong = self.notifier(**self.bad_credentials().changes)
        return [(wrong, self.ports, DestinationRefused), *super().failing_checks()]

    def assert_intact(self, notice: Notice) -> None:
        event = self.double.shown[-1]
        payload = event["payload"]
        is_change = notice.severity is Severity.INFO
        assert payload["summary"] == headline(notice)
        assert ("dedup_key" in event) is not is_change
        names = [payload["source"], *(payload.get(name, "-") for name in ("component", "group"))]
        told = [*names, *payload["custom_details"].values()]
        assert all(isinstance(text, str) and text.isprintable() for text in told)
        assert all(1 <= len(text) <= 300 for text in told)
        assert event["links"] == [{"href": notice.link, "text": "Open in Keyturn"}]

    def _auth(self, key: str) -> dict[str, Any]:
        return {
            "type": "pagerduty-integration-auth",
            "integration_key": key,
            "integration_url": self.double.integration_url,
        }
