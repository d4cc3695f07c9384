"""Microsoft Teams: a workflow that posts the cards it is sent to its chat or channel."""

import re
from http import HTTPStatus
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from core.errors import DestinationRefused, SendFailed
from core.plugins import Pace, Ports
from notifiers.answers import Answer
from notifiers.base import MOST_IN_DIGEST, Digest, Notice
from notifiers.digest_card import digest_message
from notifiers.http import Auth, HttpNotifier, SecretUrl, digest, only_recipient
from notifiers.teams_card import message
from notifiers.wire import LOOK_UP

# Teams takes four cards a second and sixty in half a minute.
# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
_PER_SECOND = 1.0
_RETIRED = "webhook.office.com"
_CODE = re.compile(r"[A-Za-z]{1,60}")
_SWITCHED_OFF = "WorkflowTriggerIsNotEnabled"  # comes with 400


class TeamsWebhookAuth(Auth):
    """The address of a workflow; whoever knows it can post."""

    type: Literal["ms-teams-webhook"] = "ms-teams-webhook"
    webhook_url: SecretUrl


class TeamsWebhookNotifier(HttpNotifier):
    """Posts cards through a workflow that starts when a webhook request is received."""

    kind: ClassVar[str] = "ms-teams-webhook"
    provider: ClassVar[str] = "ms-teams"
    title: ClassVar[str] = "Microsoft Teams (workflow)"
    who: ClassVar[str] = "Teams"
    most_in_digest: ClassVar[int] = MOST_IN_DIGEST

    auth_data: TeamsWebhookAuth

    @property
    def pace(self) -> Pace:
        return Pace(per_second=_PER_SECOND, concurrency=1, send_limit=self.timeout + LOOK_UP)

    def quota_key(self, address: str) -> str:
        return digest(self._url)

    def check(self, ports: Ports) -> str:
        """Connects to the workflow's host; a workflow can be tried by posting only."""
        host = (urlsplit(self._url).hostname or "").rstrip(".")
        if host == _RETIRED or host.endswith(f".{_RETIRED}"):
            raise DestinationRefused(
                "this is the address of a connector, which Microsoft has retired: "
                "make a workflow, and give its address."
            )
        reached = self.reach(ports, self._url)
        return (
            f"{reached} answers; a workflow can only be tried by posting, so whether this one "
            "works shows with the first notice"
        )

    def send(self, notice: Notice, address: str, ports: Ports) -> str:
        """Returns once the workflow has accepted the card, whose id is the notice's key."""
        return self._post(message(notice), address, ports)

    def send_digest(self, digest: Digest, address: str, ports: Ports) -> None:
        """The same for one card about all of it."""
        self._post(digest_message(digest), address, ports)

    def _post(self, body: bytes, address: str, ports: Ports) -> str:
        only_recipient(address)
        answer = self.post(ports, self._url, body)
        if answer.status != HTTPStatus.ACCEPTED:
            raise self._refused(answer, ports)
        return f"Teams has accepted it ({answer.status}); whether it is posted, the workflow shows"

    @property
    def _url(self) -> str:
        return self.auth_data.webhook_url.get_secret_value()

    def _refused(self, answer: Answer, ports: Ports) -> SendFailed:
        error = answer.document().get("error")
        code = error.get("code") if isinstance(error, dict) else None
        said = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
        if said == _SWITCHED_OFF:
            return DestinationRefused(f"Teams refused ({answer.status} {said})")
        return self.refusal(answer, ports.clock.now(), said)
