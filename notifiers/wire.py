"""What a notifier's connections keep to, and what may be quoted of the other side."""

import base64
from collections.abc import Iterable

from core.wire import CaBundle, Deadline, https_url, trusting
from notifiers.words import one_line, shortened

__all__ = ["LOOK_UP", "CaBundle", "Deadline", "https_url", "quoted", "trusting"]

# How long the system's resolver may look up a name; it heeds no timeout of ours.
LOOK_UP = 5.0
_QUOTED = 200


def quoted(said: str | bytes, secrets: Iterable[str] = ()) -> str:
    """What the other side said, in one line of at most 200 characters without the secrets."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    for secret in secrets:
        for form in (secret, base64.b64encode(secret.encode()).decode().rstrip("=")):
            if form:
                text = text.replace(form, "***")
    return shortened(" ".join(one_line(text).split()), _QUOTED)
