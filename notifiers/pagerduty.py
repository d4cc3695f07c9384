"""PagerDuty: alerts that open with a problem and end with it, and change events for the rest."""

import re
from http import HTTPStatus
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, SecretStr

from core.errors import DestinationRefused, SendFailed
from core.plugins import Ports
from notifiers.answers import Answer
from notifiers.base import Notice
from notifiers.http import Auth, HttpNotifier, digest, encoded, only_recipient
from notifiers.pagerduty_events import CHANGES, Event, events, resolve
from notifiers.wire import https_url, quoted

_KEY = re.compile(r"[A-Za-z0-9_-]{32}")
_ENDPOINT = re.compile(r"(/v2(/change)?/enqueue)/?\Z")
_NO_ALERT = "keyturn/check"
# Of an orchestration or a ruleset: takes alerts only.
# https://developer.pagerduty.com/docs/events-api-v2-overview
_ALERTS_ONLY = "R"


def _integration_key(key: SecretStr) -> SecretStr:
    if not _KEY.fullmatch(key.get_secret_value()):
        raise ValueError("give the 32 characters of the integration key")
    return key


def _events_url(url: str) -> str:
    https_url(url)
    if not _ENDPOINT.search(url) or "?" in url or "#" in url:
        raise ValueError("give the Events API v2's address, which ends in /v2/enqueue")
    return url


class PagerDutyAuth(Auth):
    """The key of an "Events API v2" integration; whoever knows it can send events."""

    type: Literal["pagerduty-integration-auth"] = "pagerduty-integration-auth"
    integration_key: Annotated[SecretStr, AfterValidator(_integration_key)]
    integration_url: Annotated[str, AfterValidator(_events_url)] = Field(
        default="https://events.pagerduty.com/v2/enqueue",
        description="Where events go; https://events.eu.pagerduty.com/v2/enqueue in the EU.",
    )


class PagerDutyNotifier(HttpNotifier):
    """Opens and ends alerts of one service."""

    kind: ClassVar[str] = "pagerduty"
    provider: ClassVar[str] = "pagerduty"
    title: ClassVar[str] = "PagerDuty"
    who: ClassVar[str] = "PagerDuty"
    calls: ClassVar[int] = 2

    auth_data: PagerDutyAuth

    def quota_key(self, address: str) -> str:
        return digest(self._key)

    def check(self, ports: Ports) -> str:
        """Resolves an alert that there never is, which tells nobody, and needs a good key."""
        self._enqueue(resolve(_NO_ALERT), ports)
        return "PagerDuty takes this integration key"

    def send(self, notice: Notice, address: str, ports: Ports) -> str:
        """Returns once PagerDuty has accepted the events; a repeat is about the same alert."""
        only_recipient(address)
        sent = [
            event
            for event in events(notice)
            if event.endpoint != CHANGES or not self._key.startswith(_ALERTS_ONLY)
        ]
        for event in sent:
            self._enqueue(event, ports)
        return f"PagerDuty has accepted it ({len(sent)} events)"

    def _enqueue(self, event: Event, ports: Ports) -> None:
        url = _ENDPOINT.sub("", self.auth_data.integration_url) + event.endpoint
        body = encoded({"routing_key": self._key, **event.document})
        answer = self.post(ports, url, body)
        if answer.status != HTTPStatus.ACCEPTED or answer.document().get("status") != "success":
            raise self._refused(answer, ports)

    @property
    def _key(self) -> str:
        return self.auth_data.integration_key.get_secret_value()

    def _refused(self, answer: Answer, ports: Ports) -> SendFailed:
        said = ""
        if answer.status == HTTPStatus.BAD_REQUEST:
            errors = answer.document().get("errors")
            if isinstance(errors, list):
                said = quoted("; ".join(str(error) for error in errors), [self._key])
            if "routing" in said.lower():
                return DestinationRefused(f"PagerDuty refused the integration key: {said}")
        return self.refusal(answer, ports.clock.now(), said)
