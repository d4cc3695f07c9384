"""Logging in by a code that is approved elsewhere, as the reference's command does."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from core.ids import new_id
from models import AuditRow, DeviceLogin, LoginSession, PersonalAccessToken, User
from services.operation import housekeeping
from services.operation.bootstrap import ensure_tenant
from services.people.device_login import LENGTH, MOST_OPEN, begin_login
from services.verify.verification import Verified, verify
from tests.support.manual_clock import START
from tests.support.persons import Person, logged_in, person
from tests.support.world import LIMITS, World

BASE = "/api/svc/v1"


@pytest.fixture
def ann(world: World) -> Person:
    return person(world)


def begin(anybody: httpx.Client, tenant: str = "acme") -> dict[str, Any]:
    answer = anybody.post(f"{BASE}/oauth2/device-authorize", json={"tenantName": tenant})
    assert answer.status_code == 200
    return answer.json()


def approve(anybody: httpx.Client, code: str, bearer: dict[str, str]) -> httpx.Response:
    return anybody.post("/api/v1/device/approve", json={"userCode": code}, headers=bearer)


def ask(anybody: httpx.Client, begun: dict[str, Any], tenant: str = "acme") -> httpx.Response:
    body = {
        "tenantName": tenant,
        "deviceCode": begun["deviceCode"],
        "grantType": "device_code",
        "returnJWT": True,
    }
    return anybody.post(f"{BASE}/oauth2/token", json=body)


def session_of(anybody: httpx.Client, token: str) -> httpx.Response:
    return anybody.get(f"{BASE}/session", headers={"Authorization": f"Bearer {token}"})


def log_in(anybody: httpx.Client, who: dict[str, str]) -> str:
    begun = begin(anybody)
    assert approve(anybody, begun["userCode"], who).status_code == 200
    return ask(anybody, begun).json()["accessToken"]


def refused(answer: httpx.Response, field: str) -> bool:
    return (answer.status_code, answer.json()["details"][0]["field"]) == (422, field)


def test_a_login_begins_with_two_codes_and_says_what_to_do(anybody: httpx.Client):
    begun = begin(anybody)

    assert begun["deviceCode"].startswith("tfy_dev_")
    assert len(begun["userCode"]) == 9
    assert set(begun["userCode"]) <= set("BCDFGHJKLMNPQRSTVWXZ-")
    assert begun["userCode"] in begun["message"]
    assert (begun["expiresInSeconds"], begun["intervalInSeconds"]) == (600, 1)


def test_nothing_is_opened_before_somebody_approves(anybody: httpx.Client, world: World):
    begun = begin(anybody)

    answer = ask(anybody, begun)

    assert (answer.status_code, answer.json()["code"]) == (202, "authorization_pending")
    assert world.rows(LoginSession) == []


def test_an_approved_login_opens_a_session_of_whoever_approved_it(
    anybody: httpx.Client, ann: Person
):
    begun = begin(anybody)
    approve(anybody, begun["userCode"], ann.bearer)

    answer = ask(anybody, begun)

    assert answer.status_code == 201
    assert answer.json()["accessToken"].startswith("tfy_ses_")
    assert answer.json()["refreshToken"] is None
    told = session_of(anybody, answer.json()["accessToken"]).json()
    assert told["user"]["email"] == "ann@example.com"


@pytest.mark.parametrize("written", [str.lower, lambda code: code.replace("-", " "), str.strip])
def test_a_code_is_read_as_people_write_it(anybody: httpx.Client, ann: Person, written: Any):
    begun = begin(anybody)

    assert approve(anybody, written(begun["userCode"]), ann.bearer).status_code == 200
    assert ask(anybody, begun).status_code == 201


def test_a_login_opens_one_session_only(anybody: httpx.Client, world: World, ann: Person):
    begun = begin(anybody)
    approve(anybody, begun["userCode"], ann.bearer)
    ask(anybody, begun)

    assert refused(ask(anybody, begun), "deviceCode")
    assert refused(approve(anybody, begun["userCode"], ann.bearer), "userCode")
    assert len(world.rows(LoginSession)) == 1


def test_a_login_that_nobody_approved_in_time_has_ended(
    anybody: httpx.Client, world: World, ann: Person
):
    begun = begin(anybody)
    world.clock.pass_(minutes=10)

    assert refused(approve(anybody, begun["userCode"], ann.bearer), "userCode")
    assert refused(ask(anybody, begun), "deviceCode")


def test_an_approved_login_ends_too(anybody: httpx.Client, world: World, ann: Person):
    begun = begin(anybody)
    approve(anybody, begun["userCode"], ann.bearer)
    world.clock.pass_(minutes=10)

    assert refused(ask(anybody, begun), "deviceCode")


@pytest.mark.parametrize("code", ["", "x", "tfy_dev_" + "0" * 49, "BCDF-GHJK"])
def test_a_code_that_was_never_given_opens_nothing(anybody: httpx.Client, ann: Person, code: str):
    begin(anybody)

    assert refused(ask(anybody, {"deviceCode": code}), "deviceCode")
    assert refused(approve(anybody, code, ann.bearer), "userCode")


def test_the_short_code_opens_nothing_by_itself(anybody: httpx.Client, ann: Person):
    begun = begin(anybody)
    approve(anybody, begun["userCode"], ann.bearer)

    assert refused(ask(anybody, {"deviceCode": begun["userCode"]}), "deviceCode")


def test_a_second_word_changes_nothing_and_another_persons_is_refused(
    anybody: httpx.Client, world: World, ann: Person
):
    begun = begin(anybody)
    approve(anybody, begun["userCode"], ann.bearer)
    bea = person(world, "bea@example.com")

    assert approve(anybody, begun["userCode"], ann.bearer).status_code == 200
    assert refused(approve(anybody, begun["userCode"], bea.bearer), "userCode")
    (login,) = world.rows(DeviceLogin)
    assert login.user_id == ann.id
    approvals = [row for row in world.rows(AuditRow) if row.action == "device-login.approved"]
    assert len(approvals) == 1


def test_a_virtual_account_approves_nothing(http: httpx.Client, anybody: httpx.Client):
    begun = begin(anybody)

    answer = http.post("/api/v1/device/approve", json={"userCode": begun["userCode"]})

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert ask(anybody, begun).status_code == 202


@pytest.mark.law(12)
def test_a_login_is_approved_and_finished_in_its_own_tenant_only(
    anybody: httpx.Client, world: World, ann: Person
):
    umbrella = ensure_tenant(
        world.runtime, "umbrella", limits=LIMITS, admin_email="admin@umbrella.example"
    )
    stranger = person(world, "eve@umbrella.example", tenant_id=umbrella)
    begun = begin(anybody)

    assert refused(approve(anybody, begun["userCode"], stranger.bearer), "userCode")
    approve(anybody, begun["userCode"], ann.bearer)
    assert refused(ask(anybody, begun, "umbrella"), "deviceCode")
    assert ask(anybody, begun).status_code == 201


def test_there_is_no_login_at_a_tenant_that_is_not_there(anybody: httpx.Client):
    answer = anybody.post(f"{BASE}/oauth2/device-authorize", json={"tenantName": "nobody"})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_session_that_a_token_approved_ends_with_the_token(
    anybody: httpx.Client, world: World, ann: Person
):
    token = log_in(anybody, ann.bearer)
    with world.runtime.database.writing() as session:
        session.execute(update(PersonalAccessToken).values(revoked_at=world.clock.now()))

    assert session_of(anybody, token).status_code == 401


def test_so_does_one_that_such_a_session_approved(anybody: httpx.Client, world: World, ann: Person):
    first = log_in(anybody, ann.bearer)
    log_in(anybody, {"Authorization": f"Bearer {first}"})

    assert {row.personal_access_token_id for row in world.rows(LoginSession)} == {ann.token_id}


def test_a_session_does_not_outlive_the_token_that_approved_it(anybody: httpx.Client, world: World):
    ends = world.clock.now() + timedelta(hours=1)
    short = person(world, expires_at=ends)

    log_in(anybody, short.bearer)

    (row,) = world.rows(LoginSession)
    assert row.expires_at == ends


def test_a_session_that_a_token_approved_counts_as_that_token(
    anybody: httpx.Client, world: World, ann: Person
):
    by_token = verify(world.runtime, log_in(anybody, ann.bearer))
    own = logged_in(world, ann).reveal()
    by_session = verify(world.runtime, log_in(anybody, {"Authorization": f"Bearer {own}"}))

    assert isinstance(by_token, Verified)
    assert isinstance(by_session, Verified)
    assert (by_token.with_personal_token, by_session.with_personal_token) == (True, False)


@pytest.mark.parametrize(
    ("model", "stopped"), [(User, {"active": False}), (PersonalAccessToken, {"revoked_at": START})]
)
def test_an_approved_login_of_somebody_who_was_stopped_opens_nothing(
    anybody: httpx.Client, world: World, ann: Person, model: Any, stopped: dict[str, Any]
):
    begun = begin(anybody)
    approve(anybody, begun["userCode"], ann.bearer)
    with world.runtime.database.writing() as session:
        session.execute(update(model).values(**stopped))

    assert refused(ask(anybody, begun), "deviceCode")
    assert world.rows(LoginSession) == []


def test_logging_out_ends_the_session_at_once(anybody: httpx.Client, world: World, ann: Person):
    token = log_in(anybody, ann.bearer)
    bearer = {"Authorization": f"Bearer {token}"}

    assert anybody.delete(f"{BASE}/session", headers=bearer).json() == {}

    assert session_of(anybody, token).status_code == 401
    assert session_of(anybody, ann.token).status_code == 200
    assert world.rows(AuditRow)[-1].action == "session.ended"


def test_a_token_is_not_logged_out(http: httpx.Client, anybody: httpx.Client, ann: Person):
    for answer in (
        http.delete(f"{BASE}/session"),
        anybody.delete(f"{BASE}/session", headers=ann.bearer),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_the_audit_log_keeps_both_steps_and_no_code(
    anybody: httpx.Client, world: World, ann: Person
):
    begun = begin(anybody)
    approve(anybody, begun["userCode"], ann.bearer)
    token = ask(anybody, begun).json()["accessToken"]

    rows = [row for row in world.rows(AuditRow) if row.subject_name == "ann@example.com"]
    assert [row.action for row in rows] == ["device-login.approved", "session.opened"]
    assert [row.actor["name"] for row in rows] == ["ann@example.com"] * 2
    written = " ".join(f"{row.actor}{row.detail}" for row in rows)
    assert not any(secret in written for secret in (token, begun["deviceCode"], begun["userCode"]))


def test_only_so_many_logins_wait_in_a_tenant(world: World, anybody: httpx.Client):
    now = world.clock.now()
    with world.runtime.database.writing() as session:
        session.add_all(
            DeviceLogin(
                tenant_id=world.tenant_id,
                id=new_id(),
                user_code=str(number),
                device_hash=str(number).encode(),
                created_at=now,
                expires_at=now + LENGTH,
            )
            for number in range(MOST_OPEN)
        )

    answer = anybody.post(f"{BASE}/oauth2/device-authorize", json={"tenantName": "acme"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unready")
    world.clock.pass_(minutes=10)
    begin_login(world.runtime, "acme")


def test_what_has_ended_is_swept_away(world: World, anybody: httpx.Client, ann: Person):
    log_in(anybody, ann.bearer)
    begin(anybody)
    world.clock.pass_(minutes=11)
    housekeeping.prune(world.runtime)
    assert (len(world.rows(DeviceLogin)), len(world.rows(LoginSession))) == (0, 1)

    world.clock.pass_(days=2)
    housekeeping.prune(world.runtime)
    assert world.rows(LoginSession) == []
