"""People at the console: their sessions, in a browser or by plain HTTP."""

import re
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import httpx
from playwright.sync_api import Page
from sqlalchemy import select

from models import User
from services.people.user_life import change_roles
from tests.support.persons import Person, logged_in, person
from tests.support.world import World

COOKIE = "keyturn"
PATIENCE = 60.0  # seconds: a busy machine is no failure


class Visitor:
    """A signed-in person by plain HTTP, who sends forms as the pages make them."""

    def __init__(self, http: httpx.Client, who: Person) -> None:
        self.http, self.who = http, who

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, **options)

    def form_token(self, path: str = "/device") -> str:
        """One that a page of this session carries."""
        found = re.search(r'name="csrf" value="(\w+)"', self.http.get(path).text)
        assert found, path
        return found[1]

    def post(self, path: str, sent: Mapping[str, Any] | None = None) -> httpx.Response:
        """Sends a form with a good token."""
        return self.http.post(path, data={"csrf": self.form_token(), **(sent or {})})


class Visitors:
    """Makes people, and opens their sessions."""

    def __init__(self, world: World, server: str, stack: ExitStack) -> None:
        self._world, self._server, self._stack = world, server, stack

    def admin(self, email: str = "ann@example.com") -> Person:
        """A person who is a tenant-admin."""
        who = person(self._world, email)
        change_roles(self._world.runtime, self._world.admin, email, ["tenant-admin"])
        return who

    def member(self, email: str = "bob@example.com", tenant_id: UUID | None = None) -> Person:
        """A person without a role of their own."""
        return person(self._world, email, tenant_id=tenant_id)

    def session(self, who: Person) -> str:
        return logged_in(self._world, who).reveal()

    def by_http(self, who: Person) -> Visitor:
        """The person without a browser."""
        http = self._stack.enter_context(
            httpx.Client(
                base_url=self._server,
                headers={"Origin": self._server},
                cookies={COOKIE: self.session(who)},
                timeout=PATIENCE,
            )
        )
        return Visitor(http, who)

    def into(self, page: Page, who: Person) -> Page:
        """The browser window has a session of this person."""
        page.context.add_cookies(
            [{"name": COOKIE, "value": self.session(who), "url": self._server, "httpOnly": True}]
        )
        return page

    def the_admin(self) -> User:
        """The tenant's first admin."""
        with self._world.runtime.database.reading() as session:
            return session.scalars(select(User).order_by(User.created_at)).first()
