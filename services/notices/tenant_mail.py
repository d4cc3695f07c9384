"""Mail to a tenant's own people, through the channel that it has for that."""

from uuid import UUID

import structlog
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import KeyturnError
from core.plugins import Family
from models import Integration
from notifiers.base import Notifier
from services.delivery.destinations import lane_for
from services.notices.subscribers import Recipient
from services.opened import Opened

log = structlog.get_logger(__name__)

KIND = "email"


class Mail:
    """The mail channels of tenants; among several the one that was configured first is used."""

    def __init__(self, session: Session, opened: Opened) -> None:
        self._session = session
        self._opened = opened
        self._channels: dict[UUID, tuple[Integration, Notifier] | None] = {}

    def to(self, tenant_id: UUID, address: str) -> list[Recipient]:
        """This person as somebody to tell; nobody if the tenant has no channel that works."""
        if tenant_id not in self._channels:
            self._channels[tenant_id] = self._channel(tenant_id)
        channel = self._channels[tenant_id]
        if channel is None:
            return []
        integration, plugin = channel
        lane = lane_for(self._session, integration, plugin, plugin.lane_address(address))
        return [Recipient(tenant_id, lane.id, address)]

    def _channel(self, tenant_id: UUID) -> tuple[Integration, Notifier] | None:
        found = self._session.scalar(
            select(Integration)
            .where(
                Integration.tenant_id == tenant_id,
                Integration.family == Family.NOTIFIER,
                Integration.kind == KIND,
                Integration.deleted_at.is_(None),
            )
            .order_by(Integration.created_at, Integration.id)
            .limit(1)
            .with_for_update(read=True, key_share=True)  # nobody takes it away before this commit
        )
        if found is None:
            return None
        try:
            plugin = self._opened.plugin(found)
        except (KeyturnError, ValidationError) as error:
            log.warning("mail.unusable", integration=found.fqn, error=type(error).__name__)
            return None
        assert isinstance(plugin, Notifier)
        return found, plugin
