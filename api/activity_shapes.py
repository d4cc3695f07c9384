"""How events and deliveries look on the wire."""

from collections.abc import Callable
from typing import Any, TypeVar

from api.shapes import moment
from core.events import Severity
from models import Event
from services.delivery.delivery_log import DeliveryLine, DeliveryStory
from services.watching.event_log import shown_facts
from services.watching.looking_back import Page

Item = TypeVar("Item")


def page(found: Page[Item], shape: Callable[[Item], dict[str, Any]]) -> dict[str, Any]:
    """A page that says where to go on; `partial`: it looked at enough before it was full."""
    return {
        "data": [shape(item) for item in found.items],
        "older": str(found.older) if found.older else None,
        "partial": found.is_partial,
    }


def event(row: Event) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "type": row.type.value,
        "severity": Severity(row.severity).name.lower(),
        "at": moment(row.at),
        "accountId": str(row.account_id) if row.account_id else None,
        "facts": shown_facts(row),
    }


def delivery(line: DeliveryLine) -> dict[str, Any]:
    row = line.delivery
    return {
        "id": str(row.id),
        "eventId": str(row.event_id),
        "event": line.event.value,
        "action": row.action.value,
        "state": row.state.value,
        "integrationId": str(line.integration_id),
        "integration": line.integration,
        "accountId": str(row.account_id) if row.account_id else None,
        "account": line.account,
        "path": row.document,
        "address": row.address,
        "generation": row.generation,
        "attempts": row.claim,
        "error": row.error,
        "createdAt": moment(row.created_at),
        "dueAt": moment(row.due_at),
        "settledAt": moment(row.settled_at),
    }


def story(found: DeliveryStory) -> dict[str, Any]:
    """One delivery with the newest of its failed attempts."""
    attempts = [
        {"attempt": one.claim, "at": moment(one.at), "result": one.result, "error": one.error}
        for one in found.attempts
    ]
    return {**delivery(found.line), "failedAttempts": attempts}
