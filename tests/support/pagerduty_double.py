"""PagerDuty's Events API v2: alerts that open and end by their dedup key, and change events."""

import ssl
from dataclasses import dataclass, field
from typing import Any

from tests.support.http_double import Answer, HttpDouble, Request

ALERTS = "/v2/enqueue"
CHANGES = "/v2/change/enqueue"
ACTIONS = {"trigger", "acknowledge", "resolve"}
SEVERITIES = {"critical", "error", "warning", "info"}
MOST_BYTES = 512 * 1024
_STATUSES = {429: "throttle exceeded", 503: "internal error"}


@dataclass
class Alert:
    """One alert, and all that was told of it."""

    key: str
    is_open: bool = True
    events: list[dict[str, Any]] = field(default_factory=list)


def invalid(*errors: str) -> Answer:
    told = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
    return Answer.of(told, 400)


class PagerDutyDouble(HttpDouble):
    """Services by integration key. A key that begins with R takes alerts only."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self.keys: set[str] = set()
        self.alerts: list[Alert] = []
        self.changes: list[dict[str, Any]] = []
        self.shown: list[dict[str, Any]] = []  # what people can read, in order

    @property
    def integration_url(self) -> str:
        return self.url + ALERTS

    def open_alerts(self) -> list[Alert]:
        return [alert for alert in self.alerts if alert.is_open]

    def refusal(self, status: int) -> Answer:
        return Answer.of({"status": _STATUSES.get(status, "error"), "message": "No."}, status)

    def answer(self, request: Request) -> Answer:
        if request.method != "POST" or request.path not in {ALERTS, CHANGES}:
            return Answer.of({"error": "Not Found"}, 404)
        if len(request.body) > MOST_BYTES:
            return self.refusal(413)
        event = request.json()
        if errors := [*self._wrong_key(event, request.path), *self._errors(event, request.path)]:
            return invalid(errors[0])
        if request.path == CHANGES:
            self.changes.append(event)
            self.shown.append(event)
            return self._taken()
        return self._alert(event)

    def _alert(self, event: dict[str, Any]) -> Answer:
        key = event["dedup_key"]
        present = next((alert for alert in self.open_alerts() if alert.key == key), None)
        if event["event_action"] == "trigger":
            if present is None:
                present = Alert(key)
                self.alerts.append(present)
            self.shown.append(event)
        if present is not None:
            present.events.append(event)
            present.is_open = event["event_action"] != "resolve"
        return self._taken(dedup_key=key)

    def _wrong_key(self, event: dict[str, Any], path: str) -> list[str]:
        key = event.get("routing_key", "")
        if len(key) != 32:
            return ["Length of 'routing_key' is incorrect (should be 32 characters)"]
        known = key in self.keys and not (path == CHANGES and key.startswith("R"))
        return [] if known else ["Invalid routing key"]

    @staticmethod
    def _taken(**more: str) -> Answer:
        return Answer.of({"status": "success", "message": "Event processed", **more}, 202)

    @staticmethod
    def _errors(event: dict[str, Any], path: str) -> list[str]:
        action, payload = event.get("event_action"), event.get("payload", {})
        is_told = path == CHANGES or action == "trigger"
        errors = []
        if path == ALERTS and action not in ACTIONS:
            errors.append("'event_action' is missing or invalid")
        if path == ALERTS and not 1 <= len(event.get("dedup_key", "")) <= 255:
            errors.append("Length of 'dedup_key' is incorrect")
        if is_told and not 1 <= len(payload.get("summary", "")) <= 1024:
            errors.append("'payload.summary' is missing or too long")
        if path == ALERTS and is_told and not payload.get("source"):
            errors.append("'payload.source' is missing or blank")
        if path == ALERTS and is_told and payload.get("severity") not in SEVERITIES:
            errors.append("'payload.severity' is invalid")
        return errors
