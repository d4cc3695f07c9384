"""Accounts, people and their tokens, done to in any order: each token works as a plain model says.

The model knows nothing of rows or states: a token is valid until it is ended, or until a moment;
an admin is who was last made one. After every step every token that was ever issued is tried.
"""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from api.app import create_app
from tests.api.things import Things, bearers
from tests.support.serving import Stage
from tests.support.world import World, new_world

ACCOUNTS = "/api/svc/v1/virtual-accounts"
USERS = "/api/svc/v1/users"
TOKENS = "/api/svc/v1/personal-access-tokens"
GRANT = {"resource_fqn": "acme", "resource_type": "account", "role_id": "tenant-admin"}


@dataclass(eq=False)
class Owner:
    """A machine or a person."""

    name: str
    id: str
    is_person: bool
    is_admin: bool = False
    is_active: bool = True
    tokens: list["Issued"] = field(default_factory=list)


@dataclass(eq=False)
class Issued:
    """A token that somebody was given once, and when it stops working, if that is known."""

    text: str
    owner: Owner
    ends: datetime | None = None
    name: str = ""

    def works(self, now: datetime) -> bool:
        return self.owner.is_active and (self.ends is None or now < self.ends)


class Keys(RuleBasedStateMachine):
    """What clients do by HTTP, and what follows from it."""

    stage: tuple[Stage, str]  # the server that all tests share

    accounts = Bundle("accounts")
    people = Bundle("people")
    personal = Bundle("personal")

    def __init__(self) -> None:
        super().__init__()
        self._opened = ExitStack()
        folder = Path(self._opened.enter_context(tempfile.TemporaryDirectory()))
        limits = {"failed_logins": 1_000_000}  # every token is tried again and again
        self.world: World = self._opened.enter_context(
            new_world(f"sqlite:///{folder / 'keyturn.db'}", folder / "files", **limits)
        )
        player, address = self.stage
        self._opened.enter_context(player.playing(create_app(self.world.runtime)))
        self.http = self._opened.enter_context(httpx.Client(base_url=address, timeout=30))
        self.boss = bearers(Things(self.world, self.world.tenant_id))["admin"]
        self.issued: list[Issued] = []
        self.count = 0

    def teardown(self) -> None:
        self._opened.close()

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def call(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.boss}"}
        return self.http.request(method, path, json=body, headers=headers)

    def done(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        answer = self.call(method, path, body, token)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def issue(self, owner: Owner, text: str, name: str = "") -> Issued:
        issued = Issued(text, owner, name=name)
        owner.tokens.append(issued)
        self.issued.append(issued)
        return issued

    def fresh(self, kind: str) -> str:
        self.count += 1
        return f"{kind}-{self.count}"

    # Machines.

    def put(self, account: Owner) -> dict[str, Any]:
        manifest = {"type": "virtual-account", "name": account.name}
        manifest["permissions"] = [GRANT] if account.is_admin else None
        answer: dict[str, Any] = self.done("PUT", ACCOUNTS, {"manifest": manifest})
        return answer

    @rule(target=accounts, is_admin=st.booleans())
    def create_account(self, is_admin: bool):
        account = Owner(self.fresh("bot"), "", is_person=False, is_admin=is_admin)
        answer = self.put(account)
        account.id = answer["data"]["id"]
        self.issue(account, answer["token"])
        return account

    @rule(account=accounts)
    def write_the_same_again(self, account: Owner):
        assert "token" not in self.put(account)

    @rule(account=accounts, minutes=st.sampled_from([0, 0.5, 10, 100]))
    def regenerate(self, account: Owner, minutes: float):
        path = f"{ACCOUNTS}/{account.id}/regenerate-token"
        text = self.done("POST", path, {"gracePeriodInMinutes": minutes})["token"]
        account.tokens[-1].ends = self.now + timedelta(minutes=minutes)
        self.issue(account, text)

    @rule(account=accounts, back=st.integers(0, 2))
    def end_one_token(self, account: Owner, back: int):
        """The current one is replaced; which the model knows by its place."""
        shown = self.done("GET", f"{ACCOUNTS}/{account.id}")["data"]
        living = [one for one in account.tokens if one.works(self.now)]
        generations = [one["metadata"]["generation"] for one in shown["jwts"]]
        assert generations == [account.tokens.index(one) + 1 for one in reversed(living)]
        row, issued = list(zip(shown["jwts"], reversed(living), strict=True))[back % len(living)]
        self.done("DELETE", f"{ACCOUNTS}/{account.id}/jwt/{row['id']}")
        issued.ends = self.now
        if issued is account.tokens[-1]:
            text = self.done("GET", f"{ACCOUNTS}/{account.id}/token")["token"]
            self.issue(account, text)

    @rule(account=accounts)
    def read_the_current_token(self, account: Owner):
        text = self.done("GET", f"{ACCOUNTS}/{account.id}/token")["token"]
        assert text == account.tokens[-1].text

    @rule(account=accounts, pause=st.booleans())
    def pause_or_resume(self, account: Owner, pause: bool):
        self.done("POST", f"{ACCOUNTS}/{account.id}/{'pause' if pause else 'resume'}")

    @rule(account=consumes(accounts))
    def delete_account(self, account: Owner):
        self.done("DELETE", f"{ACCOUNTS}/{account.id}")
        account.is_active = False
        assert self.call("GET", f"{ACCOUNTS}/{account.id}").status_code == 404

    # People.

    @rule(target=people)
    def register(self):
        email = f"{self.fresh('person')}@example.com"
        answer = self.done("POST", f"{USERS}/register", {"email": email})["data"]
        return Owner(email, answer["id"], is_person=True)

    @rule(person=people, active=st.booleans())
    def activate_or_deactivate(self, person: Owner, active: bool):
        verb = "activate" if active else "deactivate"
        self.done("PATCH", f"{USERS}/{verb}", {"email": person.name})
        person.is_active = active

    @rule(person=people, is_admin=st.booleans())
    def change_roles(self, person: Owner, is_admin: bool):
        roles = ["tenant-admin" if is_admin else "tenant-member"]
        self.done("PATCH", f"{USERS}/roles", {"email": person.name, "roles": roles})
        person.is_admin = is_admin

    @rule(target=personal, person=people)
    def give_a_token(self, person: Owner):
        name = self.fresh("pat")
        body = {"name": name, "userEmail": person.name}
        answer = self.call("POST", f"{TOKENS}/for-user", body)
        if not person.is_active:
            assert answer.status_code == 409
            return multiple()
        assert answer.status_code == 200, answer.text
        return self.issue(person, answer.json()["token"], name)

    @rule(token=consumes(personal))
    def revoke_ones_own_token(self, token: Issued):
        listed = self.call("GET", TOKENS, token=token.text)
        if not token.works(self.now):
            assert listed.status_code == 401
            return
        row = next(one for one in listed.json()["data"] if one["manifest"]["name"] == token.name)
        self.done("DELETE", f"{TOKENS}/{row['id']}", token=token.text)
        token.ends = self.now

    @rule(person=people)
    def revoke_all(self, person: Owner):
        self.done("DELETE", f"{TOKENS}/revoke/all", {"email": person.name})
        for token in person.tokens:
            token.ends = min(token.ends or self.now, self.now)

    @rule(person=consumes(people))
    def delete_person(self, person: Owner):
        self.done("DELETE", f"{USERS}/{person.id}")
        person.is_active = False
        person.tokens.clear()
        self.issued = [one for one in self.issued if one.owner is not person] + [
            Issued(one.text, person) for one in self.issued if one.owner is person
        ]

    # What passes by itself.

    @rule(minutes=st.sampled_from([1, 9, 10, 60]))
    def time_passes(self, minutes: int):
        self.world.clock.pass_(minutes=minutes)

    @rule()
    def the_engine_tidies_up(self):
        self.world.rotate()
        self.world.expire()

    # What must hold, always.

    @invariant()
    def every_token_works_exactly_as_the_model_says(self):
        for token in self.issued:
            answer = self.call("GET", "/api/v1/verify", token=token.text)
            expected = 200 if token.works(self.now) else 401
            assert answer.status_code == expected, (token.owner, answer.text)

    @invariant()
    def admins_are_exactly_whom_the_model_calls_admins(self):
        for token in self.issued:
            if token.works(self.now):
                answer = self.call("GET", "/api/svc/v1/roles", token=token.text)
                expected = 200 if token.owner.is_admin else 403
                assert answer.status_code == expected, (token.owner, answer.text)


def test_tokens_and_admins_are_what_was_done_to_them(stage: tuple[Stage, str]):
    Keys.stage = stage

    run_state_machine_as_test(
        Keys,
        settings=settings(
            max_examples=10,
            stateful_step_count=25,
            derandomize=True,
            database=None,
            phases=[Phase.generate],  # a failure is short enough as it is
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
