"""Activity at the console: events, deliveries with their attempts, the audit log and its export."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from console.event_words import TITLES, detail_of
from core.errors import PlaceRefused, Transient
from core.events import EventType
from models import Delivery, DeliveryState, Integration
from services.audit.audit_chain import chain_due
from services.operation.bootstrap import ensure_tenant
from services.people.invitations import invite
from tests.console.asked import asked
from tests.console.visits import Visitor, Visitors
from tests.support.persons import person
from tests.support.world import HOURLY, LIMITS, World, stored


@pytest.fixture
def refused(world: World) -> Delivery:
    """A copy that its store refused after two attempts without an answer."""
    fqn, store = world.store()
    world.create(auto_rotate=HOURLY, secret_store_config=stored(fqn))
    store.fail(Transient("connection refused"), times=2)
    store.steps.append(PlaceRefused("permission denied"))
    for _ in range(3):
        world.drain()
        world.clock.pass_(minutes=6)
    (row,) = world.deliveries()
    assert row.state is DeliveryState.FAILED
    return row


def test_every_kind_of_event_has_a_title():
    assert set(TITLES) == set(EventType)


def test_what_is_sealed_in_an_event_is_not_shown(world: World, ann: Visitor):
    fqn = world.integration(
        "custom",
        "mail",
        "notification-channel/email",
        from_email="keys@example.com",
        auth_data={"host": "127.0.0.1", "port": 1},
    )
    assert fqn
    invite(world.runtime, world.admin, "new@example.com", page_url="https://k.example.com/welcome")
    (event,) = world.told("user.invited")

    page = ann.get("/activity").text

    assert "Person invited" in page
    assert event.facts["sealed_link"] not in page
    assert detail_of(event.type, event.facts) == "by tester"


def test_a_failed_delivery_is_found_looked_into_and_rolled_forward(
    world: World, admin: Page, refused: Delivery
):
    admin.goto("/activity")
    admin.get_by_role("link", name="Deliveries", exact=True).first.click()
    admin.get_by_label("Shown", exact=True).select_option("Failed")
    admin.get_by_role("link", name="vault", exact=True).click()

    rows = admin.get_by_role("row")
    expect(rows).to_have_count(4)
    expect(rows.nth(1)).to_contain_text("place refused permission denied", use_inner_text=True)
    expect(rows.nth(3)).to_contain_text("transient")
    expect(rows.nth(3)).to_contain_text("connection refused")
    admin.get_by_role("button", name="Roll forward").press("Enter")

    expect(admin.get_by_text("It is on its way again.")).to_be_visible()
    world.drain()
    assert {row.state for row in world.deliveries()} == {
        DeliveryState.FAILED,
        DeliveryState.DONE,
    }


def test_events_are_narrowed_and_the_address_keeps_it(world: World, admin: Page, refused: Delivery):
    admin.goto("/activity")
    shown = admin.locator("#list")
    expect(shown.get_by_text("Account created", exact=True)).to_be_visible()

    admin.get_by_label("At least").select_option("Warnings")

    expect(shown.get_by_text("Account created", exact=True)).to_be_hidden()
    expect(shown.get_by_text("Store not reached", exact=True).first).to_be_visible()
    expect(admin).to_have_url(re.compile("severity=warning"))
    admin.reload()
    expect(admin.get_by_label("At least")).to_have_value("warning")
    expect(shown.get_by_text("Account created", exact=True)).to_be_hidden()


def test_older_pages_go_on_where_the_one_before_ended(world: World, ann: Visitor):
    for number in range(60):
        world.create(f"bot-{number}")

    first = ann.get("/activity").text
    older = re.search(r'href="(/activity\?before=[^"]+)" rel="next"', first)[1]
    second = ann.get(older).text

    on_first = set(re.findall(r">(bot-\d+)<", first))
    on_second = set(re.findall(r">(bot-\d+)<", second))
    assert len(on_first) == 50
    assert on_first | on_second == {f"bot-{number}" for number in range(60)}
    assert on_first & on_second == set()
    assert 'rel="next"' not in second
    assert 'rel="first"' in second


@pytest.mark.parametrize(
    "query",
    [
        "before=nonsense",
        "type=<script>alert(1)</script>",
        "severity=worst&since=yesterday&until=%00",
        "account=%27%22%3E%3Cscript%3E",
        "since=0001-01-01T00:00&until=9999-12-31T23:59",
    ],
)
def test_whatever_an_address_says_there_is_a_page(ann: Visitor, query: str):
    for path in ("/activity", "/activity/deliveries", "/activity/audit"):
        answer = ann.get(f"{path}?{query}&shown={query}&integration=x&event=x&action=x")

        assert answer.status_code == 200
        assert "<script>alert" not in answer.text


def test_the_audit_log_is_narrowed_and_taken_home(world: World, ann: Visitor):
    world.create("ci-bot")
    world.file_store()
    chain_due(world.runtime)
    page = ann.get("/activity/audit?action=virtual-account").text
    assert "ci-bot" in page
    assert "provider-account.created" not in page
    path = re.search(r'href="(/activity/audit/export[^"]*)"', page)[1]

    answer = ann.get(path)

    assert path == "/activity/audit/export?action=virtual-account"
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert re.fullmatch(
        r'attachment; filename="audit-\d{4}-\d\d-\d\d.jsonl"',
        answer.headers["content-disposition"],
    )
    assert answer.headers["cache-control"] == "no-store"
    records = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["subjectName"] for one in records] == ["ci-bot"]
    everything = ann.get("/activity/audit/export").text.splitlines()
    assert len(everything) > 3


def test_the_audit_log_is_an_admins(visitors: Visitors):
    bob = visitors.by_http(visitors.member())

    assert "/activity/audit" not in bob.get("/activity").text
    assert bob.get("/activity/audit").status_code == 403
    assert bob.get("/activity/audit/export").status_code == 403


def test_somebody_without_accounts_sees_nothing_of_them(visitors: Visitors, refused: Delivery):
    bob = visitors.by_http(visitors.member())
    path = f"/activity/deliveries/{refused.id}"

    assert "ci-bot" not in bob.get("/activity").text
    assert "ci-bot" not in bob.get("/activity/deliveries").text
    assert bob.get(path).status_code == 403
    assert bob.post(f"{path}/roll-forward").status_code == 403


def test_deliveries_of_another_tenant_are_not_there(
    world: World, visitors: Visitors, refused: Delivery
):
    other = ensure_tenant(world.runtime, "umbrella", limits=LIMITS, admin_email="a@u.example")
    eve = visitors.by_http(person(world, "eve@u.example", tenant_id=other))
    path = f"/activity/deliveries/{refused.id}"

    assert eve.get(path).status_code == 404
    assert eve.post(f"{path}/roll-forward").status_code == 404
    (store,) = world.rows(Integration)
    assert "ci-bot" not in eve.get(f"/activity/deliveries?integration={store.id}").text


def test_pages_take_as_many_questions_however_much_has_happened(world: World, ann: Visitor):
    fqn = world.file_store()
    paths = ("/activity", "/activity/deliveries", "/activity/audit?action=token")
    world.create("bot-0", secret_store_config=stored(fqn, "at/0"))

    def counts() -> list[int]:
        found = []
        for path in paths:
            with asked(world) as said:
                assert ann.get(path).status_code == 200
            found.append(len(said))
        return found

    few = counts()
    for number in range(1, 25):
        world.create(f"bot-{number}", secret_store_config=stored(fqn, f"at/{number}"))
    world.drain()

    assert counts() == few
