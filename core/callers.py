"""Who uses a token: an address, a client by its own word, and the surface it came by."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from core.tokens import without_tokens

LONGEST = 200  # characters of a user agent
SHOWN = 20  # callers of a token that are kept
_RECENT = 8  # of them, whatever their count: somebody new is seen before they have caught up


class Caller(NamedTuple):
    """One of a token's users, as far as can be told apart."""

    address: str | None
    user_agent: str | None
    surface: str


class Seen(NamedTuple):
    """How often a caller used the token, and when last."""

    times: int
    last_used_at: datetime


@dataclass(slots=True)
class Tally:
    """The uses of one token: all are counted, its callers as far as they are kept."""

    count: int
    last_used_at: datetime
    callers: dict[Caller, Seen] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        """Adds the uses that the other one counted, its callers by their tidied names."""
        self.count += other.count
        self.last_used_at = max(self.last_used_at, other.last_used_at)
        for caller, seen in other.callers.items():
            before = self.callers.get(tidied := tidy(caller))
            if before is not None:
                latest = max(before.last_used_at, seen.last_used_at)
                self.callers[tidied] = Seen(before.times + seen.times, latest)
            else:
                self.callers[tidied] = seen
        self.callers = dict(top(self.callers.items()))


def top(callers: Iterable[tuple[Caller, Seen]]) -> list[tuple[Caller, Seen]]:
    """Those to keep, the most frequent first: some for their count, some for being the latest."""
    ranked = sorted(callers, key=lambda one: one[1], reverse=True)
    often, rest = ranked[: SHOWN - _RECENT], ranked[SHOWN - _RECENT :]
    if len(rest) > _RECENT:
        rest = sorted(rest, key=lambda one: one[1].last_used_at, reverse=True)[:_RECENT]
    return sorted([*often, *rest], key=lambda one: one[1], reverse=True)


def tidy(caller: Caller) -> Caller:
    """The same without what a client may have put into its name to be read as something else."""
    said = caller.user_agent
    if said is None:
        return caller
    masked = without_tokens(said)[:LONGEST]
    plain = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in masked)
    return caller._replace(user_agent=plain.strip() or None)
