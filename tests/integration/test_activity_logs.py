"""Looking back at events, deliveries, failed attempts and the audit log, page by page."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core.actors import Actor
from core.errors import Conflict, Forbidden, NotFound, PlaceRefused, Transient
from core.events import EventType, Severity
from core.ids import new_id
from core.roles import NOTHING
from models import Attempt, AuditRow, Delivery, DeliveryState, Event, Integration
from services.accounts import account_life
from services.audit import audit_log
from services.audit.audit_log import Wanted
from services.delivery.attempts import KEPT
from services.delivery.delivery_log import Shown, WantedDeliveries, delivery_story, list_deliveries
from services.delivery.judging import tell_lane
from services.delivery.rolling_forward import roll_delivery
from services.integrations.integrations import pause_lane
from services.operation.bootstrap import ensure_tenant
from services.operation.housekeeping import prune
from services.people.teams import put_team
from services.verify.verification import actor_of, verify
from services.watching import looking_back
from services.watching.event_log import WantedEvents, list_events
from services.watching.looking_back import Mark, Page
from tests.support.persons import person
from tests.support.world import HOURLY, LIMITS, World, stored, told_by


def walked(page: Callable[[Mark | None], Page[Any]]) -> list[Any]:
    """Everything, page by page."""
    found: list[Any] = []
    mark: Mark | None = None
    for _ in range(500):
        one = page(mark)
        found += one.items
        mark = one.older
        if mark is None:
            return found
    raise AssertionError("it never ends")


def events(world: World, actor: Actor | None = None, *, limit: int = 3, **wanted: Any):
    return walked(
        lambda mark: list_events(
            world.runtime,
            actor or world.admin,
            WantedEvents(**wanted),
            before=mark,
            limit=limit,
        )
    )


def deliveries(world: World, actor: Actor | None = None, *, limit: int = 3, **wanted: Any):
    return walked(
        lambda mark: list_deliveries(
            world.runtime,
            actor or world.admin,
            WantedDeliveries(**wanted),
            before=mark,
            limit=limit,
        )
    )


def attempts(world: World) -> list[Attempt]:
    with world.runtime.database.reading() as session:
        return list(session.scalars(select(Attempt)))


def bob(world: World) -> Actor:
    """Somebody in the team builders, who reads its accounts and nothing else."""
    who = person(world, "bob@example.com")
    put_team(world.runtime, world.admin, {"name": "builders", "members": [who.email]})
    return actor_of(world.runtime, verify(world.runtime, who.token))


@pytest.fixture
def lived(world: World) -> World:
    """Three accounts that have rotated some times, two of them at once, into one store."""
    fqn, _ = world.store()
    chat, _ = world.channel()
    for name in ("a-bot", "b-bot"):
        world.create(
            name,
            auto_rotate=HOURLY,
            secret_store_config=stored(fqn, f"at/{name}"),
            notification_target=told_by(chat),
        )
    world.create("idle-bot")
    for _ in range(4):
        world.drain()
        world.clock.pass_(hours=1)
        world.rotate()
        world.expire()
    return world


def test_pages_of_events_hold_every_event_once_the_newest_first(lived: World):
    found = events(lived)

    everything = lived.rows(Event)
    assert len(everything) > 15
    assert {one.id for one in found} == {one.id for one in everything}
    assert len(found) == len(everything)
    assert found == sorted(found, key=lambda one: (one.at, one.id.int), reverse=True)


def test_events_are_narrowed_by_type_severity_account_and_time(lived: World):
    rotated = events(lived, type=EventType.TOKEN_ROTATED)
    of_a = events(lived, account="a-bot")
    (first, *_, last) = sorted({one.at for one in rotated})

    assert {one.type for one in rotated} == {EventType.TOKEN_ROTATED}
    assert len(rotated) == 8
    assert {one.facts["account"] for one in of_a} == {"a-bot"}
    assert events(lived, severity=Severity.WARNING) == []
    within = events(lived, type=EventType.TOKEN_ROTATED, since=first, until=last)
    assert len(within) == 6


def test_the_events_of_a_deleted_account_are_found_by_its_name(lived: World):
    account = lived.rows(Event, Event.facts["account"].as_string() == "idle-bot")[0].account_id
    account_life.delete_account(lived.runtime, lived.admin, account)
    lived.create("idle-bot")

    kinds = [one.type for one in events(lived, account="idle-bot")]

    assert kinds.count(EventType.ACCOUNT_CREATED) == 2
    assert kinds.count(EventType.ACCOUNT_DELETED) == 1


def test_what_no_index_narrows_is_looked_for_within_bounds(
    lived: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(looking_back, "WINDOW", 4)
    wanted = WantedEvents(type=EventType.ACCOUNT_CREATED)

    first = list_events(lived.runtime, lived.admin, wanted, before=None, limit=3)

    assert list(first.items) == []
    assert first.is_partial
    assert first.older is not None


def test_whoever_reads_some_accounts_sees_their_events_and_deliveries_alone(lived: World):
    reader = bob(lived)
    fqn = lived.rows(Integration, Integration.kind == "custom/scripted")[0].fqn
    lived.create("team-bot", ownedBy={"team": "builders"}, secret_store_config=stored(fqn, "t"))
    lived.drain()
    pause_lane(lived.runtime, lived.admin, lived.lane(fqn).id)

    seen = events(lived, reader)
    sent = deliveries(lived, reader)

    assert {one.facts["account"] for one in seen} == {"team-bot"}
    assert {one.account for one in sent} == {"team-bot"}
    assert events(lived, replace(reader, permits=NOTHING)) == []
    other = next(one for one in deliveries(lived) if one.account == "a-bot")
    with pytest.raises(Forbidden):
        delivery_story(lived.runtime, reader, str(other.delivery.id))


def test_nothing_of_another_tenant_is_seen(lived: World):
    other = ensure_tenant(lived.runtime, "umbrella", limits=LIMITS, admin_email="a@u.example")
    them = Actor.operator(other, "them")
    own = lived.rows(Delivery)[0]

    assert events(lived, them) == []
    assert deliveries(lived, them) == []
    assert deliveries(lived, them, event=own.event_id) == []
    assert deliveries(lived, them, shown=Shown.WAITING) == []
    with pytest.raises(NotFound):
        delivery_story(lived.runtime, them, str(own.id))
    with pytest.raises(NotFound):
        roll_delivery(lived.runtime, them, own.id)


def test_pages_of_deliveries_hold_every_delivery_once(lived: World):
    found = [one.delivery.id for one in deliveries(lived)]

    assert len(found) == len(set(found)) == len(lived.deliveries())
    made = [one.delivery.created_at for one in deliveries(lived)]
    assert made == sorted(made, reverse=True)


def test_deliveries_are_narrowed_by_account_integration_and_event(lived: World):
    (store,) = lived.rows(Integration, Integration.name == "vault")
    event = lived.rows(Event, Event.type == EventType.TOKEN_ROTATED)[0]

    assert {one.account for one in deliveries(lived, account="a-bot")} == {"a-bot"}
    assert {one.integration for one in deliveries(lived, integration=store.id)} == {"vault"}
    of_event = deliveries(lived, event=event.id)
    assert {one.delivery.event_id for one in of_event} == {event.id}
    assert {one.integration for one in of_event} == {"vault", "chat"}
    both = deliveries(lived, account="a-bot", integration=store.id)
    assert {(one.account, one.integration) for one in both} == {("a-bot", "vault")}


def test_what_failed_and_what_waits_are_found_by_themselves(world: World):
    fqn, store = world.store()
    for number in range(8):
        world.create(f"bot-{number}", secret_store_config=stored(fqn, f"at/{number}"))
    store.at_path["at/3"] = PlaceRefused("no such mount")
    store.at_path["at/5"] = Transient("connection refused")
    world.drain()

    failed = deliveries(world, shown=Shown.FAILED)
    waiting = deliveries(world, shown=Shown.WAITING)

    assert [one.account for one in failed] == ["bot-3"]
    assert [one.account for one in waiting] == ["bot-5"]
    again = deliveries(world, shown=Shown.FAILED, account="bot-3")
    assert [one.delivery.id for one in again] == [one.delivery.id for one in failed]
    assert deliveries(world, shown=Shown.FAILED, account="bot-5") == []


def test_what_waits_comes_in_the_order_in_which_it_is_sent(world: World):
    for name in ("one", "two"):
        fqn, _ = world.store(name)
        for number in range(5):
            world.create(f"{name}-{number}", secret_store_config=stored(fqn, f"at/{number}"))
            world.clock.pass_(seconds=1)

    found = [one.delivery for one in deliveries(world, shown=Shown.WAITING, limit=3)]

    assert len({row.id for row in found}) == 10
    order = [(row.lane_id.int, row.priority, row.due_at) for row in found]
    assert order == sorted(order)


def failing(world: World, times: int) -> Delivery:
    """A delivery that did not get through so often."""
    fqn, store = world.store()
    world.create(secret_store_config=stored(fqn))
    store.always = Transient("connection refused")
    for _ in range(times):
        world.drain()
        world.clock.pass_(minutes=11)
    (row,) = world.deliveries()
    return row


def test_every_attempt_that_failed_is_kept_with_what_was_said(world: World):
    row = failing(world, 3)

    story = delivery_story(world.runtime, world.admin, str(row.id))

    assert [(one.claim, one.result, one.error) for one in story.attempts] == [
        (3, "transient", "connection refused"),
        (2, "transient", "connection refused"),
        (1, "transient", "connection refused"),
    ]
    assert story.attempts[0].at - story.attempts[1].at == timedelta(minutes=11)
    assert story.may_roll


def test_of_a_delivery_that_never_gets_through_the_newest_attempts_are_kept(world: World):
    row = failing(world, KEPT + 5)

    kept = delivery_story(world.runtime, world.admin, str(row.id)).attempts

    assert [one.claim for one in kept] == list(range(KEPT + 5, 5, -1))


def test_a_send_that_gets_through_writes_no_attempt(lived: World):
    assert attempts(lived) == []


def test_attempts_go_with_their_delivery(world: World):
    row = failing(world, 2)
    world.runtime.settings = world.runtime.settings.model_copy(
        update={"delivery_retention": timedelta(days=1)}
    )
    account_life.delete_account(world.runtime, world.admin, row.account_id)
    world.clock.pass_(days=2)

    prune(world.runtime)

    assert attempts(world) == []


def test_a_refused_copy_is_rolled_forward_as_the_current_token(world: World):
    fqn, store = world.store()
    world.create(secret_store_config=stored(fqn))
    store.fail(PlaceRefused("permission denied"))
    world.drain()
    (row,) = world.deliveries()
    assert row.state is DeliveryState.FAILED

    roll_delivery(world.runtime, world.admin, row.id)
    world.drain()

    assert list(store.held) == ["ci/token"]
    with pytest.raises(Conflict):
        roll_delivery(world.runtime, world.admin, world.deliveries()[-1].id)


def test_a_notice_about_no_account_is_rolled_forward_by_whoever_manages_stores(world: World):
    fqn, store = world.store()
    chat, told = world.channel()
    world.create(secret_store_config=stored(fqn), notification_target=told_by(chat))
    world.drain()
    told.at_path[""] = PlaceRefused("no such channel")

    def tell(session, outbox):
        tell_lane(session, outbox, world.lane(fqn), EventType.LANE_PAUSED)

    world.runtime.change(tell)
    world.drain()
    (row,) = world.deliveries(Delivery.account_id.is_(None))
    assert row.state is DeliveryState.FAILED
    del told.at_path[""]

    with pytest.raises(Forbidden):
        roll_delivery(world.runtime, bob(world), row.id)
    roll_delivery(world.runtime, world.admin, row.id)
    world.drain()

    (again,) = world.deliveries(Delivery.id == row.id)
    assert again.state is DeliveryState.DONE
    assert "delivery.rolled-forward" in {one.action for one in world.rows(AuditRow)}
    assert store.held


def test_the_audit_log_is_looked_back_at_without_counting(lived: World):
    def page(wanted: Wanted):
        return walked(
            lambda mark: audit_log.look_back(
                lived.runtime, lived.admin, wanted, before=mark, limit=3
            )
        )

    everything = page(Wanted())
    assert len(everything) == len(lived.rows(AuditRow))
    assert [one["at"] for one in everything] == sorted(
        (one["at"] for one in everything), reverse=True
    )
    assert {one["action"] for one in page(Wanted(action="token"))} == {"token.rotated"}
    assert {one["subjectName"] for one in page(Wanted(subject="a-bot"))} == {"a-bot"}
    assert {one["actor"]["name"] for one in page(Wanted(actor="tester"))} == {"tester"}


def test_the_audit_log_is_an_admins(lived: World):
    with pytest.raises(Forbidden):
        audit_log.look_back(lived.runtime, bob(lived), Wanted(), before=None, limit=3)


@pytest.mark.parametrize(
    "text", ["", "now", "2026-03-02_x", "x_01a22808-039b-7387-8915-4629d22da44c", "\0_\0"]
)
def test_what_is_no_mark_is_none(text: str):
    assert Mark.read(text) is None


def test_a_mark_is_read_as_it_was_written(world: World):
    mark = Mark(world.clock.now() + timedelta(microseconds=1), new_id())

    assert Mark.read(str(mark)) == mark
