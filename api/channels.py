"""Notification channels: trying one."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from api.bodies import Body
from api.callers import Caller, TheRuntime
from services.integrations.channel_trials import try_channel

router = APIRouter(prefix="/api/svc/v1/integrations", tags=["integrations"])


class Trial(Body):
    """Whom the sample goes to, as a target would name them; nobody where there is no choice."""

    address: Annotated[str, Field(max_length=320)] = ""


@router.post("/{integration_id}/test")
def try_(integration_id: str, body: Trial, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Sends a sample through the channel at once, and says what the other side answered."""
    return {"data": try_channel(runtime, actor, integration_id, body.address)}
