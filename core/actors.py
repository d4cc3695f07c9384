"""Who acts: the name that the audit log gives to the hand behind a change."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID


class ActorKind(StrEnum):
    USER = "user"
    VIRTUAL_ACCOUNT = "virtualaccount"
    OPERATOR = "operator"
    ENGINE = "engine"


@dataclass(frozen=True)
class Actor:
    """A subject within one tenant, and where the call came from."""

    tenant_id: UUID
    kind: ActorKind
    name: str
    id: UUID | None = None
    address: str | None = None
    request_id: str | None = None

    @cached_property
    def audited(self) -> dict[str, Any]:
        """What the audit log keeps of it."""
        told = {
            "kind": self.kind.value,
            "name": self.name,
            "id": str(self.id) if self.id else None,
            "address": self.address,
            "request_id": self.request_id,
        }
        return {key: value for key, value in told.items() if value is not None}

    def as_subject(self) -> dict[str, Any]:
        """The subject as the wire contract writes it."""
        kind = "user" if self.kind is ActorKind.USER else "serviceaccount"
        return {
            "subjectId": str(self.id or self.tenant_id),
            "subjectType": kind,
            "subjectSlug": self.name,
            "subjectDisplayName": self.name,
        }

    @classmethod
    def engine(cls, tenant_id: UUID) -> "Actor":
        """Keyturn itself, on schedule."""
        return cls(tenant_id=tenant_id, kind=ActorKind.ENGINE, name="keyturn")

    @classmethod
    def operator(cls, tenant_id: UUID, name: str) -> "Actor":
        """Somebody at the machine's own command line."""
        return cls(tenant_id=tenant_id, kind=ActorKind.OPERATOR, name=name)
