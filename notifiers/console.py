"""Notices on Keyturn's own console, and as files in a mailbox folder: for development."""

import json
import sys
from typing import ClassVar

from pydantic import Field

from core.errors import Misconfigured, Transient
from core.plugins import Pace, Ports
from notifiers.base import Notice, Notifier
from notifiers.words import headline, known_facts


class ConsoleNotifier(Notifier):
    """Prints each notice as one line; with `mailbox`, also keeps it as a JSON file."""

    kind: ClassVar[str] = "console"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "Console and mailbox folder"

    mailbox: str = Field(default="", max_length=512, description="A folder below file_root.")
    quiet: bool = Field(default=False, description="Only the mailbox, nothing printed.")

    @property
    def pace(self) -> Pace:
        return Pace(concurrency=1, send_limit=5.0)

    def check(self, ports: Ports) -> str:
        return f"keeps notices in {ports.own_folder() / self.mailbox}" if self.mailbox else "prints"

    def send(self, notice: Notice, address: str, ports: Ports) -> None:
        if not self.quiet:
            line = f"{notice.at:%H:%M:%S}  notice  {headline(notice)}\n"
            spoken = sys.stdout.encoding or "utf-8"
            sys.stdout.write(line.encode(spoken, "backslashreplace").decode(spoken))
            sys.stdout.flush()
        if self.mailbox:
            self._keep(notice, ports)

    def _keep(self, notice: Notice, ports: Ports) -> None:
        root = ports.own_folder().resolve()
        folder = (root / self.mailbox.strip("/")).resolve()
        if not folder.is_relative_to(root):
            raise Misconfigured("mailbox leads out of the folder that the operator allows.")
        kept = {
            "key": str(notice.key),
            "type": notice.type.value,
            "severity": notice.severity.name.lower(),
            "at": notice.at.isoformat(),
            "headline": headline(notice),
            "facts": known_facts(notice.facts),
            "link": notice.link,
        }
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = folder / f".{notice.key}.draft"
            draft.write_text(json.dumps(kept, indent=1) + "\n")
            draft.replace(folder / f"{notice.at:%Y%m%dT%H%M%S}-{notice.key}.json")
        except OSError as error:
            raise Transient(f"{folder}: {error.strerror}") from None
