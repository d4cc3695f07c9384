"""The contract of a sink: a place that holds a copy of an account's current token.

Promises every sink keeps, each with a case in the conformance suite:
- `put` twice with the same copy is one version in the store, even when an answer was lost;
- a store that already holds a newer mark of the same place is left alone;
- a secret that Keyturn did not write is refused, unless the place may adopt it;
- what `put` answers was read back from the store;
- failures are Transient, PlaceRefused or DestinationRefused, and quote no secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field, SecretStr

from core.errors import PlaceRefused
from core.ids import Mark
from core.layout import BARE, Layout
from core.plugins import Family, Plugin, Ports

MANAGED_BY = "keyturn"


@dataclass(frozen=True)
class Copy:
    """What a place should hold: the token, its mark, and what the store keeps beside it.

    `facts` are fixed with the revision, so a retry writes the same bytes. `replaces` names
    places of deleted accounts whose copies this one may replace. With a `key` the place is
    that one entry of the secret at `path`; the others are somebody else's and stay.
    """

    path: str
    token: SecretStr
    mark: Mark
    facts: Mapping[str, str] = field(default_factory=dict)
    adopt: bool = False
    replaces: frozenset[UUID] = frozenset()
    key: str = ""
    layout: Layout = BARE

    @property
    def text(self) -> SecretStr:
        """What is written, for a store that keeps one value."""
        return self.layout.text(self.token, self.facts)

    @property
    def entries(self) -> dict[str, str]:
        """What is written, for a store whose secrets have named entries. Holds the token."""
        if self.key:
            return {self.key: self.text.get_secret_value()}
        return self.layout.entries(self.token, self.facts)

    @property
    def where(self) -> str:
        """The place as people read it."""
        return f"{self.path} [{self.key}]" if self.key else self.path

    def may_follow(self, held: Mark | None) -> bool:
        """Whether this copy may go over what bears `held`; PlaceRefused if that is foreign.

        False: the store holds a newer one of the same place, which stays.
        """
        if held is None:
            if self.adopt:
                return True
            raise PlaceRefused(
                f"{self.where} holds a secret that Keyturn did not write; "
                "move it away, or set `adopt: true` to let Keyturn replace it."
            )
        if held.place != self.mark.place:
            if held.place in self.replaces or self.adopt:
                return True
            raise PlaceRefused(f"{self.where} is written by another account of Keyturn.")
        return held <= self.mark

    def metadata(self) -> dict[str, str]:
        """The mark and the facts, for stores that keep text beside a secret."""
        return {**mark_metadata(self.mark), **{k: v for k, v in self.facts.items() if v}}


@dataclass(frozen=True)
class Removal:
    """A copy that should go away, if it still bears this place's mark."""

    path: str
    place: UUID
    key: str = ""


@dataclass(frozen=True)
class Held:
    """What a store holds now. `version` is the store's own name of it.

    `mark` is None where somebody else's secret is.
    """

    mark: Mark | None
    version: str = ""


class Sink(Plugin):
    """One secret store."""

    family: ClassVar[Family] = Family.SINK
    # How often the store bears a new version of one secret; the page of its limit is named there.
    shortest_interval: ClassVar[timedelta] = timedelta(0)
    # How long those who read it usually keep what they read.
    usual_refresh: ClassVar[timedelta] = timedelta(0)

    on_drift: Literal["repair", "report"] = Field(
        default="repair",
        description="What follows if the store holds something else than it should.",
    )

    def place(self, path: str) -> str:
        """The one way to write `path` in this store; PlaceRefused says what is allowed."""
        return path.strip("/")

    def key(self, given: str | None) -> str:
        """The key of a place within its secret, "" for the whole of it; PlaceRefused."""
        if given:
            raise PlaceRefused(
                f"{self.title} keeps one value per secret: leave the key out, or give "
                "`form: json` to choose how it is named"
            )
        return ""

    def put(self, copy: Copy, ports: Ports) -> Held:
        """Makes the store hold this copy and answers what it holds then.

        That is this copy's mark, or a newer one of the same place.
        """
        raise NotImplementedError

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        """What the store holds there, by its cheapest call; None if nothing.

        Somebody else's value beside our mark reads as revision 0, where the store tells it.
        """
        raise NotImplementedError

    def remove(self, removal: Removal, ports: Ports) -> None:
        """Removes the copy with this place's mark; what bears another or none stays."""
        raise NotImplementedError


def mark_metadata(mark: Mark) -> dict[str, str]:
    """The mark as text beside a secret."""
    return {
        "managed-by": MANAGED_BY,
        "place": str(mark.place),
        "epoch": str(mark.epoch),
        "revision": str(mark.revision),
    }


def mark_of(metadata: Mapping[str, str] | None) -> Mark | None:
    """Reads the mark back; None if Keyturn did not write it."""
    if not metadata or metadata.get("managed-by") != MANAGED_BY:
        return None
    try:
        return Mark(
            epoch=int(metadata["epoch"]),
            revision=int(metadata["revision"]),
            place=UUID(metadata["place"]),
        )
    except (KeyError, ValueError):
        return None
