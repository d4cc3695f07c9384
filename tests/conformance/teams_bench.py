"""The bench of Microsoft Teams: a workflow, and a reader of the cards that it posts."""

import json
import ssl
from typing import Any

from core.errors import DestinationRefused
from notifiers.base import Notice
from notifiers.words import headline
from tests.conformance.notifier_bench import Expected, Told, strings_of
from tests.conformance.post_bench import PostBench
from tests.support.teams_double import MOST_BYTES, TeamsDouble

_SIGNATURE = "CANARYsig"


class TeamsBench(PostBench):
    kind = "ms-teams-webhook"
    secrets = (_SIGNATURE,)
    double: TeamsDouble

    def __init__(self) -> None:
        super().__init__()
        self.webhook = self.double.add_workflow("w1", f"{_SIGNATURE}1")

    def make(self, tls: ssl.SSLContext) -> TeamsDouble:
        return TeamsDouble(tls=tls)

    def config(self) -> dict[str, Any]:
        return self.trusted({"type": "ms-teams-webhook", "webhook_url": self.webhook})

    def told(self) -> list[Told]:
        return [
            Told(_card(message)["body"][1]["id"], strings_of(message), json.dumps(message))
            for message in self.double.posted
        ]

    def bad_credentials(self) -> Expected:
        wrong = self.webhook.replace(f"{_SIGNATURE}1", f"{_SIGNATURE}0")
        return Expected(DestinationRefused, changes={"auth_data": {"webhook_url": wrong}})

    def address_refused(self) -> Expected:
        """A workflow has one recipient, so nothing else is left of it."""
        self.double.switched_off.add("w1")
        return Expected(DestinationRefused)

    def rotate_credentials(self) -> dict[str, Any]:
        return {"auth_data": {"webhook_url": self.double.add_workflow("w1", f"{_SIGNATURE}2")}}

    def recover(self) -> None:
        super().recover()
        self.double.switched_off.clear()

    def assert_intact(self, notice: Notice) -> None:
        assert self.double.failures == []
        message = self.double.posted[-1]
        assert message.keys() == {"type", "attachments"}
        card = _card(message)
        assert len(json.dumps(message, ensure_ascii=False).encode()) <= MOST_BYTES
        heading, told, *_ = card["body"]
        assert heading["type"] == "Container"
        assert [run["text"] for run in told["inlines"]] == [headline(notice)]
        texts = [*heading["items"], *card["body"][1:]]
        assert {text["type"] for text in texts} == {"RichTextBlock"}  # which knows no Markdown
        for text in texts:
            assert {run["type"] for run in text["inlines"]} == {"TextRun"}
            assert all(
                run.keys() <= {"type", "text", "weight", "size", "isSubtle"}
                and run["text"].isprintable()
                for run in text["inlines"]
            )
        assert [action["url"] for action in card["actions"]] == [notice.link]


def _card(message: dict[str, Any]) -> dict[str, Any]:
    card: dict[str, Any] = message["attachments"][0]["content"]
    return card
