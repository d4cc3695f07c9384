"""One version of a secret in a Key Vault: what it says of itself, and what a new one has to say."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from azure.keyvault.secrets import DeletedSecret, KeyVaultSecret
from pydantic import SecretStr

from core.ids import Mark
from sinks.base import Copy, Held, mark_of

_FINGERPRINT = "fingerprint"
_LONGEST_TAG = 256


@dataclass(frozen=True)
class Stored:
    """One version: the tags it was written with, and whose the secret was before.

    `value` is None where Key Vault does not tell: of a deleted secret.
    """

    value: SecretStr | None
    tags: Mapping[str, str]
    version: str
    before: UUID | None = None

    @property
    def place(self) -> UUID | None:
        """Whose this version is; None: somebody else's."""
        mark = mark_of(self.tags)
        return mark.place if mark else None

    @property
    def mark(self) -> Mark | None:
        """What this is. Somebody else's value in our secret is older than any of ours."""
        mark = mark_of(self.tags)
        if mark is None:
            return Mark(0, 0, self.before) if self.before else None
        told = self.tags.get(_FINGERPRINT)
        is_ours = self.value is None or fingerprint(self.value) == told
        return mark if is_ours else Mark(0, 0, mark.place)

    @property
    def held(self) -> Held:
        return Held(self.mark, self.version)

    def bears(self, copy: Copy) -> bool:
        """Whether it is just this copy."""
        return self.mark == copy.mark and self.tags.get(_FINGERPRINT) == fingerprint(copy.text)


def fingerprint(value: SecretStr) -> str:
    """Tells one token from another, and nothing about it: tokens are random."""
    return hashlib.sha256(value.get_secret_value().encode()).hexdigest()[:32]


def stored_in(answer: KeyVaultSecret | DeletedSecret) -> Stored:
    """A version as Azure's client tells it; ValueError if it has no id, so is none."""
    about = answer.properties
    value = answer.value if isinstance(answer, KeyVaultSecret) else None
    if not about.version or not isinstance(value, str | None):
        raise ValueError("no secret")
    return Stored(SecretStr(value) if value is not None else None, about.tags or {}, about.version)


def tags_of(copy: Copy) -> dict[str, str]:
    """The mark, the facts and the fingerprint, no longer than a tag may be."""
    tags = {**copy.metadata(), _FINGERPRINT: fingerprint(copy.text)}
    return {name: value[:_LONGEST_TAG] for name, value in tags.items()}


def end_of(copy: Copy) -> datetime | None:
    """When the token ends, where that is known. Not the next rotation: it works beyond that."""
    try:
        end = datetime.fromisoformat(copy.facts.get("valid-until") or "")
    except ValueError:
        return None
    return end if end.tzinfo else None
