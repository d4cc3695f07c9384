"""A day on which neither mail nor Slack can be reached, while keys go on turning."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from core.errors import PlaceRefused
from core.events import SEVERITY, EventType, Severity
from models import Delivery, DeliveryState, Event, Integration, Lane
from services.delivery import draining, lanes
from services.delivery.claimed import Claimed
from services.delivery.claiming import claim
from services.delivery.sending import Outcome, send
from services.delivery.settling import settle
from services.engine import expiry, rotation
from services.notices import reminding, standing_in
from tests.support.mail_double import MailDouble
from tests.support.slack_double import SlackDouble
from tests.support.world import World, stored, told_by

PEOPLE = ("ann@example.com", "oncall@example.com")
CHANNEL = "C0001"
EVERY_SIX_HOURS = {"interval": "6h", "grace": "1h", "max_hold": "2h"}

Facts = Counter[tuple[str, EventType]]


@dataclass
class Outage:
    """A Keyturn, its mail server and its Slack, which answer or do not."""

    world: World
    mail: MailDouble
    slack: SlackDouble
    mail_fqn: str
    slack_fqn: str

    def begin(self) -> None:
        self.mail.stop()
        self.slack.stop()

    def end(self) -> None:
        self.mail.start()
        self.slack.start()

    def accounts(self, good: int, bad: int) -> None:
        """`good` ones; and `bad` ones, whose store never takes a new token again."""
        world = self.world
        fqn, store = world.store()
        people = [
            told_by(self.mail_fqn, "email", to_emails=list(PEOPLE)),
            told_by(self.slack_fqn, "slack-bot", channels=[CHANNEL]),
        ]
        given: dict[str, Any] = {"auto_rotate": EVERY_SIX_HOURS, "notification_targets": people}
        for number in range(good):
            world.create(f"bot-{number:04}", **given)
        for number in range(bad):
            path = f"bad/{number}"
            world.create(f"bad-{number}", **given, secret_store_config=stored(fqn, path))
            store.at_path[path] = PlaceRefused("read only")

    def pass_(self, *, hours: float, minutes: int = 10) -> None:
        """Time goes by, and everything that is due is done every so many minutes."""
        for _ in range(int(hours * 60 / minutes)):
            self.world.clock.pass_(minutes=minutes)
            self.tick()

    def tick(self) -> None:
        """What beat and workers do, until nothing is left to do."""
        for work in (self._rotate, self._expire, self._tell):
            while work():
                pass
        reminding.remind_due(self.world.runtime)
        standing_in.pass_on_due(self.world.runtime)
        self.world.drain()

    def send_and_die(self) -> tuple[Claimed, list[Claimed]]:
        """A worker tells the first, finds that mail is back, takes more, and is killed.

        Answers what it had sent by then and not recorded, and what it had taken and not sent.
        """
        runtime = self.world.runtime
        now = self.world.clock.pass_(minutes=10)
        lane = self._lane(self.mail_fqn)
        turn = self._turn(lane)
        first = self._claim(turn)
        assert len(first) == 1  # the probe
        outcome = self._send(turn, first[0])
        runtime.change(lambda session, outbox: settle(session, outbox, turn, [outcome]))
        runtime.database.write(lambda session: lanes.hand_back(session, turn, free_at=now))
        turn = self._turn(lane)
        sent, *unsent = self._claim(turn)
        self._send(turn, sent)
        return sent, unsent

    def _turn(self, lane: Lane) -> lanes.Turn:
        now = self.world.clock.now()
        turn = self.world.runtime.database.write(
            lambda session: lanes.take_turn(session, lane.id, now, draining.SLICE)
        )
        assert turn is not None
        return turn

    def _claim(self, turn: lanes.Turn) -> list[Claimed]:
        now = self.world.clock.now()
        database = self.world.runtime.database
        return list(database.write(lambda session: claim(session, turn, now, 50)).deliveries)

    def _send(self, turn: lanes.Turn, message: Claimed) -> Outcome:
        runtime = self.world.runtime
        plugin = runtime.opened.plugin(turn.integration)
        return send(runtime, turn, plugin, message, 1, runtime.clock.elapsed() + 1)

    def letters(self, person: str) -> list[tuple[UUID, str]]:
        """The key and the subject of all that this person got, in the order in which it came."""
        return [
            (UUID(mail.message["Message-ID"][1:37]), str(mail.message["Subject"]))
            for mail in self.mail.messages
            if mail.recipients == [person]
        ]

    def posts(self) -> list[tuple[UUID, str]]:
        """The same of the channel."""
        return [
            (UUID(payload["metadata"]["event_payload"]["key"]), payload["text"])
            for _, payload in self.slack.messages
        ]

    def notices(self, address: str) -> dict[UUID, Facts]:
        """What was told to this address, by the key of its message; all of it is done."""
        with self.world.runtime.database.reading() as session:
            rows = session.execute(
                select(Delivery, Event)
                .join(Event, Event.id == Delivery.event_id)
                .where(Delivery.address == address)
            ).all()
        told: dict[UUID, Facts] = {}
        for delivery, event in rows:
            assert delivery.state is DeliveryState.DONE
            fact = (event.facts["account"], event.type)
            told.setdefault(delivery.digest_id, Counter())[fact] += 1
        return told

    def severities(self, address: str) -> dict[UUID, Severity]:
        """How bad the worst in each message is."""
        return {
            key: max(SEVERITY[event] for _, event in facts)
            for key, facts in self.notices(address).items()
        }

    def _rotate(self) -> bool:
        return rotation.rotate_due(self.world.runtime).turned > 0

    def _expire(self) -> bool:
        return expiry.expire_due(self.world.runtime) > 0

    def _tell(self) -> bool:
        return expiry.tell_due(self.world.runtime) > 0

    def _lane(self, fqn: str) -> Lane:
        with self.world.runtime.database.reading() as session:
            return session.scalars(
                select(Lane)
                .join(Integration, Integration.id == Lane.integration_id)
                .where(Integration.fqn == fqn)
            ).one()


@contextmanager
def outage_of(world: World) -> Iterator[Outage]:
    """A mail server and a Slack that both work; Slack takes one message a second."""
    with ExitStack() as stack:
        mail = stack.enter_context(MailDouble())
        slack = stack.enter_context(SlackDouble(clock=world.clock.elapsed))
        slack.limit = True
        slack.allow_token("xoxb-1")
        slack.add_channel(CHANNEL)
        smtp = {"type": "smtp-credentials", "host": mail.host, "port": mail.port, "tls": False}
        mail_fqn = world.integration(
            "custom",
            "mail",
            "notification-channel/email",
            from_email="keyturn@example.org",
            auth_data=smtp,
        )
        slack_fqn = world.integration(
            "slack",
            "slack",
            "notification-channel/slack-bot",
            auth_data={"type": "slack-bot", "bot_token": "xoxb-1"},
            endpoint_url=slack.api_url,
        )
        yield Outage(world, mail, slack, mail_fqn, slack_fqn)
