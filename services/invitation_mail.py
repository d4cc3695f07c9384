"""Invitations by e-mail: the one-time link goes out through the tenant's own mail channel.

The link is a login, so it is sealed in the event that asks for it and opened by its send alone.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import SealBroken
from core.events import EventType
from core.plugins import Family
from models import Integration, Tenant, User
from notifiers.base import Notifier
from services.destinations import lane_for
from services.keys import Keyring
from services.outbox import Outbox, written
from services.runtime import Runtime
from services.scope import mine
from services.subscribers import Recipient

_CHANNEL = "email"


def mail_invitation(
    session: Session, outbox: Outbox, runtime: Runtime, actor: Actor, user: User, link: str
) -> bool:
    """The link is sent to its person; False if the tenant has no mail channel.

    Among several channels the one that was configured first is used.
    """
    channel = session.scalar(
        mine(Integration, user.tenant_id)
        .where(
            Integration.family == Family.NOTIFIER,
            Integration.kind == _CHANNEL,
            Integration.deleted_at.is_(None),
        )
        .order_by(Integration.created_at, Integration.id)
        .limit(1)
        .with_for_update(read=True, key_share=True)  # nobody takes it away before this commit
    )
    if channel is None:
        return False
    plugin = runtime.opened.plugin(channel)
    assert isinstance(plugin, Notifier)
    lane = lane_for(session, channel, plugin, plugin.lane_address(user.email))
    sealed = runtime.keyring.seal(_CHANNEL, user.tenant_id, user.id, link.encode())
    tenant = session.get_one(Tenant, user.tenant_id)
    outbox.tell(
        user.tenant_id,
        EventType.USER_INVITED,
        facts={
            "account": user.email,
            "organisation": tenant.name,
            "by": actor.name,
            "valid_until": written(user.invitation_until),
            "user": str(user.id),
            "sealed_link": b64encode(sealed).decode(),
        },
        targets=[Recipient(user.tenant_id, lane.id, user.email)],
    )
    return True


def link_of(keyring: Keyring, tenant_id: UUID, facts: Mapping[str, Any]) -> str:
    """The link that such an event carries; SealBroken if it does not open."""
    try:
        sealed = b64decode(facts["sealed_link"])
        user = UUID(facts["user"])
    except (KeyError, ValueError):
        raise SealBroken("The invitation has no link.") from None
    return keyring.open(_CHANNEL, tenant_id, user, sealed).decode()
