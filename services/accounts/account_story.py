"""An account's past and present in one reading: what it was given, where that went, who used it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.roles import VERBS, Resource
from models import Delivery, Event, Integration, Lane, Tenant, TokenRow, VirtualAccount
from services.accounts.account_uses import AccountUses, uses_of_account
from services.accounts.account_views import AccountView, readable, resource_of, view_of
from services.accounts.account_warnings import account_warnings
from services.accounts.place_views import PlaceView, views_of_places
from services.runtime import Runtime
from services.scope import mine

GENERATIONS = 12  # the newest
DELIVERIES = 150  # the newest
EVENTS = 25  # the newest


@dataclass(frozen=True)
class Sent:
    """A delivery, with the name of what it goes to."""

    delivery: Delivery
    integration: str


@dataclass(frozen=True)
class Story:
    """Everything that the account's page tells. Sequences have the newest first.

    `allowed` are the verbs that the reader may do to it.
    """

    view: AccountView
    team: str | None
    tokens: Sequence[TokenRow]
    places: Sequence[PlaceView]
    sent: Sequence[Sent]
    events: Sequence[Event]
    uses: AccountUses
    warnings: Sequence[str]
    allowed: frozenset[str]


def story_of(runtime: Runtime, actor: Actor, account_id: str | UUID) -> Story:
    """The account's story, for whoever may read it; a fixed number of queries."""
    uses = uses_of_account(runtime, actor, account_id)
    with runtime.database.reading() as session:
        account = readable(session, actor, account_id)
        resource = resource_of(session, account)
        return Story(
            view=view_of(session, account, session.get_one(Tenant, actor.tenant_id)),
            team=resource.team,
            tokens=_tokens(session, account),
            places=views_of_places(session, account),
            sent=_sent(session, account),
            events=_events(session, account),
            uses=uses,
            warnings=account_warnings(session, runtime.opened, account, runtime.now()),
            allowed=_allowed(actor, resource),
        )


def _allowed(actor: Actor, resource: Resource) -> frozenset[str]:
    return frozenset(verb for verb in VERBS if actor.may(f"virtual-account:{verb}", resource))


def _tokens(session: Session, account: VirtualAccount) -> Sequence[TokenRow]:
    return session.scalars(
        mine(TokenRow, account.tenant_id)
        .where(TokenRow.account_id == account.id)
        .order_by(TokenRow.generation.desc())
        .limit(GENERATIONS)
    ).all()


def _sent(session: Session, account: VirtualAccount) -> list[Sent]:
    rows = session.execute(
        select(Delivery, Integration.name)
        .join(Lane, (Lane.id == Delivery.lane_id) & (Lane.tenant_id == Delivery.tenant_id))
        .join(
            Integration,
            (Integration.id == Lane.integration_id) & (Integration.tenant_id == Lane.tenant_id),
        )
        .where(Delivery.account_id == account.id, Delivery.tenant_id == account.tenant_id)
        .order_by(Delivery.created_at.desc(), Delivery.id.desc())
        .limit(DELIVERIES)
    )
    return [Sent(delivery, name) for delivery, name in rows]


def _events(session: Session, account: VirtualAccount) -> Sequence[Event]:
    return session.scalars(
        mine(Event, account.tenant_id)
        .where(Event.account_id == account.id)
        .order_by(Event.at.desc(), Event.id.desc())
        .limit(EVENTS)
    ).all()
