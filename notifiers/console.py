"""Notices on Keyturn's own console, and as files in a mailbox folder: for development."""

import json
import sys
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from core.errors import Misconfigured, Transient
from core.plugins import Pace, Ports
from notifiers.base import MOST_IN_DIGEST, Digest, Notice, Notifier
from notifiers.digests import summary
from notifiers.words import headline, known_facts


class ConsoleNotifier(Notifier):
    """Prints each notice as one line; with `mailbox`, also keeps it as a JSON file."""

    kind: ClassVar[str] = "console"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "Console and mailbox folder"
    most_in_digest: ClassVar[int] = MOST_IN_DIGEST

    mailbox: str = Field(default="", max_length=512, description="A folder below file_root.")
    quiet: bool = Field(default=False, description="Only the mailbox, nothing printed.")

    @property
    def pace(self) -> Pace:
        return Pace(concurrency=1, send_limit=5.0)

    def check(self, ports: Ports) -> str:
        return f"keeps notices in {ports.own_folder() / self.mailbox}" if self.mailbox else "prints"

    def send(self, notice: Notice, address: str, ports: Ports) -> str:
        self._say("notice", headline(notice), notice.at)
        self._keep(_kept(notice), notice.at, ports)
        return f"it is kept in the folder {self.mailbox}" if self.mailbox else "it is printed"

    def send_digest(self, digest: Digest, address: str, ports: Ports) -> None:
        """One line and one file for all of it."""
        self._say("digest", summary(digest), digest.at)
        kept = {
            "key": str(digest.key),
            "type": "digest",
            "severity": digest.severity.name.lower(),
            "at": digest.at.isoformat(),
            "headline": summary(digest),
            "counts": {event.value: count for event, count in digest.counts.items()},
            "notices": [_kept(notice) for notice in digest.notices],
            "link": digest.link,
        }
        self._keep(kept, digest.at, ports)

    def _say(self, what: str, said: str, at: datetime) -> None:
        if not self.quiet:
            line = f"{at:%H:%M:%S}  {what}  {said}\n"
            spoken = sys.stdout.encoding or "utf-8"
            sys.stdout.write(line.encode(spoken, "backslashreplace").decode(spoken))
            sys.stdout.flush()

    def _keep(self, kept: dict[str, Any], at: datetime, ports: Ports) -> None:
        if not self.mailbox:
            return
        root = ports.own_folder().resolve()
        folder = (root / self.mailbox.strip("/")).resolve()
        if not folder.is_relative_to(root):
            raise Misconfigured("mailbox leads out of the folder that the operator allows.")
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = folder / f".{kept['key']}.draft"
            draft.write_text(json.dumps(kept, indent=1) + "\n")
            draft.replace(folder / f"{at:%Y%m%dT%H%M%S}-{kept['key']}.json")
        except OSError as error:
            raise Transient(f"{folder}: {error.strerror}") from None


def _kept(notice: Notice) -> dict[str, Any]:
    return {
        "key": str(notice.key),
        "type": notice.type.value,
        "severity": notice.severity.name.lower(),
        "at": notice.at.isoformat(),
        "headline": headline(notice),
        "facts": known_facts(notice.facts),
        "link": notice.link,
        "acknowledge": notice.acknowledge,
    }
