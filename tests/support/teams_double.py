"""Teams' workflows: what accepts cards at a secret address, and posts those that are in order."""

import ssl
from typing import Any

from tests.support.http_double import Answer, HttpDouble, Request

CARD = "application/vnd.microsoft.card.adaptive"
MOST_BYTES = 28 * 1024
LATEST_VERSION = (1, 4)
ELEMENTS = {"Container", "RichTextBlock", "TextBlock", "FactSet", "ColumnSet", "ActionSet"}


def refused(status: int, code: str) -> Answer:
    return Answer.of({"error": {"code": code, "message": f"The request failed: {code}."}}, status)


class TeamsDouble(HttpDouble):
    """Workflows by id, each with the signature in its address; off, it takes nothing.

    As with the real ones, a run comes after the answer: what it cannot post was accepted all the
    same, and is among the failures.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self.signatures: dict[str, str] = {}
        self.switched_off: set[str] = set()
        self.posted: list[dict[str, Any]] = []
        self.failures: list[str] = []

    def add_workflow(self, name: str, signature: str) -> str:
        """The address to post to."""
        self.signatures[name] = signature
        return (
            f"{self.url}/powerautomate/automations/direct/workflows/{name}/triggers/manual/paths/"
            f"invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={signature}"
        )

    def refusal(self, status: int) -> Answer:
        codes = {429: "WorkflowRunActionRateLimitExceeded", 503: "ServiceUnavailable"}
        return refused(status, codes.get(status, "RequestFailed"))

    def answer(self, request: Request) -> Answer:
        before, _, rest = request.path.partition("/workflows/")
        name, _, _ = rest.partition("/")
        if request.method != "POST" or not before or name not in self.signatures:
            return refused(404, "WorkflowNotFound")
        if request.query.get("sig") != self.signatures[name]:
            return refused(401, "DirectApiInvalidAuthorizationScheme")
        if name in self.switched_off:
            return refused(400, "WorkflowTriggerIsNotEnabled")
        try:
            message = request.json()
        except ValueError:
            return refused(400, "InvalidRequestContent")
        self._run(message, len(request.body))
        return Answer(202)

    def _run(self, message: Any, size: int) -> None:
        if size > MOST_BYTES:
            self.failures.append("Request Entity too large")
        elif not isinstance(message, dict) or not isinstance(message.get("attachments"), list):
            self.failures.append("attachments is of type Null")
        elif wrong := [it for it in message["attachments"] if not _is_card(it)]:
            self.failures.append(f"the card is missing or invalid: {wrong}")
        else:
            self.posted.append(message)


def _is_card(attachment: Any) -> bool:
    card = attachment.get("content", {})
    version = tuple(int(part) for part in str(card.get("version", "9")).split("."))
    return (
        attachment.get("contentType") == CARD
        and card.get("type") == "AdaptiveCard"
        and version <= LATEST_VERSION
        and all(element.get("type") in ELEMENTS for element in card.get("body", []))
    )
