"""What bodies of calls have in common: an error never quotes what was sent."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """A call's body."""

    model_config = ConfigDict(hide_input_in_errors=True)


class PutManifest(Body):
    """A manifest, and whether it is only to be checked."""

    manifest: dict[str, Any]
    dryRun: bool | None = False  # noqa: N815 - the wire's spelling
