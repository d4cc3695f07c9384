"""What Secret Manager says of a secret, and how Keyturn's mark stands in its annotations."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from core.ids import Mark
from core.layout import Fact
from sinks.base import Held, mark_of

VERSION = "secret-version"  # the annotation that says which version bears the mark
OURS = {"managed-by", "place", "epoch", "revision", VERSION} | {*Fact} - {Fact.TOKEN}


@dataclass(frozen=True)
class Found:
    """A secret without its values. Its annotations hold the mark that its `version` bears."""

    annotations: Mapping[str, str]
    etag: str

    @property
    def noted(self) -> Mark | None:
        return mark_of(self.annotations)

    @property
    def version(self) -> int:
        """The version that bears the mark, or is about to; 0 if none is told."""
        told = self.annotations.get(VERSION, "")
        return int(told) if told.isascii() and told.isdigit() and len(told) < 16 else 0  # noqa: PLR2004

    @property
    def bearings(self) -> dict[str, str]:
        """What Keyturn wrote there of a copy."""
        return {k: v for k, v in self.annotations.items() if k in OURS and k != VERSION}

    def held(self, number: int, *, is_enabled: bool) -> Held:
        """What consumers read, if `number` is the newest. Foreign values are revision 0."""
        mark = self.noted
        if mark and not (is_enabled and number == self.version):
            mark = Mark(0, 0, mark.place)
        return Held(mark, str(number) if number else "")


@dataclass(frozen=True)
class Newest:
    """The newest version, and its value if it may be read. The number is 0 if there is none."""

    number: int = 0
    value: SecretStr | None = None
