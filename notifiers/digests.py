"""What several facts say to a person when they come as one message: a summary, and a table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from core.events import EventType
from notifiers.base import Digest
from notifiers.plain import LONGEST_VALUE, moment, readable, shortened
from notifiers.rendering import Letter, letter_values, web_link
from notifiers.texts import LABELS, texts
from notifiers.words import LONGEST_HEADLINE, headline, title

MOST_ROWS = 50
_MOST_INSTEAD = 3
_WHY = "you are a notification target of these accounts"

# One of them, and several.
_COUNTED = {
    EventType.TOKEN_ROTATED: ("account rotated", "accounts rotated"),
    EventType.TOKEN_EXPIRED: ("old token ended", "old tokens ended"),
    EventType.TOKEN_REVOKED: ("revocation", "revocations"),
    EventType.TOKEN_LEAKED: ("token reported as leaked", "tokens reported as leaked"),
    EventType.ACCOUNT_EXPIRING: ("account ends soon", "accounts end soon"),
    EventType.ACCOUNT_EXTENDED: ("account goes on", "accounts go on"),
    EventType.ACCOUNT_EXPIRED: ("account expired", "accounts expired"),
    EventType.GRACE_ENDING: ("old token ends soon", "old tokens end soon"),
    EventType.GRACE_HELD: ("old token kept alive", "old tokens kept alive"),
    EventType.HOLD_EXHAUSTED: ("hold limit reached", "hold limits reached"),
    EventType.ROTATION_UPCOMING: ("rotation ahead", "rotations ahead"),
    EventType.ROTATION_WAITING: ("rotation waits", "rotations wait"),
    EventType.ROTATION_FAILED: ("rotation failed", "rotations failed"),
    EventType.SYNC_FAILED: ("store not updated", "stores not updated"),
    EventType.SYNC_RECOVERED: ("store up to date again", "stores up to date again"),
    EventType.SYNC_DRIFTED: ("store changed by others", "stores changed by others"),
    EventType.SYNC_REPAIRED: ("store as it should be", "stores as they should be"),
    EventType.COPY_KEPT: ("token left in a store", "tokens left in stores"),
    EventType.LANE_PAUSED: ("destination paused", "destinations paused"),
    EventType.LANE_RESUMED: ("destination goes on", "destinations go on"),
    EventType.PERSONAL_TOKEN_EXPIRING: (
        "personal access token ends soon",
        "personal access tokens end soon",
    ),
}


class Row(NamedTuple):
    """One fact in the table: what kind it is, and its own headline."""

    title: str
    headline: str


def summary(digest: Digest) -> str:
    """How many of what, the worst first: `3 rotations failed, 500 accounts rotated`."""
    parts = [_counted(digest, event, count) for event, count in digest.counts.items()]
    return shortened(", ".join(parts), LONGEST_HEADLINE)


def rows(digest: Digest) -> Sequence[Row]:
    """The table: the worst first, and of the same kind the oldest; at most 50."""
    return [Row(title(notice), headline(notice)) for notice in digest.notices[:MOST_ROWS]]


def more(digest: Digest, shown: int) -> str:
    """What stands below a table that does not show all; nothing if it does."""
    left_out = len(digest.notices) - shown
    return f"and {left_out:,} more" if left_out else ""


def instead(digest: Digest) -> Sequence[tuple[str, str]]:
    """For whom the reader stands in, with how many of these and why; at most three."""
    counted = Counter(
        (readable(notice.facts.get("instead_of")), readable(notice.facts.get("instead_because")))
        for notice in digest.notices
        if notice.facts.get("instead_of")
    )
    return [
        (LABELS["instead_of"], shortened(f"{who} ({count:,} of these): {why}", LONGEST_VALUE))
        for (who, why), count in counted.most_common(_MOST_INSTEAD)
    ]


def happened(digest: Digest) -> str:
    """When the newest of them happened, where the reader lives."""
    return moment(digest.at, digest.notices[0].timezone)


def digest_letter(digest: Digest) -> Letter:
    """Renders a digest, by the same templates as a notice; the same digest, the same letter."""
    table = rows(digest)
    figures = [*instead(digest), *((row.title, row.headline) for row in table)]
    if rest := more(digest, len(table)):
        figures.append(("…", rest))
    worst = digest.notices[0]
    told: dict[str, Any] = {
        **letter_values(replace(worst, facts={})),
        "title": f"{len(digest.notices):,} notices",
        "headline": summary(digest),
        "next_step": "",
        "why": _WHY,
        "at": happened(digest),
        "figures": figures,
        "link": web_link(digest.link),
        "acknowledge": "",
    }
    templates = texts(worst.templates)
    return Letter(
        subject=told["headline"],
        text=templates.letter("notice.txt.j2", told),
        html=templates.letter("notice.html.j2", told),
    )


def _counted(digest: Digest, event: EventType, count: int) -> str:
    of_this = [notice for notice in digest.notices if notice.type is event]
    if event is EventType.TOKEN_ROTATED:
        accounts = {str(notice.facts.get("account")) for notice in of_this}
        if len(accounts) < count:
            return f"{count:,} rotations of {len(accounts):,} account{'s' * (len(accounts) > 1)}"
    if event in _COUNTED:
        return f"{count:,} {_COUNTED[event][count > 1]}"
    return f"{title(of_this[0])} ({count:,})"
