"""Where a token is kept, as a manifest says it."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from core.layout import Layout


class _Kept(Layout):
    """What every place says: how the token is laid out there, and what may become of it."""

    required: bool = Field(
        default=True, description="An old token is held until this place has the new one."
    )
    adopt: bool = Field(
        default=False, description="What somebody else wrote there may be replaced."
    )
    keep_copy: bool = Field(
        default=False, description="What was written stays when the place or the account goes."
    )

    @property
    def layout(self) -> Layout:
        return Layout(form=self.form, fields=self.fields)


class StoreConfig(_Kept):
    """One place in a secret store where the token is kept."""

    type: Literal["secret-store"] = "secret-store"
    integration_fqn: str
    secret_path: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    key: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None, description="One entry of the secret; the others stay as they are."
    )


class GroupConfig(_Kept):
    """One key of a group in the built-in secret store where the token is kept."""

    type: Literal["tfy-secrets"]
    secret_group: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    key: Annotated[str, StringConstraints(min_length=1, max_length=128)]


def _store(given: Any) -> str:
    own = StoreConfig.model_fields["type"].default
    kind = given.get("type", own) if isinstance(given, dict) else getattr(given, "type", own)
    return kind if isinstance(kind, str) else "other"


StorePlace = Annotated[
    Annotated[StoreConfig, Tag("secret-store")] | Annotated[GroupConfig, Tag("tfy-secrets")],
    Discriminator(_store),
]
