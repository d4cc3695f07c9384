"""Every notifier's bench, by kind.

A misfortune is ordered by the bench's method of that name; a medium that cannot have it says why
in `lacks`.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from core.errors import KeyturnError, Misconfigured, Transient
from core.plugins import Ports
from notifiers.base import Notice, Notifier
from notifiers.words import headline
from tests.conformance.email_bench import EmailBench
from tests.conformance.notifier_bench import Bench, Expected, Told, strings_of
from tests.conformance.pagerduty_bench import PagerDutyBench
from tests.conformance.slack_bench import SlackBotBench, SlackWebhookBench
from tests.conformance.teams_bench import TeamsBench
from tests.conformance.webhook_bench import WebhookBench


class ConsoleBench(Bench):
    kind = "console"
    _NO_NETWORK = "it writes on this host and reaches nothing"
    lacks: ClassVar[Mapping[str, str]] = {
        "throttled": _NO_NETWORK,
        "silent": _NO_NETWORK,
        "refusing_connections": _NO_NETWORK,
        "answer_lost": _NO_NETWORK,
        "turned_inward": _NO_NETWORK,
        "untrusted_certificate": _NO_NETWORK,
        "bad_credentials": "it has none",
        "rotated_credentials": "it has none",
        "address_refused": "it has one recipient",
    }

    def config(self) -> dict[str, Any]:
        return {"mailbox": "box"}

    def told(self) -> list[Told]:
        kept = [path.read_text() for path in sorted((self.root / "box").glob("*.json"))]
        return [
            Told(one["key"], strings_of(one), text) for text in kept for one in [json.loads(text)]
        ]

    def unavailable(self) -> Expected:
        (self.root / "box").write_text("a file where the folder should be")
        return Expected(Transient)

    def recover(self) -> None:
        if (self.root / "box").is_file():
            (self.root / "box").unlink()

    def assert_intact(self, notice: Notice) -> None:
        newest = max((self.root / "box").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        assert json.loads(newest.read_text())["headline"] == headline(notice)

    def failing_checks(self) -> list[tuple[Notifier, Ports, type[KeyturnError]]]:
        return [(self.notifier(), Ports(), Misconfigured)]


BENCHES: dict[str, type[Bench]] = {
    bench.kind: bench
    for bench in (
        ConsoleBench,
        EmailBench,
        SlackBotBench,
        SlackWebhookBench,
        TeamsBench,
        PagerDutyBench,
        WebhookBench,
    )
}
