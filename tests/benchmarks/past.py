"""A tenant's long past, made in bulk: events with a delivery and an audit row each; people."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from core.events import EventType, Severity
from core.ids import new_id
from models import (
    Action,
    AuditRow,
    Delivery,
    DeliveryState,
    Event,
    Lane,
    Priority,
    Team,
    TeamMember,
    User,
)
from services import bulk
from tests.support.world import World

_FAILS = 997  # one of so many
_WAITING = 20_000  # of the newest
_MEMBERS = 2_000


def live(
    world: World,
    session: Session,
    accounts: Sequence[UUID],
    lane: Lane,
    numbers: range,
    moments: Sequence[datetime],
) -> None:
    """Rotations at these moments, the newest first, each with its delivery and its audit row."""
    events = [
        {
            "tenant_id": world.tenant_id,
            "id": new_id(),
            "type": EventType.TOKEN_ROTATED,
            "severity": int(Severity.WARNING if number % _FAILS == 0 else Severity.INFO),
            "account_id": accounts[number % len(accounts)],
            "lane_id": None,
            "at": at,
            "facts": {"account": "x", "generation": 2, "cause": "scheduled"},
        }
        for number, at in zip(numbers, moments, strict=True)
    ]
    bulk.insert(session, Event, events)
    bulk.insert(
        session, Delivery, [_delivery(lane, *pair) for pair in zip(numbers, events, strict=True)]
    )
    bulk.insert(
        session,
        AuditRow,
        [
            {
                "tenant_id": world.tenant_id,
                "id": new_id(),
                "at": event["at"],
                "actor": {"kind": "engine", "name": "keyturn"},
                "action": "token.rotated",
                "subject_type": "virtual-account",
                "subject_id": event["account_id"],
                "subject_name": "x",
                "detail": {},
            }
            for event in events
        ],
    )


def _delivery(lane: Lane, number: int, event: dict) -> dict:
    state = DeliveryState.DONE
    if number < _WAITING:
        state = DeliveryState.PENDING
    elif number % _FAILS == 0:
        state = DeliveryState.FAILED
    return {
        "tenant_id": lane.tenant_id,
        "id": new_id(),
        "event_id": event["id"],
        "lane_id": lane.id,
        "destination": new_id(),
        "account_id": event["account_id"],
        "place_id": None,
        "action": Action.PUT,
        "document": f"bots/{number}",
        "address": None,
        "revision": 2,
        "generation": 2,
        "priority": int(Priority.SCHEDULED),
        "state": state,
        "due_at": event["at"],
        "created_at": event["at"],
        "settled_at": None
        if state is DeliveryState.PENDING
        else event["at"] + timedelta(seconds=1),
    }


def people(world: World, session: Session, count: int) -> UUID:
    """So many people, and a team with many of them; answers the team."""
    now = world.clock.now()
    users = [
        {
            "tenant_id": world.tenant_id,
            "id": new_id(),
            "email": f"person-{number:06}@example.com",
            "active": True,
            "created_at": now,
            "updated_at": now,
        }
        for number in range(count)
    ]
    team = Team(
        tenant_id=world.tenant_id,
        id=new_id(),
        name="everybody",
        manifest={"name": "everybody", "type": "team", "members": []},
        created_by={},
        created_at=now,
        updated_at=now,
    )
    session.add(team)
    bulk.insert(session, User, users)
    session.flush()
    members = [
        {
            "tenant_id": world.tenant_id,
            "team_id": team.id,
            "user_id": user["id"],
            "is_manager": False,
        }
        for user in users[:_MEMBERS]
    ]
    bulk.insert(session, TeamMember, members)
    return team.id
