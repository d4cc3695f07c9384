"""Who acts, what they may do, and the name that the audit log gives to the hand."""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID

from core.errors import Forbidden
from core.roles import EVERYTHING, NOTHING, Permits, Resource


class ActorKind(StrEnum):
    USER = "user"
    VIRTUAL_ACCOUNT = "virtualaccount"
    OPERATOR = "operator"
    ENGINE = "engine"
    LINK = "link"
    REPORT = "report"


@dataclass(frozen=True)
class Actor:
    """A subject within one tenant, what it may do, and where the call came from.

    `token_id` and `token_name` are of the token it came with; a person's calls can come with a
    personal access token or a login session.
    """

    tenant_id: UUID
    kind: ActorKind
    name: str
    id: UUID | None = None
    permits: Permits = field(default=NOTHING, repr=False)
    token_id: UUID | None = None
    token_name: str | None = None
    with_personal_token: bool = False
    address: str | None = None
    request_id: str | None = None

    @property
    def subject(self) -> str:
        """Its name as a subject of grants: `user:<email>`, `virtualaccount:<name>`."""
        return f"{self.kind.value}:{self.name}"

    def may(self, action: str, resource: Resource) -> bool:
        """Whether a grant allows it."""
        return self.permits.allow(action, resource)

    def demand(self, action: str, resource: Resource) -> None:
        """Forbidden, which says what is lacking, unless a grant allows it."""
        if not self.may(action, resource):
            raise Forbidden(f"This needs {action} on {resource.fqn}.")

    def demand_everywhere(self, action: str) -> None:
        """The same, for the tenant as a whole."""
        if not self.permits.allow_everywhere(action):
            raise Forbidden(f"This needs {action} on the tenant.")

    def demand_admin(self) -> None:
        """Forbidden unless it holds tenant-admin."""
        if not self.permits.is_admin:
            raise Forbidden("This needs the role tenant-admin.")

    @cached_property
    def audited(self) -> dict[str, Any]:
        """What the audit log keeps of it."""
        told = {
            "kind": self.kind.value,
            "name": self.name,
            "id": str(self.id) if self.id else None,
            "token_id": str(self.token_id) if self.token_id else None,
            "address": self.address,
            "request_id": self.request_id,
        }
        return {key: value for key, value in told.items() if value is not None}

    def as_subject(self) -> dict[str, Any]:
        """The subject as the wire contract writes it."""
        kind = "user" if self.kind is ActorKind.USER else "serviceaccount"
        subject = {
            "subjectId": str(self.id or self.tenant_id),
            "subjectType": kind,
            "subjectSlug": self.name,
            "subjectDisplayName": self.name,
        }
        if self.with_personal_token and self.token_name:
            subject["subjectPatName"] = self.token_name
        return subject

    @classmethod
    def engine(cls, tenant_id: UUID) -> "Actor":
        """Keyturn itself, on schedule."""
        return cls(tenant_id=tenant_id, kind=ActorKind.ENGINE, name="keyturn", permits=EVERYTHING)

    @classmethod
    def operator(cls, tenant_id: UUID, name: str) -> "Actor":
        """Somebody at the machine's own command line."""
        return cls(tenant_id=tenant_id, kind=ActorKind.OPERATOR, name=name, permits=EVERYTHING)
