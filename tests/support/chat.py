"""A channel in memory, told whatever a test likes, and drained step by step."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from keyturn_test_plugins import scripted
from sqlalchemy import select, update

from core.events import EventType
from models import Integration, Lane
from services.delivery import draining, lanes
from services.delivery.claimed import Claimed
from services.delivery.claiming import claim
from services.delivery.sending import send
from services.notices.subscribers import Recipient
from tests.support.world import World, told_by

ANN, BOB = "ann", "bob"


@dataclass
class Chat:
    """A channel, and what is told on it."""

    world: World
    lane_id: UUID
    heard: scripted.Store

    def tell(
        self, *names: str, event: EventType = EventType.TOKEN_ROTATED, to: str = ANN, **facts: Any
    ) -> None:
        """One fact about each of these accounts, in one commit."""
        target = Recipient(self.world.tenant_id, self.lane_id, to)
        self.world.runtime.change(
            lambda _, outbox: [
                outbox.tell(
                    target.tenant_id, event, facts={"account": name, **facts}, targets=[target]
                )
                for name in names
            ]
        )

    def claim(self, most: int = 10) -> tuple[lanes.Turn, list[Claimed]]:
        """As a drain does that dies after it."""
        now = self.world.clock.now()
        database = self.world.runtime.database
        turn = database.write(
            lambda session: lanes.take_turn(session, self.lane_id, now, draining.SLICE)
        )
        assert turn is not None
        return turn, list(
            database.write(lambda session: claim(session, turn, now, most)).deliveries
        )

    def send(self, turn: lanes.Turn, claimed: Claimed) -> None:
        """As a drain does that dies after it."""
        plugin = self.world.runtime.opened.plugin(turn.integration)
        start_by = self.world.clock.elapsed() + 1
        send(self.world.runtime, turn, plugin, claimed, 1, start_by)

    @property
    def lane(self) -> Lane:
        with self.world.runtime.database.reading() as session:
            return session.scalars(select(Lane).where(Lane.id == self.lane_id)).one()

    @property
    def told(self) -> list[tuple[str, ...]]:
        """Each message as the accounts that it names, in the order in which they came."""
        alone = [(notice.facts["account"],) for notice, _ in self.heard.notices]
        return alone + [
            tuple(notice.facts["account"] for notice in digest.notices)
            for digest, _ in self.heard.digests
        ]

    @property
    def keys(self) -> list[UUID]:
        return [digest.key for digest, _ in self.heard.digests]

    def change(self, **values: Any) -> None:
        """What a plugin of another kind would be paced at."""
        self.world.runtime.database.write(
            lambda session: session.execute(
                update(Lane).where(Lane.id == self.lane_id).values(**values)
            )
        )


def chat_of(world: World) -> Chat:
    """A channel in memory, and its lane."""
    fqn, heard = world.channel()
    world.create("listened-to", notification_target=told_by(fqn, to=[ANN]))
    with world.runtime.database.reading() as session:
        lane_id = session.scalars(
            select(Lane.id)
            .join(Integration, Integration.id == Lane.integration_id)
            .where(Integration.fqn == fqn)
        ).one()
    return Chat(world, lane_id, heard)
