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
from models import Tenant, User
from services.keys import Keyring
from services.notices.tenant_mail import Mail
from services.outbox import Outbox, written
from services.runtime import Runtime

_SEALED_FOR = "email"


def mail_invitation(
    session: Session, outbox: Outbox, runtime: Runtime, actor: Actor, user: User, link: str
) -> bool:
    """The link is sent to its person; False if the tenant has no mail channel that works."""
    mailbox = Mail(session, runtime.opened).to(user.tenant_id, user.email)
    if not mailbox:
        return False
    sealed = runtime.keyring.seal(_SEALED_FOR, user.tenant_id, user.id, link.encode())
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
        targets=mailbox,
    )
    return True


def link_of(keyring: Keyring, tenant_id: UUID, facts: Mapping[str, Any]) -> str:
    """The link that such an event carries; SealBroken if it does not open."""
    try:
        sealed = b64decode(facts["sealed_link"])
        user = UUID(facts["user"])
    except (KeyError, ValueError):
        raise SealBroken("The invitation has no link.") from None
    return keyring.open(_SEALED_FOR, tenant_id, user, sealed).decode()
