"""The manifests of who may do what: teams, custom roles and role bindings.

They are read in the reference's spelling (`core.spelling`), and kept as they were given.
"""

from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
)

from core.fields import Email, Name
from core.notice_targets import NoticeTargets
from core.parsing import parse
from core.roles import BUILT_IN, RESOURCE_TYPES, check_action

Manifest = TypeVar("Manifest", bound=BaseModel)

_Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Text = Annotated[str, StringConstraints(max_length=2_000)]


def _role_name(name: str) -> str:
    if name in BUILT_IN:
        raise ValueError("a built-in role has this name")
    try:
        UUID(name)
    except ValueError:
        return name
    raise ValueError("a name that reads like an id is not allowed")


def _resource_type(name: str) -> str:
    if name not in RESOURCE_TYPES:
        raise ValueError("give one of " + ", ".join(sorted(RESOURCE_TYPES)))
    return name


RoleName = Annotated[Name, AfterValidator(_role_name)]
ResourceType = Annotated[str, AfterValidator(_resource_type)]
ActionName = Annotated[str, AfterValidator(check_action)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )


class OwnedByAccount(_Part):
    account: _Line


class IdentityProviderMapping(_Part):
    """Which claim of which identity provider stands for this team."""

    identity_provider: _Line
    value: _Line


class TeamManifest(_Part):
    """What a team should be. A manager is a member too, whether listed there or not.

    Its `notification_targets` are told of its accounts that have none of their own.
    """

    name: Name
    type: Literal["team"] = "team"
    display_name: _Line | None = None
    description: _Text | None = None
    managers: Annotated[list[Email], Field(max_length=1_000)] = []
    members: Annotated[list[Email], Field(max_length=10_000)]
    owned_by: OwnedByAccount | None = None
    tags: Annotated[dict[str, Any], Field(max_length=50)] | None = None
    notification_targets: NoticeTargets | None = None
    identity_provider_mapping: (
        Annotated[list[IdentityProviderMapping], Field(max_length=100)] | None
    ) = None


class RoleManifest(_Part):
    """What holders of a custom role may do."""

    name: RoleName
    type: Literal["role"] = "role"
    display_name: _Line
    description: _Text
    resource_type: ResourceType
    permissions: Annotated[list[ActionName], Field(min_length=1, max_length=500)]


class BoundSubject(_Part):
    """A user by e-mail, a team or a virtual account by name."""

    type: Literal["user", "team", "virtualaccount"]
    name: Annotated[str, StringConstraints(min_length=1, max_length=320)]


class BoundRole(_Part):
    """A role, by its name or id, on a resource."""

    resource_type: ResourceType
    resource_fqn: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    role: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class RoleBindingManifest(_Part):
    """Each of these subjects holds each of these roles."""

    name: Name
    type: Literal["role-binding"] = "role-binding"
    subjects: Annotated[list[BoundSubject], Field(min_length=1, max_length=200)]
    permissions: Annotated[list[BoundRole], Field(min_length=1, max_length=100)]


def read_manifest(model: type[Manifest], spelled: dict[str, Any]) -> Manifest:
    """Reads a manifest in reference spelling; InvalidInput names the first wrong field."""
    renamed = {("owned_by" if key == "ownedBy" else key): value for key, value in spelled.items()}
    return parse(TypeAdapter(model), renamed)
