"""Copies that stay in a store when their place goes: told, as long as their token works."""

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.events import EventType
from models import (
    Action,
    Delivery,
    Integration,
    Place,
    TokenRow,
    TokenState,
    VirtualAccount,
)
from services.notices.subscribers import subscribers_of
from services.outbox import Outbox, written
from services.scope import mine


def tell_kept(
    session: Session, outbox: Outbox, account: VirtualAccount, places: Sequence[Place]
) -> list[str]:
    """Tells the account's people of each copy that stays with a token that works.

    Answers a warning for each, for whoever asked for it. A copy whose token has ended is told
    to nobody.
    """
    session.flush()
    warnings = []
    targets = subscribers_of(session, account)
    for place in places:
        token = _live_token(session, outbox, place)
        if token is None:
            continue
        fqn = session.get_one(Integration, (place.integration_id, place.tenant_id)).fqn
        where = f"{place.path} [{place.key}]" if place.key else place.path
        until = written(token.valid_until)
        outbox.tell(
            account.tenant_id,
            EventType.COPY_KEPT,
            account_id=account.id,
            lane_id=place.lane_id,
            facts={
                "account": account.name,
                "lane": fqn,
                "path": where,
                "generation": token.generation,
                "valid_until": until,
            },
            targets=targets,
        )
        ends = f"until {until}" if until else "until it is rotated and its grace has ended"
        warnings.append(
            f"{fqn} {where}: the copy stays there as was asked for, and its token of generation "
            f"{token.generation} works {ends}. Keyturn does not look after it any more."
        )
    return warnings


def _live_token(session: Session, outbox: Outbox, place: Place) -> TokenRow | None:
    """The newest token that may lie at this place and still works.

    Beside the one that the store confirmed that is any whose sending was begun since.
    """
    begun = select(Delivery.generation).where(
        Delivery.tenant_id == place.tenant_id,
        Delivery.account_id == place.account_id,
        Delivery.place_id == place.id,
        Delivery.action == Action.PUT,
        Delivery.claim > 0,
        Delivery.generation >= place.confirmed_generation,
    )
    tokens = session.scalars(
        mine(TokenRow, place.tenant_id)
        .where(
            TokenRow.account_id == place.account_id,
            TokenRow.state.in_((TokenState.CURRENT, TokenState.GRACE)),
            or_(
                TokenRow.generation == place.confirmed_generation,
                TokenRow.generation.in_(begun),
            ),
        )
        .order_by(TokenRow.generation.desc())
        .execution_options(populate_existing=True)
    )
    return next((token for token in tokens if token.is_valid(outbox.now)), None)
