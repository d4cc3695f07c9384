"""The benches of Slack: a workspace behind TLS, for a bot and for an incoming webhook."""

import json
import ssl
from datetime import timedelta
from html import escape, unescape
from typing import Any

import trustme

from core.errors import DestinationRefused, KeyturnError, PlaceRefused, Transient
from core.plugins import Ports
from notifiers.base import Notice, Notifier
from notifiers.words import headline
from tests.conformance.notifier_bench import Bench, Expected, Told, another_authority, strings_of
from tests.support.slack_double import SlackDouble


class SlackBench(Bench):
    """What bot and webhook share: a workspace behind TLS."""

    def __init__(self) -> None:
        super().__init__()
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.ca_pem = authority.cert_pem.bytes().decode()
        self.slack = SlackDouble(tls=context)
        self._open.enter_context(self.slack)

    def payloads(self) -> list[tuple[str, dict[str, Any]]]:
        raise NotImplementedError

    def told(self) -> list[Told]:
        return [
            Told(
                payload["metadata"]["event_payload"]["key"],
                unescape(strings_of(payload)),
                json.dumps(payload),
            )
            for _, payload in self.payloads()
        ]

    def throttled(self) -> Expected:
        self.slack.fault("POST *", status=429, headers={"Retry-After": "7"})
        return Expected(Transient, retry_after=timedelta(seconds=7), throttled=True)

    def unavailable(self) -> Expected:
        self.slack.fault("POST *", status=503)
        return Expected(Transient)

    def silent(self) -> Expected:
        self.slack.fault("POST *", hang=True)
        return Expected(Transient, changes={"timeout": 0.2})

    def refusing_connections(self) -> Expected:
        self.slack.stop()
        return Expected(Transient)

    def answer_lost(self) -> Expected:
        self.slack.fault("POST *", lose_answer=True)
        return Expected(Transient, arrives=True)

    def untrusted_certificate(self) -> Expected:
        return Expected(DestinationRefused, changes={"ca_bundle": another_authority()})

    def recover(self) -> None:
        self.slack.stop()
        self.slack.clear()
        self.slack.start()
        self.slack.channels.update(dict.fromkeys(self.slack.channels, "ok"))
        self.slack.webhooks.update(dict.fromkeys(self.slack.webhooks, "ok"))

    def assert_intact(self, notice: Notice) -> None:
        _, payload = self.payloads()[-1]
        assert payload["mrkdwn"] is False
        assert unescape(payload["text"]) == headline(notice)
        made = {block["type"]: block for block in payload["blocks"] if "fields" not in block}
        assert len(made["header"]["text"]["text"]) <= 150
        told = payload["blocks"][1]["text"]
        assert (told["type"], unescape(told["text"])) == ("plain_text", headline(notice))
        for block in payload["blocks"]:
            assert block["type"] in {"header", "section", "context"}
            assert len(block.get("fields", [])) <= 10
            for text in block.get("fields", []) + block.get("elements", []):
                assert 1 <= len(text["text"]) <= 2_000
                _assert_tame(text, notice)
            if "text" in block:
                assert 1 <= len(block["text"]["text"]) <= 3_000
                _assert_tame(block["text"], notice)


class SlackBotBench(SlackBench):
    kind = "slack-bot"
    address = "C0001"

    def __init__(self) -> None:
        super().__init__()
        self.token = "xoxb-CANARY-1"
        self.secrets = (self.token,)
        self.slack.allow_token(self.token)
        self.slack.add_channel(self.address, name="ops")

    def config(self) -> dict[str, Any]:
        return {
            "auth_data": {"type": "slack-bot", "bot_token": self.token},
            "endpoint_url": self.slack.api_url,
            "ca_bundle": self.ca_pem,
            "timeout": 5,
        }

    def payloads(self) -> list[tuple[str, dict[str, Any]]]:
        return self.slack.messages

    def bad_credentials(self) -> Expected:
        changes = {"auth_data": {"type": "slack-bot", "bot_token": "xoxb-CANARY-0"}}
        return Expected(DestinationRefused, changes=changes)

    def address_refused(self) -> Expected:
        self.slack.add_channel(self.address, state="not_in_channel")
        return Expected(PlaceRefused)

    def rotate_credentials(self) -> dict[str, Any]:
        self.slack.rotate_token(self.token, "xoxb-CANARY-2")
        return {"auth_data": {"type": "slack-bot", "bot_token": "xoxb-CANARY-2"}}

    def failing_checks(self) -> list[tuple[Notifier, Ports, type[KeyturnError]]]:
        return [
            (self.notifier(**self.bad_credentials().changes), self.ports, DestinationRefused),
            (self.notifier(**self.untrusted_certificate().changes), self.ports, DestinationRefused),
            (self.notifier(endpoint_url="https://127.0.0.1:1/api/"), self.ports, Transient),
        ]


class SlackWebhookBench(SlackBench):
    kind = "slack-webhook"

    def __init__(self) -> None:
        super().__init__()
        self.secrets = ("CANARYhook",)
        self.webhook = self.slack.add_webhook("T0001/B0001/CANARYhook1")

    def config(self) -> dict[str, Any]:
        return {
            "auth_data": {"type": "slack-webhook", "webhook_url": self.webhook},
            "ca_bundle": self.ca_pem,
            "timeout": 5,
        }

    def payloads(self) -> list[tuple[str, dict[str, Any]]]:
        return self.slack.webhook_messages

    def bad_credentials(self) -> Expected:
        wrong = f"{self.slack.url}/services/T0001/B0001/CANARYhook0"
        return Expected(DestinationRefused, changes={"auth_data": {"webhook_url": wrong}})

    def address_refused(self) -> Expected:
        """A webhook has one channel, so nothing else is left of it."""
        self.slack.webhooks["T0001/B0001/CANARYhook1"] = "channel_is_archived"
        return Expected(DestinationRefused)

    def rotate_credentials(self) -> dict[str, Any]:
        self.slack.webhooks["T0001/B0001/CANARYhook1"] = "no_service"
        return {"auth_data": {"webhook_url": self.slack.add_webhook("T0001/B0001/CANARYhook2")}}

    def failing_checks(self) -> list[tuple[Notifier, Ports, type[KeyturnError]]]:
        elsewhere = {"webhook_url": "https://hooks.slack.com/workflows/CANARYhook"}
        return [(self.notifier(auth_data=elsewhere), self.ports, DestinationRefused)]


def _assert_tame(text: dict[str, Any], notice: Notice) -> None:
    """No markup but ours: a bold label with its value in code, or the advice with its link."""
    said = text["text"]
    if text["type"] == "plain_text":
        assert not {"<", ">"} & set(said)
        return
    assert text["verbatim"] is True
    said = said.replace(f"<{escape(notice.link, quote=False)}|Open in Keyturn>", "")
    assert not {"<", ">"} & set(said)
    assert said.count("`") in {0, 2}
    outside = said.split("`")[0]
    assert outside.count("*") in {0, 2}
